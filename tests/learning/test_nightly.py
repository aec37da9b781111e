import fcntl
import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_world import sky, table

from fink_al.errors import FinkAlError, ServiceError
from fink_al.labels.counterparts import FOUND, counterparts_file
from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore
from fink_al.learning import model, nightly
from fink_al.learning.inputs import read_inputs
from fink_al.learning.model import read_manifest
from fink_al.learning.nightly import AlreadyRunning
from fink_al.learning.nightly import retrain as retrain_with
from fink_al.learning.registry import Registry

OBSERVED = datetime(2026, 1, 10, 10, tzinfo=UTC)

WRONG = {"SN Ia": "AGN", "AGN": "SN Ia"}


@pytest.fixture
def settings(settings, tmp_path):
    file = tmp_path / "test_set.parquet"
    pq.write_table(table(sky("Test", 20)), file)
    return settings.model_copy(update={"test_set": file})


@pytest.fixture
def tell(settings, archive):
    """Archives alerts and labels them, rightly or not."""

    def put(alerts, *, rightly=True, day=0):
        archive(*alerts)
        received = OBSERVED + timedelta(days=day)
        labels = [
            Label(
                row["object_id"],
                row["type"] if rightly else WRONG[row["type"]],
                "spectrum",
                OBSERVED,
                received,
            )
            for row in alerts
        ]
        LabelStore.of(settings).add(labels)

    return put


@pytest.fixture
def retrain(archived):
    def run(settings, progress=print):
        return retrain_with(settings, archived, progress)

    return run


def decided(summary):
    return summary.outcome, summary.version, summary.champion


def test_too_few_labels_make_no_model(retrain, settings, tell):
    tell(sky("A", 4))
    summary = retrain(settings)
    assert asdict(summary) == {
        "outcome": "too_few_labels",
        "why": "4 positive and 4 negative examples; a model needs 10, 2 of each",
        "version": None,
        "champion": None,
        "positive": 4,
        "negative": 4,
        "metrics": None,
        "champion_metrics": None,
        "labels": {"example": 8},
        "by_position": 0,
        "differences": {},
        "seconds": summary.seconds,
    }


def test_too_few_labels_of_one_class_make_no_model(retrain, settings, tell):
    tell(sky("A", 12)[:13])
    assert decided(retrain(settings)) == ("too_few_labels", None, None)


def test_the_first_model_is_promoted_and_reported(retrain, settings, tell):
    tell(sky("A", 10))
    told = []
    summary = retrain(settings, told.append)
    assert decided(summary) == ("promoted", "1", "1")
    assert (summary.positive, summary.negative, summary.champion_metrics) == (10, 10, None)
    assert summary.metrics["figure_of_merit"] == 1
    assert told == [
        "reading labels",
        "looking for 20 labelled objects in the archive",
        "training on 10 positive and 10 negative examples",
        "testing on 40 objects",
        "registering",
        "promoted: there is nothing to compare with",
    ]
    (report,) = settings.report_dir.glob("training_*.json")
    assert json.loads(report.read_text()) == json.loads(json.dumps(asdict(summary)))
    manifest = read_manifest(Registry(settings).load("1"))
    assert manifest["metrics"]["n"] == 40


def test_nothing_new_registers_nothing(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    assert decided(retrain(settings)) == ("nothing_new", None, "1")
    assert [v.number for v in Registry(settings).versions()] == ["1"]


def test_what_was_decided_under_the_tag_of_before_is_decided(retrain, settings, tell, monkeypatch):
    tell(sky("A", 10))
    with monkeypatch.context() as patch:
        patch.setattr(nightly, "_QUESTION", "fingerprint")
        retrain(settings)
    (made,) = Registry(settings).versions()
    assert "question" not in made.tags
    assert decided(retrain(settings)) == ("nothing_new", None, "1")


def test_new_labels_make_a_new_champion(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    tell(sky("B", 5))
    summary = retrain(settings)
    assert decided(summary) == ("promoted", "2", "2")
    assert summary.champion_metrics["figure_of_merit"] == 1
    assert read_manifest(Registry(settings).load("2"))["parent"] == "1"


def test_poisoned_labels_never_reach_the_champion(retrain, settings, tell):
    alerts = sky("A", 10)
    tell(alerts)
    retrain(settings)
    tell(alerts, rightly=False, day=1)
    summary = retrain(settings)
    assert decided(summary) == ("kept", "2", "1")
    assert summary.metrics["figure_of_merit"] < 0.5 < summary.champion_metrics["figure_of_merit"]
    assert Registry(settings).champion() == "1"
    assert decided(retrain(settings)) == ("nothing_new", None, "1")


def test_other_settings_make_a_new_model_of_the_same_labels(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    model = settings.target.model.model_copy(update={"seed": 2})
    target = settings.target.model_copy(update={"model": model})
    summary = retrain(settings.model_copy(update={"target": target}))
    assert decided(summary) == ("promoted", "2", "2")


def test_another_test_set_or_rule_decides_again(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    pq.write_table(table(sky("Other", 20)), settings.test_set)
    assert decided(retrain(settings)) == ("promoted", "2", "2")
    rule = settings.target.promotion.model_copy(update={"metric": "accuracy"})
    target = settings.target.model_copy(update={"promotion": rule})
    settings = settings.model_copy(update={"target": target})
    assert decided(retrain(settings)) == ("promoted", "3", "3")
    assert decided(retrain(settings)) == ("nothing_new", None, "3")
    settings = settings.model_copy(update={"test_set": None})
    assert decided(retrain(settings)) == ("kept", "4", "3")


def test_a_test_set_that_is_no_table_of_examples_is_named(retrain, settings, tell):
    tell(sky("A", 10))
    settings.test_set.write_text("no Parquet")
    with pytest.raises(FinkAlError, match=r"test_set\.parquet is no Parquet file .*null for none"):
        retrain(settings)
    pq.write_table(table(sky("Test", 20)).drop_columns("type"), settings.test_set)
    with pytest.raises(FinkAlError, match=r"test_set\.parquet lacks the columns \['type'\]: data"):
        retrain(settings)


def test_a_rolled_back_model_stays_so_until_there_are_new_labels(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    tell(sky("B", 5))
    retrain(settings)
    assert Registry(settings).roll_back("it was wrong") == ("2", "1")
    assert decided(retrain(settings)) == ("nothing_new", None, "1")
    tell(sky("C", 5))
    assert decided(retrain(settings)) == ("promoted", "3", "3")


def test_a_rolled_back_model_stays_so_whatever_judges_it(retrain, settings, tell, monkeypatch):
    tell(sky("A", 10))
    retrain(settings)
    tell(sky("B", 5))
    retrain(settings)
    Registry(settings).roll_back("it was wrong")
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


def test_what_ended_before_the_promotion_is_done_again(retrain, settings, tell, monkeypatch):
    tell(sky("A", 10))

    def fail(self, version, why):
        raise ServiceError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "promote", fail)
        with pytest.raises(ServiceError, match="gone"):
            retrain(settings)
    assert decided(retrain(settings)) == ("promoted", "2", "2")


def test_a_champion_of_other_features_is_compared_by_its_own(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    features = settings.target.features.model_copy(update={"name": "sigmoid"})
    target = settings.target.model_copy(update={"features": features})
    summary = retrain(settings.model_copy(update={"target": target}))
    assert decided(summary) == ("promoted", "2", "2")
    assert summary.champion_metrics == read_manifest(Registry(settings).load("1"))["metrics"]


def test_a_champion_of_another_scikit_learn_is_fitted_again(retrain, settings, tell, monkeypatch):
    tell(sky("A", 10))
    retrain(settings)
    known = model.version
    other = {"scikit-learn": "9.9"}
    monkeypatch.setattr(model, "version", lambda name: other.get(name) or known(name))
    summary = retrain(settings)
    assert decided(summary) == ("promoted", "2", "2")
    assert summary.champion_metrics == read_manifest(Registry(settings).load("1"))["metrics"]


def test_without_a_test_set_only_the_first_model_is_promoted(retrain, settings, tell):
    settings = settings.model_copy(update={"test_set": None})
    tell(sky("A", 10))
    assert decided(retrain(settings)) == ("promoted", "1", "1")
    tell(sky("B", 10), rightly=False)
    summary = retrain(settings)
    assert decided(summary) == ("kept", "2", "1")
    assert summary.why == "there is no test set to compare on: fink-al model promote decides"


def test_objects_of_the_test_set_are_not_learned_from(retrain, settings, tell):
    tell(sky("A", 10) + sky("Test", 10))
    summary = retrain(settings)
    assert summary.labels == {"in_test_set": 20, "example": 20}
    learned = read_manifest(Registry(settings).load("1"))["labels"]["examples"]
    assert {name[0] for name, *_ in learned} == {"A"}


def test_a_challenger_must_be_as_good_as_the_best_that_ever_was(retrain, settings, tell):
    alerts = sky("A", 10)
    tell(alerts)
    retrain(settings)
    tell(alerts, rightly=False, day=1)
    retrain(settings)
    Registry(settings).promote("2", "a mistake")
    tell(sky("B", 4), rightly=False)
    summary = retrain(settings)
    assert decided(summary) == ("kept", "3", "2")
    assert list(summary.differences) == ["2", "1"]
    assert summary.why.endswith("(version 1)")


def test_while_promotion_is_on_hold_challengers_are_kept(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    Registry(settings).hold("clouds")
    tell(sky("B", 5))
    summary = retrain(settings)
    assert decided(summary) == ("kept", "2", "1")
    assert summary.why.startswith("promotion is on hold (clouds); it would have been: not worse")
    Registry(settings).hold(None)
    tell(sky("C", 5))
    assert decided(retrain(settings)) == ("promoted", "3", "3")


def test_a_test_set_of_one_class_is_refused(retrain, settings, tell):
    pq.write_table(table(sky("Test", 20)[:20]), settings.test_set)
    tell(sky("A", 10))
    with pytest.raises(FinkAlError, match="has 20 usable examples, which are not of both classes"):
        retrain(settings)


def test_a_second_nightly_job_at_once_is_refused(retrain, settings):
    with (settings.work_dir / "training_early_snia.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(AlreadyRunning, match=r"Another nightly job holds .*; wait for its end"):
            retrain(settings)


def test_a_wrong_label_that_is_corrected_leaves_no_trace(retrain, settings, tell, monkeypatch):
    tell(sky("A", 10))
    retrain(settings)
    tell(sky("B", 1), rightly=False)
    registry = Registry(settings)
    assert decided(retrain(settings)) == ("kept", "2", "1")
    registry.promote("2", "a mistake")
    tell(sky("B", 1), day=1)
    tell(sky("C", 1))
    assert decided(retrain(settings)) == ("promoted", "3", "3")
    # Once more the same examples as those of a former champion: it is judged again.
    LabelStore.of(settings).add(
        Label(row["object_id"], "withdrawn", "person", OBSERVED)
        for row in sky("B", 1) + sky("C", 1)
    )
    summary = retrain(settings)
    assert (summary.version, summary.positive) == ("4", 10)
    assert list(summary.differences) == ["3", *({"1"} & set(summary.differences))]


def test_what_was_kept_is_judged_again_beside_another_champion(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    tell(sky("B", 10), rightly=False)
    assert decided(retrain(settings)) == ("kept", "2", "1")
    assert decided(retrain(settings)) == ("nothing_new", None, "1")
    registry = Registry(settings)
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
    registry = Registry(settings)

    def meanwhile(text):
        if text == "registering":
            registry.roll_back("while it was fitted")

    summary = retrain(settings, meanwhile)
    assert decided(summary) == ("kept", "3", "1")
    assert decided(retrain(settings)) == ("promoted", "4", "4")


def test_the_label_store_overrides_the_starting_set(retrain, settings, tell, tmp_path):
    file = tmp_path / "starting_set.parquet"
    pq.write_table(table(sky("Old", 10) + sky("Test", 1)), file)
    settings = settings.model_copy(update={"starting_set": file})
    seen = [("OldAGN0", "SN Ia"), ("OldAGN1", "SN"), ("OldAGN2", "unclassified")]
    LabelStore.of(settings).add(Label(name, kind, "spectrum", OBSERVED) for name, kind in seen)
    summary = retrain(settings)
    # Two of the test set; one is another type, one excluded; without a type nothing changes.
    assert (summary.positive, summary.negative) == (11, 8)


def test_labels_come_by_position(retrain, settings, archive, archived, tmp_path):
    """Labels of another survey's objects teach, in the starting set too, and judge nothing."""
    alerts = sky("A", 10)
    archive(*alerts, *sky("Test", 1), *sky("B", 1))
    start = tmp_path / "start.parquet"
    pq.write_table(table(sky("Old", 1)), start)
    settings = settings.model_copy(update={"starting_set": start})
    place = {"ra_deg": 10.0, "dec_deg": 1.0}
    labels = [
        Label(f"Other{row['object_id']}", row["type"], "spectrum", OBSERVED, **place)
        for row in [*alerts, *sky("Test", 1)]
    ]
    labels.append(Label("TestAGN1", "AGN", "spectrum", OBSERVED, **place))
    labels.append(Label("OldAGN0", "SN Ia", "spectrum", OBSERVED, who="Ann", **place))
    LabelStore.of(settings).add(labels)

    known = {"TestAGN1": "BAGN0", "OldAGN0": "AAGN0"}

    def matched(settings, places):
        names = places["object_id"].to_pylist()
        return pa.table(
            {
                "said_of": names,
                "object_id": [known.get(name, name.removeprefix("Other")) for name in names],
                "arcsec": [0.5] * len(names),
            }
        )

    told = []
    summary = retrain_with(settings, archived, told.append, matched)
    assert told[:2] == [
        "looking for 24 labelled positions in the archive",
        "24 labelled objects have another name in the archive, by position",
    ]
    # What the starting set calls by another name is one object, of the later label.
    assert summary.by_position == 24
    assert summary.labels == {"in_test_set": 3, "example": 19, "conflict": 1}
    learned = read_manifest(Registry(settings).load("1"))["labels"]
    names = {name for name, *_ in learned["examples"]}
    assert names == {row["object_id"] for row in alerts} - {"AAGN0"} | {"OldSN Ia0"}
    # Labels as of then keep the names of then.
    until = datetime.fromisoformat(learned["until"])
    inputs = read_inputs(settings, until)
    assert inputs == learned["inputs"]
    retrain_with(settings, archived, print, lambda settings, places: FOUND.empty_table())
    assert read_inputs(settings, until) == inputs
    assert read_inputs(settings, datetime.now(UTC))["counterparts"] != inputs["counterparts"]
    counterparts_file(settings.archive_dir).unlink()
    assert read_inputs(settings, until)["counterparts"] != inputs["counterparts"]
