"""Which model is the champion after a night."""

import pyarrow.parquet as pq
from small_world import decided, sky, table, without_trees

from fink_al.loop import Loop
from fink_al.models import model
from fink_al.models.model import read_manifest


def test_poisoned_labels_never_reach_the_champion(retrain, settings, tell):
    alerts = sky("A", 10)
    tell(alerts)
    retrain(settings)
    tell(alerts, rightly=False, day=1)
    summary = retrain(settings)
    assert decided(summary) == ("kept", "2", "1")
    assert summary.metrics["figure_of_merit"] < 0.5 < summary.champion_metrics["figure_of_merit"]
    assert Loop.open(settings).registry.champion() == "1"
    assert decided(retrain(settings)) == ("nothing_new", None, "1")


def test_a_rolled_back_model_stays_so_until_there_are_new_labels(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    tell(sky("B", 5))
    retrain(settings)
    assert Loop.open(settings).registry.roll_back("it was wrong") == ("2", "1")
    assert decided(retrain(settings)) == ("nothing_new", None, "1")
    tell(sky("C", 5))
    assert decided(retrain(settings)) == ("promoted", "3", "3")


def test_a_rolled_back_model_stays_so_whatever_judges_it(retrain, settings, tell, monkeypatch):
    tell(sky("A", 10))
    retrain(settings)
    tell(sky("B", 5))
    retrain(settings)
    Loop.open(settings).registry.roll_back("it was wrong")
    target = settings.target
    rule = target.promotion.model_copy(update={"margin": 0.5})
    fewer = target.model.model_copy(update={"min_labels": 9})
    for update in ({"promotion": rule}, {"model": fewer}):
        changed = settings.model_copy(update={"target": target.model_copy(update=update)})
        assert decided(retrain(changed)) == ("nothing_new", None, "1")
    known = model.version
    other = {"scikit-learn": "9.9"}
    with monkeypatch.context() as patch:
        patch.setattr(model, "version", lambda name: other.get(name) or known(name))
        assert decided(retrain(settings)) == ("nothing_new", None, "1")
    pq.write_table(table(sky("Other", 20)), settings.test_set)
    assert decided(retrain(settings)) == ("nothing_new", None, "1")
    seed = target.model.model_copy(update={"seed": 2})
    changed = settings.model_copy(update={"target": target.model_copy(update={"model": seed})})
    assert decided(retrain(changed)) == ("promoted", "3", "3")


def test_a_champion_of_other_features_is_compared_by_its_own(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    features = settings.target.features.model_copy(update={"name": "sigmoid"})
    target = settings.target.model_copy(update={"features": features})
    summary = retrain(settings.model_copy(update={"target": target}))
    assert decided(summary) == ("promoted", "2", "2")
    assert (
        summary.champion_metrics == read_manifest(Loop.open(settings).registry.load("1"))["metrics"]
    )


def test_a_champion_that_cannot_be_loaded_is_fitted_again(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    without_trees(settings)
    summary = retrain(settings)
    assert decided(summary) == ("promoted", "2", "2")
    assert (
        summary.champion_metrics == read_manifest(Loop.open(settings).registry.load("1"))["metrics"]
    )


def test_a_champion_of_an_estimator_that_was_removed_is_replaced(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    without_trees(settings, estimator="gradient_boosting")
    summary = retrain(settings)
    assert decided(summary) == ("promoted", "2", "2")
    assert summary.why == "version 1 cannot be loaded or made again here"


def test_without_a_test_set_only_the_first_model_is_promoted(retrain, settings, tell):
    settings = settings.model_copy(update={"test_set": None})
    tell(sky("A", 10))
    assert decided(retrain(settings)) == ("promoted", "1", "1")
    tell(sky("B", 10), rightly=False)
    summary = retrain(settings)
    assert decided(summary) == ("kept", "2", "1")
    assert summary.why == "there is no test set to compare on: fink-al model promote decides"


def test_a_challenger_must_be_as_good_as_the_best_that_ever_was(retrain, settings, tell):
    alerts = sky("A", 10)
    tell(alerts)
    retrain(settings)
    tell(alerts, rightly=False, day=1)
    retrain(settings)
    Loop.open(settings).registry.promote("2", "a mistake")
    tell(sky("B", 4), rightly=False)
    summary = retrain(settings)
    assert decided(summary) == ("kept", "3", "2")
    assert list(summary.differences) == ["2", "1"]
    assert summary.why.endswith("(version 1)")


def test_while_promotion_is_on_hold_challengers_are_kept(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    Loop.open(settings).registry.hold("clouds")
    tell(sky("B", 5))
    summary = retrain(settings)
    assert decided(summary) == ("kept", "2", "1")
    assert summary.why.startswith("promotion is on hold (clouds); it would have been: not worse")
    Loop.open(settings).registry.hold(None)
    tell(sky("C", 5))
    assert decided(retrain(settings)) == ("promoted", "3", "3")


def test_what_was_kept_is_judged_again_beside_another_champion(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    tell(sky("B", 10), rightly=False)
    assert decided(retrain(settings)) == ("kept", "2", "1")
    assert decided(retrain(settings)) == ("nothing_new", None, "1")
    registry = Loop.open(settings).registry
    registry.promote("2", "a mistake")
    registry.promote("1", "back, though not rolled back")
    assert decided(retrain(settings))[0] == "kept"


def test_a_champion_that_is_damaged_is_replaced(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    (bundle,) = (settings.work_dir / "models").rglob("bundle.zip")
    bundle.write_bytes(bundle.read_bytes()[:-100])
    summary = retrain(settings)
    assert decided(summary) == ("promoted", "2", "2")


def test_what_a_person_decides_meanwhile_holds(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    tell(sky("B", 5))
    retrain(settings)
    tell(sky("C", 5))
    registry = Loop.open(settings).registry

    def meanwhile(text):
        if text == "registering":
            registry.roll_back("while it was fitted")

    summary = retrain(settings, meanwhile)
    assert decided(summary) == ("kept", "3", "1")
    assert decided(retrain(settings)) == ("promoted", "4", "4")
