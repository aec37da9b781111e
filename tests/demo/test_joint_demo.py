"""The demo of several targets: its settings and its tables. A whole run takes minutes."""

from datetime import UTC, datetime

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from rich.console import Console

from fink_al.cli.demo import demo
from fink_al.demo import joint, joint_summary
from fink_al.demo.joint import JointDemo, TargetResult
from fink_al.demo.loop import Plan
from fink_al.errors import SettingsError
from fink_al.requests.record import Record, request_id

TARGETS = ("early_snia", "microlensing", "anomaly")
KAFKA = {"servers": "127.0.0.1:1", "security_protocol": "PLAINTEXT"}


def set_up(folder, targets):
    running = JointDemo(Plan(folder, 1, 100, 5, 1, targets=targets), print)
    running.config = folder / "fink_al.yml"
    running._set_up(KAFKA)
    return running


def test_targets_have_files_of_their_own_and_no_taught_model(tmp_path):
    running = set_up(tmp_path, TARGETS)
    assert tuple(running._loops) == TARGETS
    assert tuple(yaml.safe_load(running.config.read_text())["targets"]) == TARGETS
    for name, loop in running._loops.items():
        target = loop.target
        assert not target.model.is_taught
        assert loop.settings.teaching_set is None
        assert loop.settings.source.servers == KAFKA["servers"]
        assert loop.settings.work_dir == tmp_path
        assert target.follow_up.bootstrap_fraction == 1
        assert (tmp_path / "targets" / f"{name}.yml").is_file()
    assert running._loops["early_snia"].settings.starting_set is not None
    assert running._loops["anomaly"].settings.starting_set is None
    assert len({loop.target.follow_up.seed for loop in running._loops.values()}) == 3


def test_a_target_of_another_survey_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="are of ZTF; early_snia_lsst is of lsst"):
        set_up(tmp_path, ("early_snia", "early_snia_lsst"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--targets", "early_snia"], "give two or more different ones"),
        (["--targets", "anomaly,anomaly"], "give two or more different ones"),
        (["--targets", "early_snia,anomaly", "--survey", "lsst"], "has a sky of its own"),
    ],
)
def test_wrong_options_are_named(tmp_path, options, words):
    done = CliRunner().invoke(demo, ["--folder", str(tmp_path / "demo"), *options])
    assert words in str(done.exception)
    assert not (tmp_path / "demo").exists()


def printed(table):
    console = Console(width=110)
    with console.capture() as shown:
        console.print(table)
    return [" ".join(line.split()) for line in shown.get().splitlines()]


def test_tables_show_targets_side_by_side():
    results = {
        "a": TargetResult(10, 5, 3, 2, 1, 5, 2, 3, ["none", "1"]),
        "b": TargetResult(10, 4, 1, 1, 0, 4, 1, 1, ["1", "2"]),
    }
    rows = printed(joint_summary.by_target(results))
    assert rows[-2:] == [
        "a 10 5 3 2 1 2 of 5 3 none > 1",
        "b 10 4 1 1 0 1 of 4 1 1 > 2",
    ]
    listed = pd.DataFrame(
        {
            "rank": [1, 2], "object_id": ["X", "Y"], "band": ["r", "g"], "mag": [19.0, 18.5],
            "age_days": [3.0, 4.0], "targets": ["a b", "b"], "a_rank": [1, None],
            "a_p": [0.5, None], "b_rank": [2, 1], "b_p": [0.25, None],
        }
    ).astype({"a_rank": "Int64"})  # fmt: skip
    rows = printed(joint_summary.side_by_side(listed, results))
    assert rows[-2:] == ["1 X r 19.00 3 1: 0.50 2: 0.25", "2 Y g 18.50 4 1: -"]
    time = datetime(2026, 1, 6, 1, 5, tzinfo=UTC)

    def record(target, odds, **changes):
        return Record(
            request_id(target, 20260105, "X"), target, "ztf", "X", 20260105, "classified", time,
            1.0, 2.0, 1, 1.0, 0.5, "why", odds=odds, **changes,
        )  # fmt: skip

    seen = {"begins": time, "observed": time, "type": "SN Ia"}
    records = [record("a", 0.5, **seen), record("b", None)]
    rows = printed(joint_summary.requests_side_by_side(records, results))
    assert rows[-1] == "X 01:05 SN Ia 0.50 -"


def test_types_of_a_target_are_those_of_its_families(tmp_path):
    loops = set_up(tmp_path, TARGETS)._loops
    types = pd.Series(["SN Ia", "Microlensing", "TDE", "SLSN-I", None, "Varstar"])
    found = {name: joint._positives(loop, types) for name, loop in loops.items()}
    assert found == {"early_snia": 1, "microlensing": 1, "anomaly": 2}
