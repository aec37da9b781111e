"""Labelled alerts of simulated lenses and non-events, each with the history of a packet."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fink_al.lightcurve import LightCurves
from fink_al.simulation import counted, lenses, objects
from fink_al.simulation.binary_lenses import planetary_lens
from fink_al.simulation.exposures import DETECTION_SIGMA, Schedule, exposures_of
from fink_al.simulation.past import past_of, spans
from fink_al.simulation.star_noise import baseline_flux, measured, stated_error
from fink_al.simulation.star_surveys import ZTF, StarSurvey

#: Bands of ZTF's simulated light curves.
BANDS = ZTF.bands

#: Kind of the lensed objects.
EVENT = "point lens"
#: Kind of objects lensed by a star with a planet; needs the package VBMicrolensing.
PLANET = "planetary lens"

_EVENTS = {EVENT: lenses.point_lens, PLANET: planetary_lens}
_NIGHTS = 160
_CENTRE = 70.0, 110.0  # of the change, in these nights [day]
_SUPERNOVAE = {"SN Ia": 0.6, "SN II": 0.25, "SN Ic": 0.05, "SN Ib": 0.05, "SN IIn": 0.05}
_FIRST_MJD = 61_000
_MORE_THAN_ANY_MJD = 1e6
_CATALOGUED = ("reference_distance_arcsec", "star_score", "host_mag", "host_colour_g_r")
#: Nights of a year in which a field is behind the sun, and the year before which there are none.
_BEHIND_SUN_DAYS, _YEAR_DAYS = 120, 365
#: Share of the exposures of earlier years that are simulated: of one in three.
_EARLIER_SHARE = 1 / 3
#: Nearest sources: error of a magnitude of the reference image and of a position [arcsec], distance
#: of a supernova from the centre of its galaxy [arcsec], as in :mod:`fink_al.simulation.scores`;
#: and how far other light in the image moves a source that is not alone (our own) [arcsec].
_MAG_ERROR, _NEAR_ARCSEC, _HOST_ARCSEC, _BLEND_ARCSEC = 0.05, 0.3, 3.0, 1.0
#: Error of a catalogued colour, most of it from filters that differ (our own) [mag].
_COLOUR_ERROR = 0.08
#: Share of active nuclei that outshine their galaxies, so that they look like stars (our own).
_QUASARS = 0.5


@dataclass(frozen=True)
class Sky:
    """Whole light curves, and what the objects are.

    Parameters
    ----------
    curves : LightCurves
        All points as forced photometry, in order of time.
    limit_mag : float64 array, shape (p,)
        5 sigma limit of each point.
    truth : pandas.DataFrame
        One row an object: ``kind is_event r_mag peak_mjd ra dec``, what the nearest sources in
        catalogue and reference image are, ``host_mag host_colour_g_r star_score reference_mag_BAND
        reference_distance_arcsec``, what the survey had counted before the first night,
        ``earlier_detections earlier_mjd``, of lenses ``u0 te_days source_share``, and of
        supernovae their ``type``.
    first_mjd : float
        First night [MJD].
    past_days : int
        Nights before those in which the change is centred.
    survey : StarSurvey
        Survey that sees them.
    """

    curves: LightCurves
    limit_mag: npt.NDArray[np.float64]
    truth: pd.DataFrame
    first_mjd: float
    past_days: int
    survey: StarSurvey = ZTF


def simulate_sky(
    n: int,
    kind: str | None,
    seed: int,
    mag: tuple[float, float] | None = None,
    plan: Schedule | None = None,
    past_days: int = 0,
    earlier_days: int = 0,
    survey: StarSurvey = ZTF,
) -> Sky:
    """Simulate `n` objects in 160 nights of a survey, and the nights before them.

    Parameters
    ----------
    n : int
        Number of objects.
    kind : str, optional
        `EVENT`, `PLANET`, ``supernova`` or one of :data:`fink_al.simulation.lenses.OTHERS`;
        default: non-events in the shares given there.
    seed : int
        The same seed gives the same sky.
    mag : tuple of float, optional
        Brightest and faintest r magnitude of the constant light; default: of the survey.
    plan : Schedule, optional
        Exposures; default: of the survey.
    past_days : int
        Nights before the 160. Each field is behind the sun for four months of the year before.
    earlier_days : int
        Nights before those, of which the survey's count of detections is all that is kept.
    survey : StarSurvey
        Survey that sees them.
    """
    rng = np.random.default_rng(seed)
    begin = _FIRST_MJD - past_days
    span = begin - earlier_days, _FIRST_MJD, _FIRST_MJD + _NIGHTS
    plan = plan or survey.sky.schedule(*span, rng)
    names = [*lenses.OTHERS, "supernova"]
    if kind is None:
        shares = [share for _, share in lenses.OTHERS.values()]
        kinds = rng.choice(names, n, p=[*shares, lenses.SUPERNOVA_SHARE])
    else:
        kinds = np.full(n, kind)
    plan = _seen(plan, len(survey.bands), begin, past_days, rng)
    field = rng.integers(0, len(plan.ra), n)
    index, exposure = exposures_of(plan, field)
    mjd, band, limit = plan.mjd[exposure], plan.band[exposure], plan.limit_mag[exposure]
    kept = mjd >= begin
    first = mjd[kept].min() + past_days
    centre = first + rng.uniform(*_CENTRE, n)
    stars = lenses.draw_stars(kinds, mag or survey.mag, centre, rng, survey)
    change, truth = np.zeros(len(mjd)), pd.DataFrame({"kind": kinds})
    truth["is_event"] = np.isin(kinds, list(_EVENTS))
    truth["peak_mjd"] = stars.centre_mjd
    truth["ra"], truth["dec"] = plan.ra[field], plan.dec[field]
    for name in sorted(set(kinds)):
        rows = np.flatnonzero(kinds == name)
        chosen = np.isin(index, rows)
        place = np.searchsorted(rows, index[chosen])
        if name == "supernova":
            drawn = _supernovae(len(rows), first, place, mjd[chosen], band[chosen], survey, rng)
            change[chosen], stars.flux[rows], truth.loc[rows, "type"] = drawn
            continue
        model = _EVENTS[name] if name in _EVENTS else lenses.OTHERS[name][0]
        drawn = model(stars.take(rows), place, mjd[chosen], band[chosen], rng)
        change[chosen], figures = drawn
        for column, values in figures.items():
            truth.loc[rows, column] = values
    truth["r_mag"] = 27.5 - 2.5 * np.log10(stars.flux[:, survey.red])
    truth = truth.assign(**_nearest(kinds, stars.flux, truth, survey, rng))
    error = stated_error(limit, stars.flux[index, band], change, survey)
    flux = measured(change, error, index, rng)
    is_sound = stars.flux[index, band] + change < baseline_flux(np.array(survey.saturation_mag))
    early, kept = is_sound & ~kept, is_sound & kept
    truth = truth.assign(**counted.before(index[early], mjd[early], flux[early], error[early], n))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(index[kept], minlength=n))])
    curves = forced_points(offsets, mjd[kept], band[kept], flux[kept], error[kept], survey)
    return Sky(curves, limit[kept], truth, begin, past_days, survey)


def _seen(
    plan: Schedule, bands: int, begin: float, past_days: int, rng: np.random.Generator
) -> Schedule:
    """Return the exposures in the first bands in which a sky is seen, some of those before `begin`.

    The 160 nights are a field's season: before them, it is behind the sun once in a year.
    """
    field = np.repeat(np.arange(len(plan.ra)), np.diff(plan.offsets))
    lost = rng.uniform(_BEHIND_SUN_DAYS, _YEAR_DAYS - _NIGHTS, len(plan.ra))
    before = begin + past_days - plan.mjd
    day = (before - (lost[field] - _BEHIND_SUN_DAYS)) % _YEAR_DAYS
    used = (plan.band < bands) & ((before <= 0) | (day >= _BEHIND_SUN_DAYS))
    used &= (plan.mjd >= begin) | (rng.random(len(used)) < _EARLIER_SHARE)
    return replace(
        plan,
        offsets=np.concatenate([[0], np.cumsum(np.bincount(field[used], minlength=len(plan.ra)))]),
        mjd=plan.mjd[used],
        band=plan.band[used],
        limit_mag=plan.limit_mag[used],
    )


def _nearest(
    kinds, flux, truth: pd.DataFrame, survey: StarSurvey, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw what catalogue and reference image show nearest to each object, by column.

    Variable and lensed stars are their own nearest source, with the light that blends them. A
    supernova is off the centre of its galaxy.
    """
    n, is_host = len(kinds), kinds == "supernova"
    # Of a generator of their own: other figures stay those of the same seed.
    noise = baseline_flux(np.array(survey.reference_limit_mag)) / DETECTION_SIGMA
    seen = flux + noise * rng.spawn(1)[0].normal(size=flux.shape)
    mag = 27.5 - 2.5 * np.log10(np.where(seen > 0, seen, np.nan))
    mag += _MAG_ERROR * rng.normal(size=flux.shape)
    away = rng.rayleigh(_NEAR_ARCSEC, n)
    share = truth["source_share"].to_numpy() if "source_share" in truth else np.ones(n)
    away = np.hypot(away, (1 - np.nan_to_num(share, nan=1.0)) * _BLEND_ARCSEC * rng.random(n))
    galaxy = is_host | ((kinds == "AGN") & (rng.random(n) > _QUASARS))
    score = np.where(galaxy ^ (rng.random(n) < 0.05), rng.beta(0.6, 6, n), 1 - rng.beta(0.5, 8, n))
    catalogued = 27.5 - 2.5 * np.log10(flux)
    colour = catalogued[:, survey.green] - catalogued[:, survey.red]
    return {
        "host_mag": catalogued[:, survey.red] + _MAG_ERROR * rng.normal(size=n),
        "host_colour_g_r": colour + _COLOUR_ERROR * rng.normal(size=n),
        **{f"reference_mag_{band}": mag[:, code] for code, band in enumerate(survey.bands)},
        "reference_distance_arcsec": np.where(is_host, rng.exponential(_HOST_ARCSEC, n), away),
        "star_score": score,
    }


def _supernovae(
    n: int, first: float, index, mjd, band, survey: StarSurvey, rng: np.random.Generator
):
    """Return fluxes of supernovae at the points, light of the place, shape (n, b), and types.

    They begin so early that maxima lie where those of lenses do.
    """
    begin = int(first + _CENTRE[0] - 20), int(first + _CENTRE[1] - 20)
    drawn = objects.draw(n, begin[0], begin[0], begin[1], _SUPERNOVAE, survey.sky.VIEW, rng)
    host = baseline_flux(rng.uniform(*survey.host_mag, (n, 1)) + 0.4 * survey.blueness)
    return objects.flux(drawn, index, mjd, band), host, np.array(list(objects.KINDS))[drawn.kind]


def forced_points(offsets, mjd, band, flux, error, survey: StarSurvey = ZTF) -> LightCurves:
    """Return light curves of points that are all forced photometry."""
    return LightCurves(
        offsets=offsets,
        mjd=mjd,
        band=band,
        flux=flux,
        flux_err=error,
        is_upper_limit=np.zeros(len(mjd), bool),
        is_forced=np.ones(len(mjd), bool),
        bands=survey.bands,
        context=pa.table({}),
        day_start=survey.day_start,
    )


def detected(curves: LightCurves) -> npt.NDArray[np.bool_]:
    """Return the points that would be alerts, shape (p,): brighter than five errors."""
    return np.asarray(curves.flux > DETECTION_SIGMA * curves.flux_err)


def random_detections(
    curves: LightCurves,
    rng: np.random.Generator,
    after: float,
    most: int = 1,
    end_mjd: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[np.int64]:
    """Return the rows of up to `most` random detections of each object, in order.

    Detections in the first `after` days are left out, as their history is not whole, and those
    after an object's `end_mjd`.
    """
    owner = curves.alert_of_point()
    seen = detected(curves) & (curves.mjd > curves.mjd.min(initial=np.inf) + after)
    if end_mjd is not None:
        seen &= curves.mjd <= end_mjd[owner]
    rows = rng.permutation(np.flatnonzero(seen))
    rows = rows[np.argsort(owner[rows], kind="stable")]
    counts = np.bincount(owner[rows], minlength=len(curves))
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(rows[rank < most])


def alerts_at(
    curves: LightCurves, rows: npt.NDArray[np.int64], survey: StarSurvey = ZTF
) -> LightCurves:
    """Return the alerts at the detections `rows`, in their order; an object may have several.

    As in a packet, detections stand among the points, and everything else is forced photometry.
    """
    first = first_of_packets(curves, rows, survey)
    _, points = spans(first, rows + 1)
    flux, error = curves.flux[points], curves.flux_err[points]
    offsets = np.concatenate([[0], np.cumsum(rows + 1 - first)])
    cut = forced_points(offsets, curves.mjd[points], curves.band[points], flux, error, survey)
    return replace(cut, is_forced=~(np.abs(flux) > DETECTION_SIGMA * error))


def first_of_packets(
    curves: LightCurves, rows: npt.NDArray[np.int64], survey: StarSurvey
) -> npt.NDArray[np.int64]:
    """Return the first point in the packet of each of the alerts `rows`."""
    owner = curves.alert_of_point()
    key = owner * _MORE_THAN_ANY_MJD + curves.mjd
    first = np.searchsorted(key, key[rows] - survey.sky.HISTORY_DAYS)
    return np.maximum(first, earliest_points(curves, survey)[owner[rows]])


def earliest_points(curves: LightCurves, survey: StarSurvey) -> npt.NDArray[np.int64]:
    """Return the first point of each object that packets may hold, shape (n,)."""
    if survey.has_quiet_past:
        return np.asarray(curves.offsets[:-1])
    seen = np.abs(curves.flux) > DETECTION_SIGMA * curves.flux_err
    before = np.concatenate([[0], np.cumsum(seen)])
    return np.searchsorted(before, before[curves.offsets[:-1]], side="right") - 1


def packets_at(
    sky: Sky, rows: npt.NDArray[np.int64], since_mjd: npt.NDArray[np.float64] | None = None
) -> LightCurves:
    """Return the alerts at the detections `rows`, with all that is known of them.

    Parameters
    ----------
    sky : Sky
        Objects.
    rows : int64 array, shape (m,)
        Points of its light curves.
    since_mjd : float64 array, shape (m,), optional
        Begin of the memory for each [MJD], NaN without one; default: the first night.

    Returns
    -------
    LightCurves
        With the context columns ``reference_mag`` in the alert's band,
        ``reference_distance_arcsec``, ``star_score``, ``host_mag``, ``host_colour_g_r``, ``ra``,
        ``dec`` and those of :func:`fink_al.simulation.past.past_of` and
        :func:`fink_al.simulation.counted.counts_at`.
    """
    if since_mjd is None:
        since_mjd = np.full(len(rows), sky.first_mjd)
    curves, truth = sky.curves, sky.truth.iloc[sky.curves.alert_of_point()[rows]]
    reference = truth[[f"reference_mag_{band}" for band in curves.bands]].to_numpy()
    begins = earliest_points(curves, sky.survey)
    passed_on = (*(_CATALOGUED if sky.survey.sky.HAS_CATALOGUE else ()), "ra", "dec")
    columns = {
        "reference_mag": reference[np.arange(len(rows)), curves.band[rows]],
        **{name: truth[name].to_numpy() for name in passed_on},
        **past_of(curves, rows, since_mjd, sky.survey.sky.HISTORY_DAYS, begins),
        **counted.counts_at(curves, rows, truth, sky.survey.tells_first),
    }
    context = pa.table({k: pa.array(v, from_pandas=True) for k, v in columns.items()})
    return replace(alerts_at(curves, rows, sky.survey), context=context)
