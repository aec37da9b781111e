import json
from dataclasses import replace

import numpy as np
import pytest
from small_world import N_FEATURES

from fink_al.errors import ModelError
from fink_al.evaluation.metrics import evaluate
from fink_al.features.feature_set import FeatureSet
from fink_al.models.examples import TrainingSet
from fink_al.models.model import (
    Model,
    fingerprint,
    fit,
    question,
    read_manifest,
    recipe,
    with_metrics,
)


def examples(n: int = 40) -> TrainingSet:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(n, N_FEATURES))
    positive = values[:, 0] > 0
    values[rng.uniform(size=values.shape) < 0.3] = np.nan
    names = np.array([f"O{i}" for i in range(n)], object)
    return TrainingSet(names, np.arange(n), positive, values)


@pytest.fixture
def features(settings) -> FeatureSet:
    return FeatureSet.from_settings(settings.target.features)


@pytest.fixture
def model(settings) -> Model:
    return fit(examples(), settings.target, "3")


def test_a_bundle_predicts_as_the_model_that_it_was_made_of(model, features):
    values = examples(200).values
    values[3] = np.nan
    values[4, 0] = 1e300
    loaded = Model.from_bytes(model.to_bytes(), features.hash)
    p = loaded.predict(values)
    np.testing.assert_array_equal(p, model.predict(values))
    assert np.flatnonzero(np.isnan(p)).tolist() == [3]
    assert loaded.predict(np.empty((0, N_FEATURES))).tolist() == []


def test_p_is_the_probability_of_the_positive_class(model):
    called = model.predict(examples().values) > 0.5
    assert (called == examples().positive).mean() > 0.9


def test_the_manifest_says_what_the_model_was_made_of(settings, model, features):
    metrics = evaluate(np.array([0.9, 0.1]), np.array([True, False]))
    manifest = read_manifest(with_metrics(model, metrics).to_bytes())
    training = examples()
    assert manifest["target"] == "early_snia"
    assert manifest["parent"] == "3"
    assert manifest["fingerprint"] == fingerprint(training, settings.target)
    assert manifest["feature_set"] == {
        "hash": features.hash,
        "names": list(features.names),
        **settings.target.features.model_dump(mode="json"),
    }
    assert manifest["estimator"] == {
        "estimator": "random_forest",
        "n_estimators": 20,
        "min_samples_leaf": "auto",
        "calibrate_from": 50,
        "min_labels": 10,
        "min_labels_per_class": 2,
        "seed": 1,
    }
    assert manifest["labels"]["snapshot"] == training.snapshot
    assert manifest["labels"]["examples"][7] == ["O7", 7, bool(training.positive[7])]
    assert manifest["metrics"] == json.loads(json.dumps(metrics.to_dict()))
    names = {"scikit-learn", "numpy", "fink-al", "python"}
    assert manifest["versions"].keys() == names


def test_the_fingerprint_follows_examples_and_settings(settings):
    target = settings.target
    other = target.model_copy(update={"model": target.model.model_copy(update={"seed": 2})})
    prints = [fingerprint(examples(n), t) for n, t in [(40, target), (41, target), (40, other)]]
    assert len(set(prints)) == 3
    assert fingerprint(examples(40), target) == prints[0]


def test_the_question_follows_the_fit_the_test_set_and_the_rule(settings):
    target = settings.target
    other = target.model_copy(
        update={"promotion": target.promotion.model_copy(update={"margin": 0.5})}
    )
    asked = [("a", target), ("b", target), ("a", other), (None, target)]
    assert len({question(examples(), t, test) for test, t in asked}) == 4
    assert len({fingerprint(examples(), t) for _, t in asked}) == 1


def test_examples_of_one_class_make_no_model(settings):
    with pytest.raises(ModelError, match="needs examples of both classes; found 1 of one"):
        fit(examples(1), settings.target, None)


def test_a_model_is_calibrated_where_labels_suffice_and_it_helps(settings, features):
    target = settings.target.model_copy(
        update={"model": settings.target.model.model_copy(update={"min_samples_leaf": 100})}
    )
    few, many = (fit(examples(n), target, None) for n in (40, 400))
    assert few.manifest["calibration"] == {
        "method": None,
        "slope": None,
        "intercept": None,
        "n": 40,
        "why": "fewer than 50 labels of each class (calibrate_from)",
    }
    assert few.out_of_fold is None
    # Leaves of a hundred examples say too little: p of all is near the share of positives.
    told = many.manifest["calibration"]
    assert (told["method"], told["n"]) == ("platt", 400)
    assert told["slope"] > 1
    assert told["why"].startswith("log loss falls by 0.")
    loaded = Model.from_bytes(many.to_bytes(), features.hash)
    values = examples(300).values
    np.testing.assert_array_equal(loaded.predict(values), many.predict(values))
    assert loaded.predict(values).std() > 1.5 * loaded.estimator.predict_proba(values)[:, 1].std()


def test_labels_selected_at_random_are_judged_by_models_that_did_not_see_them(settings):
    random = np.arange(40) < 10
    training = replace(examples(), selected_by=np.where(random, "random", "uncertainty"))
    model = fit(training, settings.target, None)
    assert model.out_of_fold is not None
    assert len(model.out_of_fold) == 40
    metrics = evaluate(np.array([0.9, 0.1]), np.array([True, False]))
    theirs = evaluate(model.out_of_fold[random], training.positive[random])
    manifest = read_manifest(with_metrics(model, metrics, theirs).to_bytes())
    assert manifest["labels"]["random"] == 10
    assert manifest["metrics_random"] == json.loads(json.dumps(theirs.to_dict()))
    assert manifest["metrics_random"]["n"] == 10
    assert "metrics_random" not in with_metrics(model, metrics).manifest


def test_a_model_that_looks_at_some_features_takes_the_place_of_one_that_looks_at_all(
    settings, model, features
):
    target = without(settings.target, "colour")
    narrow = fit(examples(), target, "3")
    manifest = read_manifest(narrow.to_bytes())
    assert manifest["estimator"]["without_features"] == ["colour"]
    assert manifest["feature_set"] == model.manifest["feature_set"]
    values = examples(200).values
    p = Model.from_bytes(narrow.to_bytes(), features.hash).predict(values)
    np.testing.assert_array_equal(p, narrow.predict(values))
    assert (p != model.predict(values)).any()
    values[:, [name.startswith("colour") for name in features.names]] = 7.0
    np.testing.assert_array_equal(narrow.predict(values), p)


def test_identities_follow_the_features_that_a_model_looks_at(settings):
    training, target = examples(), settings.target
    narrow = without(target, "colour")
    assert "without_features" not in target.model.applied()
    for identity in (fingerprint, recipe):
        assert identity(training, narrow) != identity(training, target)
    assert question(training, narrow, None) != question(training, target, None)


def without(target, *names):
    model = target.model.model_copy(update={"without_features": names})
    return target.model_copy(update={"model": model})
