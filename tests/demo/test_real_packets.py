"""Real packets, whatever their night: nobody observes their objects, no night counts them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from archive_files import put_rows

from fink_al.archive.reading import Archive
from fink_al.demo import telescope
from fink_al.demo.baseline import RandomSelection
from fink_al.demo.loop import BrokenLink, Demo, Plan
from fink_al.demo.oracle import Oracle
from fink_al.demo.surveys import SURVEYS
from fink_al.evaluation.metrics import evaluate
from fink_al.features.feature_set import FeatureSet
from fink_al.loop import Loop
from fink_al.settings import load_settings

NIGHT = 20260105
TRUTH = pd.DataFrame({"object_id": ["A", "B"], "type": ["SN Ia", None]})


@pytest.fixture
def settings(tmp_path):
    """Settings over an archive whose night holds alerts of A, B and a real object."""
    made = load_settings(work_dir=tmp_path, environment={})
    rows = {
        "object_id": ["A", "B", "Real"],
        "alert_id": [1, 2, 3],
        "mjd": [61045.0] * 3,
        "mag": [18.0] * 3,
        "reasons": [["not_drawn"], [], []],
    }
    rows |= {name: [0.5] * 3 for name in FeatureSet.from_settings(made.target.features).names}
    put_rows(Archive(made.archive_dir), NIGHT, pa.table(rows))
    return made


def test_random_selection_takes_simulated_objects_only(settings):
    selection = RandomSelection(
        Loop.open(settings), Oracle(TRUTH, settings.target.follow_up.exposure, 1), 0
    )
    assert selection._pool(NIGHT)["object_id"].tolist() == ["A", "B"]


def test_the_telescope_passes_over_what_came_before_the_first_night(settings, monkeypatch):
    topic = [{"night": NIGHT, "alert_id": i, "informativeness": 1.0} for i in range(2)]

    def read(kafka, name, start):
        return [(0, i, topic[i]) for i in range(start.get(0, 0), len(topic))]

    monkeypatch.setattr(telescope, "read_candidates", read)
    ours = telescope.Telescope(
        Loop.open(settings), Oracle(TRUTH, settings.target.follow_up.exposure, 1), 10, 1
    )
    ours.pass_over()
    topic.append({"night": NIGHT, "alert_id": 7, "informativeness": 0.5})
    assert [record["alert_id"] for record in ours.receive(NIGHT)] == [7]


@pytest.mark.parametrize(
    ("sent", "message"),
    [([1, 2], None), ([1, 2, 9], "3 alerts were sent, 3 scored or refused, 2 are in the archive")],
)
def test_a_night_counts_what_was_sent_to_its_topic(settings, tmp_path, monkeypatch, sent, message):
    demo = Demo(Plan(tmp_path, 1, 2, 10, 1), lambda text: None)
    demo.settings = settings
    alerts = pd.DataFrame({"night": [NIGHT] * len(sent), "alert_id": sent})
    demo._campaign = SimpleNamespace(alerts=alerts)
    counts = {"alerts": len(sent), "scored": 1, "candidates": 0, "dead_letters": 0}
    demo._stream = SimpleNamespace(wait_for=lambda topics, timeout: [{"counts": counts}])
    demo._telescope = SimpleNamespace(receive=lambda night: [], observe=lambda *_: [])
    registry = SimpleNamespace(champion=lambda: "1", load=lambda version: b"")
    demo._loop = SimpleNamespace(registry=registry, archive=Archive(settings.archive_dir))
    metrics = evaluate(np.array([1.0, 0.0]), np.array([True, False])).to_dict()
    demo._shown = replace(SURVEYS["ztf"], packets=lambda campaign, night: [])
    monkeypatch.setattr("fink_al.demo.loop.read_manifest", lambda _: {"metrics": metrics})
    monkeypatch.setattr(Demo, "_publish", lambda *_: len(sent))
    monkeypatch.setattr(Demo, "_train", lambda _: None)
    if message:
        with pytest.raises(BrokenLink, match=message):
            demo._night(NIGHT, 0)
    else:
        night = demo._night(NIGHT, 0)
        assert (night.alerts, night.scored, night.candidates) == (2, 1, 0)
