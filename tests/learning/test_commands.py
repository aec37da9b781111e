"""The commands of this room: what they say and with which code they end."""

import json
from datetime import UTC, datetime

import pytest
import yaml
from click.testing import CliRunner
from small_world import sky

from fink_al.cli.model import model
from fink_al.cli.train import train
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
