"""Change of an alert against the star in the survey's reference image, and in a catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fink_al.features.colour import Colour
from fink_al.features.microlensing.lens import STAR_COLOUR
from fink_al.features.missing import finite_or_missing
from fink_al.lightcurve import FLUXCAL_ZERO_POINT, LightCurves

#: Context column: magnitude of the nearest source in the reference image, in the alert's band.
REFERENCE = "reference_mag"

_COLOUR = Colour("g", "r")


@dataclass(frozen=True)
class Baseline:
    """Change of an alert against the nearest source in reference image and catalogue.

    ``baseline_rise`` is how much brighter the source in the reference image is with the flux of the
    alert [mag, negative where it is fainter]; ``baseline_error`` is its error [mag], that of the
    difference flux alone. A Be star rises by some tenths of a magnitude, a dwarf nova by several.
    ``baseline_colour`` is g - r of the alert's difference flux (``colour_g_r``) minus that of the
    catalogued star [mag]: a lens magnifies all colours alike, so it is 0 where all light is the
    source's; a disk adds red light, heat blue.

    Source: our own. The alert is the latest detection, whose band is that of the reference.
    Missing: ``no_reference`` where the packet names no source in the reference image and no
    colour; the first two also where the alert is as faint as the source is bright, or fainter, the
    colour where the alert has none.
    """

    names: ClassVar[tuple[str, ...]] = ("baseline_rise", "baseline_error", "baseline_colour")
    reason_name: ClassVar[str] = "reason_baseline"
    reasons: ClassVar[tuple[str, ...]] = ("", "no_reference")
    context_columns: ClassVar[tuple[str, ...]] = (REFERENCE, STAR_COLOUR)

    def extract(
        self, light_curves: LightCurves
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Features, shape (n, 3), and indices into `reasons`, shape (n,)."""
        n, curves = len(light_curves), light_curves
        star = 10 ** (-0.4 * (curves.context_column(REFERENCE) - FLUXCAL_ZERO_POINT))
        usable = curves.is_detection & np.isfinite(curves.mjd) & (curves.flux_err > 0)
        rows, owner = np.flatnonzero(usable), curves.alert_of_point()
        # By time, then by flux: of points of one time the order does not matter.
        rows = rows[np.lexsort((curves.flux[rows], curves.mjd[rows], owner[rows]))]
        last = np.full(n, -1)
        last[owner[rows]] = rows  # the last assignment of an alert stays
        change, error = np.full((2, n), np.nan)
        change[last >= 0] = curves.flux[last[last >= 0]]
        error[last >= 0] = curves.flux_err[last[last >= 0]]
        ratio = np.where(star + change > 0, 1 + change / star, np.nan)
        rise = 2.5 * np.log10(ratio)
        rise_error = 2.5 / np.log(10) * error / star / ratio
        colour = _COLOUR.extract(curves)[0][:, 0] - curves.context_column(STAR_COLOUR)
        return finite_or_missing(np.stack([rise, rise_error, colour], axis=1))
