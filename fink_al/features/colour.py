"""The colour of a light curve and its change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fink_al.features.compiled import compiled
from fink_al.features.line import magnitude, magnitude_error
from fink_al.features.missing import finite_or_missing
from fink_al.features.nightly import nightly_means
from fink_al.lightcurve import LightCurves


@dataclass(frozen=True)
class Colour:
    """Colour of two bands at their latest common epoch, and its change.

    ``colour`` is the magnitude in the bluer band minus that in the redder at the latest pair of
    nights no more than `pair_days` apart [mag], ``colour_err`` its error [mag], ``colour_rate`` the
    slope through all pairs [mag/day, positive while it reddens]. A night of the bluer band is
    paired with the nearest night of the redder.

    Source: our own; colour and its change separate hot young core collapse and tidal disruptions
    from type Ia.
    Missing: ``no_pair`` where no two nights are close enough; ``colour_rate`` needs two pairs.

    Parameters
    ----------
    blue, red : str
        The bands.
    pair_days : float
        Largest time between the nights of a pair.
    """

    blue: str
    red: str
    pair_days: float = 1.5

    reasons: ClassVar[tuple[str, ...]] = ("", "no_pair")
    context_columns: ClassVar[tuple[str, ...]] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names."""
        names = ("colour", "colour_err", "colour_rate")
        return tuple(f"{name}_{self.blue}_{self.red}" for name in names)

    @property
    def reason_name(self) -> str:
        """Name of the column that says why there are no features."""
        return f"reason_colour_{self.blue}_{self.red}"

    def extract(
        self, light_curves: LightCurves
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Features, shape (n, 3), and indices into `reasons`, shape (n,)."""
        nights = nightly_means(light_curves)
        values = np.full((len(light_curves), 3), np.nan)
        _extract(
            *nights.of(self.blue), *nights.of(self.red), nights.mjd, nights.flux, nights.flux_err,
            self.pair_days, values,
        )  # fmt: skip
        return finite_or_missing(values)


@compiled
def _extract(blue_start, blue_end, red_start, red_end, mjd, flux, flux_err, pair_days, values):
    for i in range(len(blue_start)):
        weights = t_sum = c_sum = tt = tc = 0.0
        origin = math.nan
        n = 0
        for k in range(blue_start[i], blue_end[i]):
            if not flux[k] > 0.0:
                continue
            nearest = -1
            for j in range(red_start[i], red_end[i]):
                is_nearer = nearest < 0 or abs(mjd[j] - mjd[k]) < abs(mjd[nearest] - mjd[k])
                if flux[j] > 0.0 and is_nearer:
                    nearest = j
            if nearest < 0 or abs(mjd[nearest] - mjd[k]) > pair_days:
                continue
            colour = magnitude(flux[k]) - magnitude(flux[nearest])
            error = math.hypot(
                magnitude_error(flux[k], flux_err[k]),
                magnitude_error(flux[nearest], flux_err[nearest]),
            )
            if n == 0:
                origin = mjd[k]
            w, t = 1.0 / (error * error), mjd[k] - origin
            weights, t_sum, c_sum = weights + w, t_sum + w * t, c_sum + w * colour
            tt, tc = tt + w * t * t, tc + w * t * colour
            n += 1
            values[i, 0], values[i, 1] = colour, error  # the latest pair stays
        spread = weights * tt - t_sum * t_sum
        if n > 1 and spread > 0.0:
            values[i, 2] = (weights * tc - t_sum * c_sum) / spread
