"""Surveys as the simulation of stars needs them: bands, depth, history and noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

import numpy as np
import numpy.typing as npt

from fink_al.simulation import lsst, ztf


@dataclass(frozen=True)
class StarSurvey:
    """A survey that watches stars.

    Parameters
    ----------
    name : str
        Name of the survey.
    sky : module
        Its cadence, view and columns, as :mod:`fink_al.simulation.ztf` has them.
    bands : tuple of str
        Bands in which stars have light, the first ones of the survey; g and r are among them.
    mag : tuple of float
        Brightest and faintest r magnitude of the constant light.
    saturation_mag : float
        Magnitude above which an exposure measures nothing.
    host_mag : tuple of float
        The same of the light at the place of a supernova.
    sky_equivalent_mag : float
        Star whose photons are as many as those of the sky under it, relative to the 5 sigma limit.
    calibration_error : float
        Error of calibration and of the subtraction, of the whole flux of the star.
    reference_limit_mag : tuple of float
        5 sigma limit of the reference image in each band; infinity: too deep to matter.
    day_start : float
        Fraction of a UT day at which the site's night starts.
    has_quiet_past : bool
        Whether packets hold points from before an object's first detection.
    earlier_days : int
        Nights of the survey of which its count of detections is all that matters.
    tells_first : bool
        Whether packets tell the time of an object's first detection.
    """

    name: str
    sky: ModuleType
    bands: tuple[str, ...]
    mag: tuple[float, float]
    saturation_mag: float
    host_mag: tuple[float, float]
    sky_equivalent_mag: float
    calibration_error: float
    reference_limit_mag: tuple[float, ...]
    day_start: float
    has_quiet_past: bool
    earlier_days: int
    tells_first: bool

    @cached_property
    def green(self) -> int:
        """Index of g in `bands`."""
        return self.bands.index("g")

    @cached_property
    def red(self) -> int:
        """Index of r in `bands`."""
        return self.bands.index("r")

    @cached_property
    def blueness(self) -> npt.NDArray[np.float64]:
        """Place of each band on a scale of 1 in g and 0 in r, linear in one over the wavelength.

        Shape (b,). What is known of g against r goes on to other bands along it (our own).
        """
        wave = 1 / np.array(self.sky.VIEW.wavelengths_nm[: len(self.bands)])
        return np.asarray((wave - wave[self.red]) / (wave[self.green] - wave[self.red]))


#: ZTF. 2" of seeing and a sky of 21.5 to 22 mag a square arcsecond under a limit of 20.6 are as
#: many photons as a star of 19.5. Error of calibration and ranges of magnitude are our own. The
#: survey is in its eighth year.
ZTF = StarSurvey(
    name="ztf",
    sky=ztf,
    bands=("g", "r"),
    mag=(15.0, 21.0),
    saturation_mag=-np.inf,
    host_mag=(17.5, 22.0),
    sky_equivalent_mag=-1.1,
    calibration_error=0.015,
    reference_limit_mag=(np.inf, np.inf),
    day_start=0.0,
    has_quiet_past=True,
    earlier_days=2400,
    tells_first=True,
)

#: LSST. 0.8" of seeing and a sky of r = 21.2 a square arcsecond (Ivezic et al. 2019, ApJ 873, 111)
#: are as many photons as a star of 20.8, under a limit of 24.4. Forced photometry begins with an
#: object's first detection, as :func:`fink_al.simulation.lsst.lists` says. That a visit saturates
#: at 16 in all bands, that templates are a magnitude deeper than visits, and the rest are our own
#: round numbers. A packet's year and one before it are all of the survey, and
#: ``firstDiaSourceMjdTai`` is null, as in 25 real packets of version 10.0.
LSST = StarSurvey(
    name="lsst",
    sky=lsst,
    bands=("u", "g", "r", "i", "z", "y"),
    mag=(17.0, 24.0),
    saturation_mag=16.0,
    host_mag=(20.0, 25.0),
    sky_equivalent_mag=-3.6,
    calibration_error=0.01,
    reference_limit_mag=(24.6, 25.7, 25.4, 24.7, 24.0, 22.8),
    day_start=0.5,
    has_quiet_past=False,
    earlier_days=0,
    tells_first=False,
)
#: Both by name.
STAR_SURVEYS = {survey.name: survey for survey in (ZTF, LSST)}
