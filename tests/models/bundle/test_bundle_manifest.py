"""A manifest that does not fit its model, or this job, is refused."""

import pytest
from rewriting import rewritten

from fink_al.errors import ModelError
from fink_al.models.bundle import unpack
from fink_al.models.model import Model


def _other_estimator(manifest: dict) -> None:
    manifest["estimator"]["estimator"] = "perceptron"


def _boosting(manifest: dict) -> None:
    manifest["estimator"]["estimator"] = "gradient_boosting"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda manifest: manifest.update(checksum="0" * 64),
            "checksum is wrong: the bundle was altered; train again",
        ),
        (
            _other_estimator,
            r"The model is a perceptron; known: random_forest, boosted_trees, informed_forest, "
            r"informed_process, pine_forest, aad_forest, isolation_forest\. Train it again",
        ),
        (
            lambda manifest: manifest["estimator"].update(estimator=["random_forest"]),
            r"The model is a \['random_forest'\]; known: random_forest",
        ),
        (
            _boosting,
            r"gradient_boosting was removed in 0\.2: choose informed_forest or random_forest, then "
            "run fink-al train",
        ),
        (lambda manifest: manifest.pop("feature_set"), r"torn or no bundle \(KeyError\)"),
    ],
)
def test_a_manifest_of_something_else_is_refused(make, hash_, change, message):
    with pytest.raises(ModelError, match=message):
        Model.from_bytes(rewritten(make("random_forest"), manifest=change), hash_)


def test_a_model_does_not_depend_on_the_library_that_grew_it(make, hash_):
    def change(manifest):
        manifest["versions"]["scikit-learn"] = "0.24.2"

    Model.from_bytes(rewritten(make("random_forest"), manifest=change), hash_)


def test_a_manifest_that_was_altered_is_refused(make, hash_):
    bundle = make("random_forest")
    sum_of_before = unpack(bundle)[1]["checksum"]

    def steepen(manifest):
        manifest["calibration"] |= {"method": "platt", "slope": 9.0, "intercept": 0.0}
        manifest["checksum"] = sum_of_before

    with pytest.raises(ModelError, match=r"checksum is wrong: .*; train again"):
        Model.from_bytes(rewritten(bundle, manifest=steepen), hash_)


def test_a_model_of_other_features_is_refused(make, hash_):
    wanted = f"needs feature set {hash_}, this job computes x: .* run fink-al train"
    with pytest.raises(ModelError, match=wanted):
        Model.from_bytes(make("random_forest"), "x")


@pytest.mark.parametrize(
    "calibration",
    [
        None,
        {},
        {"method": "platt", "slope": 1.0},
        {"method": "platt", "slope": None, "intercept": 0.0, "n": 1, "why": ""},
        {"method": "platt", "slope": float("nan"), "intercept": 0.0, "n": 1, "why": ""},
        {"method": "platt", "slope": 1.0, "intercept": float("inf"), "n": 1, "why": ""},
        {"method": "platt", "slope": -1.0, "intercept": 0.0, "n": 1, "why": ""},
        {"method": "platt", "slope": "steep", "intercept": 0.0, "n": 1, "why": ""},
        {"method": "platt", "slope": [1.0], "intercept": 0.0, "n": 1, "why": ""},
        {"method": None, "slope": 1.0, "intercept": 0.0, "n": 1, "why": ""},
        {"method": "pickle", "slope": 1.0, "intercept": 0.0, "n": 1, "why": ""},
    ],
)
def test_a_calibration_that_cannot_be_applied_is_refused(make, hash_, calibration):
    def change(manifest):
        manifest["calibration"] = calibration

    with pytest.raises(ModelError, match=r"calibration is invalid: .* run fink-al train"):
        Model.from_bytes(rewritten(make("random_forest"), manifest=change), hash_)
