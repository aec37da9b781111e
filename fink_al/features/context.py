"""Columns of an alert beside its light curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fink_al.features.missing import finite_or_missing
from fink_al.lightcurve import LightCurves

#: North pole of our galaxy, J2000 [deg] (Blaauw et al. 1960, in the ICRS).
_POLE_RA, _POLE_DEC = 192.85948, 27.12825


@dataclass(frozen=True)
class Context:
    """Unchanged columns of the alert's context, and its galactic latitude.

    Each is named ``context_`` plus the column: scores between 0 and 1 (``real_bogus``,
    ``deep_real_bogus``, ``classtar``, ``star_score``), distances [arcsec]
    (``star_distance_arcsec``, ``asteroid_distance_arcsec``), ``n_detections`` as the survey
    counts them, ``is_positive`` (1: brighter than the template), and ``galactic_latitude`` [deg],
    which is computed from the position. Of the nearest catalogued source, which may be the host:
    ``host_mag`` [AB, r], ``host_colour_g_r`` and ``host_colour_r_i`` [mag]; of the nearest source
    in the survey's reference image ``reference_mag`` [AB, in the alert's band] and
    ``reference_distance_arcsec``.

    Source: the alert packet; pole of our galaxy by Blaauw et al. 1960.
    Missing: ``no_context`` where the alert has none of them; a single one where the alert lacks it.
    LSST's alerts name no catalogued source, and what is known of one is missing there. Their
    ``reference_mag`` is the template's light at the object's position, whatever it is of. The
    default models of supernovae do not use these features, because light curves from tables and
    their simulated sets lack them: name them in the settings (``context``) when all training rows
    have them, or for a challenger.

    Parameters
    ----------
    columns : tuple of str
        Columns to use.
    """

    columns: tuple[str, ...]

    reason_name: ClassVar[str] = "reason_context"
    reasons: ClassVar[tuple[str, ...]] = ("", "no_context")

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names."""
        return tuple(f"context_{name}" for name in self.columns)

    @property
    def context_columns(self) -> tuple[str, ...]:
        """Context columns that are read; the position is one, of which comes the latitude."""
        return tuple({*self.columns, "ra", "dec"} - {"galactic_latitude"})

    def extract(
        self, light_curves: LightCurves
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Features, shape (n, k), and indices into `reasons`, shape (n,)."""
        values = np.stack([_column(light_curves, name) for name in self.columns], axis=1)
        return finite_or_missing(values)


def _column(light_curves: LightCurves, name: str) -> npt.NDArray[np.float64]:
    if name == "galactic_latitude":
        return galactic_latitude(*(light_curves.context_column(x) for x in ("ra", "dec")))
    return light_curves.context_column(name)


def galactic_latitude(
    ra: npt.NDArray[np.float64], dec: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the galactic latitude of J2000 positions, all in degrees."""
    ra, dec, pole = np.radians(ra - _POLE_RA), np.radians(dec), np.radians(_POLE_DEC)
    sine = np.sin(dec) * np.sin(pole) + np.cos(dec) * np.cos(pole) * np.cos(ra)
    return np.degrees(np.arcsin(np.clip(sine, -1, 1)))
