"""The commands of this room: what they say and with which code they end."""

import json
from datetime import UTC, datetime

import pytest
import yaml
from click.testing import CliRunner
from small_world import sky

from fink_al.cli.labels import labels
from fink_al.cli.model import model
from fink_al.cli.train import train
from fink_al.errors import LabelError
from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore
from fink_al.learning.nightly import retrain
from fink_al.settings import find_resource


@pytest.fixture
def run(settings):
    """Runs a command with these settings; its exit code and output."""
    folder = settings.work_dir / "conf"
    (folder / "targets").mkdir(parents=True)
    target = settings.target.model_dump(mode="json")
    (folder / "targets" / "early_snia.yml").write_text(yaml.safe_dump(target))
    listed = yaml.safe_load(find_resource("conf/fink_al.yml").read_text())
    listed |= {"work_dir": str(settings.work_dir), "starting_set": None, "test_set": None}
    (folder / "fink_al.yml").write_text(yaml.safe_dump(listed))

    def call(command, *arguments):
        arguments = [*arguments, "--config", str(folder / "fink_al.yml")]
        result = CliRunner().invoke(command, arguments, env={"USER": "Ann", "COLUMNS": "40"})
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return call


def test_labels_are_added_imported_listed_and_shown(settings, run, tmp_path):
    file = tmp_path / "night.csv"
    file.write_text("object_id,type,observed\nA,SN II,2026-01-05\nB,CV,2026-01-05\n")
    added = run(labels, "add", "A", "SN Iax[02cx-like]", "--observed", "2026-01-04T10:00:00")
    assert added == (0, "1 label added.\n")
    assert run(labels, "import", str(file)) == (0, "2 of 2 labels added.\n")
    assert run(labels, "import", str(file)) == (0, "0 of 2 labels added.\n")
    assert LabelStore(settings.labels_dir).read()["who"].to_pylist() == ["Ann"] * 3

    def types(*arguments):
        code, output = run(labels, *arguments)
        cells = [line.split("│") for line in output.splitlines() if line.startswith("│")]
        return code, [(row[1].strip(), row[2].strip(), row[4].strip()) for row in cells]

    old = ("A", "SN Iax[02cx-like]", "2026-01-04 10:00")
    new, other = ("A", "SN II", "2026-01-05 00:00"), ("B", "CV", "2026-01-05 00:00")
    assert types("list") == (0, [new, other])
    assert types("list", "--conflicts") == (0, [old, new])
    assert types("show", "A") == (0, [old, new])


def test_types_are_checked_when_they_are_handed_in(settings, run, tmp_path):
    def add(type, when="2026-01-04T10:00:00"):
        return run(labels, "add", "A", type, "--observed", when)

    warning = "is not in conf/taxonomy.yml, so it is no example for training"
    assert add("SN Ia") == add("SN II") == add("SN Ia") == (0, "1 label added.\n")
    assert add("UNCLASSIFIED") == (0, "1 label added.\n")
    assert add("sn ia") == (
        0,
        f"1 label added.\nWarning: 'sn ia' {warning}; nearest: SN Ia, SN I, SN II. "
        "Add the right type as well.\n",
    )
    assert add("Withdrawn") == (0, "1 label added.\n")
    with pytest.raises(LabelError, match=r"'observed' of the label of A is 2999-01-01 00:00, but"):
        add("SN Ia", "2999-01-01")
    shown = LabelStore(settings.labels_dir).history("A")["type"].to_pylist()
    assert shown == ["SN Ia", "SN II", "SN Ia", "unclassified", "sn ia", "withdrawn"]


def test_what_was_said_before_says_what_counts(run):
    def add(type, when):
        return run(labels, "add", "A", type, "--observed", when)[1]

    add("SN Ia", "2026-01-04T10:00:00")
    add("SN II", "2026-01-05T10:00:00")
    assert add("SN Ia", "2026-01-04T10:00:00") == (
        "0 label added.\nThat was said before; of A 'SN II' counts, which came later: correct it "
        "with --source spectrum --observed 2026-01-05T10:00:00.000000.\n"
    )


def test_training_without_labels_ends_with_three(run):
    assert run(train) == (3, "")


def test_models_are_listed_shown_and_promoted(settings, run, archive):
    alerts = sky("A", 10)
    archive(*alerts)
    now = datetime.now(UTC)
    found = [Label(row["object_id"], row["type"], "spectrum", now, now) for row in alerts]
    LabelStore(settings.labels_dir).add(found)
    assert retrain(settings).version == "1"
    assert run(train) == (0, "")  # nothing new
    code, output = run(model, "list")
    (row,) = [line.split("│") for line in output.splitlines() if line.startswith("│")]
    cells = [cell.strip() for cell in row[1:-1]]
    assert (code, cells[:2], cells[3:]) == (
        0,
        ["*", "1"],
        ["20", "promoted", "there is no test set to compare on"],
    )
    code, output = run(model, "show", "1")
    assert (code, json.loads(output)["labels"]["positive"]) == (0, 10)
    assert run(model, "promote", "1") == (
        0,
        "Version 1 scores from the next micro-batch of a running stream on.\n",
    )
