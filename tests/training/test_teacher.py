import textwrap
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from small_world import TAXONOMY, informed, sky, table, teacher, teaching_set

from fink_al.alerts import light_curves
from fink_al.errors import ModelError, SettingsError
from fink_al.evaluation.metrics import evaluate
from fink_al.features.feature_set import FeatureSet
from fink_al.loop import Loop
from fink_al.models.estimators.forest import forest_to_arrays
from fink_al.settings import load_settings
from fink_al.settings.kinds import HOST
from fink_al.simulation.nights import simulate
from fink_al.simulation.objects import CLASSIFIED_MIX
from fink_al.training import teacher as module
from fink_al.training.teacher import check_teachers, prior_of
from fink_al.training.teaching_set import read_teaching_set


@pytest.fixture
def target(settings):
    return informed(settings.target)


@pytest.fixture
def names(target):
    return FeatureSet.from_settings(target.features).names


@pytest.fixture(scope="module")
def season():
    """Another season than those that teach."""
    return simulate(20, 200, seed=5, mix=CLASSIFIED_MIX)


def test_the_published_forest_has_no_teacher(target):
    model = target.model.model_copy(update={"estimator": "random_forest"})
    assert prior_of(target.model_copy(update={"model": model}), target.features, None) is None


def test_an_informed_forest_without_a_teaching_set_is_refused(target):
    with pytest.raises(ModelError, match=r"needs a teaching set: name one as teaching_set, or "):
        prior_of(target, target.features, None)


def test_a_teacher_is_the_same_every_time(target):
    values = np.random.default_rng(1).normal(size=(50, 100))
    probabilities = []
    for _ in range(2):
        module._learned.cache_clear()
        prior = teacher(target)
        probabilities.append(prior.forest.predict_proba(values[:, prior.columns]))
    np.testing.assert_array_equal(*probabilities)


def test_a_teacher_reads_no_feature_that_depends_on_the_survey(target, names):
    seen = {names[i] for i in teacher(target).columns}
    assert {"a_g", "colour_g_r"} <= seen
    assert not {n for n in seen if n.startswith(("limit", "detections", "nights", "age", "mag"))}


def test_a_teacher_reads_the_features_of_the_survey_that_its_target_names(settings, names):
    target = informed(settings.target, survey_features=("age", "mag"))
    seen = {names[i] for i in teacher(target).columns}
    assert {"age", "mag_g", "mag_r", "a_g"} <= seen
    assert not {n for n in seen if n.startswith(("limit", "detections", "nights"))}
    target = informed(settings.target, survey_features=("depth",))
    with pytest.raises(SettingsError, match=r"survey_features: unknown kinds depth; known: limit"):
        teacher(target)


def test_a_teacher_knows_the_classes_of_another_season(settings, target, season):
    prior = prior_of(target, target.features, teaching_set(target, 9000))
    features = FeatureSet.from_settings(target.features)
    values = features.extract(light_curves(season.columns(), settings.survey)).values
    truth = season.truth.set_index("object_id").loc[season.alerts["object_id"]]
    is_late = season.alerts["mjd"].to_numpy() > truth["peak_mjd"].to_numpy()
    use = ~is_late & ~np.isnan(values).all(axis=1)
    p = prior.forest.predict_proba(values[use][:, prior.columns])[:, 1]
    assert evaluate(p, (truth["type"] == "SN Ia").to_numpy()[use]).auc > 0.8


def test_a_teacher_of_other_classes_is_another_one(target):
    other = target.model_copy(update={"positive": ("AGN",)})
    priors = [teacher(t) for t in (target, other, target)]
    assert priors[0].forest is priors[2].forest is not priors[1].forest
    assert priors[0].identity == priors[2].identity != priors[1].identity


def test_alerts_without_features_do_not_teach(settings, target, tmp_path):
    file = tmp_path / "teaching_set.parquet"
    seen, unseen = sky("A", 20), [row | {"cmagpsf": [None] * 12} for row in sky("B", 5)]
    forests = []
    for rows in (seen, seen + unseen):
        pq.write_table(table(rows), file)
        prior = prior_of(target, target.features, read_teaching_set(file, target, TAXONOMY))
        forests.append(forest_to_arrays(prior.forest))
    for name, array in forests[0].items():
        np.testing.assert_array_equal(array, forests[1][name])

    pq.write_table(table(unseen), file)
    with pytest.raises(ModelError, match=r"0 of 10 alerts of the teaching set have features, .*"):
        prior_of(target, target.features, read_teaching_set(file, target, TAXONOMY))


def test_the_settings_say_what_is_learned_from_labels_and_what_the_teacher_is_worth(
    settings, names
):
    target = informed(settings.target, few_features=("a_r", "rainbow_t0", "a_g"), worth_labels=7.0)
    prior = teacher(target)
    assert ([names[i] for i in prior.few], prior.worth) == (["a_r", "a_g"], 7.0)


def test_a_feature_set_without_the_few_features_is_refused(settings):
    target = informed(settings.target, few_features=("rainbow_t0",))
    with pytest.raises(SettingsError, match=r"few_features \['rainbow_t0'\]: .* has none of them"):
        teacher(target)


def test_a_feature_that_does_not_exist_is_named(settings):
    target = informed(settings.target, few_features=("a_r", "flux_rat_g"))
    with pytest.raises(SettingsError, match=r"unknown features flux_rat_g; nearest: flux_rate_g"):
        teacher(target)


def test_the_teacher_does_not_look_at_scores_of_the_survey(target):
    with_context = target.features.model_copy(update={"context": ("real_bogus",), "forced": True})
    names = FeatureSet.from_settings(with_context).names
    seen = {names[i] for i in prior_of(target, with_context, teaching_set(target)).columns}
    assert "rate_g" in seen
    assert not [name for name in seen if name.startswith(("context", "forced", "mag"))]


def without(target, *names):
    model = target.model.model_copy(update={"without_features": names})
    return target.model_copy(update={"model": model})


def test_a_teacher_reads_no_feature_that_its_model_does_not_look_at(target, names):
    prior, whole = teacher(without(target, "colour", "age", "mag")), teacher(target)
    left = [n for n in names if not n.startswith(("colour", "age", "mag_"))]
    read = {names[i] for i in whole.columns if not names[i].startswith("colour")}
    assert {left[i] for i in prior.columns} == read
    assert [left[i] for i in prior.few] == ["a_g", "a_r", "flux_rate_g", "flux_rate_r"]
    at = [names.index(name) for name in left]
    np.testing.assert_array_equal(prior.anchors, whole.anchors[:, at])
    np.testing.assert_array_equal(prior.grid, whole.grid[: len(prior.few)])


def test_a_model_without_all_of_the_few_features_is_refused(target):
    narrow = without(target, "a", "flux_rate", "colour", "age")
    with pytest.raises(SettingsError, match=r"'early_v1' without a, flux_rate, .* has none of"):
        teacher(narrow)


def test_a_teacher_without_anything_to_read_is_refused_before_the_night_begins(settings, names):
    first = {name.split("_")[0] for name in names} - {"age", "mag"}
    target = without(informed(settings.target, few_features=("age",)), *first)
    loop = Loop.open(settings.model_copy(update={"target": target}))
    with pytest.raises(
        SettingsError, match=r"leaves the teacher nothing to read: of mag_g, mag_r, age"
    ):
        check_teachers(loop)


def test_the_documented_challenger_with_the_host_can_be_fitted():
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
    block = page.split("A challenger that reads it:\n\n")[1].split("\n\nThe feature set's")[0]
    settings = load_settings(environment={}, target=yaml.safe_load(textwrap.dedent(block)))
    loop = Loop.open(settings)
    check_teachers(loop)
    names = loop.features.names
    hosts = {name for name in names if name.startswith("context_")}
    assert set(HOST) <= {name.removeprefix("context_") for name in hosts}
    own, other = (settings.target.recipes[name] for name in ("model", "with_host"))
    assert hosts.isdisjoint(names[i] for i in loop.features.columns(own.without_features))
    target = settings.target.model_copy(update={"model": other})
    prior = teacher(target)
    assert {names[i] for i in prior.few} > hosts
    assert hosts.isdisjoint(names[i] for i in prior.columns)  # the teaching set has none
