"""Nights of alerts of stars in ZTF: lensed ones, and those that vary by themselves.

They stand on the fields and in the exposures of :func:`fink_al.simulation.nights.simulate` of the
same seed, so both make one sky. Light curves are those of :mod:`fink_al.simulation.lenses`.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from fink_al.lightcurve import FLUXCAL_ZERO_POINT
from fink_al.settings import MJD_EPOCH, load_survey
from fink_al.simulation import exposures, lenses, scores, ztf
from fink_al.simulation.exposures import DETECTION_SIGMA
from fink_al.simulation.nights import Campaign, alerts_of, single
from fink_al.simulation.objects import KINDS
from fink_al.simulation.star_noise import measured, stated_error

LENS = "point lens"
#: Kinds of stars with their share: our own round numbers, with many lenses, so that a short sky has
#: some.
MIX = {LENS: 0.5, "Mira": 0.2, "Be star": 0.15, "young star": 0.15}

_TYPES = {LENS: "Microlensing"}
_MODELS = {name: model for name, (model, _) in lenses.OTHERS.items()} | {LENS: lenses.point_lens}
_MAG = 15.5, 19.5  # of the constant light in r: fainter stars rarely change by a detection
#: Peaks lie from so long before the first night to so long after the last [day].
_PEAKS = 10, 25
#: Numbers of objects and alerts, of which the rest of the sky has fewer.
_FIRST_OBJECT, _FIRST_ALERT = 200_000, 5_000
_BANDS = 2  # g and r alone: no light in i is known
_OLD = 0.9  # share of variable stars that were detected long before


def simulate_stars(n_nights: int, n: int, seed: int, start: str | None = None) -> Campaign:
    """Simulate the alerts of `n` stars, the same for the same arguments.

    Every detection is an alert. A star is the nearest catalogued source, and in the reference
    image.

    Parameters
    ----------
    n_nights, seed, start
        As for :func:`fink_al.simulation.nights.simulate`.
    n : int
        Number of stars, some of which are never detected.
    """
    start_mjd = (date.fromisoformat(start or ztf.START) - MJD_EPOCH).days
    stop_mjd = start_mjd + n_nights
    plan = ztf.schedule(start_mjd - ztf.LEAD_DAYS, start_mjd, stop_mjd, np.random.default_rng(seed))
    rng = np.random.default_rng([seed, 1])
    kind = rng.choice(list(MIX), n, p=list(MIX.values()))
    field, ra, dec = exposures.place(plan, n, rng)
    peak = rng.uniform(start_mjd - _PEAKS[0], stop_mjd + _PEAKS[1], n)
    stars = lenses.draw_stars(kind, _MAG, peak, rng)
    points = _observe(stars, kind, field, plan, rng)
    is_alert = (points["mag"].notna() & (points["mjd"] >= start_mjd)).to_numpy()
    is_old = (kind != LENS) & (rng.random(n) < _OLD)
    neighbours = single(_neighbours(stars, is_old, start_mjd, rng), ztf)
    points = points.assign(
        is_moving=False,
        n_detections=points["mag"].notna().groupby(points["object"]).cumsum(),
        n_exposures=points.groupby("object").cumcount() + 1,
        **scores.quality(np.full(len(points), list(KINDS).index("variable star")), rng),
    )
    points = single(ztf.numbered(points, field), ztf)
    points["alert_id"] += np.where(points["mag"].notna(), _FIRST_ALERT, 0)
    seen = points[points["mag"].notna()].groupby("object")["mjd"].min().reindex(range(n))
    first_mjd = neighbours["past_mjd"].fillna(seen)
    points = points.assign(ra=ra[points["object"]], dec=dec[points["object"]])
    truth = pd.DataFrame(
        {
            "object_id": ztf.object_ids(
                first_mjd.fillna(start_mjd), np.zeros(n, bool), seed, _FIRST_OBJECT
            ),
            "kind": kind,
            "type": [_TYPES.get(name, "Varstar") for name in kind],
            "redshift": np.nan,
            "peak_mjd": np.where(kind == LENS, peak, np.nan),
            "peak_mag": np.nan,
            "ra": ra,
            "dec": dec,
        }
    )
    survey = load_survey("ztf")
    alerts = alerts_of(points, is_alert, truth, neighbours, first_mjd, survey)
    return Campaign(survey, truth, points, alerts)


def joined(sky: Campaign, stars: Campaign) -> Campaign:
    """Return two campaigns of the same survey and nights as one."""
    n = len(sky.points)
    alerts = stars.alerts.assign(first=stars.alerts["first"] + n, point=stars.alerts["point"] + n)
    alerts = pd.concat([sky.alerts, alerts], ignore_index=True)
    return Campaign(
        sky.survey,
        pd.concat([sky.truth, stars.truth], ignore_index=True),
        pd.concat([sky.points, stars.points], ignore_index=True),
        alerts.sort_values("mjd", kind="stable", ignore_index=True),
    )


def _observe(
    stars: lenses.Stars, kind: npt.NDArray[np.str_], field: npt.NDArray[np.int64],
    plan: exposures.Schedule, rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """Return difference photometry as :func:`fink_al.simulation.exposures.observe` does."""
    index, exposure = exposures.exposures_of(plan, field)
    used = plan.band[exposure] < _BANDS
    index, exposure = index[used], exposure[used]
    mjd, band, limit = plan.mjd[exposure], plan.band[exposure], plan.limit_mag[exposure]
    change = np.zeros(len(index))
    for name in MIX:
        rows = np.flatnonzero(kind == name)
        chosen = np.isin(index, rows)
        some = stars.take(rows)
        place = np.searchsorted(rows, index[chosen])
        change[chosen], _ = _MODELS[name](some, place, mjd[chosen], band[chosen], rng)
    error = stated_error(limit, stars.flux[index, band], change)
    flux = measured(change, error, index, rng)
    seen = np.abs(flux) > DETECTION_SIGMA * error
    return exposures.photometry(plan, index, exposure, flux, error, seen)


def _neighbours(
    stars: lenses.Stars, is_old: npt.NDArray[np.bool_], start_mjd: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Return what is near each star: itself, in the catalogue and in the reference image."""
    n = len(is_old)
    g, r = (FLUXCAL_ZERO_POINT - 2.5 * np.log10(stars.flux)).T
    r_i = 0.5 * (g - r)
    past = rng.uniform(ztf.SURVEY_BEGIN_MJD, start_mjd - ztf.LEAD_DAYS, n)
    return pd.DataFrame(
        {
            "star_score": 1 - rng.beta(0.5, 8, n),
            "star_distance_arcsec": rng.rayleigh(0.3, n),
            "asteroid_distance_arcsec": np.nan,
            "past_detections": np.where(is_old, rng.integers(1, 300, n), 0),
            "past_mjd": np.where(is_old, past, np.nan),
            "host_mag": r,
            "host_colour_g_r": g - r,
            "host_colour_r_i": r_i,
            "reference_mag_g": g,
            "reference_mag_r": r,
            "reference_mag_i": r - r_i,
            "reference_distance_arcsec": rng.rayleigh(0.2, n),
        }
    )
