"""Brightness of the sky under moonlight.

Source: Krisciunas & Schaefer 1991 (PASP 103, 1033), equations 3, 9, 15, 16, 18, 19, 20 and 21. They
give its error as 8 to 23 percent. Departure: below the horizon the Moon adds nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def sky_brightness(
    altitude_deg: Floats,
    moon_altitude_deg: Floats,
    moon_distance_deg: Floats,
    moon_phase_deg: Floats,
    dark_sky: float,
    extinction_mag: float,
) -> Floats:
    """Return the V brightness of the sky at a target [mag / arcsec^2].

    Parameters
    ----------
    altitude_deg, moon_altitude_deg : float64 arrays
        Altitudes of the target, above 0, and of the Moon.
    moon_distance_deg : float64 array
        Distance between the two.
    moon_phase_deg : float64 array
        Angle Sun - Moon - Earth: 0 at full Moon, 180 at new Moon.
    dark_sky : float
        Brightness at the zenith without the Moon [mag / arcsec^2].
    extinction_mag : float
        Extinction in V an airmass.

    Returns
    -------
    float64 array
        Of the shape to which the arrays broadcast.
    """
    path = _path(altitude_deg)
    dark = _nanolamberts(dark_sky) * 10 ** (-0.4 * extinction_mag * (path - 1)) * path
    phase = np.abs(moon_phase_deg)
    moon = 10 ** (-0.4 * (3.84 + 0.026 * phase + 4e-9 * phase**4))
    distance = np.maximum(moon_distance_deg, 1.0)
    scattered = 10**5.36 * (1.06 + np.cos(np.radians(distance)) ** 2)
    scattered = scattered + np.where(
        distance >= 10, 10 ** (6.15 - distance / 40), 6.2e7 / distance**2
    )
    dims = 10 ** (-0.4 * extinction_mag * _path(moon_altitude_deg))
    light = scattered * moon * dims * (1 - 10 ** (-0.4 * extinction_mag * path))
    light = np.where(np.asarray(moon_altitude_deg) > 0, light, 0.0)
    return np.asarray((20.7233 - np.log((dark + light) / 34.08)) / 0.92104)


def _path(altitude_deg: Floats) -> Floats:
    """Optical path through a layer of air, 1 at the zenith."""
    sine = np.sin(np.radians(np.maximum(altitude_deg, 0)))
    return np.asarray(1 / np.sqrt(1 - 0.96 * (1 - sine**2)))


def _nanolamberts(brightness: float) -> float:
    return float(34.08 * np.exp(20.7233 - 0.92104 * brightness))
