"""When the nightly job makes a model, and what it tells of it."""

import fcntl
import json
from dataclasses import asdict

import pyarrow.parquet as pq
import pytest
from small_world import decided, informed, sky, table

from fink_al.errors import FinkAlError, ServiceError
from fink_al.loop import Loop
from fink_al.models.model import read_manifest
from fink_al.models.registry import Registry
from fink_al.training import nightly
from fink_al.training.nightly import AlreadyRunning


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
        "drawn_differences": {},
        "live": None,
        "challengers": {},
        "audit": None,
        "archive": -1,
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
        "drawn objects: 0 rows of 0 lists, 0 with odds of 1; labelled objects without odds: "
        "20 no_list",
        "reading labels",
        "looking for 20 labelled objects in the archive",
        "training on 10 positive and 10 negative examples",
        "testing on 40 objects",
        "registering",
        "promoted: there is nothing to compare with",
    ]
    (report,) = settings.report_dir.glob("training_*.json")
    assert json.loads(report.read_text()) == json.loads(json.dumps(asdict(summary)))
    manifest = read_manifest(Loop.open(settings).registry.load("1"))
    assert manifest["metrics"]["n"] == 40


def test_nothing_new_registers_nothing(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    assert decided(retrain(settings)) == ("nothing_new", None, "1")
    assert [v.number for v in Loop.open(settings).registry.versions()] == ["1"]


def test_what_was_decided_under_the_tag_of_before_is_decided(retrain, settings, tell, monkeypatch):
    tell(sky("A", 10))
    with monkeypatch.context() as patch:
        patch.setattr(nightly, "_QUESTION", "fingerprint")
        retrain(settings)
    (made,) = Loop.open(settings).registry.versions()
    assert "question" not in made.tags
    assert decided(retrain(settings)) == ("nothing_new", None, "1")


def test_new_labels_make_a_new_champion(retrain, settings, tell):
    tell(sky("A", 10))
    retrain(settings)
    tell(sky("B", 5))
    summary = retrain(settings)
    assert decided(summary) == ("promoted", "2", "2")
    assert summary.champion_metrics["figure_of_merit"] == 1
    assert read_manifest(Loop.open(settings).registry.load("2"))["parent"] == "1"


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


def test_another_teaching_set_makes_another_model(retrain, settings, tell):
    tell(sky("A", 10))
    file = settings.work_dir / "teaching_set.parquet"
    settings = settings.model_copy(update={"teaching_set": file})
    taught = settings.model_copy(update={"target": informed(settings.target)})
    pq.write_table(table(sky("Teach", 20)), file)
    assert decided(retrain(settings)) == ("promoted", "1", "1")
    pq.write_table(table(sky("Teach", 30)), file)
    assert decided(retrain(settings)) == ("nothing_new", None, "1")  # it takes none
    assert retrain(taught).version == "2"
    assert retrain(taught).outcome == "nothing_new"
    pq.write_table(table(sky("Teach", 20)), file)
    assert retrain(taught).version == "3"
    manifests = [read_manifest(Loop.open(settings).registry.load(number)) for number in "123"]
    assert manifests[0]["teaching_set"] is None
    for key in ("teaching_set", "fingerprint"):
        assert len({manifest[key] for manifest in manifests}) == 3


def test_objects_of_the_test_set_do_not_teach(retrain, settings, tell):
    tell(sky("A", 10))
    file = settings.work_dir / "teaching_set.parquet"
    pq.write_table(table(sky("Test", 20)), file)
    taught = settings.model_copy(update={"teaching_set": file, "target": informed(settings.target)})
    with pytest.raises(FinkAlError, match=r"teaching set .* has 0 usable alerts, which are not"):
        retrain(taught)


def test_a_test_set_that_is_no_table_of_examples_is_named(retrain, settings, tell):
    tell(sky("A", 10))
    settings.test_set.write_text("no Parquet")
    with pytest.raises(FinkAlError, match=r"test_set\.parquet is not a Parquet .*null for none"):
        retrain(settings)
    pq.write_table(table(sky("Test", 20)).drop_columns("type"), settings.test_set)
    with pytest.raises(FinkAlError, match=r"test_set\.parquet lacks the columns \['type'\]: data"):
        retrain(settings)


def test_what_ended_before_the_promotion_is_done_again(retrain, settings, tell, monkeypatch):
    tell(sky("A", 10))

    def fail(self, version, why):
        raise ServiceError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "promote", fail)
        with pytest.raises(ServiceError, match="gone"):
            retrain(settings)
    assert decided(retrain(settings)) == ("promoted", "2", "2")


def test_a_test_set_of_one_class_is_refused(retrain, settings, tell):
    pq.write_table(table(sky("Test", 20)[:20]), settings.test_set)
    tell(sky("A", 10))
    with pytest.raises(FinkAlError, match="has 20 usable alerts, which are not of both classes"):
        retrain(settings)


def test_a_second_nightly_job_at_once_is_refused(retrain, settings):
    with (settings.work_dir / "training_early_snia.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(AlreadyRunning, match=r"Another nightly job holds .*: wait for its end"):
            retrain(settings)


@pytest.mark.parametrize("missing", [0, 3])
def test_the_audit_is_a_line_of_log_and_record(retrain, settings, tell, caplog, missing):
    tell(sky("A", 4))
    told, found = [], {"night": 20260105, "adds_up": not missing, "missing": missing}
    summary = retrain(settings, told.append, audited=lambda loop: found)
    assert summary.audit == found
    assert ("audit: night 20260105 adds up" in told) == (not missing)
    assert ("night 20260105 does not add up, 3 missing: fink-al audit" in caplog.text) == (
        missing > 0
    )


def test_an_audit_that_fails_fails_nothing(retrain, settings, tell, caplog):
    def fail(loop):
        raise ZeroDivisionError("once")

    assert retrain(settings, audited=fail).audit is None  # there is no archive yet
    tell(sky("A", 4))
    summary = retrain(settings, audited=fail)
    assert (summary.outcome, summary.audit) == ("too_few_labels", {"failed": "once"})
    assert "The audit failed: once" in caplog.text
