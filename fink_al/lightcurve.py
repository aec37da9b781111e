"""A batch of light curves: one ragged, columnar, survey-blind table.

Code before this type knows the survey; code after it does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fink_al.errors import LightCurveError

#: AB zero point of FLUXCAL, the flux scale of SNANA (Kessler et al. 2009) and of this package.
FLUXCAL_ZERO_POINT = 27.5

_POINT_TYPES: dict[str, type] = {
    "mjd": np.float64,
    "band": np.int8,
    "flux": np.float64,
    "flux_err": np.float64,
    "is_upper_limit": np.bool_,
    "is_forced": np.bool_,
}


@dataclass(frozen=True, eq=False)
class LightCurves:
    """Light curves of `n` alerts, stored end to end.

    Parameters
    ----------
    offsets : int64 array, shape (n + 1,)
        Points of alert ``i`` are ``offsets[i]:offsets[i + 1]`` of every point array.
    mjd : float64 array, shape (p,)
        Modified Julian date of each point, in the survey's own time scale.
    band : int8 array, shape (p,)
        Index into `bands`; -1 where the survey's band is not in the list.
    flux, flux_err : float64 arrays, shape (p,)
        Difference flux and its error in FLUXCAL (AB zero point 27.5). For an upper limit,
        `flux` is the limit and `flux_err` its assigned error.
    is_upper_limit, is_forced : bool arrays, shape (p,)
        A non-detection's limit; forced photometry. Neither counts as a detection.
    bands : tuple of str
        Names of the bands that `band` codes.
    context : pyarrow.Table
        One row an alert, in survey-neutral names; null where the survey lacks the value.
    day_start : float
        Fraction of a UT day at which the site's night starts: points are averaged over
        ``floor(mjd - day_start)``. 0 for Palomar, whose night lies within one UT day.

    Raises
    ------
    LightCurveError
        If the shapes of the arrays contradict each other.
    """

    offsets: npt.NDArray[np.int64]
    mjd: npt.NDArray[np.float64]
    band: npt.NDArray[np.int8]
    flux: npt.NDArray[np.float64]
    flux_err: npt.NDArray[np.float64]
    is_upper_limit: npt.NDArray[np.bool_]
    is_forced: npt.NDArray[np.bool_]
    bands: tuple[str, ...]
    context: pa.Table
    day_start: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "offsets", _frozen(self.offsets, np.int64))
        for name, dtype in _POINT_TYPES.items():
            object.__setattr__(self, name, _frozen(getattr(self, name), dtype))
        if self.offsets.ndim != 1 or len(self.offsets) == 0:
            shape = self.offsets.shape
            raise LightCurveError(f"'offsets' must have shape (n + 1,); found {shape}.")
        if self.offsets[0] != 0 or (np.diff(self.offsets) < 0).any():
            raise LightCurveError("'offsets' must start at 0 and never fall.")
        for name in _POINT_TYPES:
            shape = getattr(self, name).shape
            if shape != (self.offsets[-1],):
                raise LightCurveError(
                    f"'{name}' has shape {shape}; by the offsets it must be ({self.offsets[-1]},)."
                )
        if self.context.num_columns and self.context.num_rows != len(self):
            raise LightCurveError(
                f"The context has {self.context.num_rows} rows; the alerts are {len(self)}."
            )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_points(self) -> int:
        """Number of points of all alerts together."""
        return int(self.offsets[-1])

    @property
    def is_detection(self) -> npt.NDArray[np.bool_]:
        """Points that are detections, shape (p,)."""
        return ~(self.is_upper_limit | self.is_forced) & np.isfinite(self.flux)

    def alert_of_point(self) -> npt.NDArray[np.int64]:
        """Return the index of the alert that each point belongs to, shape (p,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def first_detection_mjd(self) -> npt.NDArray[np.float64]:
        """Return the time of each alert's earliest detection, shape (n,); NaN without one."""
        first = np.full(len(self), np.inf)
        seen = self.is_detection
        np.minimum.at(first, self.alert_of_point()[seen], self.mjd[seen])
        return np.where(np.isfinite(first), first, np.nan)

    def context_column(self, name: str) -> npt.NDArray:
        """Return context column `name`, numbers or flags, as floats, shape (n,); NaN where null."""
        if name not in self.context.column_names:
            return np.full(len(self), np.nan)
        return self.context[name].cast(pa.float64()).to_numpy()

    def with_context(self, columns: Mapping[str, npt.NDArray[np.float64]]) -> LightCurves:
        """Return the same alerts with these context columns, shape (n,); NaN is null."""
        names = [name for name in self.context.column_names if name not in columns]
        context = {name: self.context[name] for name in names} | {
            name: pa.array(values, pa.float64(), from_pandas=True)
            for name, values in columns.items()
        }
        return replace(self, context=pa.table(context))

    def slice(self, start: int, stop: int) -> LightCurves:
        """Return alerts ``start:stop`` as views of this batch's arrays."""
        start, stop, _ = slice(start, stop).indices(len(self))
        lo, hi = self.offsets[start], self.offsets[max(start, stop)]
        points = {name: getattr(self, name)[lo:hi] for name in _POINT_TYPES}
        offsets = self.offsets[start : max(start, stop) + 1] - lo
        context = self.context.slice(start, max(0, stop - start))
        return replace(self, offsets=offsets, context=context, **points)

    def select(self, mask: npt.NDArray[np.bool_]) -> LightCurves:
        """Return a copy of the alerts where `mask` (bool, shape (n,)) is true."""
        mask = np.asarray(mask, bool)
        lengths = np.diff(self.offsets)
        chosen = np.repeat(mask, lengths)
        points = {name: getattr(self, name)[chosen] for name in _POINT_TYPES}
        offsets = np.concatenate([[0], np.cumsum(lengths[mask])])
        context = self.context.filter(pa.array(mask)) if self.context.num_columns else self.context
        return replace(self, offsets=offsets, context=context, **points)

    def select_points(self, mask: npt.NDArray[np.bool_]) -> LightCurves:
        """Return all alerts, with only the points where `mask` (bool, shape (p,)) is true."""
        mask = np.asarray(mask, bool)
        kept = np.concatenate([[0], np.cumsum(mask)])
        points = {name: getattr(self, name)[mask] for name in _POINT_TYPES}
        return replace(self, offsets=kept[self.offsets], **points)

    def with_points(self, more: LightCurves) -> LightCurves:
        """Return the same alerts, with the points of `more` after their own."""
        if len(more) != len(self) or more.bands != self.bands:
            raise LightCurveError(f"Points of {len(more)} alerts cannot join {len(self)} alerts.")
        owner = np.concatenate([self.alert_of_point(), more.alert_of_point()])
        order = np.argsort(owner, kind="stable")
        points: dict[str, Any] = {
            n: np.concatenate([getattr(self, n), getattr(more, n)])[order] for n in _POINT_TYPES
        }
        return replace(self, offsets=self.offsets + more.offsets, **points)

    @classmethod
    def concatenate(cls, batches: Sequence[LightCurves]) -> LightCurves:
        """Join all alerts of `batches`, which must share bands and day start, in order."""
        first = batches[0]
        for batch in batches[1:]:
            if (batch.bands, batch.day_start) != (first.bands, first.day_start):
                raise LightCurveError(
                    f"Cannot join light curves with bands {batch.bands} to {first.bands}."
                )
        shifts = np.concatenate([[0], np.cumsum([batch.n_points for batch in batches])])
        offsets = [b.offsets[1:] + shift for b, shift in zip(batches, shifts, strict=False)]
        points: dict[str, Any] = {
            n: np.concatenate([getattr(b, n) for b in batches]) for n in _POINT_TYPES
        }
        context = pa.concat_tables([b.context for b in batches], promote_options="default")
        return replace(first, offsets=np.concatenate([[0], *offsets]), context=context, **points)

    def equals(self, other: LightCurves) -> bool:
        """Tell whether both hold the same alerts, with NaN equal to NaN."""
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if isinstance(mine, np.ndarray):
                if not np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f"):
                    return False
            elif mine != theirs:
                return False
        return True


def flux_from_mag(
    mag: npt.NDArray[np.float64], mag_err: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return FLUXCAL flux and error of AB magnitudes, NaN where the magnitude is NaN.

    Source: Leoni et al. 2022, section 3 (SNANA's FLUXCAL).
    """
    mag, mag_err = np.asarray(mag, np.float64), np.asarray(mag_err, np.float64)
    flux = 10 ** (-0.4 * mag) * 10.0**11
    return flux, 9.21034e10 * np.exp(-0.921034 * mag) * mag_err


def _frozen(values: npt.ArrayLike, dtype: type) -> npt.NDArray:
    array: npt.NDArray = np.asarray(values, dtype).view()
    array.flags.writeable = False
    return array
