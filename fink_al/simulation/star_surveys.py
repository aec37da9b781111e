"""Surveys as the simulation of stars needs them: bands, depth, history and noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

import numpy as np
import numpy.typing as npt

from fink_al.simulation import ztf


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
    host_mag : tuple of float
        The same of the light at the place of a supernova.
    sky_equivalent_mag : float
        Star whose photons are as many as those of the sky under it, relative to the 5 sigma limit.
    calibration_error : float
        Error of calibration and of the subtraction, of the whole flux of the star.
    day_start : float
        Fraction of a UT day at which the site's night starts.
    """

    name: str
    sky: ModuleType
    bands: tuple[str, ...]
    mag: tuple[float, float]
    host_mag: tuple[float, float]
    sky_equivalent_mag: float
    calibration_error: float
    day_start: float

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
#: many photons as a star of 19.5. Error of calibration and ranges of magnitude are our own.
ZTF = StarSurvey(
    name="ztf",
    sky=ztf,
    bands=("g", "r"),
    mag=(15.0, 21.0),
    host_mag=(17.5, 22.0),
    sky_equivalent_mag=-1.1,
    calibration_error=0.015,
    day_start=0.0,
)
