"""Several models of one night: the best one is tried, and the record says which and why."""

import numpy as np
import pytest
from pydantic import ValidationError
from small_world import decided, sky

from fink_al.errors import SettingsError
from fink_al.loop import Loop
from fink_al.models.examples import TrainingSet
from fink_al.models.model import read_manifest
from fink_al.settings import Settings, Target, load_settings
from fink_al.training.contest import Entrant, winner


def with_challengers(settings: Settings, **challengers: dict) -> Settings:
    target = Target.model_validate(settings.target.model_dump() | {"challengers": challengers})
    return settings.model_copy(update={"target": target})


def test_the_best_of_several_models_is_tried_and_named(retrain, settings, tell):
    # With all examples in a leaf it says the same of every alert.
    several = with_challengers(settings, blind={"min_samples_leaf": 100}, small={"n_estimators": 7})
    tell(sky("A", 10))
    told = []
    summary = retrain(several, told.append)
    assert decided(summary) == ("promoted", "1", "1")
    assert told[4:8] == [
        "testing on 40 objects",
        *(f"fitting {name}: random_forest" for name in ("model", "blind", "small")),
    ]
    assert summary.challengers.keys() == {"model", "blind", "small"}
    best = min(summary.challengers, key=summary.challengers.get)
    assert best != "blind"
    assert summary.why.startswith(f"{best} is best of 3 fitted models by log_loss on the test set")
    (version,) = Loop.open(several).registry.versions()
    assert version.tags["entrant"] == best
    trees = read_manifest(Loop.open(several).registry.load("1"))["estimator"]["n_estimators"]
    assert trees == several.target.recipes[best].n_estimators
    assert decided(retrain(several)) == ("nothing_new", None, "1")
    # Another challenger is another question.
    assert retrain(with_challengers(settings, small={"n_estimators": 8})).version == "2"


def entrant(name: str, p: np.ndarray, threshold: float = 0.5) -> Entrant:
    class Fitted:
        out_of_fold = p

    Fitted.threshold = threshold
    return Entrant(name, None, Fitted, None, None)


def test_enough_drawn_labels_choose_by_inverse_odds():
    n = 200
    positive = np.arange(n) % 4 == 0
    # `one` is right where labels stand for one object, `two` where they stand for ten.
    heavy = np.arange(n) % 3 == 0
    weights = np.where(heavy, 10.0, 1.0)
    right, wrong = np.where(positive, 0.9, 0.1), np.where(positive, 0.4, 0.6)
    one, two = np.where(heavy, wrong, right), np.where(heavy, right, wrong)
    names = np.arange(n).astype(str).astype(object)
    drawn = TrainingSet(names, np.arange(n), positive, np.zeros((n, 1)), weights=weights)
    best, why, scores = winner([entrant("one", one), entrant("two", two)], drawn, "log_loss")
    assert best.name == "two"
    assert "on drawn labels" in why
    assert scores["two"] < scores["one"]


def test_without_a_judge_the_own_model_wins():
    nothing = TrainingSet(np.array([], object), *(np.array([], bool),) * 2, np.zeros((0, 1)))
    best, why, scores = winner([entrant("model", None), entrant("b", None)], nothing, "auc")
    assert (best.name, scores) == ("model", {})
    assert why == "model of 2 fitted models: nothing judges them"
    assert winner([entrant("model", None)], nothing, "auc")[1] is None


@pytest.mark.parametrize(
    ("challengers", "sentence"),
    [
        ({"model": {}}, "model is the target's own model; choose another name"),
        ({"a": {"n_trees": 5}}, "challengers.a.n_trees: Extra inputs are not permitted"),
        ({"a": {"prior": {"worth_labels": 0}}}, "challengers.a.prior.worth_labels: Input should"),
    ],
)
def test_a_wrong_challenger_is_refused(settings, challengers, sentence):
    with pytest.raises(ValidationError, match=sentence):
        with_challengers(settings, **challengers)


def test_a_challenger_that_needs_a_teaching_set_is_refused_without():
    changes = {
        "target": {
            "model": {"estimator": "random_forest"},
            "challengers": {"taught": {"estimator": "informed_forest"}},
        },
        "teaching_set": None,
    }
    with pytest.raises(SettingsError, match="the estimator informed_forest needs one"):
        load_settings(environment={}, **changes)
