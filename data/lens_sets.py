"""Sets of lenses and of what is taken for one, of ZTF and of LSST, for ``data/make.py``."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from fink_al.alerts import adapter, light_curves
from fink_al.features.feature_set import FeatureSet
from fink_al.settings import Settings
from fink_al.simulation.lens_alerts import EVENT, PLANET, random_detections, simulate_sky
from fink_al.simulation.lens_rows import archived
from fink_al.simulation.star_surveys import STAR_SURVEYS

_STARTING_SEED, _STARTING_EVENTS, _STARTING_OTHERS = 7201, 500, 900
_TEST_SEED, _TEST_PER_CLASS = 7202, 300
_TEACHING_SEED, _TEACHING_PER_CLASS, _TEACHING_ALERTS = 7203, 700, 2
#: Alerts of the teaching set's events whose lens has a planet.
_TEACHING_PLANETS = 70
#: A year before the packets of alerts that are so long after the first night.
_MEMORY_DAYS, _SEASON_DAYS = 365, 30
#: Share of the alerts that no memory covers; the others have one of any length up to a year.
_WITHOUT_MEMORY = 0.15
#: Share of a starting set's non-events of which the survey had counted fewer detections before the
#: packet. These are what is taken for a lens, which is new as well, and they are rare among alerts.
_NEW_SHARE, _FEWER_EARLIER = 0.5, 10
#: Objects that are simulated for each alert.
_OBJECTS, _OBJECTS_WITH_NEW = 3, 15
_COLUMNS = ["object_id", "type", "alert_id", "mjd", "band", "mag", "ra", "dec"]


def starting_set(settings: Settings) -> pa.Table:
    """One alert of each of 500 events on their rise, and of 900 other objects, half of them new."""
    return _both(settings, _STARTING_SEED, (_STARTING_EVENTS, _STARTING_OTHERS), 1, _NEW_SHARE)


def test_set(settings: Settings) -> pa.Table:
    """One alert of each of 300 events on their rise, and of 300 other objects."""
    return _both(settings, _TEST_SEED, (_TEST_PER_CLASS, _TEST_PER_CLASS), 1)


def teaching_set(settings: Settings) -> pa.Table:
    """700 alerts of each class, up to two of an object; 70 are of lenses with a planet.

    Needs the package VBMicrolensing.
    """
    n = _TEACHING_PER_CLASS - _TEACHING_PLANETS, _TEACHING_PER_CLASS
    rows = _both(settings, _TEACHING_SEED, n, _TEACHING_ALERTS)
    seed = 10 * _TEACHING_SEED + 2
    rng = np.random.default_rng(seed)
    planets = _alerts(settings, PLANET, seed, _TEACHING_PLANETS, _TEACHING_ALERTS, None, rng)
    rows = pa.concat_tables([rows, planets])
    return rows.sort_by([("object_id", "ascending"), ("mjd", "ascending")])


def _both(
    settings: Settings, seed: int, n: tuple[int, int], most: int, new_share: float | None = None
) -> pa.Table:
    """`n` alerts of events and of others, all bright enough and with features."""
    rng = np.random.default_rng(seed)
    return pa.concat_tables(
        [
            _alerts(settings, EVENT, 10 * seed, n[0], most, None, rng),
            _alerts(settings, None, 10 * seed + 1, n[1], most, new_share, rng),
        ]
    )


def _alerts(
    settings: Settings, kind: str | None, seed: int, n: int, most: int, new_share: float | None,
    rng: np.random.Generator,
) -> pa.Table:  # fmt: skip
    history_days = settings.survey.history_days
    past_days = _MEMORY_DAYS + history_days - _SEASON_DAYS
    stars = STAR_SURVEYS[settings.survey.name]
    objects = n * (_OBJECTS if new_share is None else _OBJECTS_WITH_NEW)
    earlier_days = stars.earlier_days
    sky = simulate_sky(
        objects, kind, seed, past_days=past_days, earlier_days=earlier_days, survey=stars
    )
    end = sky.truth["peak_mjd"].to_numpy() if kind in (EVENT, PLANET) else None
    rows = random_detections(sky.curves, rng, past_days + _SEASON_DAYS, most, end)
    latest = sky.curves.mjd[rows] - 2 * history_days
    since = np.floor(rng.uniform(sky.first_mjd, latest))
    since[rng.random(len(rows)) < _WITHOUT_MEMORY] = np.nan
    alerts = archived(sky, rows, since, seed)
    features = FeatureSet.from_settings(settings.target.features)
    found = features.extract(light_curves(alerts, settings.survey))
    usable = found.exist
    usable &= alerts["mag"].to_numpy() <= settings.target.follow_up.max_magnitude
    survey = adapter(settings.survey)
    lists = [name for name in survey.LIGHT_CURVE | survey.FORCED]
    asked = [name for name in features.context_columns if name in alerts.column_names]
    order = rng.permutation(np.flatnonzero(usable))
    if new_share is not None:
        earlier = found.values[order, features.names.index("counted_earlier")]
        new, old = order[earlier < _FEWER_EARLIER], order[earlier >= _FEWER_EARLIER]
        n_new = round(n * new_share)
        order = np.concatenate([new[:n_new], old[: n - n_new]])
    chosen = np.sort(order[:n])
    return alerts.take(chosen).select([*dict.fromkeys([*_COLUMNS, *asked]), *lists])
