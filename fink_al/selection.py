"""Selection of candidates by a draw, and the reasons why other alerts are rejected.

An alert that fails a cut gets the bit of that cut. An alert without any bit is a candidate. An
alert that fails no cut is in its list: it has a weight and a priority, drawn or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fink_al.cuts import Bools, Context, Floats, Words, columns_of, failures
from fink_al.draws import priorities, weights
from fink_al.settings import Cut, DrawSettings, Target
from fink_al.settings.cuts import LOOP_REASONS
from fink_al.strategies import strategy as strategy_called
from fink_al.strategies.pool import Pool

#: The strategy without a model: all weights are equal.
RANDOM = "random"

#: What stands between strategy and cost in a name.
_BY_TIME = "/minutes**"
#: Telescope time below which a spectrum counts as one of this time, so that scores are at most 1.
_SHORTEST_MIN = 5.0


def reasons(cuts: Mapping[str, Cut]) -> tuple[str, ...]:
    """Return names of the bits of a rejection, from the lowest: `cuts`, then the loop's own.

    Bits are used within one batch only; archive and messages keep the names.
    """
    return (*cuts, *LOOP_REASONS)


def inputs(cuts: Mapping[str, Cut]) -> dict[str, Words | None]:
    """Return the context columns that a selection reads (:func:`fink_al.cuts.columns_of`)."""
    return columns_of(cuts) | dict.fromkeys(("mag", "ra", "dec"))


@dataclass(frozen=True)
class Draws:
    """Random numbers of `n` alerts, and the state of their lists.

    Parameters
    ----------
    u : float64 array, shape (n,)
        Random number in [0, 1) of object and list.
    t : float64 array, shape (n,)
        Threshold of the list.
    mean : float64 array, shape (n,)
        Mean of ``score**exponent`` by which weights are divided.
    """

    u: Floats
    t: Floats
    mean: Floats


@dataclass(frozen=True)
class Selection:
    """Outcome of the cuts and of the draw for `n` alerts.

    Parameters
    ----------
    rejected : int64 array, shape (n,)
        Bit ``i`` is set if the alert fails ``reasons(cuts)[i]``; 0 is a candidate.
    score : float64 array, shape (n,)
        Score of the query strategy; NaN where it has none.
    pi, priority : float64 arrays, shape (n,)
        Weight and priority; NaN for an alert that is not in its list.
    """

    rejected: npt.NDArray[np.int64]
    score: Floats
    pi: Floats
    priority: Floats


def scored_by(strategy: str, draw: DrawSettings) -> str:
    """Return the name of what alerts are scored by: a strategy, perhaps by telescope time."""
    return f"{strategy}{_BY_TIME}{draw.cost:g}" if draw.cost and strategy != RANDOM else strategy


def strategy_and_cost(name: str) -> tuple[str, float]:
    """Return strategy and cost of a name that :func:`scored_by` made."""
    strategy, _, cost = name.partition(_BY_TIME)
    return strategy, float(cost or 0)


def score(name: str, p: Floats, chance: Floats, minutes: Floats, draw: DrawSettings) -> Floats:
    """Return the score of each alert, shape (n,), on [0, 1].

    Parameters
    ----------
    name : str
        Query strategy, perhaps by telescope time (:func:`scored_by`); `RANDOM` gives 1 to all.
    p : float64 array, shape (n,)
        Probability of the target's class; NaN where not scored.
    chance, minutes : float64 arrays, shape (n,)
        Chance that a spectrum shows a type, and its telescope time.
    draw : DrawSettings
        Its exponent: raised to it, scores go with the telescope time to the power of -cost.

    Raises
    ------
    SettingsError
        If the strategy does not suit a stream.
    """
    if name == RANDOM:
        return np.ones(len(p))
    strategy, cost = strategy_and_cost(name)
    pool = Pool(p, np.zeros(len(p)), chance=chance, minutes=minutes)
    values = strategy_called(strategy, in_stream=True)(pool)
    if not cost:
        return values
    return values * (_SHORTEST_MIN / np.maximum(minutes, _SHORTEST_MIN)) ** (cost / draw.exponent)


def select(
    context: Context,
    *,
    target: Target,
    score: Floats,
    draws: Draws,
    history_start_mjd: Floats,
    has_features: Bools,
    is_observable: Bools,
    is_labelled: Bools,
    is_reserved: Bools,
    is_published: Bools,
) -> Selection:
    """Apply the cuts to a batch of alerts and draw from those that pass.

    Parameters
    ----------
    context : mapping of str to float64 array, shape (n,)
        The columns of :func:`inputs`, in the form that :mod:`fink_al.cuts` explains.
    target : Target
        Its cuts, limits and draw.
    score : float64 array, shape (n,)
        Score of the query strategy; NaN where it has none.
    draws : Draws
        Random numbers, thresholds and means.
    history_start_mjd : float64 array, shape (n,)
        First detection in the alert's own history [MJD].
    has_features : bool array, shape (n,)
        Whether the alert has any feature.
    is_observable : bool array, shape (n,)
        Whether the site can observe it in the night after its list closes.
    is_labelled, is_reserved, is_published : bool arrays, shape (n,)
        The object has a type; it is of the test set, whose objects are never asked for and in no
        list; it was published in this list.
    """
    cuts = target.cuts
    fails = failures(cuts, context, history_start_mjd) | {
        "too_faint": context["mag"] > target.follow_up.max_magnitude,
        "not_observable": ~is_observable,
        "not_scored": ~has_features | np.isnan(score),
    }
    in_list = ~np.any([*fails.values(), is_reserved], axis=0)
    pi = np.where(in_list, weights(score, draws.mean, target.draw), np.nan)
    fails |= {
        "already_labelled": is_labelled | is_reserved,
        "already_published": is_published,
        # Of an object that is in the list with certainty, the draw decides nothing.
        "not_drawn": in_list & ~is_labelled & ~is_published & ~(draws.u < pi * draws.t),
    }
    rejected = np.zeros(len(score), np.int64)
    for bit, name in enumerate(reasons(cuts)):
        rejected |= fails[name].astype(np.int64) << bit
    return Selection(rejected, score, pi, priorities(draws.u, pi))
