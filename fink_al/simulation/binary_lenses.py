"""Lenses of two masses, a star with its planet among them, by the package VBMicrolensing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fink_al.errors import SettingsError
from fink_al.simulation.lenses import Floats, Ints, Stars, draw_lenses, source_flux

#: Projected distance of both masses [Einstein radius]; mass ratio of planets: uniform in their
#: logarithms. Planets are found near 1, the lensing zone (Gaudi 2012, ARA&A 50, 411).
DISTANCE, MASS_RATIO = (0.5, 2.0), (1e-4, 3e-2)

#: Radius of the source [Einstein radius] (a main-sequence star in the bulge; Gaudi 2012).
SOURCE_RADIUS = 1e-3


def planetary_lens(
    stars: Stars, index: Ints, mjd: Floats, band: Ints, rng: np.random.Generator
) -> tuple[Floats, dict[str, Floats]]:
    """Return the change of flux by a star with a planet as lens, and the figures of each lens.

    As :func:`fink_al.simulation.lenses.point_lens`, with `separation`, `mass_ratio` and
    `angle_rad` of the trajectory beside.

    Raises
    ------
    SettingsError
        If VBMicrolensing is not installed.
    """
    by, n = library(), len(stars.centre_mjd)
    lens = draw_lenses(stars, rng)
    lens["separation"] = _log_uniform(DISTANCE, n, rng)
    lens["mass_ratio"] = _log_uniform(MASS_RATIO, n, rng)
    lens["angle_rad"] = rng.uniform(0, 2 * np.pi, n)
    excess = np.zeros(len(index))
    for i in range(n):
        rows = np.flatnonzero(index == i)
        excess[rows] = magnification(by, {k: v[i] for k, v in lens.items()}, mjd[rows]) - 1
    return source_flux(stars, lens, index, band) * excess, lens


def _log_uniform(bounds: tuple[float, float], n: int, rng: np.random.Generator) -> Floats:
    return np.asarray(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]), n)))


def magnification(
    by: Any, lens: Mapping[str, float], mjd: Floats, source_radius: float = SOURCE_RADIUS
) -> npt.NDArray[np.float64]:
    """Return the magnification of a source by two masses at `mjd`, shape (p,).

    Parameters
    ----------
    by : VBMicrolensing
        What :func:`library` returns.
    lens : mapping of str to float
        ``separation mass_ratio u0 angle_rad te_days t0_mjd``.
    mjd : float64 array, shape (p,)
        Times [MJD].
    source_radius : float
        Radius of the source [Einstein radius].
    """
    order = np.argsort(mjd)
    logs = np.log([lens["separation"], lens["mass_ratio"], source_radius, lens["te_days"]])
    figures = [logs[0], logs[1], lens["u0"], lens["angle_rad"], logs[2], logs[3], lens["t0_mjd"]]
    out = np.empty(len(mjd))
    out[order] = by.BinaryLightCurve(figures, mjd[order].tolist())[0]
    return out


def library() -> Any:
    """Return the calculator of VBMicrolensing.

    Raises
    ------
    SettingsError
        If the package is not installed.
    """
    try:
        import VBMicrolensing
    except ImportError:
        raise SettingsError(
            "Lenses of two masses need VBMicrolensing: pip install fink-al[lenses]"
        ) from None
    by = VBMicrolensing.VBMicrolensing()
    by.Tol, by.RelTol = 1e-3, 1e-3
    return by
