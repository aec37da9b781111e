"""Noise of difference photometry at the place of a star."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fink_al.lightcurve import FLUXCAL_ZERO_POINT
from fink_al.simulation.star_surveys import ZTF, StarSurvey

Floats = npt.NDArray[np.float64]

#: Errors that the survey states are too small by up to this factor, which differs between objects;
#: and a few points are off by several errors (our own).
LARGEST_UNDERESTIMATE, OUTLIER_SHARE, OUTLIER_ERRORS = 1.3, 0.004, 4.0


def baseline_flux(mag: Floats) -> Floats:
    """Return FLUXCAL flux of AB magnitudes."""
    return np.asarray(10 ** (-0.4 * (mag - FLUXCAL_ZERO_POINT)))


def stated_error(
    limit_mag: Floats, star: Floats, change: Floats, survey: StarSurvey = ZTF
) -> Floats:
    """Return the stated error [FLUXCAL] by 5 sigma limit, star and its change, shape (p,).

    A bright star leaves more in the difference image, by the survey's error of calibration.
    """
    sky = baseline_flux(limit_mag) / 5
    total = np.maximum(star + change, 0.0)
    photons = total / baseline_flux(limit_mag + survey.sky_equivalent_mag)
    return np.asarray(np.hypot(sky * np.sqrt(1 + photons), survey.calibration_error * total))


def measured(
    change: Floats, error: Floats, index: npt.NDArray[np.int64], rng: np.random.Generator
) -> Floats:
    """Return measured fluxes of the true `change`, shape (p,), with more noise than is stated."""
    factor = rng.uniform(1, LARGEST_UNDERESTIMATE, index.max(initial=0) + 1)[index]
    factor = np.where(rng.random(len(error)) < OUTLIER_SHARE, OUTLIER_ERRORS, factor)
    return np.asarray(change + factor * error * rng.normal(size=len(error)))
