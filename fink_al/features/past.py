"""Behaviour of an object before the window of its packet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fink_al.features.microlensing.points import lens_points
from fink_al.features.past_columns import past_columns
from fink_al.lightcurve import LightCurves

_Floats = npt.NDArray[np.float64]

_NAMES = ("epochs", "days", "scatter", "excess", "range", "slope", "quiet", "last")


@dataclass(frozen=True)
class Past:
    """Behaviour of an object in a band before the window of its packet, and how new it is.

    The past is what a memory of earlier alerts knows. ``before_days`` is the time for which it has
    watched the sky [day], ``before_epochs`` the number of its epochs of the object: 0 says that
    the object was in no alert in all that time. ``before_last`` and ``before_quiet`` are the days
    since its last epoch, and since the last one whose flux was below three errors.

    The others compare the past with the latest point of the window. Errors are those of this point:
    ``before_scatter`` is the past scatter in errors, ``before_slope`` the past slope in errors a
    day. ``before_excess`` is how far the latest flux is above the past mean, in units of the past
    scatter or of the error, whichever is larger. ``before_range`` is how far it is above the past
    median, in units of the range of 80% of the past fluxes or of the error, whichever is larger. A
    variable star has been as bright before, a lensed star has not.

    Source: our own. Days are counted to the latest point of any band.
    Missing: ``no_memory`` where no memory covers the nights before the window. Where it has no
    epoch of the object, all but the first two are missing; those in errors also where the window
    has no point of the band.

    Parameters
    ----------
    band : str
        Band.
    forced : bool
        Whether the latest point may be forced photometry.
    """

    band: str
    forced: bool = False

    reasons: ClassVar[tuple[str, ...]] = ("", "no_memory")

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names."""
        return tuple(f"before_{name}_{self.band}" for name in _NAMES)

    @property
    def reason_name(self) -> str:
        """Name of the column that says why there are no features."""
        return f"reason_before_{self.band}"

    @property
    def context_columns(self) -> tuple[str, ...]:
        """Context columns that are read."""
        return past_columns([self.band])

    def extract(self, light_curves: LightCurves) -> tuple[_Floats, npt.NDArray[np.int8]]:
        """Features, shape (n, 8), and indices into `reasons`, shape (n,)."""
        read = [light_curves.context_column(name) for name in self.context_columns]
        since, n, mean, scatter, slope, low, median, high, last, quiet = read
        now = _latest_mjd(light_curves)
        flux, error = _latest_point(light_curves, self.band, self.forced)
        seen = np.where(n > 0, 1.0, np.nan)
        values = np.stack(
            [
                n,
                now - since,
                scatter / error * seen,
                (flux - mean) / np.fmax(scatter, error) * seen,
                (flux - median) / np.fmax(high - low, error) * seen,
                slope / error * seen,
                (now - quiet) * seen,
                (now - last) * seen,
            ],
            axis=1,
        )
        values = np.where(np.isfinite(values) & np.isfinite(since)[:, None], values, np.nan)
        return values, np.isnan(values).all(axis=1).astype(np.int8)


def _latest_mjd(light_curves: LightCurves) -> _Floats:
    """Return the time of each alert's latest point in a known band, shape (n,); NaN without one."""
    latest = np.full(len(light_curves), -np.inf)
    usable = np.isfinite(light_curves.mjd) & (light_curves.band >= 0)
    owner = light_curves.alert_of_point()[usable]
    np.maximum.at(latest, owner, light_curves.mjd[usable])
    return np.where(np.isfinite(latest), latest, np.nan)


def _latest_point(light_curves: LightCurves, band: str, forced: bool) -> tuple[_Floats, _Floats]:
    """Return flux and error of each alert's latest point in a band, shape (n,); NaN without one."""
    points, n = lens_points(light_curves, forced), len(light_curves)
    code = light_curves.bands.index(band) if band in light_curves.bands else -1
    rows = np.flatnonzero(points.band == code)
    last = np.full(n, -1)
    np.maximum.at(last, np.repeat(np.arange(n), np.diff(points.offsets))[rows], rows)
    exists = last >= 0
    flux, error = np.full((2, n), np.nan)
    flux[exists], error[exists] = points.flux[last[exists]], 1.0 / points.weight[last[exists]]
    return flux, error
