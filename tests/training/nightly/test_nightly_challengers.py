"""Several models of one night: the best one is tried, and the record says which and why."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from small_world import decided, sky, table

from fink_al.errors import SettingsError
from fink_al.loop import Loop
from fink_al.models.examples import TrainingSet
from fink_al.models.model import Model, read_manifest
from fink_al.settings import Settings, Target, load_settings
from fink_al.training.contest import Entrant, winner
from fink_al.training.cross_fitting import compare_recipes
from fink_al.training.examples import read_examples
from fink_al.training.history import compare_versions, reproduce


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


@pytest.mark.parametrize("estimator", ["random_forest", "informed_process"])
def test_a_challenger_may_look_at_features_that_the_champion_does_not(
    retrain, settings, tell, estimator
):
    # In this world only the brightness and what follows from it tell classes apart.
    names = {name.split("_")[0] for name in Loop.open(settings).features.names}
    brightness = tuple(sorted(names - {"a", "age", "nights", "nrise"}))
    few = ("a_g", "mag_g", "mag_r")
    prior = {"few_features": few, "survey_features": ["mag"]}
    model = settings.target.model.model_dump() | {
        "estimator": estimator, "without_features": brightness,
        "prior": settings.target.model.prior.model_dump() | prior,
    }  # fmt: skip
    target = Target.model_validate(settings.target.model_dump() | {"model": model})
    narrow = settings.model_copy(update={"target": target})
    tell(sky("A", 12))
    assert decided(retrain(narrow)) == ("promoted", "1", "1")
    several = with_challengers(narrow, seeing={"without_features": []})
    summary = retrain(several)
    assert decided(summary) == ("promoted", "2", "2")
    assert summary.why.startswith("seeing is best of 2 fitted models by log_loss on the test set")
    loop = Loop.open(several)
    old, new = (loop.registry.load(number) for number in ("1", "2"))
    # The stream computes the same features for both.
    for bundle in (old, new):
        Model.from_bytes(bundle, loop.features.hash)
    assert read_manifest(old)["estimator"]["without_features"] == list(brightness)
    assert "without_features" not in read_manifest(new)["estimator"]
    for number in ("1", "2"):
        assert reproduce(loop, number).is_same
    difference = compare_versions(loop, "1", "2").difference
    assert difference.gain > 0


def test_recipes_of_other_features_are_compared_by_the_labels_that_were_drawn(settings):
    rows = table(sky("A", 60))
    loops = [Loop.open(with_model(settings, without_features=w)) for w in ((), ("mag", "c"))]
    examples = read_examples(loops[0], rows)
    judged = replace(examples, weights=np.ones(len(examples)))
    both = [(loop, examples) for loop in loops]
    found = compare_recipes(*both, rows, judged)
    same = compare_recipes(both[1], both[1], rows, judged)
    assert found.gain != same.gain == 0


def with_model(settings: Settings, **changes: object) -> Settings:
    target = settings.target
    model = target.model.model_copy(update=changes)
    return settings.model_copy(update={"target": target.model_copy(update={"model": model})})
