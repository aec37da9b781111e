"""One fit over all bands: a point source that a point lens magnifies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fink_al.features.compiled import compiled
from fink_al.features.line import magnitude
from fink_al.features.microlensing.curve import (
    FLUX,
    LN_TE,
    LN_U0,
    N_PARAMETERS,
    SOURCE,
    T0,
    TOTAL,
    WEIGHT,
    T,
    centre,
    derivatives,
    solve_fluxes,
)
from fink_al.features.microlensing.fit import fit, set_bounds
from fink_al.features.microlensing.points import lens_points
from fink_al.features.microlensing.rise import (
    BUMP,
    GAIN,
    HAT,
    MIN_POINTS,
    N_VALUES,
    N,
    describe,
    of_band,
)
from fink_al.features.microlensing.structure import (
    achromaticity,
    asymmetry,
    residual_structure,
    standard_errors,
)
from fink_al.lightcurve import LightCurves

#: Rise that a fit needs: points above the baseline, and gain of chi2, of all bands together; or, in
#: one band, a bump of so many points or so large a share of chi2 that a triangle explains.
MIN_RISING, MIN_GAIN, MIN_BUMP, MIN_HAT = 3, 30.0, 4, 0.85

#: Points of a band that a triangle must explain.
MIN_HAT_POINTS = 10

#: Context columns: r magnitude and g - r of the nearest catalogued source.
STAR_MAG, STAR_COLOUR = "host_mag", "host_colour_g_r"

_NO_RISE, _TOO_FEW, _FAILED = 1, 2, 3

_NAMES = (
    "t0", "u0", "te", "t0_err", "u0_err", "te_err", "gain", "share", "chi2", "asymmetry",
    "achromaticity", "run", "block", "planetary",
)  # fmt: skip
(
    _T0, _U0, _TE, _T0_ERR, _U0_ERR, _TE_ERR, _GAIN, _SHARE, _CHI2, _ASYMMETRY, _ACHROMATIC, _RUN,
    _BLOCK, _PLANETARY, _SOURCE,
) = range(15)  # fmt: skip


@dataclass(frozen=True)
class PointLens:
    """A point lens fitted to the points of all bands together, where they rise.

    The flux in a band is ``source * (A(u) - 1) + offset``, with the magnification of
    Paczynski 1986, ``A = (u^2 + 2) / (u sqrt(u^2 + 4))``, of a source at the separation
    ``u = sqrt(u0^2 + ((t - t0) / te)^2)`` in Einstein radii. All bands share t0, u0 and te. Each
    has a source flux, which blended light does not change, and the offset of its reference image.

    ``lens_t0`` is the time of the peak after the last point [day], ``lens_u0`` the least
    separation, ``lens_te`` the Einstein time [day]. ``lens_t0_err`` is a standard error [day];
    ``lens_u0_err`` and ``lens_te_err`` are relative ones. They are missing at a bound, and where
    the points do not constrain the parameter. ``lens_source`` is the unlensed magnitude of the
    source in a band, missing where the band does not rise. ``lens_gain`` is chi2 of constants minus
    chi2 of the lens, ``lens_share`` this over the former, ``lens_chi2`` the reduced chi2 of the
    lens.

    ``lens_asymmetry`` is the significance of a longer timescale after the peak than before it
    [sigma, negative where it falls faster than it rises], missing with fewer than three points on
    one side. ``lens_achromaticity`` is the gain of chi2 a degree of freedom if each band has a lens
    of its own: about 1 for a lens, more where the bands differ. It needs two bands of six measured
    points. ``lens_run`` is the longest run of measured points on one side of the curve, and
    ``lens_block`` the largest chi2 of five successive ones, in standard deviations above the
    expected.

    ``lens_planetary`` is how much structure a single lens does not explain, where a lens explains
    the rest, and where the bands agree about it: ``lens_share * sqrt(s)``. In a block of five
    successive residuals, s is the sum of products of neighbours in different bands, in units of
    their errors; the largest of all blocks counts. A second lens changes all bands alike, a spot or
    an outburst on the source does not. Noise alone gives about 2.

    With `star`, two more compare the fit with the nearest catalogued source: ``lens_colour`` is
    g - r of the fitted source minus that of the star, ``lens_blend`` r of the source minus that of
    the star [mag]. Both are 0 without blending. A source brighter than its star is not lensed.

    Parallax is left out: it is the change of the Earth's velocity during the event, and a packet's
    window, 30 days of ZTF, is too short to tell it from a blend or an asymmetric source. LSST's
    year would not be, and then a follow-up fit is the place for it.

    Source: Paczynski 1986 (ApJ 304, 1) and Wozniak and Paczynski 1997 (ApJ 487, 55), who show what
    blending leaves undetermined; starts as of Kim et al. 2018 (arXiv 1703.06883), who search a grid
    of peak time and timescale with two values of u0. Tests of symmetry, achromaticity and residuals
    are our own.
    Missing: ``no_rise`` where :class:`Rise` does not show at least three rising points with a gain
    of 30, of all bands together, nor, in one, a bump of four points or a ``hat_share`` of 0.85 of
    ten points; ``too_few_points`` where chi2 has no degree of freedom; ``fit_failed`` where no lens
    is better than constants.

    Parameters
    ----------
    bands : tuple of str
        Bands in use.
    forced : bool
        Whether to use forced photometry.
    star : bool
        Whether to compare the source with the nearest catalogued one.
    """

    bands: tuple[str, ...]
    forced: bool = False
    star: bool = False

    reasons: ClassVar[tuple[str, ...]] = ("", "no_rise", "too_few_points", "fit_failed")

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names."""
        return (
            *(f"lens_{name}" for name in _NAMES),
            *(f"lens_source_{band}" for band in self.bands),
            *(("lens_colour", "lens_blend") if self.star else ()),
        )

    @property
    def reason_name(self) -> str:
        """Name of the column that says why there are no features."""
        return "reason_lens"

    @property
    def context_columns(self) -> tuple[str, ...]:
        """Context columns that are read."""
        return (STAR_MAG, STAR_COLOUR) if self.star else ()

    def extract(
        self, light_curves: LightCurves
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Features, shape (n, 14 + bands, 2 more with `star`), and indices into `reasons`."""
        points = lens_points(light_curves, self.forced)
        rows = [self.bands.index(b) if b in self.bands else -1 for b in light_curves.bands]
        values = np.full((len(light_curves), len(self.names)), np.nan)
        reasons = np.zeros(len(light_curves), np.int8)
        _extract(*points.of(), np.array(rows, np.int64), len(self.bands), values, reasons)
        if self.star and {"g", "r"} <= {*self.bands}:
            g, r = (values[:, _SOURCE + self.bands.index(band)] for band in ("g", "r"))
            values[:, -2] = g - r - light_curves.context_column(STAR_COLOUR)
            values[:, -1] = r - light_curves.context_column(STAR_MAG)
        return values, reasons


@compiled
def _extract(offsets, t, flux, weight, band, is_measured, rows, n_bands, values, reasons):
    most = 0
    for i in range(len(offsets) - 1):
        most = max(most, offsets[i + 1] - offsets[i])
    work, points, model = np.empty((4, most)), np.empty((3, most)), np.empty((2, most))
    order, row = np.empty(most, np.int64), np.empty(most, np.int64)
    begins, measured = np.empty(n_bands + 1, np.int64), np.empty(n_bands, np.int64)
    bands = np.empty((n_bands, 4))
    for i in range(len(offsets) - 1):
        begin, end = offsets[i], offsets[i + 1]
        if not _rises(begin, end, t, flux, weight, band, is_measured, rows, work):
            reasons[i] = _NO_RISE
            continue
        n = _by_band(
            begin, end, t, flux, weight, band, is_measured, rows, points, begins, order, row,
            measured,
        )  # fmt: skip
        reasons[i] = _describe(
            points, begins, order[:n], row[:n], measured, model, bands, values[i]
        )
        if reasons[i] != 0:
            values[i] = np.nan


@compiled
def _rises(begin, end, t, flux, weight, band, is_measured, rows, work):
    found = np.empty(N_VALUES)
    gain, rising = 0.0, 0.0
    for code in range(len(rows)):
        if rows[code] < 0:
            continue
        n = of_band(begin, end, t, flux, weight, band, is_measured, code, work)
        if n < MIN_POINTS:
            continue
        describe(work[:, :n], found)
        if found[BUMP] >= MIN_BUMP or (found[HAT] >= MIN_HAT and n >= MIN_HAT_POINTS):
            return True
        if found[N] > 0:
            gain += found[GAIN]
            rising += found[N]
    return rising >= MIN_RISING and gain >= MIN_GAIN


@compiled
def _by_band(
    begin, end, t, flux, weight, band, is_measured, rows, points, begins, order, row, measured
):
    """Write the points of an alert by band, then time. Return how many of them were measured.

    `begins` gets where each band begins, and `measured` how many of its points were measured. Of
    these points, in order of time, `order` gets where they are now, and `row` their bands.
    """
    begins[:] = 0
    measured[:] = 0
    for p in range(begin, end):
        if rows[band[p]] >= 0:
            begins[rows[band[p]] + 1] += 1
    for j in range(len(measured)):
        begins[j + 1] += begins[j]
    place, n = begins.copy(), 0
    for p in range(begin, end):
        j = rows[band[p]]
        if j < 0:
            continue
        i = place[j]
        points[T, i], points[FLUX, i], points[WEIGHT, i] = t[p], flux[p], weight[p]
        if is_measured[p]:
            order[n], row[n] = i, j
            measured[j] += 1
            n += 1
        place[j] += 1
    return n


@compiled
def _describe(points, begins, order, row, measured, model, bands, out):
    """Write all values to `out`. Return the reason why there are none, or 0."""
    flat = centre(points, begins, bands)
    freedom = begins[-1] - N_PARAMETERS - 2 * (bands[:, TOTAL] > 0.0).sum()
    if freedom < 1:
        return _TOO_FEW
    low, high, longest = np.empty(N_PARAMETERS), np.empty(N_PARAMETERS), np.empty(N_PARAMETERS)
    x = np.empty(N_PARAMETERS)
    first, last = math.inf, -math.inf
    for j in range(len(bands)):
        if begins[j] < begins[j + 1]:
            first = min(first, points[T, begins[j]])
            last = max(last, points[T, begins[j + 1] - 1])
    set_bounds(first, last, low, high, longest)
    chi2 = fit(points, begins, last, low, high, longest, x, model, bands)
    if not (math.isfinite(chi2) and chi2 < flat and math.isfinite(flat)):
        return _FAILED
    gradient, hessian = np.empty(N_PARAMETERS), np.empty((N_PARAMETERS, N_PARAMETERS))
    solve_fluxes(points, begins, x, model, bands)
    derivatives(points, begins, x, model, bands, gradient, hessian)
    out[_T0], out[_U0], out[_TE] = x[T0] - last, math.exp(x[LN_U0]), math.exp(x[LN_TE])
    standard_errors(x, low, high, hessian, out[_T0_ERR : _TE_ERR + 1])
    out[_GAIN], out[_SHARE], out[_CHI2] = flat - chi2, 1.0 - chi2 / flat, chi2 / freedom
    out[_ASYMMETRY] = asymmetry(points, begins, x, model, bands, gradient, hessian)
    out[_RUN], out[_BLOCK], common = residual_structure(points, order, row, measured, model, bands)
    out[_PLANETARY] = math.sqrt(common) * out[_SHARE]
    for j in range(len(bands)):
        if bands[j, TOTAL] > 0.0:
            out[_SOURCE + j] = magnitude(bands[j, SOURCE])
    out[_ACHROMATIC] = achromaticity(
        points, begins, measured, low, high, longest, x, model, bands
    )  # fmt: skip
    return 0
