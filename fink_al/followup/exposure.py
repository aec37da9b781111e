"""Telescope time of a spectrum, and the chance that it shows a type."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fink_al.settings import Exposure

_WIDTH_MAG = 0.5


def chance_of_a_type(
    mag: npt.NDArray[np.float64] | float, exposure: Exposure
) -> npt.NDArray[np.float64]:
    """Return the chance that a spectrum at magnitude `mag` shows a type: the fainter, the smaller.

    ``1 / (1 + exp((m - half) / 0.5))``. With the 19.75 of the 2.3 m telescope it is 92% at 18.5,
    62% at 19.5 and 38% at 20. In the campaign of Möller et al. 2025 the median was 19.5 mag and 62%
    of the spectra (110 of 178) gave a type.
    """
    half = exposure.half_typed_magnitude
    return np.asarray(1 / (1 + np.exp((np.asarray(mag) - half) / _WIDTH_MAG)))


def minutes(mag: npt.NDArray[np.float64], exposure: Exposure) -> npt.NDArray[np.float64]:
    """Return the telescope time of a spectrum of fixed signal to noise at each magnitude [min].

    Source and sky both add noise, so the time goes as ``(f + s) / f**2``, with the flux ``f`` of
    the source and ``s`` of the sky under it. For faint objects it goes as ``1 / f**2``.
    """
    flux = 10 ** (-0.4 * (np.asarray(mag) - exposure.at_magnitude))
    sky = 10 ** (-0.4 * (exposure.sky_magnitude - exposure.at_magnitude))
    return exposure.overhead_min + exposure.minutes * (flux + sky) / flux**2 / (1 + sky)
