"""The commands of this room: what they say and with which code they end."""

import fcntl
import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from small_world import informed, sky, table, without_trees

from fink_al.cli.model import model
from fink_al.cli.train import train
from fink_al.errors import ModelError
from fink_al.evaluation.metrics import evaluate
from fink_al.labels.label import Label
from fink_al.loop import Loop
from fink_al.settings import find_resource
from fink_al.training import versions
from fink_al.training.nightly import retrain
from fink_al.training.versions import Made


def test_training_without_labels_ends_with_three(run):
    assert run(train) == (3, "")


@pytest.fixture
def learn(settings, archive, archived):
    """Labels alerts and trains."""

    def on(alerts, **changes):
        archive(*alerts)
        now = datetime.now(UTC)
        found = [Label(row["object_id"], row["type"], "spectrum", now, now) for row in alerts]
        Loop.open(settings).labels.store.add(found)
        return retrain(Loop.open(settings.model_copy(update=changes)), archived)

    return on


@pytest.fixture
def judges(tmp_path):
    """A file of test objects."""
    file = tmp_path / "test_set.parquet"
    pq.write_table(table(sky("Test", 20)), file)
    return file


@pytest.mark.spark
def test_a_nightly_job_reads_the_archive_and_ends_with_zero(spark, settings, run, archive):
    alerts = sky("A", 10)
    archive(*alerts)
    now = datetime.now(UTC)
    found = [Label(row["object_id"], row["type"], "spectrum", now, now) for row in alerts]
    Loop.open(settings).labels.store.add(found)
    assert run(train)[0] == 0
    assert run(train)[0] == 0  # nothing new
    records = [json.loads(f.read_text()) for f in settings.report_dir.glob("training_*.json")]
    assert len(records) == 2
    for record in records:
        assert re.fullmatch(r"Kafka request to 127.0.0.1:1 failed.*", record["audit"]["failed"])
    assert [v.is_champion for v in Loop.open(settings).registry.versions()] == [True]
    code, output = run(model, "reproduce", "1", "--archive")
    assert code == 0
    assert output.endswith(
        "Version 1 reproduced from its 20 examples: largest difference of probabilities 0.\n"
        "From the archive and the labels of that time: the same.\n"
    )


def test_a_second_nightly_job_at_once_ends_with_four(settings, run):
    with (settings.work_dir / "training_early_snia.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, output = run(train)
    assert code == 4
    assert output.startswith("Error: Another nightly job holds ")


def test_models_are_listed_shown_and_promoted(settings, run, learn):
    assert learn(sky("A", 10)).version == "1"
    code, output = run(model, "list")
    (row,) = [line.split("│") for line in output.splitlines() if line.startswith("│")]
    cells = [cell.strip() for cell in row[1:-1]]
    assert (code, cells[:2], cells[3:]) == (
        0,
        ["*", "1"],
        ["20", "promoted", "it is the first one; there is no test set to compare on"],
    )
    code, output = run(model, "show", "1")
    assert code == 0
    assert "examples      10 positive, 10 negative\n" in output
    assert "calibration   none: fewer than 50 labels of each class (calibrate_from)\n" in output
    assert "objects of" not in output
    assert "Reproduce and compare: fink-al model reproduce 1 --archive --config " in output
    code, output = run(model, "show", "1", "--json")
    assert (code, json.loads(output)["labels"]["positive"]) == (0, 10)
    assert run(model, "promote", "1") == (
        0,
        "Version 1 scores from the next micro-batch of a running stream on.\n",
    )


def test_versions_are_compared_on_the_test_set(run, learn, judges):
    learn(sky("A", 10), test_set=judges)
    learn(sky("B", 1), test_set=judges)
    code, output = run(model, "compare", "1", "2", FINK_AL_TEST_SET=str(judges))
    assert code == 0
    assert "│ auc               │ 1.000 (1.000 to 1.000) │ 1.000 (1.000 to 1.000) │" in output
    assert "log_loss: version 2 is better by 0.000 (0.000 to 0.000, 68%), object by" in output
    assert output.endswith("Examples: 2 added (BAGN0, BSN Ia0).\n")


def test_a_worse_version_is_called_worse(run, learn, judges):
    learn(sky("A", 10), test_set=judges)
    wrong = {"SN Ia": "AGN", "AGN": "SN Ia"}
    learn([row | {"type": wrong[row["type"]]} for row in sky("B", 3)], test_set=judges)
    said = r"log_loss: version (\d) is (\w+) by (0\.\d+) \((0\.\d+) to (0\.\d+), 68%\)"
    found = []
    for pair in (("1", "2"), ("2", "1")):
        output = run(model, "compare", *pair, FINK_AL_TEST_SET=str(judges))[1]
        found += re.findall(said, output)
    numbers = found[0][2:]
    assert found == [("2", "worse", *numbers), ("1", "better", *numbers)]
    assert 0 < float(numbers[1]) <= float(numbers[0]) <= float(numbers[2])


@pytest.fixture
def add_type(settings):
    """Adds a type of the family SN Ia to a taxonomy beside the settings file of `run`."""

    def add(kind):
        families = yaml.safe_load(find_resource("conf/taxonomy.yml").read_text("utf-8"))
        families["SN Ia"]["types"].append(kind)
        (settings.work_dir / "conf" / "taxonomy.yml").write_text(yaml.safe_dump(families), "utf-8")

    return add


@pytest.mark.parametrize("is_listed", [True, False])
def test_a_taxonomy_beside_the_settings_counts_in_training(
    run, settings, archive, archived, add_type, monkeypatch, is_listed
):
    monkeypatch.setattr("fink_al.spark.nights.examples.archived_examples", archived)
    alerts = sky("A", 10)
    archive(*alerts)
    now = datetime.now(UTC)
    types = {"SN Ia": "Firework"}
    Loop.open(settings).labels.store.add(
        Label(row["object_id"], types.get(row["type"], row["type"]), "spectrum", now, now)
        for row in alerts
    )
    if is_listed:
        add_type("Firework")
    assert run(train)[0] == (0 if is_listed else 3)
    (report,) = (settings.work_dir / "report").glob("training_*.json")
    summary = json.loads(report.read_text())
    assert (summary["positive"], summary["negative"]) == (10 if is_listed else 0, 10)


def test_what_is_not_as_it_was_then_is_named(
    run, learn, settings, archived, add_type, tmp_path, monkeypatch
):
    start = tmp_path / "start.parquet"
    pq.write_table(table(sky("Start", 1)), start)
    learn(sky("A", 10), starting_set=start)
    monkeypatch.setattr("fink_al.spark.nights.examples.archived_examples", archived)
    again = (model, "reproduce", "1", "--archive")
    same = "From the archive and the labels of that time: the same.\n"
    code, output = run(*again, FINK_AL_STARTING_SET=str(start))
    assert (code, output.partition("\n")[2]) == (0, same)
    # A file of labels that was being written when the model was trained.
    labels = max(Path(settings.labels_dir).glob("*.parquet"))  # the first one has no rows
    shutil.copy(labels, labels.with_name(labels.name.replace("-", "-0", 1)))
    code, output = run(*again, FINK_AL_STARTING_SET=str(start))
    assert (code, output.partition("\n")[2]) == (
        0,
        f"{same}Changed since then: label store.\n",
    )
    pq.write_table(table(sky("Start", 2)), start)
    add_type("SN Ia-new")
    code, output = run(*again, FINK_AL_STARTING_SET=str(start))
    assert (code, output.partition("\n")[2]) == (
        1,
        "From the archive and the labels of that time: 2 added (StartAGN1, StartSN Ia1).\n"
        "Changed since then: label store, classes of the types, starting set.\n",
    )


def test_another_teaching_set_is_named(run, learn, settings, tmp_path):
    teaching = tmp_path / "teaching_set.parquet"
    pq.write_table(table(sky("Teach", 20)), teaching)
    learn(sky("A", 10), teaching_set=teaching, target=informed(settings.target))
    again = (model, "reproduce", "1")
    code, output = run(*again, FINK_AL_TEACHING_SET=str(teaching))
    assert (code, output.partition("\n")[2]) == (0, "")
    pq.write_table(table(sky("Teach", 40)[::-1]), teaching)
    code, output = run(*again, FINK_AL_TEACHING_SET=str(teaching))
    assert (code, output.partition("\n")[2]) == (1, "Changed since then: teaching set.\n")
    with pytest.raises(ModelError, match="informed_forest needs a teaching set: name one as"):
        run(*again, FINK_AL_TEACHING_SET="null")


def test_a_model_whose_teacher_was_simulated_is_read(run, learn, settings, monkeypatch):
    learn(sky("A", 10), target=informed(settings.target))
    read = versions.read_manifest

    def of_0_1(bundle):
        manifest = read(bundle)
        del manifest["teaching_set"]
        manifest["estimator"]["prior"] |= {"skies": 3, "alerts": 9000}
        return manifest

    monkeypatch.setattr(versions, "read_manifest", of_0_1)
    monkeypatch.setattr("fink_al.training.history.read_manifest", of_0_1)
    code, output = run(model, "reproduce", "1")
    assert (code, output.partition("\n")[2]) == (0, "Changed since then: teaching set.\n")


def test_what_judged_a_model_is_shown(run, learn, judges, monkeypatch):
    monkeypatch.setattr(
        "fink_al.training.contest._on_random",
        lambda model, training: evaluate(np.array([0.9, 0.1]), np.array([True, False])),
    )
    learn(sky("A", 10), test_set=judges)
    output = run(model, "show", "1")[1]
    assert "On 40 objects of the test set:\n  accuracy           1.000 (" in output
    assert "On 2 objects of labels selected at random:\n  accuracy           1.000 (" in output


def test_a_rollback_that_fails_leaves_promotion_as_it_was(run, learn, settings):
    learn(sky("A", 10))
    registry = Loop.open(settings).registry
    for before in (None, "clouds"):
        registry.hold(before)
        with pytest.raises(ModelError, match="Version 1 is the only one"):
            run(model, "rollback", "--hold", "--why", "odd")
        assert registry.held() == before


def test_what_cannot_be_loaded_is_not_called_the_same(settings, run, learn):
    learn(sky("A", 10))
    without_trees(settings)
    with pytest.raises(
        ModelError, match=r"Version 1 cannot be compared here: .* arrays are no forest"
    ):
        run(model, "reproduce", "1")


def test_where_one_model_alone_gives_a_probability_they_are_not_the_same(run, learn, monkeypatch):
    learn(sky("A", 10))
    predict, asked = Made.predict, []

    def silent_once(self, rows):
        p = predict(self, rows)
        asked.append(p)
        return np.where((np.arange(len(p)) == 3) & (len(asked) == 2), np.nan, p)

    monkeypatch.setattr(Made, "predict", silent_once)
    code, output = run(model, "reproduce", "1")
    assert (code, output.split()[-1]) == (1, "inf.")


def test_a_champion_is_rolled_back_and_held(settings, run, learn, judges):
    learn(sky("A", 10), test_set=judges)
    learn(sky("B", 5), test_set=judges)
    assert run(model, "rollback", "--why", "odd scores", "--hold") == (
        0,
        "Version 2 is rolled back: version 1 scores from the next micro-batch of a running stream "
        "on.\n",
    )
    code, output = run(model, "list")
    assert (code, "odd scores" in output) == (0, True)
    assert output.endswith(
        "Promotion is on hold: odd scores. fink-al model promote VERSION ends it.\n"
    )
    assert run(model, "promote", "1")[0] == 0
    assert Loop.open(settings).registry.held() is None
