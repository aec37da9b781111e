"""Brightness of a band, now and before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fink_al.features.compiled import compiled
from fink_al.features.line import magnitude
from fink_al.features.missing import finite_or_missing
from fink_al.features.nightly import nightly_means
from fink_al.lightcurve import LightCurves


@dataclass(frozen=True)
class Magnitude:
    """Latest magnitude of a band, and its changes since the first night and the brightest.

    ``mag`` is the magnitude of the latest night [mag, AB], ``amplitude`` the first night's minus
    the brightest's [mag], ``fade`` the latest's minus the brightest's [mag]: 0 while the band
    rises. They use nightly mean fluxes; nights without a positive mean are left out.

    Source: our own; distances of supernovae rest on the brightness at a phase (Möller et al. 2025
    use only its limit).
    Missing: ``no_detection`` where the band has no night with a positive mean.

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
        return tuple(f"{name}_{self.band}" for name in ("mag", "amplitude", "fade"))

    @property
    def reason_name(self) -> str:
        """Name of the column that says why there are no features."""
        return f"reason_mag_{self.band}"

    def extract(
        self, light_curves: LightCurves
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Features, shape (n, 3), and indices into `reasons`, shape (n,)."""
        nights = nightly_means(light_curves)
        values = np.full((len(light_curves), 3), np.nan)
        _extract(*nights.of(self.band), nights.flux, values)
        return finite_or_missing(values)


@compiled
def _extract(starts, ends, flux, values):
    for i in range(len(starts)):
        first = last = brightest = 0.0
        for k in range(starts[i], ends[i]):
            if flux[k] > 0.0:
                if brightest == 0.0:
                    first = flux[k]
                last = flux[k]
                brightest = max(brightest, flux[k])
        if brightest > 0.0:
            values[i, 0] = magnitude(last)
            values[i, 1] = magnitude(first) - magnitude(brightest)
            values[i, 2] = magnitude(last) - magnitude(brightest)
