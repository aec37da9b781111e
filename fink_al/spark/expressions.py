"""Column expressions of science: inputs of the Python worker, and words for its codes."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from fink_al.cuts import Words

#: A column of reason codes, and the words of the codes; the first stands for no reason.
Codes = tuple[Column, tuple[str, ...]]


def night(mjd: Column, day_start: float) -> Column:
    """Night or list YYYYMMDD in which `mjd` lies, where days begin at the fraction `day_start`."""
    day = F.expr("date'1858-11-17'")
    date = F.date_add(day, F.floor(mjd - day_start).cast("int"))
    return F.date_format(date, "yyyyMMdd").cast("int")


def uniform(object_id: Column, of_list: Column, seed: int) -> Column:
    """Random number on [0, 1) from object, list and seed, equal in every stream and replay."""
    bits = F.xxhash64(object_id, of_list, F.lit(seed).cast("long"))
    return F.shiftrightunsigned(bits, 11) * F.lit(2.0**-53)  # a double holds 53 bits


def numbers(column: Column, words: Words | None) -> Column:
    """`column` in the form that :mod:`fink_al.cuts` reads.

    Parameters
    ----------
    column : Column
        A column of the survey's adapter.
    words : tuple of str, or None
        Words that cuts look for; None for a column of numbers or flags.
    """
    if words is None:
        return column.cast("double")
    places = [F.lit(x) for place, word in enumerate(words, 1) for x in (word, float(place))]
    place = F.coalesce(F.create_map(*places)[column], F.lit(0.0)) if words else F.lit(0.0)
    return F.when(column.isNotNull(), place)


def word(code: Column, words: tuple[str, ...]) -> Column:
    """Word of a reason's code; null for code 0."""
    return F.element_at(F.array(F.lit(None), *map(F.lit, words[1:])), code + 1)


def furthest(codes: Sequence[Codes]) -> Column:
    """Reason of an alert without features: the furthest that the first kind of feature got."""
    words = codes[0][1]
    return word(F.greatest(*(code for code, of in codes if of == words), F.lit(0)), words)


def words(rejected: Column, names: tuple[str, ...]) -> Column:
    """Names of the bits that are set in `rejected`."""
    chosen = [F.when(rejected.bitwiseAND(1 << bit) != 0, name) for bit, name in enumerate(names)]
    return F.filter(F.array(*chosen), lambda name: name.isNotNull())
