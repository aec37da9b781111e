"""The stream takes up new labels, and goes on with those it knows while their storage is away."""

import logging
from datetime import UTC, datetime

import pytest

from fink_al.errors import ServiceError
from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore
from fink_al.settings import load_settings
from fink_al.spark.state import State, object_keys

pytestmark = pytest.mark.spark


def test_labels_are_taken_up_and_outlast_their_storage(spark, tmp_path, monkeypatch, caplog):
    settings = load_settings(
        environment={}, work_dir=tmp_path, starting_set=None, test_set=None
    ).model_copy(update={"labels_path": str(tmp_path / "labels")})
    state = State(spark, settings)

    def labelled():
        return state.science().known.labelled.value.tolist()

    def add(name, type):
        seen = datetime(2026, 1, 5, tzinfo=UTC)
        LabelStore(settings.labels_dir).add([Label(name, type, "spectrum", seen)])

    assert labelled() == []
    add("A", "SN Ia")
    add("B", "unclassified")
    assert labelled() == object_keys(spark, ["A"])

    def away(self):
        raise ServiceError("no such host")

    monkeypatch.setattr(LabelStore, "version", property(away))
    caplog.set_level(logging.WARNING)
    assert labelled() == object_keys(spark, ["A"])
    assert "Label store out of reach, keeping the labels that are known: no such host" in (
        caplog.text
    )
    with pytest.raises(ServiceError, match="no such host"):
        State(spark, settings).science()
