"""A start from the ledger's snapshot knows what the whole topic says, or reads the whole topic."""

import json
import logging
from types import SimpleNamespace

import numpy as np
import pytest

from fink_al import thresholds
from fink_al.archive.reading import Archive
from fink_al.draws import MOST_T
from fink_al.errors import ServiceError
from fink_al.kafka.cluster import Topic
from fink_al.loop import Loop
from fink_al.settings import DrawSettings
from fink_al.spark.stream import snapshot
from fink_al.spark.stream.ledger import Ledger
from fink_al.spark.stream.snapshot import Snapshots
from fink_al.thresholds import BINS

SOURCE, TOPIC_ID, TARGET = "source", "ledger topic", "early_snia"
EXPONENT = DrawSettings().exponent


class FakeTopic:
    """The ledger's topic: records with their partitions and offsets, one in three a mark."""

    def __init__(self, monkeypatch):
        self.messages: list[tuple[int, int, dict]] = []
        self.topic_id = TOPIC_ID
        self.n_read = 0
        self.is_away = False
        self.archived: int | None = None  # the archive's number; None: that of the last record
        monkeypatch.setattr(snapshot, "read", self.read)
        monkeypatch.setattr(snapshot, "Cluster", lambda kafka: self)
        monkeypatch.setattr(Archive, "number", lambda archive: self.number())

    def number(self):
        last = len(self.messages) - 1
        numbers = (record.get("number", last) for _, _, record in self.messages[-1:])
        return next(numbers, -1) if self.archived is None else self.archived

    def identifier(self):
        return "sink"

    def topics(self, pattern):
        return {pattern.replace("\\", ""): Topic(self.topic_id, 1)}

    def append(self, record, partition=0):
        offsets = [offset for p, offset, _ in self.messages if p == partition]
        at = partition, offsets[-1] + 1 + len(offsets) % 3 % 2 if offsets else 0
        self.messages.append((*at, record))
        return at

    def read(self, kafka, topic, starts):
        self.n_read = 0
        for partition, offset, record in self.messages:
            if self.is_away:
                raise ServiceError("away")
            if offset >= starts.get(partition, 0):
                self.n_read += 1
                value = json.dumps(record).encode()
                yield SimpleNamespace(
                    value=lambda v=value: v,
                    partition=lambda p=partition: p,
                    offset=lambda o=offset: o,
                )

    @property
    def records(self):
        return [record for _, _, record in self.messages]


@pytest.fixture
def topic(monkeypatch):
    monkeypatch.setattr(snapshot, "EVERY", 1)
    return FakeTopic(monkeypatch)


@pytest.fixture
def loop(settings):
    return Loop.open(settings)


def random_record(rng, number):
    """Record of a night that is mostly a later one, of a version before 0.2 at first."""
    night = 20260000 + int(max(1, number // 2 - rng.choice([0, 1, 2, 40, 130])))
    offsets = [
        {"cluster": str(rng.choice([SOURCE, "other"])), "topic": "t", "topic_id": f"id{night}",
         "partition": partition, "first": 0, "until": int(rng.integers(1000)), "lost": 0}
        for partition in range(rng.integers(1, 4))
    ]  # fmt: skip
    record = {"part": f"{number:012d}-20260105T000000-{number:012x}", "offsets": offsets}
    if number < 20:
        return record
    record["number"] = number
    if rng.random() < 0.8:
        lists = {str(night): rng.integers(-1, 9, BINS).tolist()}
        strategy = str(rng.choice(["entropy", "random"]))
        draw = {"strategy": strategy, "exponent": EXPONENT, "lists": lists,
                "t": {str(night): float(rng.random())}}  # fmt: skip
        record["counts"] = {"alerts": 0, "dead_letters": 0}
        record["targets"] = {TARGET: {"draw": draw}}
    return record


def state(ledger):
    return json.loads(json.dumps(ledger.to_dict() | {"last": None}))


def draws(ledger, loop):
    """Thresholds and means of lists of all ages, those to come included."""
    target, known = loop.target, ledger.thresholds[TARGET]
    return [
        (known.t(list_, strategy, target.draw, target.follow_up),
         known.mean(list_, strategy, target.draw))
        for list_ in range(20260000, 20260260, 3)
        for strategy in ("entropy", "random")
    ]  # fmt: skip


@pytest.mark.parametrize("partitions", [1, 2])
def test_a_snapshot_and_what_is_behind_it_are_the_whole_topic(topic, loop, monkeypatch, partitions):
    rng, running, n_kept = np.random.default_rng(partitions), Ledger(SOURCE), 0
    for number in range(500):
        record = random_record(rng, number)
        at = topic.append(record, int(rng.integers(partitions)))
        running.add(record, at)
        running.forget(record["part"])
        if rng.random() < 0.02:
            Snapshots(loop).keep(running)
            n_kept = len(topic.messages)
        if rng.random() < 0.05:
            running = Snapshots(loop).read(SOURCE)
            assert topic.n_read - (number + 1 - n_kept) in range(partitions + 1)
            expected = Ledger(SOURCE, topic.records)
            assert state(running) == state(expected)
            assert draws(running, loop) == draws(expected, loop)
            assert running.parts == {}
    # What is kept of lists is all that there is to know of them.
    kept = len(running.thresholds[TARGET].to_dict()["counts"])
    monkeypatch.setattr(thresholds, "KEPT", 10_000)
    unbounded = Ledger(SOURCE, topic.records)
    names = sorted(int(name) for name in unbounded.thresholds[TARGET].to_dict()["counts"])
    assert len(names) > kept == 100
    for list_ in [*names[-kept + thresholds.LISTS :], 20270101]:
        for what in ("t", "mean"):
            more = [loop.target.follow_up] if what == "t" else []
            of_one, of_other = (
                getattr(each.thresholds[TARGET], what)(list_, "entropy", loop.target.draw, *more)
                for each in (running, unbounded)
            )
            assert of_one == of_other <= MOST_T


def start_of(topic, loop, n=30):
    """Fill the topic with `n` records, the snapshot with all but two."""
    rng, ledger = np.random.default_rng(n), Ledger(SOURCE)
    for number in range(20, 20 + n):
        record = random_record(rng, number)
        ledger.add(record, topic.append(record))
        if number == 17 + n:
            Snapshots(loop).keep(ledger)


def torn(file, topic):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def changed(file, topic):
    content = json.loads(file.read_text())
    content["state"]["done"][0][3] += 1
    file.write_text(json.dumps(content))


def of_another_form(file, topic):
    file.write_text(json.dumps(json.loads(file.read_text()) | {"form": 1}))


def of_a_recreated_topic(file, topic):
    topic.topic_id = "recreated"
    topic.messages = topic.messages[:3]


def of_a_longer_topic(file, topic):
    topic.archived = topic.number()
    topic.messages = topic.messages[:-4]


def of_another_history(file, topic):
    topic.messages = [(p, offset, {**r, "part": "x"}) for p, offset, r in topic.messages]


def expired(file, topic):
    topic.messages = topic.messages[-1:]


def test_a_start_reads_what_is_behind_its_snapshot(topic, loop, caplog):
    start_of(topic, loop)
    ledger = Snapshots(loop).read(SOURCE)
    assert topic.n_read == 3  # the last one that it holds, and two
    assert ledger.n_new == 2
    assert state(ledger) == state(Ledger(SOURCE, topic.records))
    topic.archived = 98
    assert Snapshots(loop).read(SOURCE).next_number == 99
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda file, topic: file.unlink(), None),
        (torn, "it is damaged"),
        (changed, "it is damaged"),
        (lambda file, topic: file.write_bytes(b""), "it is damaged"),
        (lambda file, topic: file.write_bytes(b"\xff\xfe"), "it is damaged"),
        (lambda file, topic: file.write_text("[]"), "it is damaged"),
        (lambda file, topic: file.write_text("{}"), "it is damaged"),
        (of_another_form, "it is of another topic or version"),
        (of_a_recreated_topic, "it is of another topic or version"),
        (of_a_longer_topic, "the topic does not have its last record"),
        (of_another_history, "the topic has another record in its place"),
        (expired, "the topic has another record in its place"),
    ],
)
def test_an_unfit_snapshot_is_ignored(topic, loop, caplog, spoil, reason):
    start_of(topic, loop)
    file = loop.settings.ledger_dir.local / f"{loop.settings.stream_name}.json"
    spoil(file, topic)
    ledger = Snapshots(loop).read(SOURCE)
    whole = Ledger(SOURCE, topic.records)
    whole.next_number = max(whole.next_number, topic.number() + 1)
    assert state(ledger) == state(whole)
    assert ledger.n_new == len(topic.messages)
    sentence = f"The ledger is read whole, as its snapshot {file} is unfit: {reason}"
    assert caplog.messages == ([sentence] if reason else [])


@pytest.mark.parametrize(
    ("name", "archived", "is_read_whole"),
    [
        ("000000000046-20260105T000000-00000000002e", 45, True),  # waits, but the snapshot has it
        ("000000000046-20260105T000000-00000000002f", 47, False),  # was not published
        ("000000000048-20260105T000000-000000000030", 47, False),
        ("000000000049-20260105T000000-000000000031", 48, False),
        ("000000000050-20260105T000000-000000000032", 49, False),  # was not published
        ("20251124T021337-2c36b43e650a", 47, True),
    ],
)
def test_a_staged_part_is_found_however_old_it_is(
    topic, loop, name, archived, is_read_whole, caplog
):
    start_of(topic, loop)
    topic.archived = archived
    if name.startswith("2025"):
        topic.messages[3][2]["part"] = name
    (loop.settings.staging_dir / name).write("night=20260105/part-00000.parquet", b"")
    ledger = Snapshots(loop).read(SOURCE)
    numbers = {record["part"]: record["number"] for record in topic.records}
    assert ledger.parts == {part: n for part, n in numbers.items() if part == name}
    assert (topic.n_read == 30) == is_read_whole
    assert len(caplog.messages) == is_read_whole


def test_a_broker_that_is_away_is_no_fault_of_the_snapshot(topic, loop):
    start_of(topic, loop)
    topic.is_away = True
    with pytest.raises(ServiceError, match="away"):
        Snapshots(loop).read(SOURCE)


def test_a_snapshot_that_cannot_be_written_is_a_warning(topic, loop, caplog):
    loop.settings.ledger_dir.local.write_text("no folder")
    start_of(topic, loop)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "was not written" in caplog.text


def test_snapshots_are_written_now_and_then(topic, loop, monkeypatch):
    monkeypatch.setattr(snapshot, "EVERY", 10)
    ledger, written = Ledger(SOURCE), []
    for number in range(20, 55):
        record = random_record(np.random.default_rng(number), number)
        ledger.add(record, topic.append(record))
        Snapshots(loop).keep(ledger)
        if names := loop.settings.ledger_dir.names():
            written.append(number)
            loop.settings.ledger_dir.remove(*names)
    assert written == [29, 39, 49]
