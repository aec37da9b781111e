"""What damaged files of the archive held is filled in again, and nothing is published for it."""

import pandas as pd
import pyarrow as pa
import pytest
from archive_files import paths
from click.testing import CliRunner
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from registries import fitted, make_champion, register
from streaming import drain, fill_night, published, topic_of

from fink_al.audit.proof import audit
from fink_al.cli.replay import replay
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.offsets import ends
from fink_al.loop import Loop
from fink_al.storage.table import Table

pytestmark = [pytest.mark.spark, pytest.mark.kafka]

_FILLED = "are filled in again from the topics; damaged files taken out: 1."
AT = ["topic", "partition", "offset"]


@pytest.fixture
def nights(spark, world, sky, monkeypatch):
    """Settings of two archived nights, of several micro-batches and two models."""
    settings = world()
    limits = {"max_per_night": 12, "bootstrap_fraction": 0.5}
    follow_up = settings.target.follow_up.model_copy(update=limits)
    stream = settings.stream.model_copy(update={"max_offsets_per_trigger": 150})
    target = settings.target.model_copy(update={"follow_up": follow_up})
    settings = settings.model_copy(update={"target": target, "stream": stream})
    for seed, night in enumerate(sky.nights, 1):
        make_champion(settings, register(settings, fitted(settings, seed).to_bytes()))
        fill_night(settings, sky, night)
        drain(spark, settings)
    monkeypatch.setattr("fink_al.spark.nights.repair.spark_session", lambda name: spark)
    monkeypatch.setattr(type(spark), "stop", lambda self: None)
    monkeypatch.setattr("fink_al.loops.load_settings", lambda path, **others: settings)
    return settings


def rows(settings):
    """All rows that the archive's readers see, without the time of computing."""
    kept = Loop.open(settings).archive
    names = [name for name in kept.schema().names if name != "processed"]
    tables = kept.batches(kept.whole_files(), kept.schema(), names)
    frame = pa.concat_tables(tables).to_pandas().sort_values(AT, ignore_index=True)
    return frame.drop(columns="night").dropna(axis="columns", how="all")


def say(night):
    """Exit code and lines of a repair."""
    done = CliRunner().invoke(replay, [str(night), "--repair"], catch_exceptions=False)
    return done.exit_code, done.output.splitlines()


def largest(settings, night):
    files = paths(Loop.open(settings).archive, night)
    return max(files, key=lambda file: file.stat().st_size)


def forget(settings, topic, offset):
    """Delete the messages of `topic` before `offset`, as if they had expired."""
    admin = AdminClient({"bootstrap.servers": settings.source.servers})
    for future in admin.delete_records([TopicPartition(topic, 0, offset)]).values():
        future.result()


def marks(settings):
    names = settings.target.candidates_topic, settings.dead_letter_topic, settings.ledger_topic
    return ends(settings.sink, Cluster(settings.sink).topics("|".join(names)))


def test_damaged_files_are_replaced_once_by_what_they_held(nights, sky, monkeypatch):
    settings = nights
    first, second = sky.nights
    loop = Loop.open(settings)
    before, sent, ended = rows(settings), published(settings), marks(settings)
    assert before["model_version"].nunique() == 2
    assert before["is_candidate"].sum() > 10
    assert say(first) == (0, [f"Night {first} adds up: nothing to repair."])

    # The second night lies in one file of both micro-batches, as the nightly job leaves it.
    assert loop.archive.table.sort(second, "object_id")
    assert len(loop.archive.files(second)) == 1

    def crash(*arguments, **options):
        raise RuntimeError("power cut")

    for night, left in ((first, lambda content: content[:-100]), (second, lambda content: b"")):
        file = largest(settings, night)
        count = len(pd.read_parquet(file, columns=["offset"]))
        file.write_bytes(left(file.read_bytes()))
        assert len(rows(settings)) == len(before) - count
        assert not audit(loop, night).adds_up
        # A crash before the commit leaves the archive as it is.
        with monkeypatch.context() as patch:
            patch.setattr(Table, "commit", crash)
            with pytest.raises(RuntimeError, match="power cut"):
                say(night)
        assert file in paths(Loop.open(settings).archive)
        filled = f"{count} alerts {_FILLED}"
        assert say(night) == (0, [filled, f"Night {night} adds up."])
        assert say(night) == (0, [f"Night {night} adds up: nothing to repair."])
        assert file not in paths(Loop.open(settings).archive)
    pd.testing.assert_frame_equal(rows(settings), before)
    assert published(settings) == sent
    assert marks(settings) == ended
    pd.testing.assert_frame_equal(rows(settings), before)

    # What the topic no longer has is counted and left.
    file = largest(settings, second)
    offsets = sorted(pd.read_parquet(file, columns=["offset"])["offset"])
    file.write_bytes(b"")
    forget(settings, topic_of(settings, second), offsets[10])
    left = "10 offsets cannot be filled in: the topic no longer has it."
    filled = f"{len(offsets) - 10} alerts {_FILLED}"
    assert say(second) == (1, [filled, left])
    assert say(second) == (1, [left])
    of_topic = before["topic"] == topic_of(settings, second)
    kept = before[~(of_topic & before["offset"].isin(offsets[:10]))]
    pd.testing.assert_frame_equal(rows(settings), kept.reset_index(drop=True))
    assert published(settings) == sent
    assert marks(settings) == ended
