"""Simulated light curves of point lenses and of what is taken for one, with their labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fink_al.simulation.past import spans
from fink_al.simulation.periodic import PERIODIC, Draw
from fink_al.simulation.star_colours import g_minus_r, in_bands
from fink_al.simulation.star_noise import baseline_flux
from fink_al.simulation.star_surveys import ZTF, StarSurvey

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Einstein time: median [day] and scatter of its logarithm. Mroz et al. 2017 (Nature 548, 183) and
#: 2019 (ApJS 244, 29) find means of 20 to 30 d toward the bulge, more in the disk (Mroz et al.
#: 2020, ApJS 249, 16).
MEDIAN_TE_DAYS, SCATTER_LN_TE = 25.0, 0.7

#: Largest separation at the peak: beyond it the flux grows by less than a third.
LARGEST_U0 = 1.0

#: Share of the light in the image that is the source's, where it is blended: uniform above this.
LEAST_SOURCE_SHARE = 0.1

#: Scatter of the colour of the other light about the source's [mag]; and of the ratio by which a
#: kind's change differs between g and r (both our own).
BLEND_COLOUR_SCATTER, RATIO_SCATTER = 0.4, 0.1

_WAVES = 32
_MORE_THAN_ANY_MJD = 1e6
#: Scales of a rise or fall after which less than 0.001 mag is left of an outburst.
_LONGEST = 7.0


@dataclass(frozen=True)
class Stars:
    """Constant light of `n` objects, and the time about which they change.

    Parameters
    ----------
    flux : float64 array, shape (n, b)
        Light of the object in each band of the reference image [FLUXCAL].
    centre_mjd : float64 array, shape (n,)
        Time of a peak, or any time.
    blueness : float64 array, shape (b,)
        Of each band (:attr:`fink_al.simulation.star_surveys.StarSurvey.blueness`); default: ZTF's.
    """

    flux: Floats
    centre_mjd: Floats
    blueness: Floats = field(default_factory=lambda: ZTF.blueness)

    def take(self, rows: Ints) -> Stars:
        """Return the objects `rows`."""
        return Stars(self.flux[rows], self.centre_mjd[rows], self.blueness)


#: A model: change of flux [FLUXCAL] at the points of object, time and band, shape (p,), and figures
#: of each object by name.
Model = Callable[[Stars, Ints, Floats, Ints, np.random.Generator], tuple[Floats, dict[str, Floats]]]


def separation(index: Ints, mjd: Floats, lens: Mapping[str, Floats]) -> Floats:
    """Return separations of source and lens [Einstein radius] at the points, shape (p,)."""
    tau = (mjd - lens["t0_mjd"][index]) / lens["te_days"][index]
    return np.hypot(lens["u0"][index], tau)


def draw_lenses(stars: Stars, rng: np.random.Generator) -> dict[str, Floats]:
    """Draw time, separation, timescale and blending of lenses, by name, each shape (n,).

    u0 is uniform, as lenses pass at random; the source's share of the light in r is 1 for half of
    them and uniform for the others (our own round numbers; toward the bulge most are blended).
    Other stars have other colours: ``blend_dex`` is how much more of the other light is in g than
    in r, against the source's, as a power of ten.
    """
    n = len(stars.centre_mjd)
    share = np.where(rng.random(n) < 0.5, 1.0, rng.uniform(LEAST_SOURCE_SHARE, 1, n))
    dex = 0.4 * BLEND_COLOUR_SCATTER * rng.normal(size=n)
    return {
        "t0_mjd": stars.centre_mjd,
        "u0": rng.uniform(1e-3, LARGEST_U0, n),
        "te_days": MEDIAN_TE_DAYS * np.exp(SCATTER_LN_TE * rng.normal(size=n)),
        "source_share": share,
        "blend_dex": dex,
    }


def source_flux(stars: Stars, lens: Mapping[str, Floats], index: Ints, band: Ints) -> Floats:
    """Return the unmagnified flux of the source at the points, shape (p,)."""
    in_r, blueness = lens["source_share"][index], stars.blueness[band]
    other = (1 - in_r) * 10 ** (lens["blend_dex"][index] * blueness)
    share = np.where(blueness == 0, in_r, in_r / (in_r + other))
    return np.asarray(share * stars.flux[index, band])


def point_lens(
    stars: Stars, index: Ints, mjd: Floats, band: Ints, rng: np.random.Generator
) -> tuple[Floats, dict[str, Floats]]:
    """Return the change of flux by point lenses (Paczynski 1986, ApJ 304, 1), and their figures."""
    lens = draw_lenses(stars, rng)
    u = separation(index, mjd, lens)
    excess = (u * u + 2) / (u * np.sqrt(u * u + 4)) - 1
    return source_flux(stars, lens, index, band) * excess, lens


def _ratio(stars: Stars, mean: float, index: Ints, band: Ints, rng: np.random.Generator) -> Floats:
    """Return what the change of each object is at the points against r: `mean` in g, of scatter."""
    own = mean * (1 + RATIO_SCATTER * rng.normal(size=len(stars.centre_mjd)))
    blueness = stars.blueness[band]
    return blueness * own[index] + (1 - blueness)


def half_of_rise_mjd(lens: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """Return when lenses have half of their rise, and the whole rise [mag], both shape (n,).

    Half is meant in magnitudes of all light that is seen, blended light included.

    Parameters
    ----------
    lens : mapping of str to float64 array, shape (n,)
        ``peak_mjd u0 te_days source_share``.
    """
    u0, share = lens["u0"], lens["source_share"]
    peak = 1 + share * ((u0**2 + 2) / (u0 * np.sqrt(u0**2 + 4)) - 1)
    source = 1 + (np.sqrt(peak) - 1) / share
    u = np.sqrt(2 * source / np.sqrt(source**2 - 1) - 2)
    before = lens["te_days"] * np.sqrt(np.maximum(u**2 - u0**2, 0))
    return lens["peak_mjd"] - before, 2.5 * np.log10(peak)


def constant(
    stars: Stars, index: Ints, mjd: Floats, band: Ints, rng: np.random.Generator
) -> tuple[Floats, dict[str, Floats]]:
    """Return no change."""
    return np.zeros(len(index)), {}


def mira(
    stars: Stars, index: Ints, mjd: Floats, band: Ints, rng: np.random.Generator
) -> tuple[Floats, dict[str, Floats]]:
    """Return the change of long-period variables: sinusoids of magnitude, larger in the blue.

    Periods of 80 to 600 days and amplitudes of 0.2 to 4 mag (Soszynski et al. 2009, Acta Astron.
    59, 239); a second wave of half the period makes the rise steeper than the fall. The blue is
    earlier by a twentieth of the period.
    """
    n = len(stars.centre_mjd)
    period, half = np.exp(rng.uniform(np.log(80), np.log(600), n)), rng.uniform(0.1, 2, n)
    phase = rng.uniform(0, 1, n)[index] + mjd / period[index] - 0.05 * (1 - stars.blueness[band])
    wave = np.cos(2 * np.pi * phase) + 0.2 * np.sin(4 * np.pi * phase)
    size = half[index] * _ratio(stars, 1.35, index, band, rng)
    return stars.flux[index, band] * (10 ** (0.4 * size * wave) - 1), {"period_days": period}


def _outbursts(
    centre_mjd: Floats, interval: Floats, spread: float, first_mjd: float, rng: np.random.Generator
) -> Iterator[tuple[Floats, Ints]]:
    """Yield times of outbursts and the rows of the objects that have them, one each at a time.

    The first ones are at `centre_mjd`, for all objects. Earlier ones follow, until all are before
    `first_mjd`, then as many later ones. Intervals have the mean `interval` and are
    gamma-distributed with the relative scatter `spread`.
    """
    n, shape = len(centre_mjd), spread**-2
    yield centre_mjd, np.arange(n)
    for way in (-1, 1):
        time, rows = centre_mjd.copy(), np.arange(n)
        while len(rows):
            steps = interval[rows] * rng.gamma(shape, 1 / shape, len(rows))
            time = time + way * steps
            near = np.abs(time - centre_mjd[rows]) < centre_mjd[rows] - first_mjd
            time, rows = time[near], rows[near]
            if len(rows):
                yield time, rows


def _within(
    index: Ints, mjd: Floats, rows: Ints, since_mjd: Floats, until_mjd: Floats
) -> tuple[Ints, Ints]:
    """Return the points of the objects `rows` between two times, and their places in `rows`.

    Points are by object, then by time.
    """
    key = index * _MORE_THAN_ANY_MJD + mjd
    first = np.searchsorted(key, rows * _MORE_THAN_ANY_MJD + since_mjd)
    stop = np.searchsorted(key, rows * _MORE_THAN_ANY_MJD + until_mjd)
    place, points = spans(first, np.maximum(first, stop))
    return points, place


def be_star(
    stars: Stars, index: Ints, mjd: Floats, band: Ints, rng: np.random.Generator
) -> tuple[Floats, dict[str, Floats]]:
    """Return outbursts of Be stars: fast rises and exponential falls, larger in the red.

    Rises of days to weeks, falls of weeks to a year, 0.1 to 0.6 mag (Labadie-Bartz et al. 2017, AJ
    153, 252; Rimulo et al. 2018, MNRAS 476, 3555); the disk adds red light. Light curves of up to
    ten years have up to 40 outbursts (Labadie-Bartz et al. 2018, AJ 155, 53): intervals of stars
    are between 90 and 4000 days, uniform in their logarithms. An outburst is of a star that has
    many by as much more often, so what is drawn are rates, uniform between those of the two.
    """
    n = len(stars.centre_mjd)
    rise, fall = np.exp(rng.uniform(np.log(3), np.log(40), n)), rng.uniform(1.5, 8, n)
    interval = 1 / rng.uniform(1 / 4000, 1 / 90, n)
    rise = np.minimum(rise, interval / 6)  # the disk of frequent outbursts is built in time
    size, first = rng.uniform(0.1, 0.6, n), mjd.min(initial=np.inf) - 400
    change = np.zeros(len(mjd))
    for time, rows in _outbursts(stars.centre_mjd, interval, 0.4, first, rng):
        begin, end = time - _LONGEST * rise[rows], time + _LONGEST * (fall * rise)[rows]
        points, place = _within(index, mjd, rows, begin, end)
        of = rows[place]
        strength = (size[rows] * rng.uniform(0.5, 1, len(rows)))[place]
        age = (mjd[points] - time[place]) / rise[of]
        shape = np.where(age < 0, np.exp(-(age**2)), np.exp(-np.maximum(age, 0) / fall[of]))
        change[points] = np.maximum(change[points], strength * shape)
    change *= _ratio(stars, 0.8, index, band, rng)
    figures = {"rise_days": rise, "interval_days": interval}
    return stars.flux[index, band] * (10 ** (0.4 * change) - 1), figures


def _walk(
    index: Ints, mjd: Floats, tau_days: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return a damped random walk of unit variance at the points, and frequencies of its waves.

    A sum of cosines with Cauchy-distributed frequencies (Kelly et al. 2009, ApJ 698, 895).
    """
    n = len(tau_days)
    frequency = rng.standard_cauchy((n, _WAVES)) / (2 * np.pi * tau_days[:, None])
    phase, out = rng.uniform(0, 2 * np.pi, (n, _WAVES)), np.zeros(len(index))
    for k in range(_WAVES):
        out += np.cos(2 * np.pi * frequency[index, k] * (mjd - mjd.min()) + phase[index, k])
    return out * np.sqrt(2 / _WAVES), frequency


def young_star(
    stars: Stars, index: Ints, mjd: Floats, band: Ints, rng: np.random.Generator
) -> tuple[Floats, dict[str, Floats]]:
    """Return the irregular change of young stars, stochastic with bursts of accretion.

    Decorrelation in 1 to 30 days and 0.1 to 0.8 mag of scatter, larger in the blue (Cody et al.
    2014, AJ 147, 82; Venuti et al. 2015, A&A 581, A66).
    """
    n = len(stars.centre_mjd)
    tau, size = np.exp(rng.uniform(0, np.log(30), n)), rng.uniform(0.1, 0.8, n)
    walk, _ = _walk(index, mjd, tau, rng)
    change = size[index] * walk * _ratio(stars, 1.25, index, band, rng)
    return stars.flux[index, band] * (10 ** (0.4 * change) - 1), {"tau_days": tau}


def agn(
    stars: Stars, index: Ints, mjd: Floats, band: Ints, rng: np.random.Generator
) -> tuple[Floats, dict[str, Floats]]:
    """Return the damped random walk of active nuclei.

    Decorrelation in about 200 days and 0.1 to 0.4 mag of scatter, more in the blue (MacLeod et al.
    2010, ApJ 721, 1014).
    """
    n = len(stars.centre_mjd)
    tau = 200 * np.exp(0.6 * rng.normal(size=n))
    size = 0.2 * np.exp(0.4 * rng.normal(size=n))
    walk, _ = _walk(index, mjd, tau, rng)
    change = size[index] * walk * _ratio(stars, 1.2, index, band, rng)
    return stars.flux[index, band] * (10 ** (0.4 * change) - 1), {"tau_days": tau}


def cataclysmic(
    stars: Stars, index: Ints, mjd: Floats, band: Ints, rng: np.random.Generator
) -> tuple[Floats, dict[str, Floats]]:
    """Return outbursts of dwarf novae: up in days, a plateau, down faster than a lens.

    Amplitudes of 2 to 6 mag, rises of 0.5 to 4 days, plateaus of 0 to 15 days, falls of 0.1 to 0.8
    mag a day (Otulakowska-Hypka et al. 2016, MNRAS 460, 2526). They are hot: one magnitude bluer
    than the star in quiescence. Superoutbursts repeat after 17 to 4590 days, mostly after some 270,
    and normal ones are more frequent (Vogt et al. 2021, MNRAS 502, 5668): intervals of stars have a
    median of 200 days and a scatter of 1 in their logarithm. Of outbursts, which stars with many
    have more often, the median is that divided by e.
    """
    n = len(stars.centre_mjd)
    size, rise = rng.uniform(2, 6, n), rng.uniform(0.5, 4, n)
    flat, fall = rng.uniform(0, 15, n), rng.uniform(0.1, 0.8, n)
    interval = np.clip(200 * np.exp(rng.normal(size=n) - 1), 17, 4590)
    flat = np.minimum(flat, interval / 6)
    first, out = mjd.min(initial=np.inf) - 60, np.zeros(len(mjd))
    blue = stars.blueness[band]
    for time, rows in _outbursts(stars.centre_mjd, interval, 0.3, first, rng):
        end = time + flat[rows] + (size[rows] + 1) / fall[rows]
        points, place = _within(index, mjd, rows, time - rise[rows], end)
        of = rows[place]
        age, top = mjd[points] - time[place], size[of] + blue[points]
        mag = np.clip(top * (1 + age / rise[of]), 0, top)
        down = np.maximum(top - fall[of] * np.maximum(age - flat[of], 0), 0)
        out[points] = np.maximum(out[points], np.minimum(mag, down))
    return stars.flux[index, band] * (10 ** (0.4 * out) - 1), {"interval_days": interval}


def _periodic(draw: Draw, ratio: float) -> Model:
    """Return the model of a kind of :data:`fink_al.simulation.periodic.PERIODIC`."""

    def model(
        stars: Stars, index: Ints, mjd: Floats, band: Ints, rng: np.random.Generator
    ) -> tuple[Floats, dict[str, Floats]]:
        change, period = draw(len(stars.centre_mjd), index, mjd, rng)
        change = change * _ratio(stars, ratio, index, band, rng)
        return stars.flux[index, band] * (10 ** (0.4 * change) - 1), {"period_days": period}

    return model


#: Models that are no lens, by kind, with their share among non-events (our own: a stream in the
#: plane, where variable stars are most of what changes; docs/microlensing.md).
OTHERS: dict[str, tuple[Model, float]] = {
    "Mira": (mira, 0.10),
    "Be star": (be_star, 0.15),
    "young star": (young_star, 0.12),
    "CV": (cataclysmic, 0.10),
    "AGN": (agn, 0.07),
    "constant": (constant, 0.06),
    **{kind: (_periodic(draw, ratio), part) for kind, (draw, ratio, part) in PERIODIC.items()},
}
#: Share of supernovae, whose light curves are those of :mod:`fink_al.simulation.objects`.
SUPERNOVA_SHARE = 0.10


def draw_stars(
    kinds: npt.NDArray, mag: tuple[float, float], centre_mjd: Floats, rng: np.random.Generator,
    survey: StarSurvey = ZTF,
) -> Stars:  # fmt: skip
    """Draw constant light of objects of `kinds`: r uniform in `mag`, colours of the kind."""
    n = len(kinds)
    r = rng.uniform(*mag, n)
    g = r + g_minus_r(kinds, rng)
    flux = baseline_flux(in_bands(survey.bands, kinds, g, r, rng))
    return Stars(flux, centre_mjd, survey.blueness)
