"""Light-curve models of what ZTF's alerts are made of, and objects drawn from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fink_al.lightcurve import FLUXCAL_ZERO_POINT

#: Days after maximum, at rest and at unit pace, at which the declines below are given.
DECLINE_DAYS = np.array([0.0, 5.0, 15.0, 30.0, 60.0, 100.0])
_FLAT = ((0.0,) * 6,) * 2


@dataclass(frozen=True)
class Kind:
    """Figures of one kind of object.

    Parameters
    ----------
    type : str or None
        What a spectrum tells, in the words of the Transient Name Server; None: nothing to observe.
    share : float
        Part of the objects drawn, in the mix of a stream after a broker's basic filter.
    neighbour : str
        Nearest catalogued source: "galaxy" (the host), "nucleus" (the object itself is its
        centre), "star" or "any" (none but by chance).
    absolute_mag : tuple of float or None
        At maximum in g, r and i; None for what has no redshift: there only the colours count.
    scatter_mag : float
        Of `absolute_mag`.
    rise_days : tuple of float
        From first light to maximum in g, r and i, at rest and at unit pace.
    pace_scatter : float
        Of the logarithm of the pace, which stretches rise and decline.
    power : float
        Shape of the rise: flux is ``sin(pi/2 x) ** power``, x from 0 at first light to 1.
    decline_mag : tuple of 2 x 6 float
        Magnitudes below maximum at `DECLINE_DAYS` in g and in r (and i).
    duration_days : float
        What ends sooner than one night is seen in that night only.
    amplitude_mag : float
        Of variability about a constant source; 0 for transients.
    period_days : float
        Median period or, with `is_periodic` false, time of decorrelation.
    is_periodic : bool
        Whether the variability has one period.
    is_old : float
        Part of the objects that the survey detected long before.
    """

    type: str | None
    share: float
    neighbour: str
    absolute_mag: tuple[float, float, float] | None = None
    scatter_mag: float = 0.0
    rise_days: tuple[float, float, float] = (1e-3, 1e-3, 1e-3)
    pace_scatter: float = 0.0
    power: float = 1.0
    decline_mag: tuple[tuple[float, ...], tuple[float, ...]] = _FLAT
    duration_days: float = np.inf
    amplitude_mag: float = 0.0
    period_days: float = 1.0
    is_periodic: bool = False
    is_old: float = 0.02


#: Figures by name. Sources: peak magnitudes Richardson et al. 2014 (AJ 147, 118), moved by half a
#: magnitude where a magnitude-limited sample is brighter; rise of SN Ia Miller et al. 2020 (ApJ
#: 902, 47), of SN II Gonzalez-Gaitan et al. 2015 (MNRAS 451, 2212), of SN Ib and Ic Taddia et al.
#: 2015 (A&A 574, A60), of SN IIn Nyholm et al. 2020 (A&A 637, A73); decline of SN II Anderson et
#: al. 2014 (ApJ 786, 67); TDE van Velzen et al. 2021 (ApJ 908, 4); AGN MacLeod et al. 2010 (ApJ
#: 721, 1014); outbursts of cataclysmic variables Otulakowska-Hypka et al. 2016 (MNRAS 460, 2526).
#: Shares, and figures that these do not give, are our own round numbers.
KINDS: dict[str, Kind] = {
    "SN Ia": Kind(
        "SN Ia", 0.30, "galaxy", (-19.25, -19.2, -18.6), 0.25, (17.5, 19.0, 17.0), 0.10, 2.0,
        ((0, 0.10, 0.85, 2.1, 3.1, 3.9), (0, 0.07, 0.60, 1.1, 2.3, 3.3)),
    ),
    "SN Ia-91T": Kind(
        "SN Ia-91T-like", 0.02, "galaxy", (-19.5, -19.45, -18.9), 0.25, (19.0, 20.5, 18.5), 0.08,
        1.8, ((0, 0.08, 0.70, 1.8, 2.9, 3.7), (0, 0.05, 0.50, 1.0, 2.1, 3.1)),
    ),
    "SN II": Kind(
        "SN II", 0.18, "galaxy", (-17.7, -17.8, -17.8), 0.9, (7.0, 9.5, 12.0), 0.30, 1.0,
        ((0, 0.05, 0.40, 1.0, 2.0, 3.0), (0, 0.02, 0.15, 0.4, 1.0, 2.0)),
    ),
    "SN IIP": Kind(
        "SN IIP", 0.03, "galaxy", (-17.1, -17.3, -17.3), 0.7, (6.5, 9.0, 11.0), 0.30, 1.0,
        ((0, 0.04, 0.30, 0.8, 1.5, 2.7), (0, 0.01, 0.05, 0.1, 0.2, 1.5)),
    ),
    "SN Ib": Kind(
        "SN Ib", 0.02, "galaxy", (-17.5, -17.9, -17.9), 0.8, (16.0, 19.0, 21.0), 0.25, 1.7,
        ((0, 0.15, 1.10, 2.0, 2.6, 3.3), (0, 0.08, 0.70, 1.5, 2.1, 2.8)),
    ),
    "SN Ic": Kind(
        "SN Ic", 0.02, "galaxy", (-17.6, -18.0, -18.0), 0.8, (13.0, 15.5, 17.0), 0.30, 1.7,
        ((0, 0.18, 1.20, 2.1, 2.7, 3.4), (0, 0.10, 0.80, 1.6, 2.2, 2.9)),
    ),
    "SN IIn": Kind(
        "SN IIn", 0.03, "galaxy", (-19.0, -19.0, -19.0), 1.0, (22.0, 27.0, 30.0), 0.40, 1.2,
        ((0, 0.04, 0.30, 0.7, 1.5, 2.4), (0, 0.03, 0.20, 0.5, 1.1, 1.8)),
    ),
    "TDE": Kind(
        "TDE", 0.01, "nucleus", (-19.6, -19.4, -19.3), 0.8, (25.0, 26.0, 27.0), 0.35, 1.8,
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
}  # fmt: skip

#: What surveys with spectra find: shares of types among the 16 778 objects with ZTF names that the
#: Transient Name Server had typed by 2024, rounded, Ib with IIb.
CLASSIFIED_MIX = {
    "SN Ia": 0.58, "SN Ia-91T": 0.025, "SN II": 0.13, "SN IIP": 0.015, "SN Ib": 0.04,
    "SN Ic": 0.035, "SN IIn": 0.025, "TDE": 0.01, "AGN": 0.06, "CV": 0.03, "variable star": 0.01,
}  # fmt: skip

_CODES = {name: code for code, name in enumerate(KINDS)}
BOGUS, MOVING = _CODES["bogus"], _CODES["moving object"]
_WAVES = 24  # cosines of a variable source
_HUBBLE_KM_S_MPC, _LIGHT_KM_S, _DECELERATION = 70.0, 299_792.458, -0.55
_PEAK_MAG = (15.5, 20.5)


@dataclass(frozen=True)
class Objects:
    """What `flux` needs of `n` objects; arrays of shape (n,) unless said otherwise.

    Parameters
    ----------
    kind : int64 array
        Index into `KINDS`.
    redshift : float64 array
        NaN where it means nothing.
    begin_mjd : float64 array
        First light of a transient.
    mag : float64 array, shape (n, 3)
        At maximum, or of the constant source, in g, r and i.
    rise_days, pace : float64 arrays, shapes (n, 3) and (n,)
        As observed: with pace and time dilation.
    power : float64 array
        Of the rise.
    amplitude_mag : float64 array
        Of variability.
    frequency, phase : float64 arrays, shape (n, k)
        Cosines whose sum is the variability [1/day, radian].
    """

    kind: npt.NDArray[np.int64]
    redshift: npt.NDArray[np.float64]
    begin_mjd: npt.NDArray[np.float64]
    mag: npt.NDArray[np.float64]
    rise_days: npt.NDArray[np.float64]
    pace: npt.NDArray[np.float64]
    power: npt.NDArray[np.float64]
    amplitude_mag: npt.NDArray[np.float64]
    frequency: npt.NDArray[np.float64]
    phase: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.kind)


def figures(name: str) -> npt.NDArray:
    """Figure `name` of every kind, shape (kinds, ...)."""
    return np.array([getattr(kind, name) for kind in KINDS.values()])


def default_mix() -> dict[str, float]:
    """Share of each kind among the objects drawn."""
    return {name: kind.share for name, kind in KINDS.items()}


def draw(
    n: int,
    first_mjd: int,
    start_mjd: int,
    stop_mjd: int,
    mix: Mapping[str, float],
    rng: np.random.Generator,
) -> Objects:
    """`n` objects, of each kind in proportion to its share in `mix`.

    First light is uniform from `first_mjd` to `stop_mjd`, of what lasts less than a night from
    `start_mjd`: earlier nights make no alerts.

    Peak magnitudes follow ``10 ** (0.4 m)`` from 15.5 to 20.5: flatter than the 0.6 of a Euclidean
    volume, as the faintest are too distant for it. Distances follow from them with H0 = 70 km/s/Mpc
    and q0 = -0.55 to second order in redshift; dust in the host dims and reddens (E(g-r)
    exponential, mean 0.08). Neither K-corrections nor dust of our own galaxy.
    """
    shares = np.zeros(len(KINDS))
    for name, share in mix.items():
        shares[_CODES[name]] = share
    kind = rng.choice(len(KINDS), n, p=shares / shares.sum())
    first, last = 10 ** (0.4 * np.array(_PEAK_MAG))
    peak = 2.5 * np.log10(rng.uniform(first, last, n))

    luminosity = np.array([k.absolute_mag or (np.nan,) * 3 for k in KINDS.values()])[kind]
    is_distant = np.isfinite(luminosity[:, 0])
    reddening = np.where(is_distant, rng.exponential(0.08, n), rng.normal(0, 0.1, n))
    colour = np.nan_to_num(luminosity[:, 1:] - luminosity[:, :1])
    mag = np.stack([peak, *(peak + (colour - np.outer(reddening, [1.0, 1.6])).T)], axis=1)
    brightest = luminosity[:, 0] + figures("scatter_mag")[kind] * rng.normal(size=n)
    distance_mpc = 10 ** (0.2 * (peak - 3.3 * reddening - brightest - 25))
    x = distance_mpc * _HUBBLE_KM_S_MPC / _LIGHT_KM_S
    redshift = (np.sqrt(1 + 2 * (1 - _DECELERATION) * x) - 1) / (1 - _DECELERATION)
    pace = np.exp(figures("pace_scatter")[kind] * rng.normal(size=n))
    pace *= 1 + np.nan_to_num(redshift)

    is_short = np.isfinite(figures("duration_days")[kind])
    begin = rng.uniform(np.where(is_short, start_mjd, first_mjd), stop_mjd)
    begin[is_short] = np.floor(begin[is_short])
    # A bogus detection is of one image: no other band sees it.
    mag[(kind == BOGUS)[:, None] & (np.arange(3) != rng.integers(0, 2, n)[:, None])] = np.inf
    amplitude = figures("amplitude_mag")[kind] * rng.lognormal(0, 0.4, n)
    mag[amplitude > 0] -= 1.5  # sources that vary are brighter than what they vary by
    period = figures("period_days")[kind]
    # A damped random walk is a sum of waves with Cauchy-distributed frequencies.
    walk = rng.standard_cauchy((n, _WAVES)) / (2 * np.pi * period[:, None])
    regular = 1 / (period * rng.lognormal(0, 1.5, n))
    return Objects(
        kind=kind,
        redshift=redshift,
        begin_mjd=begin,
        mag=mag,
        rise_days=figures("rise_days")[kind] * pace[:, None],
        pace=pace,
        power=figures("power")[kind] * rng.lognormal(0, 0.10, n),
        amplitude_mag=amplitude,
        frequency=np.where(figures("is_periodic")[kind][:, None], regular[:, None], walk),
        phase=rng.uniform(0, 2 * np.pi, (n, _WAVES)),
    )


def flux(
    objects: Objects,
    index: npt.NDArray[np.int64],
    mjd: npt.NDArray[np.float64],
    band: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Difference flux, shape (p,), in FLUXCAL, of object ``index[i]`` at ``mjd[i]``.

    Parameters
    ----------
    objects : Objects
        Where the points' parameters come from.
    index, mjd, band : arrays, shape (p,)
        Object, time and band (0 g, 1 r, 2 i) of each point.

    Notes
    -----
    Transients rise as ``sin(pi/2 x) ** power`` (power 2: the expanding fireball's t squared, level
    at maximum) and fall along the table of their kind. Variable sources change by
    ``sqrt(2/k) * sum(cos)``: with the frequencies of `draw` a damped random walk (Kelly et al.
    2009, ApJ 698, 895) or a sinusoid, 20% stronger in g than in r.
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
    decline = figures("decline_mag")[kind, np.minimum(band, 1)]
    row = np.arange(len(i))
    before, after = decline[row, knot], decline[row, knot + 1]
    part = (days - DECLINE_DAYS[knot]) / np.diff(DECLINE_DAYS)[knot]
    is_on = (age >= 0) & (age < figures("duration_days")[kind])
    return np.where(is_on, rising * 10 ** (-0.4 * (before + (after - before) * part)), 0.0)


def _variable(objects: Objects, i: npt.NDArray, mjd: npt.NDArray, band: npt.NDArray):
    angle = 2 * np.pi * objects.frequency[i] * mjd[:, None] + objects.phase[i]
    change = np.sqrt(2 / _WAVES) * np.cos(angle).sum(axis=1)
    change *= objects.amplitude_mag[i] * np.array([1.2, 1.0, 0.9])[band]
    return 10 ** (-0.4 * change) - 1
