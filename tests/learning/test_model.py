import hashlib
import io
import json
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree._tree import Tree
from small_world import N_FEATURES

from fink_al.errors import ModelError
from fink_al.features.feature_set import FeatureSet
from fink_al.learning import model as module
from fink_al.learning.evaluation import evaluate
from fink_al.learning.model import Model, fingerprint, fit, read_manifest, with_metrics
from fink_al.learning.training_set import TrainingSet


class Stranger:
    """A type that nobody trusts."""


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


def rewritten(
    bundle: bytes,
    *,
    estimator: object = None,
    manifest: Callable[[dict], object] = lambda manifest: None,
) -> bytes:
    """`bundle` with another estimator, or its manifest changed, and the checksum made to fit."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as parts:
        inside = parts.read("model.skops") if estimator is None else skops.io.dumps(estimator)
        record = json.loads(parts.read("manifest.json"))
    record["checksum"] = hashlib.sha256(inside).hexdigest()
    manifest(record)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        parts.writestr("model.skops", inside)
        parts.writestr("manifest.json", json.dumps(record))
    return out.getvalue()


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
    assert manifest["estimator"]["n_estimators"] == 20
    assert manifest["labels"]["snapshot"] == training.snapshot
    assert manifest["labels"]["examples"][7] == ["O7", 7, bool(training.positive[7])]
    assert manifest["metrics"] == json.loads(json.dumps(metrics.to_dict()))
    names = {"scikit-learn", "numpy", "skops", "fink-al", "python"}
    assert manifest["versions"].keys() == names


def test_the_fingerprint_follows_examples_and_settings(settings):
    target = settings.target
    other = target.model_copy(update={"model": target.model.model_copy(update={"seed": 2})})
    prints = [fingerprint(examples(n), t) for n, t in [(40, target), (41, target), (40, other)]]
    assert len(set(prints)) == 3
    assert fingerprint(examples(40), target) == prints[0]


def test_examples_of_one_class_make_no_model(settings):
    with pytest.raises(ModelError, match="needs examples of both classes; found 1 of one"):
        fit(examples(1), settings.target, None)


def test_a_torn_bundle_is_refused_wherever_it_is_torn(model, features):
    bundle = model.to_bytes()
    for end in range(0, len(bundle), len(bundle) // 50):
        with pytest.raises(ModelError, match="torn or no bundle"):
            Model.from_bytes(bundle[:end], features.hash)


def test_an_altered_bundle_is_refused_or_says_the_same(model, features):
    bundle = model.to_bytes()
    manifest = read_manifest(bundle)
    refused = 0
    for place in range(0, len(bundle), len(bundle) // 100):
        altered = bytearray(bundle)
        altered[place] ^= 1
        try:
            loaded = Model.from_bytes(bytes(altered), features.hash)
        except ModelError:
            refused += 1
        else:  # a byte that says nothing, as the dates of a ZIP file
            assert loaded.manifest == manifest
    assert refused > 90


def _other_checksum(manifest: dict) -> None:
    manifest["checksum"] = "0" * 64


def _other_scikit_learn(manifest: dict) -> None:
    manifest["versions"]["scikit-learn"] = "0.24.2"


def _no_features(manifest: dict) -> None:
    del manifest["feature_set"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"manifest": _other_checksum}, "checksum is wrong: the bundle was altered; train again"),
        ({"manifest": _other_scikit_learn}, r"written by scikit-learn 0\.24\.2, installed is "),
        ({"manifest": _no_features}, r"torn or no bundle \(KeyError\)"),
        ({"estimator": Stranger()}, r"types that are not trusted: .*\.Stranger; allowed beyond"),
        ({"estimator": LogisticRegression()}, "is a LogisticRegression, not a random forest"),
        ({"estimator": RandomForestClassifier()}, r"cannot be loaded \(AttributeError\)"),
    ],
)
def test_a_bundle_that_cannot_be_trusted_is_refused(model, features, change, message):
    with pytest.raises(ModelError, match=message):
        Model.from_bytes(rewritten(model.to_bytes(), **change), features.hash)


def test_a_model_of_other_features_is_refused(model, features):
    with pytest.raises(ModelError, match=f"needs feature set {features.hash}, this job computes x"):
        Model.from_bytes(model.to_bytes(), "x")


@pytest.mark.parametrize(
    ("field", "node", "index"),
    [
        ("left_child", 0, 10**6),
        ("right_child", 0, -1),
        ("left_child", 0, 0),
        ("right_child", 0, 0),
        ("left_child", 0, -5),
        ("feature", 0, N_FEATURES),
        ("feature", 0, -2),
        ("right_child", -1, 1),
    ],
)
def test_a_tree_that_points_outside_itself_is_refused(model, features, field, node, index):
    member = model.estimator.estimators_[5]
    state = member.tree_.__getstate__()
    state["nodes"][field][node] = index
    member.tree_ = Tree(N_FEATURES, np.array([2]), 1)
    member.tree_.__setstate__(state)
    with pytest.raises(ModelError, match="A tree of the model points outside itself"):
        Model.from_bytes(rewritten(model.to_bytes()), features.hash)


def test_a_tree_of_other_classes_is_refused(model, features):
    member = model.estimator.estimators_[5]
    state = member.tree_.__getstate__()
    state["values"] = np.zeros((len(state["nodes"]), 1, 3))
    member.tree_ = Tree(N_FEATURES, np.array([3]), 1)
    member.tree_.__setstate__(state)
    with pytest.raises(ModelError, match="A tree of the model has another shape"):
        Model.from_bytes(rewritten(model.to_bytes()), features.hash)


def test_a_bundle_that_unpacks_to_too_much_is_refused(model, features, monkeypatch):
    monkeypatch.setattr(module, "_MAX_BYTES", 100_000)
    with pytest.raises(ModelError, match=r"unpacks to [0-9]+ bytes, allowed are 100000"):
        Model.from_bytes(model.to_bytes(), features.hash)
