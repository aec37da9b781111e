"""A target's cuts on a batch of alerts: columns in, one array of failures per cut out.

A context column is a float64 array of shape (n,) with NaN for null. A flag is 1 or 0. A word is its
index, from 1, in the words that the cuts look for (:func:`columns_of`); any other word is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fink_al.features.context import galactic_latitude
from fink_al.settings import Condition, Cut
from fink_al.settings.cuts import CONTEXT, DERIVED, words_of

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Context = Mapping[str, Floats]
Words = tuple[str, ...]

#: Comparison by which an alert fails a bound. Comparisons with NaN are false, so a null passes.
_FAILS = {
    "at_least": np.less,
    "more_than": np.less_equal,
    "at_most": np.greater,
    "less_than": np.greater_equal,
}


@lru_cache(maxsize=1)
def extragalactic_classes() -> Words:
    """Return classes of Fink's catalogue cross-match that allow an extragalactic object."""
    # Imported late: the package brings many others, and only this list of it is needed.
    from fink_utils.xmatch.simbad import return_list_of_eg_host

    return tuple(map(str, return_list_of_eg_host()))


def columns_of(cuts: Mapping[str, Cut]) -> dict[str, Words | None]:
    """Return the context columns that `cuts` read, with the words that they look for.

    Parameters
    ----------
    cuts : mapping of str to Cut
        Cuts of a target.

    Returns
    -------
    dict of str to tuple of str, or None
        None for a column of numbers or flags.
    """
    read = _read(cuts)
    names = dict.fromkeys(x for name in read for x in DERIVED.get(name, (name,)))
    columns = {x: words_of(cuts, x) if CONTEXT[x].kind == "word" else None for x in names}
    if "host_is_extragalactic" in read:  # its words come first
        columns["host_class"] = tuple(
            dict.fromkeys([*extragalactic_classes(), *words_of(cuts, "host_class")])
        )
    return columns


def places(values: Iterable[str | None], words: Words) -> Floats:
    """Return the index of each of `values` in `words`, from 1, else 0; NaN for None. Shape (n,)."""
    index: dict[str | None, float] = {word: i for i, word in enumerate(words, 1)}
    return np.array([index.get(value, 0.0 if value is not None else np.nan) for value in values])


def failures(
    cuts: Mapping[str, Cut], context: Context, history_start_mjd: Floats
) -> dict[str, Bools]:
    """Return the alerts that fail each cut, by its name.

    Parameters
    ----------
    cuts : mapping of str to Cut
        Cuts of a target.
    context : mapping of str to float64 array, shape (n,)
        The columns of :func:`columns_of`.
    history_start_mjd : float64 array, shape (n,)
        First detection in the alert's own history [MJD]; the age counts from it if it is later than
        the survey's own first detection, which is unreliable for objects that reappear.

    Returns
    -------
    dict of str to bool array, shape (n,)
        In the order of `cuts`.
    """
    words = columns_of(cuts)
    context = {**context, **_derived(_read(cuts), context, history_start_mjd)}
    return {
        name: np.logical_and.reduce([_fails(c, context, words) for c in cut.conditions])
        for name, cut in cuts.items()
    }


def _read(cuts: Mapping[str, Cut]) -> dict[str, None]:
    conditions = [condition for cut in cuts.values() for condition in cut.conditions]
    named = [name for c in conditions for name in (c.column, c.null_fails_where) if name]
    return dict.fromkeys(named)


def _derived(read: Iterable[str], context: Context, start: Floats) -> dict[str, Floats]:
    derived = {}
    if "age_days" in read:
        derived["age_days"] = context["mjd"] - np.fmax(context["first_detection_mjd"], start)
    if "galactic_latitude" in read:
        derived["galactic_latitude"] = galactic_latitude(context["ra"], context["dec"])
    if "host_is_extragalactic" in read:
        host = context["host_class"]
        is_extragalactic = (host > 0) & (host <= len(extragalactic_classes()))
        derived["host_is_extragalactic"] = np.where(np.isnan(host), np.nan, is_extragalactic)
    return derived


def _fails(condition: Condition, context: Context, words: Mapping[str, Words | None]) -> Bools:
    assert condition.column
    values = context[condition.column]
    fails = np.zeros(len(values), bool)
    for bound, value in condition.bounds.items():
        if bound == "equals":
            fails |= values == float(not value)
        elif bound == "one_of":
            wanted = places(value, words[condition.column] or ())
            fails |= ~np.isnan(values) & ~np.isin(values, wanted)
        else:
            fails |= _FAILS[bound](values, value)
    if condition.if_null == "fails":
        fails |= np.isnan(values)
    elif condition.null_fails_where:
        fails |= np.isnan(values) & (context[condition.null_fails_where] == 1)
    return fails
