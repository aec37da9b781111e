"""A light curve like that of AT2021uey, whose planet was seen before the main peak.

Published (A&A 697, A57, 2025, arXiv 2503.22331, as far as reports on it tell):
an M dwarf of about half a solar mass at about 1 kpc has a planet of 1.34 Jupiter masses at 4.01 au;
the source is probably a giant of the halo; light rose by the planet in July 2021, before the main
peak, and the event was faint.

Assumed here: a source at 10 kpc, and a relative velocity of 200 km/s across the line of sight,
which with the published masses and distances give the Einstein radius and time; a least separation
of 0.2, a baseline of r = 17.5 and g - r = 0.8, no blend, a source of 0.002 Einstein radii, and a
path that meets the planetary caustic. Fields, nights and noise are those of the simulated ZTF.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fink_al.lightcurve import LightCurves
from fink_al.simulation import ztf
from fink_al.simulation.binary_lenses import library, magnification
from fink_al.simulation.lens_alerts import BANDS, Sky, forced_points
from fink_al.simulation.star_noise import baseline_flux, measured, stated_error

Floats = npt.NDArray[np.float64]

#: Published: masses [sun, Jupiter], distance of the lens [kpc], projected distance of the planet.
HOST_SUNS, PLANET_JUPITERS, LENS_KPC, PLANET_AU = 0.5, 1.34, 1.0, 4.01
#: Published: time of the planet's signal, the middle of July 2021 [MJD].
SIGNAL_MJD = 59_410.0

#: Assumed, see above.
SOURCE_KPC, VELOCITY_KM_S, U0, SOURCE_RADIUS = 10.0, 200.0, 0.2, 2e-3
BASELINE_MAG, COLOUR_MAG = 17.5, 0.8

#: Einstein radius of a solar mass half-way to a far source at 1 kpc, from 4 G M D / c^2 [au].
_EINSTEIN_AU = 2.854
_JUPITERS_PER_SUN, _KM_S_PER_AU_DAY = 1047.35, 1731.46


@dataclass(frozen=True)
class Case:
    """Figures of the lens, in Einstein radii and days.

    Parameters
    ----------
    separation, mass_ratio, u0, angle_rad, te_days, t0_mjd : float
        Of star and planet, least separation of source and star, angle of the path, Einstein time,
        and time of the main peak.
    """

    separation: float
    mass_ratio: float
    u0: float
    angle_rad: float
    te_days: float
    t0_mjd: float


def case() -> Case:
    """Return the figures that follow from the published and the assumed ones."""
    radius_au = _EINSTEIN_AU * np.sqrt(HOST_SUNS * LENS_KPC * (1 - LENS_KPC / SOURCE_KPC))
    separation = PLANET_AU / radius_au
    te_days = radius_au / (VELOCITY_KM_S / _KM_S_PER_AU_DAY)
    # The caustic of a wide planet lies at s - 1/s on its side (Gaudi 2012, ARA&A 50, 411).
    caustic = separation - 1 / separation
    before = np.sqrt(caustic**2 - U0**2)
    angle = np.arcsin(U0 / caustic)
    return Case(
        float(separation),
        PLANET_JUPITERS / _JUPITERS_PER_SUN / HOST_SUNS,
        U0,
        float(angle),
        float(te_days),
        float(SIGNAL_MJD + before * te_days),
    )


def simulated(seed: int, has_planet: bool = True, past_days: int = 60) -> Sky:
    """Return a sky of this one object, as ZTF would see it.

    Parameters
    ----------
    seed : int
        Of weather and noise: with and without the planet they are the same.
    has_planet : bool
        False: the planet has a millionth of its mass.
    past_days : int
        Nights before the signal.

    Raises
    ------
    SettingsError
        If VBMicrolensing is not installed.
    """
    rng, lens = np.random.default_rng(seed), case()
    begin, end = int(SIGNAL_MJD) - past_days, int(lens.t0_mjd + 2 * lens.te_days)
    plan = ztf.schedule(begin, begin, end, rng)
    own = slice(plan.offsets[0], plan.offsets[1])
    used = plan.band[own] < len(BANDS)
    mjd, band, limit = plan.mjd[own][used], plan.band[own][used], plan.limit_mag[own][used]
    star = baseline_flux(np.array([BASELINE_MAG + COLOUR_MAG, BASELINE_MAG]))
    change = star[band] * (model(mjd, has_planet) - 1)
    error = stated_error(limit, star[band], change)
    flux = measured(change, error, np.zeros(len(mjd), int), rng)
    curves: LightCurves = forced_points(np.array([0, len(mjd)]), mjd, band, flux, error)
    truth = pd.DataFrame({"kind": ["planetary lens"], "peak_mjd": [lens.t0_mjd]})
    return Sky(curves, limit, truth, begin, past_days)


def model(mjd: Floats, has_planet: bool = True) -> Floats:
    """Return the magnification at `mjd`, shape (p,)."""
    lens = vars(case()).copy()
    if not has_planet:
        lens["mass_ratio"] *= 1e-6
    return magnification(library(), lens, mjd, SOURCE_RADIUS)
