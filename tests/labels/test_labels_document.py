"""What docs/labels.md tells people to type works."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from importing import import_file

from fink_al.loop import Loop

_TEXT = (Path(__file__).parents[2] / "docs" / "labels.md").read_text("utf-8")


def test_the_python_example_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("FINK_AL_WORK_DIR", str(tmp_path))
    (block,) = re.findall(r"```python\n(.*?)```", _TEXT, re.DOTALL)
    names: dict = {}
    exec(block, names)
    store, loop = names["store"], names["loop"]
    rows = names["verdicts"](store, loop.target, loop.taxonomy)
    assert rows["positive"].to_pylist() == [True]


def test_the_table_of_an_observer_can_be_imported(settings, tmp_path):
    (tmp_path / "night.csv").write_text(re.findall(r"```\n(object_id.*?)```", _TEXT, re.DOTALL)[0])
    done = import_file(settings, tmp_path / "night.csv")
    assert (done.added, done.rejected) == (2, 0)


@pytest.mark.spark
def test_spark_reads_the_folder_as_it_is(settings, spark, monkeypatch):
    from fink_al.labels.label import Label

    monkeypatch.setattr("fink_al.labels.store.MOST_FILES", 2)
    seen = datetime(2026, 1, 5, tzinfo=UTC)
    for name in "ABCD":
        Loop.open(settings).labels.store.add([Label(name, "SN Ia", "spectrum", seen)])
    assert any(Path(settings.labels_dir).glob("_digest-*"))
    rows = spark.read.parquet(settings.labels_dir.for_spark()).orderBy("object_id").collect()
    assert [row.object_id for row in rows] == ["A", "B", "C", "D"]
