"""Non-detections before the first detection of a band."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fink_al.features.compiled import compiled
from fink_al.features.line import POGSON, magnitude
from fink_al.features.nightly import nightly_means
from fink_al.lightcurve import LightCurves

#: Shortest time over which a rate is computed [day]: over a shorter one it would be noise.
LEAST_GAP_DAYS = 0.5

#: Error of a limit that is used as a point [mag].
LIMIT_ERR_MAG = 0.2


@dataclass(frozen=True)
class Limit:
    """Last non-detection of a band before its first night with a detection.

    ``limit_gap`` is the time from it to the night's mean time [day]; ``limit_rate`` the slowest
    change that leads from the limit to that night's mean [mag/day, negative for brightening], over
    at least half a day.

    Source: our own. The nightly job of Fink uses the same limit as one more point of the fit, as
    :class:`fink_al.features.sigmoid.Sigmoid` does with `last_limit`.
    Missing: ``no_detection`` where the band has no night, ``no_limit`` where it has no
    earlier non-detection; ``limit_rate`` also needs a known limit that is fainter than the
    detection: a brighter one sets no bound.

    Parameters
    ----------
    band : str
        Band.
    """

    band: str

    reasons: ClassVar[tuple[str, ...]] = ("", "no_detection", "no_limit")
    context_columns: ClassVar[tuple[str, ...]] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names."""
        return f"limit_gap_{self.band}", f"limit_rate_{self.band}"

    @property
    def reason_name(self) -> str:
        """Name of the column that says why there are no features."""
        return f"reason_limit_{self.band}"

    def extract(
        self, light_curves: LightCurves
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Features, shape (n, 2), and indices into `reasons`, shape (n,)."""
        nights = nightly_means(light_curves)
        values = np.full((len(light_curves), 2), np.nan)
        reasons = np.zeros(len(light_curves), np.int8)
        bands = light_curves.bands
        code = bands.index(self.band) if self.band in bands else -2
        _extract(
            *nights.of(self.band), nights.mjd, nights.flux, light_curves.offsets, light_curves.mjd,
            light_curves.flux, light_curves.is_upper_limit & (light_curves.band == code), values,
            reasons,
        )  # fmt: skip
        return values, reasons


def with_last_limits(light_curves: LightCurves) -> LightCurves:
    """Return `light_curves` with one non-detection per band turned into a point.

    It is the last before the band's first detection, if its limit is fainter than that detection.
    Its flux is the limit, with an error of 0.2 mag.

    Source: the nightly active-learning job of Fink.
    """
    points = np.zeros(light_curves.n_points, np.bool_)
    _mark(
        light_curves.offsets, light_curves.mjd, light_curves.band, light_curves.flux,
        light_curves.is_upper_limit, light_curves.is_detection, len(light_curves.bands), points,
    )  # fmt: skip
    return replace(
        light_curves,
        flux_err=np.where(
            points, LIMIT_ERR_MAG / POGSON * light_curves.flux, light_curves.flux_err
        ),
        is_upper_limit=light_curves.is_upper_limit & ~points,
    )


@compiled
def _mark(offsets, mjd, band, flux, is_limit, is_detection, k, points):
    for i in range(len(offsets) - 1):
        for j in range(k):
            first = latest = -1
            for p in range(offsets[i], offsets[i + 1]):
                if band[p] == j and is_detection[p] and (first < 0 or mjd[p] < mjd[first]):
                    first = p
            if first < 0:
                continue
            for p in range(offsets[i], offsets[i + 1]):
                is_before = band[p] == j and is_limit[p] and mjd[p] < mjd[first]
                if is_before and (latest < 0 or mjd[p] > mjd[latest]):
                    latest = p
            if latest >= 0 and 0.0 < flux[latest] < flux[first]:
                points[latest] = True


@compiled
def last_limit(begin, end, mjd, is_limit, before):
    """Return the row of the latest limit in ``begin:end`` earlier than `before`, or -1."""
    latest = -1
    for p in range(begin, end):
        if is_limit[p] and mjd[p] < before and (latest < 0 or mjd[p] > mjd[latest]):
            latest = p
    return latest


@compiled
def _extract(starts, ends, night_mjd, night_flux, offsets, mjd, flux, is_limit, values, reasons):
    for i in range(len(starts)):
        if starts[i] == ends[i]:
            reasons[i] = 1
            continue
        first = starts[i]
        latest = last_limit(offsets[i], offsets[i + 1], mjd, is_limit, night_mjd[first])
        if latest < 0:
            reasons[i] = 2
            continue
        gap = night_mjd[first] - mjd[latest]
        values[i, 0] = gap
        if 0.0 < flux[latest] < night_flux[first]:
            rise = magnitude(night_flux[first]) - magnitude(flux[latest])
            values[i, 1] = rise / max(gap, LEAST_GAP_DAYS)
