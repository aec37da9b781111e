"""Cuts as data: a column of an alert, its bounds, and the meaning of a null."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from math import inf
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from fink_al.settings.kinds import Section, distinct


class Column(NamedTuple):
    """Values of a column: a ``number`` between `low` and `high`, ``flag`` or ``word``."""

    kind: Literal["number", "flag", "word"] = "number"
    low: float = -inf
    high: float = inf


_SCORE, _DISTANCE = Column(low=0, high=1), Column(low=0)

#: Columns that a cut may name: those that every survey's adapter derives from an alert.
CONTEXT = {
    "mjd": Column(),
    "ra": Column(low=0, high=360),
    "dec": Column(low=-90, high=90),
    "band": Column("word"),
    "mag": Column(),
    "mag_err": Column(low=0),
    "is_positive": Column("flag"),
    "real_bogus": _SCORE,
    "deep_real_bogus": _SCORE,
    "n_bad_pixels": Column(low=0),
    "classtar": _SCORE,
    "star_score": _SCORE,
    "star_distance_arcsec": _DISTANCE,
    "asteroid_distance_arcsec": _DISTANCE,
    "is_known_asteroid": Column("flag"),
    "n_detections": Column(low=0),
    "first_detection_mjd": Column(),
    "host_class": Column("word"),
}

#: Derived columns, each with the columns that it is computed from.
DERIVED = {
    "age_days": ("mjd", "first_detection_mjd"),
    "galactic_latitude": ("ra", "dec"),
    "host_is_extragalactic": ("host_class",),
}

COLUMNS = CONTEXT | {
    "age_days": Column(),
    "galactic_latitude": Column(low=-90, high=90),
    "host_is_extragalactic": Column("flag"),
}

#: Reasons that are not cuts of a target: of the telescope, of the model, of the requests.
LOOP_REASONS = (
    "too_faint",
    "not_observable",
    "not_scored",
    "not_drawn",
    "already_labelled",
    "already_published",
)

#: Reason of an alert that was judged later, for a target that was not in the stream when it came.
FILLED = "filled_later"

#: Reasons that are no cuts in archives of any version.
NO_CUTS = (*LOOP_REASONS, FILLED, "certain", "not_sampled", "night_full")

_LOWER, _UPPER = ("at_least", "more_than"), ("at_most", "less_than")
_BOUNDS: dict[str, tuple[str, ...]] = {
    "number": _LOWER + _UPPER,
    "flag": ("equals",),
    "word": ("one_of",),
}
_EXAMPLE = "real_bogus: {column: real_bogus, at_least: 0.55}"


def _existing(column: str) -> str:
    if column not in COLUMNS:
        near = difflib.get_close_matches(column, COLUMNS, 1)
        nearest = f"; nearest: {near[0]}" if near else ""
        raise ValueError(f"no such column; known: {', '.join(COLUMNS)}{nearest}")
    return column


def _flag(column: str) -> str:
    if COLUMNS[_existing(column)].kind != "flag":
        flags = ", ".join(name for name, values in COLUMNS.items() if values.kind == "flag")
        raise ValueError(f"must be a column of true or false: {flags}")
    return column


def _number(value: Any) -> Any:
    if isinstance(value, bool):  # a number in Python
        raise ValueError("must be a number")
    return value


_Column = Annotated[str, AfterValidator(_existing)]
_Number = Annotated[float, BeforeValidator(_number)]


class Condition(Section):
    """A column and its bounds, all of which an alert must be within.

    Parameters
    ----------
    column : str
        One of `COLUMNS`.
    at_least, more_than, at_most, less_than : float, optional
        Bounds of a number: ``at_least`` and ``at_most`` include the bound itself.
    equals : bool, optional
        Wanted value of a flag.
    one_of : tuple of str, optional
        Wanted words.
    if_null : {"passes", "fails"}
        Outcome where the alert has no value. Most surveys lack some columns, so a null passes.
        ``fails`` without a bound requires any value.
    null_fails_where : str, optional
        Flag that contradicts a null: where it is true, a null fails.
    """

    column: _Column | None = None
    at_least: _Number | None = None
    more_than: _Number | None = None
    at_most: _Number | None = None
    less_than: _Number | None = None
    equals: bool | None = None
    one_of: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(distinct)] | None = None
    if_null: Literal["passes", "fails"] = "passes"
    null_fails_where: Annotated[str, AfterValidator(_flag)] | None = None

    @property
    def bounds(self) -> dict[str, Any]:
        """Bounds that are set, by name."""
        names = [name for names in _BOUNDS.values() for name in names]
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @model_validator(mode="before")
    @classmethod
    def _has_words_as_keys(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and None in values:
            raise ValueError("null cannot be a key in YAML: write if_null")
        return values

    @model_validator(mode="after")
    def _fits_column(self) -> Condition:
        if self.column is None:
            return self
        kind, bounds = COLUMNS[self.column].kind, self.bounds
        allowed = ", ".join(_BOUNDS[kind])
        if wrong := [name for name in bounds if name not in _BOUNDS[kind]]:
            raise ValueError(
                f"{', '.join(wrong)} cannot bound {self.column}, a {kind}; allowed: {allowed}"
            )
        if not bounds and self.if_null == "passes":
            raise ValueError(f"{self.column} has no bound; allowed: {allowed}")
        if self.if_null == "fails" and self.null_fails_where:
            raise ValueError("every null fails: leave out if_null or null_fails_where")
        if kind == "number":
            self._check_range(COLUMNS[self.column], bounds)
        return self

    def _check_range(self, column: Column, bounds: Mapping[str, float]) -> None:
        for pair in (_LOWER, _UPPER):
            if set(pair) <= bounds.keys():
                raise ValueError(f"{' and '.join(pair)} are both set: set one of them to null")
        for name, value in bounds.items():
            if not column.low <= value <= column.high:
                raise ValueError(
                    f"{name} is {value:g}; {self.column} is between {column.low:g} and "
                    f"{column.high:g}"
                )
        low, high = (
            next((bounds[name] for name in pair if name in bounds), default)
            for pair, default in ((_LOWER, -inf), (_UPPER, inf))
        )
        if low > high:
            raise ValueError(f"the lower bound {low:g} is above the upper one, {high:g}")


class Cut(Condition):
    """One condition, or `any_of` several: an alert that meets one of them passes."""

    any_of: tuple[Condition, ...] | None = None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Conditions of which an alert must meet one."""
        return self.any_of or (self,)

    @model_validator(mode="after")
    def _has_conditions(self) -> Cut:
        keys = list(self.model_dump(exclude_defaults=True, exclude={"any_of"}))
        if self.any_of == ():
            raise ValueError("any_of is empty: write conditions into its list")
        if self.any_of and keys:
            raise ValueError(f"any_of must be the only key: move {', '.join(keys)} into its list")
        if any(condition.column is None for condition in self.conditions):
            raise ValueError(f"column is missing; known: {', '.join(COLUMNS)}; write {_EXAMPLE}")
        return self


def _conditions(cuts: Any) -> Any:
    """Return `cuts` without null ones, with which a target drops cuts of the target it is like."""
    if not isinstance(cuts, Mapping):
        return cuts
    cuts = {name: cut for name, cut in cuts.items() if cut is not None}
    if wrong := [str(name) for name, cut in cuts.items() if not isinstance(cut, Mapping | Cut)]:
        raise ValueError(
            f"{', '.join(wrong)}: a cut is the name of a reason and a condition, as {_EXAMPLE}; "
            "the files of conf/targets have more"
        )
    return cuts


def _names(cuts: dict[str, Cut]) -> dict[str, Cut]:
    if reserved := [name for name in cuts if name in NO_CUTS]:
        raise ValueError(f"{', '.join(reserved)}: reserved by the loop; choose other names")
    return cuts


#: Cuts of a target by their reasons' names; each cut is a bit of a 64-bit number.
Cuts = Annotated[
    dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Cut],
    Field(max_length=50),
    BeforeValidator(_conditions),
    AfterValidator(_names),
]


def words_of(cuts: Mapping[str, Cut], column: str) -> tuple[str, ...]:
    """Return the words of `column` that `cuts` name, each once, in their order."""
    conditions = [condition for cut in cuts.values() for condition in cut.conditions]
    words = [word for c in conditions if c.column == column for word in c.one_of or ()]
    return tuple(dict.fromkeys(words))
