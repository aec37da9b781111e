"""What is not a young supernova must not look like one."""

import numpy as np
import pandas as pd
import pytest

from fink_al.alerts.points import light_curves_of_points
from fink_al.experiments.labelled_alerts import halves, labelled_alerts
from fink_al.features.feature_set import FeatureSet
from fink_al.models.estimators.estimator import fit_estimator, predict
from fink_al.settings import load_settings
from fink_al.training.nightly_alerts import cut_into_alerts
from fink_al.training.teacher import prior_of
from fink_al.training.teaching_set import read_teaching_set

_HIGH = 0.7


@pytest.fixture(scope="module")
def settings():
    loaded = load_settings(starting_set=None, test_set=None)
    features = loaded.target.features.model_copy(update={"name": "early_v1"})
    model = loaded.target.model.model_copy(update={"n_estimators": 200})
    target = loaded.target.model_copy(update={"features": features, "model": model})
    return loaded.model_copy(update={"target": target})


@pytest.fixture(scope="module")
def whole(shared_data):
    points = pd.read_parquet(shared_data / "labelled/ztf_fink_tns_alerts.parquet")
    points = points.sort_values("alert_jd").drop_duplicates(["objectId", "jd", "fid"], keep="last")
    columns = ["objectId", "type", "jd", "fid", "magpsf", "sigmapsf"]
    return light_curves_of_points(points[columns])


@pytest.fixture(scope="module")
def learned(whole, settings):
    """Forest of one half of the objects, the other half's alerts before maximum, their scores."""
    data = labelled_alerts(whole, settings.target.features, settings.target, settings.taxonomy)
    learner, test = halves(data, np.random.default_rng(0))
    teaching = read_teaching_set(settings.teaching_set, settings.target, settings.taxonomy)
    prior = prior_of(settings.target, learner.features, teaching)
    forest = fit_estimator(
        settings.target.model, learner.values, learner.positive, learner.row, prior
    )
    return forest, test, predict(forest, test.values)


def table(slope, rng):
    """Light curves of several magnitudes and lengths, two days between nights, in g and r."""
    rows = [
        (f"{mag}_{n}", 2461000.7 + 2 * k, fid, mag + slope * k + rng.normal() * 0.05, 0.08)
        for mag in (17.0, 18.0, 19.0, 19.5)
        for n in (3, 6, 10, 15)
        for k in range(n)
        for fid in (1, 2)
    ]
    return pd.DataFrame(rows, columns=["alert_id", "jd", "fid", "magpsf", "sigmapsf"])


@pytest.mark.parametrize("slope", [0.0, 0.08], ids=["constant", "fading"])
def test_simulated_constant_and_fading_sources_do_not_score_high(learned, settings, slope):
    curves = light_curves_of_points(table(slope, np.random.default_rng(1)))
    features = FeatureSet.from_settings(settings.target.features).extract(curves)
    p = predict(learned[0], features.values)
    assert np.median(p) < 0.5
    assert (p > _HIGH).mean() <= 0.1


def test_real_variable_and_old_sources_do_not_score_high(learned, whole, settings):
    forest, test, scores = learned
    young = (scores[test.positive] > _HIGH).mean()
    assert young > 0.3
    alerts = cut_into_alerts(whole)
    kinds = np.array(whole.context["type"].to_pylist(), object)[alerts.row]
    last = np.full(len(whole), -np.inf)
    np.maximum.at(last, alerts.row[alerts.is_pre_peak], alerts.mjd[alerts.is_pre_peak])
    held_out = np.isin(alerts.row, np.unique(test.row))
    groups = {
        "variable": np.isin(kinds, ["Varstar", "AGN", "QSO", "CV", "Other"]),
        "old": alerts.mjd - last[alerts.row] > 20,
    }
    for chosen in groups.values():
        curves = alerts.light_curves.select(chosen & held_out)
        assert len(curves) > 200
        values = FeatureSet.from_settings(settings.target.features).extract(curves).values
        p = predict(forest, values)
        assert np.median(p) < 0.5
        assert (p > _HIGH).mean() < young / 3
