"""The stream takes up new labels, and goes on with those it knows while their storage is away."""

import logging
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from fink_al.errors import ServiceError
from fink_al.labels.counterparts import FOUND, counterparts_file, write_counterparts
from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore
from fink_al.loop import Loop
from fink_al.settings import load_settings
from fink_al.spark.stream.known import Labelled, object_keys

pytestmark = pytest.mark.spark


def test_labels_are_taken_up_and_outlast_their_storage(spark, tmp_path, caplog):
    settings = load_settings(
        environment={}, work_dir=tmp_path, starting_set=None, test_set=None
    ).model_copy(update={"labels_path": str(tmp_path / "share" / "labels")})
    with pytest.raises(ServiceError, match="share/labels is not a label store"):
        Labelled(spark, [Loop.open(settings)])
    LabelStore(settings.labels_dir).make()
    known = Labelled(spark, [Loop.open(settings)])

    def labelled():
        known.refresh()
        return known.typed.value.tolist()

    def add(name, type):
        seen = datetime(2026, 1, 5, tzinfo=UTC)
        Loop.open(settings).labels.store.add([Label(name, type, "spectrum", seen)])

    def warned():
        return caplog.text.count("share/labels is not a label store")

    assert labelled() == []
    add("A", "SN Ia")
    add("B", "unclassified")
    assert labelled() == object_keys(spark, ["A"])

    caplog.set_level(logging.WARNING)
    share, away = tmp_path / "share", tmp_path / "away"
    for times in (1, 2):
        share.rename(away)
        share.mkdir()  # where it was mounted
        assert [labelled() for _ in range(2)] == [object_keys(spark, ["A"])] * 2
        assert warned() == times
        with pytest.raises(ServiceError, match="share/labels is not a label store"):
            Labelled(spark, [Loop.open(settings)])
        share.rmdir()
        away.rename(share)
        assert labelled() == object_keys(spark, ["A"])
    add("C", "CV")
    assert labelled() == sorted(object_keys(spark, ["A", "C"]))

    # By position A is also an object that the archive calls otherwise.
    file = counterparts_file(settings.archive_dir).local
    row = {"said_of": "A", "object_id": "101", "arcsec": 0.4}
    write_counterparts(file, pa.Table.from_pylist([row], FOUND), datetime.now(UTC))
    assert labelled() == sorted(object_keys(spark, ["101", "A", "C"]))
    file.write_bytes(b"torn")
    add("D", "CV")
    assert labelled() == sorted(object_keys(spark, ["101", "A", "C"]))
    assert "counterparts/ztf.parquet is not a table of counterparts" in caplog.text
    file.unlink()
    assert labelled() == sorted(object_keys(spark, ["A", "C", "D"]))
