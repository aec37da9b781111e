"""Light-curve models of the objects behind alerts, and objects drawn from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fink_al.lightcurve import FLUXCAL_ZERO_POINT

#: Days after maximum, at rest and at unit pace, at which the declines below are given.
DECLINE_DAYS = np.array([0.0, 5.0, 15.0, 30.0, 60.0, 100.0])
#: Wavelengths [nm] of the magnitudes below: ultraviolet, u, then ZTF's g, r and i, z, y.
WAVELENGTHS_NM = (250.0, 300.0, 360.0, 475.3, 636.9, 791.5, 900.0, 1000.0)
_G_R_I_NM = WAVELENGTHS_NM[3:6]
_FLAT = ((0.0,) * 6,) * 2


@dataclass(frozen=True)
class Kind:
    """Figures of one kind of object.

    Parameters
    ----------
    type : str or None
        Type from a spectrum, as the Transient Name Server writes it; None: nothing to observe.
    share : float
        Share of the objects drawn, in the mix of a stream after a broker's basic filter.
    neighbour : str
        Nearest catalogued source: "galaxy" (the host), "nucleus" (the object itself is its
        centre), "star" or "any" (none but by chance).
    absolute_mag : tuple of float or None
        AB, at maximum, at `WAVELENGTHS_NM` at rest; None without redshift: then no colours.
    scatter_mag : float
        Scatter of `absolute_mag`.
    rise_days : tuple of float
        Time from first light to maximum in g, r and i, at rest and at unit pace; other bands have
        the value of the nearest.
    pace_scatter : float
        Scatter of the logarithm of the pace, which stretches rise and decline.
    power : float
        Shape of the rise: flux is ``sin(pi/2 x) ** power``, x from 0 at first light to 1.
    decline_mag : tuple of 2 x 6 float
        Magnitudes below maximum at `DECLINE_DAYS` in g (and bluer) and in r (and redder).
    slope_scatter : float
        Scatter of a straight line added to the decline [mag/day]; where it brightens, maximum
        comes late.
    duration_days : float
        Duration; an object that lasts less than a night is seen in that night only.
    amplitude_mag : float
        Amplitude of variability about a constant source; 0 for transients.
    period_days : float
        Median period or, with `is_periodic` false, time of decorrelation.
    is_periodic : bool
        Whether the variability has one period.
    is_old : float
        Share of the objects that the survey detected long before.
    """

    type: str | None
    share: float
    neighbour: str
    absolute_mag: tuple[float, ...] | None = None
    scatter_mag: float = 0.0
    rise_days: tuple[float, float, float] = (1e-3, 1e-3, 1e-3)
    pace_scatter: float = 0.0
    power: float = 1.0
    decline_mag: tuple[tuple[float, ...], tuple[float, ...]] = _FLAT
    slope_scatter: float = 0.0
    duration_days: float = np.inf
    amplitude_mag: float = 0.0
    period_days: float = 1.0
    is_periodic: bool = False
    is_old: float = 0.02


#: Figures by name. Sources: peak magnitudes Richardson et al. 2014 (AJ 147, 118), moved by half a
#: magnitude where a magnitude-limited sample is brighter; rise of SN Ia Miller et al. 2020 (ApJ
#: 902, 47), of SN II Gonzalez-Gaitan et al. 2015 (MNRAS 451, 2212), of SN Ib and Ic Taddia et al.
#: 2015 (A&A 574, A60), of SN IIn Nyholm et al. 2020 (A&A 637, A73); decline of SN II, and its
#: scatter of 0.9 mag in 100 days, Anderson et al. 2014 (ApJ 786, 67); TDE van Velzen et al. 2021
#: (ApJ 908, 4); peak and rise of SLSN Chen et al. 2023 (ApJ 943, 41); AGN MacLeod et al. 2010 (ApJ
#: 721, 1014); outbursts of cataclysmic variables Otulakowska-Hypka et al. 2016 (MNRAS 460, 2526).
#: Shares, and figures that these do not give, are our own round numbers. So is the whole
#: ultraviolet, where metals absorb the light of thermonuclear and stripped supernovae, and hot gas
#: does not.
KINDS: dict[str, Kind] = {
    "SN Ia": Kind(
        "SN Ia", 0.30, "galaxy",
        (-16.0, -17.4, -18.8, -19.25, -19.2, -18.6, -18.6, -18.5),
        0.25, (17.5, 19.0, 17.0), 0.10, 2.0,
        ((0, 0.10, 0.85, 2.1, 3.1, 3.9), (0, 0.07, 0.60, 1.1, 2.3, 3.3)),
    ),
    "SN Ia-91T": Kind(
        "SN Ia-91T-like", 0.02, "galaxy",
        (-16.8, -18.0, -19.2, -19.5, -19.45, -18.9, -18.8, -18.7),
        0.25, (19.0, 20.5, 18.5), 0.08,
        1.8, ((0, 0.08, 0.70, 1.8, 2.9, 3.7), (0, 0.05, 0.50, 1.0, 2.1, 3.1)),
    ),
    "SN II": Kind(
        "SN II", 0.18, "galaxy",
        (-17.2, -17.5, -17.7, -17.7, -17.8, -17.8, -17.8, -17.7),
        0.9, (7.0, 9.5, 12.0), 0.30, 1.0,
        ((0, 0.05, 0.35, 0.9, 1.6, 2.4), (0, 0.0, 0.05, 0.2, 0.6, 1.6)), slope_scatter=0.009,
    ),
    "SN IIP": Kind(
        "SN IIP", 0.03, "galaxy",
        (-16.4, -16.8, -17.0, -17.1, -17.3, -17.3, -17.3, -17.2),
        0.7, (6.5, 9.0, 11.0), 0.30, 1.0,
        ((0, 0.04, 0.30, 0.8, 1.4, 2.4), (0, 0.0, 0.0, 0.05, 0.15, 1.4)), slope_scatter=0.005,
    ),
    "SN Ib": Kind(
        "SN Ib", 0.02, "galaxy",
        (-14.8, -15.8, -16.8, -17.5, -17.9, -17.9, -17.9, -17.9),
        0.8, (16.0, 19.0, 21.0), 0.25, 1.7,
        ((0, 0.15, 1.10, 2.0, 2.6, 3.3), (0, 0.08, 0.70, 1.5, 2.1, 2.8)),
    ),
    "SN Ic": Kind(
        "SN Ic", 0.02, "galaxy",
        (-14.6, -15.6, -16.8, -17.6, -18.0, -18.0, -18.0, -18.0),
        0.8, (13.0, 15.5, 17.0), 0.30, 1.7,
        ((0, 0.18, 1.20, 2.1, 2.7, 3.4), (0, 0.10, 0.80, 1.6, 2.2, 2.9)),
    ),
    "SN IIn": Kind(
        "SN IIn", 0.03, "galaxy",
        (-19.2, -19.2, -19.1, -19.0, -19.0, -19.0, -18.9, -18.8),
        1.0, (22.0, 27.0, 30.0), 0.40, 1.2,
        ((0, 0.04, 0.30, 0.7, 1.5, 2.4), (0, 0.03, 0.20, 0.5, 1.1, 1.8)),
    ),
    "TDE": Kind(
        "TDE", 0.01, "nucleus",
        (-20.3, -20.1, -19.9, -19.6, -19.4, -19.3, -19.2, -19.1),
        0.8, (25.0, 26.0, 27.0), 0.35, 1.8,
        ((0, 0.06, 0.30, 0.7, 1.4, 2.1), (0, 0.06, 0.30, 0.7, 1.4, 2.1)),
    ),
    "CV": Kind(
        "CV", 0.08, "star", None, 0.0, (2.5, 2.7, 2.8), 0.50, 1.0,
        ((0, 0.40, 2.5, 5.0, 5.0, 5.0), (0, 0.35, 2.2, 5.0, 5.0, 5.0)), is_old=0.6,
    ),
    "AGN": Kind(
        "AGN", 0.12, "nucleus", amplitude_mag=0.2, period_days=200.0, is_old=0.8,
    ),
    "variable star": Kind(
        "Varstar", 0.06, "star", amplitude_mag=0.25, period_days=20.0, is_periodic=True,
        is_old=1.0,
    ),
    "moving object": Kind("Solar system object", 0.10, "any", duration_days=0.7, is_old=0.0),
    "bogus": Kind(None, 0.15, "any", duration_days=0.7, is_old=0.0),
    # None in the default mix, and behind all others: a sky of the same seed stays as it was.
    "SLSN-I": Kind(
        "SLSN-I", 0.0, "galaxy",
        (-20.6, -21.2, -21.5, -21.5, -21.4, -21.2, -21.1, -21.0),
        0.6, (36.0, 40.0, 43.0), 0.30, 1.6,
        ((0, 0.04, 0.35, 0.9, 2.0, 3.2), (0, 0.03, 0.22, 0.6, 1.4, 2.3)),
    ),
}  # fmt: skip

#: Shares of types that surveys with spectra find, among the 16 778 objects with ZTF names that the
#: Transient Name Server had typed by 2024, rounded, Ib with IIb.
CLASSIFIED_MIX = {
    "SN Ia": 0.58, "SN Ia-91T": 0.025, "SN II": 0.13, "SN IIP": 0.015, "SN Ib": 0.04,
    "SN Ic": 0.035, "SN IIn": 0.025, "TDE": 0.01, "AGN": 0.06, "CV": 0.03, "variable star": 0.01,
}  # fmt: skip

_CODES = {name: code for code, name in enumerate(KINDS)}
BOGUS, MOVING = _CODES["bogus"], _CODES["moving object"]
_WAVES = 24  # cosines of a variable source
_HUBBLE_KM_S_MPC, _LIGHT_KM_S, _DECELERATION = 70.0, 299_792.458, -0.55
#: At `WAVELENGTHS_NM`: magnitudes by which dust of unit E(g-r) dims less than in g, after
#: Fitzpatrick 1999 (PASP 111, 63) in round numbers; amplitude of variable sources relative to r.
_REDDENING = (-2.5, -1.8, -1.0, 0.0, 1.0, 1.6, 1.9, 2.1)
_SWING = (1.6, 1.5, 1.4, 1.2, 1.0, 0.9, 0.85, 0.8)
_DUST_IN_G = 3.3
_DISTANCE_STEPS = 4


@dataclass(frozen=True)
class View:
    """Bands and depth of a survey.

    Parameters
    ----------
    wavelengths_nm : tuple of float
        Wavelengths of its bands.
    reference : int
        Band in which peak magnitudes are drawn.
    peak_mag : tuple of float
        Brightest and faintest peak magnitude.
    bogus_bands : int
        Number of bands, from the first, that have bogus detections.
    dusk : float
        Fraction of an MJD day just before the night's first exposure: objects that last less than
        a night begin then.
    is_deep : bool
        Whether redshifts are so large that light moves between bands. If not, redshift only
        stretches time: below 0.1 it moves light by less than the width of a band.
    """

    wavelengths_nm: tuple[float, ...]
    reference: int
    peak_mag: tuple[float, float]
    bogus_bands: int
    dusk: float
    is_deep: bool


@dataclass(frozen=True)
class Objects:
    """Parameters of `n` objects for `flux`; arrays of shape (n,) unless stated otherwise.

    Parameters
    ----------
    kind : int64 array
        Index into `KINDS`.
    redshift : float64 array
        NaN for objects without one.
    begin_mjd : float64 array
        First light of a transient.
    mag : float64 array, shape (n, b)
        At maximum, or of the constant source, in each band.
    rise_days, pace : float64 arrays, shapes (n, b) and (n,)
        As observed: with pace and time dilation.
    redness : float64 array, shape (n, b)
        Mixture of the decline: 0 as in g, 1 as in r.
    power : float64 array
        Power of the rise.
    slope : float64 array
        Line added to the decline [mag/day at rest and unit pace].
    amplitude_mag : float64 array, shape (n,)
        Amplitude of variability.
    swing : float64 array, shape (b,)
        Factor of that amplitude in each band.
    frequency, phase : float64 arrays, shape (n, k)
        Cosines whose sum is the variability [1/day, radian].
    """

    kind: npt.NDArray[np.int64]
    redshift: npt.NDArray[np.float64]
    begin_mjd: npt.NDArray[np.float64]
    mag: npt.NDArray[np.float64]
    rise_days: npt.NDArray[np.float64]
    pace: npt.NDArray[np.float64]
    redness: npt.NDArray[np.float64]
    power: npt.NDArray[np.float64]
    slope: npt.NDArray[np.float64]
    amplitude_mag: npt.NDArray[np.float64]
    swing: npt.NDArray[np.float64]
    frequency: npt.NDArray[np.float64]
    phase: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.kind)


def figures(name: str) -> npt.NDArray:
    """Return figure `name` of every kind, shape (kinds, ...)."""
    return np.array([getattr(kind, name) for kind in KINDS.values()])


def default_mix() -> dict[str, float]:
    """Return the share of each kind among the objects drawn."""
    return {name: kind.share for name, kind in KINDS.items()}


def draw(
    n: int,
    first_mjd: int,
    start_mjd: int,
    stop_mjd: int,
    mix: Mapping[str, float],
    view: View,
    rng: np.random.Generator,
) -> Objects:
    """Draw `n` objects, of each kind in proportion to its share in `mix`.

    First light is uniform from `first_mjd` to `stop_mjd`. For objects that last less than a night
    it is from `start_mjd`, as earlier nights have no alerts.

    Peak magnitudes follow ``10 ** (0.4 m)``: flatter than the 0.6 of a Euclidean volume, because
    the faintest objects are too distant for that law. Distances follow from them with H0 = 70
    km/s/Mpc and q0 = -0.55 to second order in redshift. Dust in the host dims and reddens (E(g-r)
    exponential, mean 0.08). A band of a deep survey shows the wavelength at rest that redshift
    moves into it. Dust of our own galaxy is left out.
    """
    shares = np.zeros(len(KINDS))
    for name, share in mix.items():
        shares[_CODES[name]] = share
    kind = rng.choice(len(KINDS), n, p=shares / shares.sum())
    first, last = 10 ** (0.4 * np.array(view.peak_mag))
    peak = 2.5 * np.log10(rng.uniform(first, last, n))

    is_distant = np.array([k.absolute_mag is not None for k in KINDS.values()])[kind]
    reddening = np.where(is_distant, rng.exponential(0.08, n), rng.normal(0, 0.1, n))
    scatter = figures("scatter_mag")[kind] * rng.normal(size=n)
    redshift, rest = _redshift(kind, peak, reddening, scatter, view)
    luminosity = _at(rest, "absolute_mag", WAVELENGTHS_NM, kind)
    dust = np.interp(rest, WAVELENGTHS_NM, _REDDENING)
    colour = np.nan_to_num(luminosity - luminosity[:, [view.reference]])
    mag = peak[:, None] + (colour - reddening[:, None] * (dust - dust[:, [view.reference]]))
    pace = np.exp(figures("pace_scatter")[kind] * rng.normal(size=n))
    pace *= 1 + np.nan_to_num(redshift)

    is_short = np.isfinite(figures("duration_days")[kind])
    begin = rng.uniform(np.where(is_short, start_mjd, first_mjd), stop_mjd)
    begin[is_short] = np.floor(begin[is_short]) + view.dusk
    # A bogus detection is in one image: no other band sees it.
    band = np.arange(len(view.wavelengths_nm)) != rng.integers(0, view.bogus_bands, n)[:, None]
    mag[(kind == BOGUS)[:, None] & band] = np.inf
    amplitude = figures("amplitude_mag")[kind] * rng.lognormal(0, 0.4, n)
    mag[amplitude > 0] -= 1.5  # variable sources are brighter than their variation
    period = figures("period_days")[kind]
    # A damped random walk is a sum of waves with Cauchy-distributed frequencies.
    walk = rng.standard_cauchy((n, _WAVES)) / (2 * np.pi * period[:, None])
    regular = 1 / (period * rng.lognormal(0, 1.5, n))
    return Objects(
        kind=kind,
        redshift=redshift,
        begin_mjd=begin,
        mag=mag,
        rise_days=_at(rest, "rise_days", _G_R_I_NM, kind) * pace[:, None],
        pace=pace,
        redness=np.interp(rest, _G_R_I_NM[:2], [0.0, 1.0]),
        power=figures("power")[kind] * rng.lognormal(0, 0.10, n),
        # Of a generator of its own: other figures stay those of the same seed.
        slope=figures("slope_scatter")[kind] * rng.spawn(1)[0].normal(size=n),
        amplitude_mag=amplitude,
        swing=np.interp(view.wavelengths_nm, WAVELENGTHS_NM, _SWING),
        frequency=np.where(figures("is_periodic")[kind][:, None], regular[:, None], walk),
        phase=rng.uniform(0, 2 * np.pi, (n, _WAVES)),
    )


def distance_mpc(redshift: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return luminosity distances, to second order in redshift as in `draw`."""
    per_redshift = 1 + (1 - _DECELERATION) / 2 * redshift
    return _LIGHT_KM_S / _HUBBLE_KM_S_MPC * redshift * per_redshift


def _redshift(
    kind: npt.NDArray[np.int64],
    peak: npt.NDArray[np.float64],
    reddening: npt.NDArray[np.float64],
    scatter: npt.NDArray[np.float64],
    view: View,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return redshifts, NaN for objects without one, and the wavelength at rest of each band."""
    observed = np.broadcast_to(view.wavelengths_nm, (len(kind), len(view.wavelengths_nm)))
    redshift, rest = np.zeros(len(kind)), observed
    for _ in range(_DISTANCE_STEPS if view.is_deep else 1):
        reference_nm = rest[:, [view.reference]]
        brightest = _at(reference_nm, "absolute_mag", WAVELENGTHS_NM, kind)[:, 0] + scatter
        dust = _DUST_IN_G - np.interp(reference_nm[:, 0], WAVELENGTHS_NM, _REDDENING)
        if view.is_deep:
            brightest = brightest - 2.5 * np.log10(1 + np.nan_to_num(redshift))
        distance = 10 ** (0.2 * (peak - dust * reddening - brightest - 25))
        x = distance * _HUBBLE_KM_S_MPC / _LIGHT_KM_S
        redshift = (np.sqrt(1 + 2 * (1 - _DECELERATION) * x) - 1) / (1 - _DECELERATION)
        if view.is_deep:
            rest = observed / (1 + np.nan_to_num(redshift))[:, None]
    return redshift, rest


def _at(
    wavelengths: npt.NDArray[np.float64],
    name: str,
    figure_nm: tuple[float, ...],
    kind: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Interpolate figure `name` of each object's kind, shape (n, b); NaN for kinds without it."""
    figures_at = np.full(wavelengths.shape, np.nan)
    for code, each in enumerate(KINDS.values()):
        values, rows = getattr(each, name), kind == code
        if values is not None:
            figures_at[rows] = np.interp(wavelengths[rows], figure_nm, values)
    return figures_at


def flux(
    objects: Objects,
    index: npt.NDArray[np.int64],
    mjd: npt.NDArray[np.float64],
    band: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Return the difference flux, shape (p,), in FLUXCAL, of object ``index[i]`` at ``mjd[i]``.

    Parameters
    ----------
    objects : Objects
        Parameters of the objects.
    index, mjd, band : arrays, shape (p,)
        Object, time and band of each point.

    Notes
    -----
    Transients rise as ``sin(pi/2 x) ** power`` (power 2: the expanding fireball's t squared, level
    at maximum) and fall as in the table of their kind. Variable sources change by
    ``sqrt(2/k) * sum(cos)``: with the frequencies of `draw` a damped random walk (Kelly et al.
    2009, ApJ 698, 895) or a sinusoid, 20% stronger in g than in r. Deep in the ultraviolet a
    transient rises and falls as in g.
    """
    scale = 10 ** (-0.4 * (objects.mag[index, band] - FLUXCAL_ZERO_POINT))
    varies = objects.amplitude_mag[index] > 0
    out = np.empty(len(index))
    for model, chosen in ((_transient, ~varies), (_variable, varies)):
        out[chosen] = model(objects, index[chosen], mjd[chosen], band[chosen])
    return scale * out


def _transient(objects: Objects, i: npt.NDArray, mjd: npt.NDArray, band: npt.NDArray):
    age, rise, kind = mjd - objects.begin_mjd[i], objects.rise_days[i, band], objects.kind[i]
    rising = np.sin(np.pi / 2 * np.clip(age / rise, 0, 1)) ** objects.power[i]
    days = np.clip((age - rise) / objects.pace[i], 0, DECLINE_DAYS[-1])
    knot = np.clip(np.searchsorted(DECLINE_DAYS, days, "right") - 1, 0, len(DECLINE_DAYS) - 2)
    decline, red = figures("decline_mag"), objects.redness[i, band]
    before, after = (
        (1 - red) * decline[kind, 0, at] + red * decline[kind, 1, at] for at in (knot, knot + 1)
    )
    part = (days - DECLINE_DAYS[knot]) / np.diff(DECLINE_DAYS)[knot]
    mag = before + (after - before) * part + objects.slope[i] * days
    is_on = (age >= 0) & (age < figures("duration_days")[kind])
    return np.where(is_on, rising * 10 ** (-0.4 * mag), 0.0)


def _variable(objects: Objects, i: npt.NDArray, mjd: npt.NDArray, band: npt.NDArray):
    angle = 2 * np.pi * objects.frequency[i] * mjd[:, None] + objects.phase[i]
    change = np.sqrt(2 / _WAVES) * np.cos(angle).sum(axis=1)
    change *= objects.amplitude_mag[i] * objects.swing[band]
    return 10 ** (-0.4 * change) - 1
