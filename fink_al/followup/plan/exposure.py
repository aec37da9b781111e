"""Minutes of light that a spectrum needs, by magnitude, airmass and sky."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fink_al.errors import SettingsError
from fink_al.settings import Spectrum

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Weather:
    """Seeing and cloud of a night, as somebody at the telescope tells them.

    Parameters
    ----------
    seeing_arcsec : float or None
        None: the telescope's reference seeing.
    cloud_mag : float
        Light lost in clouds [mag].

    Raises
    ------
    SettingsError
        If the seeing is not above 0, or the cloud is below 0 or above 5 mag.
    """

    seeing_arcsec: float | None = None
    cloud_mag: float = 0.0

    def __post_init__(self) -> None:
        if self.seeing_arcsec is not None and not 0 < self.seeing_arcsec <= 20:
            raise SettingsError(
                f"The seeing is {self.seeing_arcsec:g} arcsec; give a number above 0, at most 20."
            )
        if not 0 <= self.cloud_mag <= 5:
            raise SettingsError(
                f"The cloud is {self.cloud_mag:g} mag; give a number from 0 to 5: with more, close."
            )


def light_minutes(
    mag: Floats, airmass: Floats, sky: Floats, spectrum: Spectrum, weather: Weather
) -> Floats:
    """Return the minutes of light for a spectrum of fixed signal to noise.

    Source and sky both add noise, so the time goes as ``(f + s) / f**2``, as in
    :mod:`fink_al.followup.exposure`, with the flux ``f`` of the source behind the air and cloud and
    ``s`` of the sky under it. The area of sky grows with the square of the seeing. Cloud dims the
    source alone: it shines on what it takes from the sky.

    Parameters
    ----------
    mag : float64 array
        Magnitude above the atmosphere.
    airmass : float64 array
        At least 1; infinite below the horizon.
    sky : float64 array
        Brightness of the sky [mag / arcsec^2].
    spectrum : Spectrum
        What the instrument needs.
    weather : Weather
        Seeing and cloud.

    Returns
    -------
    float64 array
        Infinite where more than `longest_min` is needed, or the magnitude is NaN.
    """
    area = spectrum.sky_area_arcsec2

    def sky_flux(brightness: Floats | float, area: float) -> Floats:
        return np.asarray(area * 10 ** (-0.4 * (np.asarray(brightness) - spectrum.at_magnitude)))

    seeing = (weather.seeing_arcsec or spectrum.seeing_arcsec) / spectrum.seeing_arcsec
    # `minutes` is for the zenith, so one airmass is included in it.
    dims = spectrum.extinction_mag * (airmass - 1) + weather.cloud_mag
    flux = 10 ** (-0.4 * (mag + dims - spectrum.at_magnitude))
    under = sky_flux(sky, area * seeing**2)
    reference = sky_flux(spectrum.dark_sky_mag_arcsec2, area)
    needed = np.full(np.broadcast_shapes(flux.shape, under.shape), np.inf)
    np.divide(spectrum.minutes * (flux + under), flux**2 * (1 + reference), out=needed,
              where=flux > 1e-9)  # fmt: skip
    needed = np.maximum(needed, spectrum.shortest_min)
    return np.where(needed <= spectrum.longest_min, needed, np.inf)
