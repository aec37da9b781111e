"""What labels that were drawn with known odds add to the nightly job."""

import json

import pytest
from drawn_table import write_drawn_table
from small_world import decided, sky

from fink_al.loop import Loop
from fink_al.models.model import Model, read_manifest
from fink_al.training import nightly
from fink_al.training.history import reproduce
from fink_al.training.live import read_drawn_objects


def rows_of(alerts: list[dict]) -> list[dict]:
    """Return drawn rows: negatives with small odds, as a strategy that looks for positives has."""
    return [
        {
            "object_id": each["object_id"],
            "positive": each["type"] == "SN Ia",
            "odds": 0.8 if each["type"] == "SN Ia" else 0.2,
            "p": 0.6 if each["type"] == "SN Ia" else 0.2,
        }
        for each in alerts
    ]


@pytest.fixture
def draw(monkeypatch):
    """Makes these alerts the drawn objects, whatever lists there are."""

    def on(alerts):
        def read(loop):
            write_drawn_table(loop, rows_of(alerts))
            return read_drawn_objects(loop)

        monkeypatch.setattr(nightly, "read_drawn_objects", read)

    return on


def test_drawn_labels_calibrate_choose_the_threshold_and_judge(retrain, settings, tell, draw):
    loop, first, more = Loop.open(settings), sky("A", 40), sky("B", 10)
    tell(first)
    draw(first)
    summary = retrain(settings)
    assert decided(summary) == ("promoted", "1", "1")
    share = summary.live["figures"]["share"]
    assert share["value"] == pytest.approx(50 / 250)  # half of the labels are positive
    assert summary.live["typed"] == 80
    bundle = loop.registry.load("1")
    manifest = read_manifest(bundle)
    assert manifest["stream_calibration"]["method"] == "stream"
    assert "80 labels drawn with known odds" in manifest["threshold"]["origin"]
    loaded = Model.from_bytes(bundle, loop.features.hash)
    assert loaded.to_stream.intercept == manifest["stream_calibration"]["intercept"]
    assert loaded.threshold == manifest["threshold"]["value"] != 0.5
    assert reproduce(loop, "1").is_same
    # The champion is compared by cross-fitting, beside the test set.
    tell(more)
    draw([*first, *more])
    summary = retrain(settings)
    assert summary.drawn_differences["1"]["objects"] == 100
    assert summary.drawn_differences["1"]["judge"] == "labels drawn with known odds"
    assert summary.live["threshold"] == loaded.threshold
    json.dumps(summary.drawn_differences, allow_nan=False)
    # Without a test set they alone decide.
    tell(sky("C", 2))
    summary = retrain(settings.model_copy(update={"test_set": None}))
    assert "of labels drawn with known odds" in summary.why
