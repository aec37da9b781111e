"""Signal to noise of a band and the smoothness of its rise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fink_al.features.compiled import compiled
from fink_al.features.line import slope
from fink_al.features.missing import finite_or_missing
from fink_al.features.nightly import nightly_means
from fink_al.lightcurve import LightCurves


@dataclass(frozen=True)
class Noise:
    """Signal to noise of a band and its scatter about a straight line.

    ``snr`` is flux over error of the latest night, ``scatter`` the root of the reduced chi square
    of a straight line through the nights' magnitudes: about 1 for a straight rise, more for a
    source that varies up and down.

    Source: our own.
    Missing: ``no_detection`` where the band has no night; ``scatter`` needs three nights.

    Parameters
    ----------
    band : str
        Band.
    """

    band: str

    reasons: ClassVar[tuple[str, ...]] = ("", "no_detection")
    context_columns: ClassVar[tuple[str, ...]] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names."""
        return f"snr_{self.band}", f"scatter_{self.band}"

    @property
    def reason_name(self) -> str:
        """Name of the column that says why there are no features."""
        return f"reason_noise_{self.band}"

    def extract(
        self, light_curves: LightCurves
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Features, shape (n, 2), and indices into `reasons`, shape (n,)."""
        nights = nightly_means(light_curves)
        values = np.full((len(light_curves), 2), np.nan)
        _extract(*nights.of(self.band), nights.mjd, nights.flux, nights.flux_err, values)
        return finite_or_missing(values)


@compiled
def _extract(starts, ends, mjd, flux, flux_err, values):
    for i in range(len(starts)):
        start, end = starts[i], ends[i]
        if end > start:
            values[i, 0] = flux[end - 1] / flux_err[end - 1]
            values[i, 1] = slope(mjd, flux, flux_err, start, end, True)[2]
