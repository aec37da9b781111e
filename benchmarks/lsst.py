"""LSST's bursts: a visit of 10 000 real-size packets every 39 s, and how soon its alerts are done.

A real broker, the stream, which is a process of its own, and this script, which sends and listens,
share the machine's cores. A visit is sent at once when its time has come, whatever became of the
last one, without compression, as Rubin's own producer does. No two packets have the same ids: they
are written over those of some hundred originals on the way.

Latency runs from the time at which Kafka appended a packet to that at which a consumer of committed
messages has its candidate or, where there is none, the ledger's record that the alert is done. What
is measured begins after two visits, in which Java compiles.

    python benchmarks/lsst.py [--visits 16] [--alerts 10000] [--check] [--quick]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path

import fastavro
import numpy as np
import psutil
import yaml
from claims import Claim, judge
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from fink_al.demo.embedded_kafka import EmbeddedKafka
from fink_al.demo.stream_job import StreamJob
from fink_al.loop import Loop
from fink_al.settings import Settings, load_settings
from fink_al.simulation.lsst_packets import packets, replicate, write_schema
from fink_al.simulation.nights import simulate
from fink_al.spark.nights.examples import archived_examples
from fink_al.training.nightly import retrain

VISIT_S = 39.0
TARGET_GROWTH, TARGET_MEMORY_GROWTH = 1.2, 1.1
_QUICK_VISIT_S = 10.0
_WARM_UP = 2
_FIRST = 100  # alerts before the first visit: the session starts, and learns the schema
_TOPIC = "lsst-alerts-v11.0"
_GIVE_UP_S = 240.0  # without any alert done
#: The topic forgets what is older than three visits, but for what is being deleted.
_KEPT_BYTES, _SEGMENT_BYTES, _CLEANING_MS = 3 << 30, 256 << 20, 10_000


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visits", type=int, default=16, help="visits that are measured")
    parser.add_argument("--alerts", type=int, default=10_000, help="alerts a visit")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="few alerts: only shows that it runs")
    options = parser.parse_args()
    plan = Plan(options.visits, options.alerts, VISIT_S)
    if options.quick:
        plan = Plan(2, 300, _QUICK_VISIT_S)
    with tempfile.TemporaryDirectory(prefix="fink-al-benchmark-") as folder:
        run = measure(Path(folder), plan)
    judge(show(run, plan), options.check)


@dataclass(frozen=True)
class Plan:
    """Visits that are measured, alerts of each, and seconds from one to the next."""

    visits: int
    alerts: int
    pause_s: float

    @property
    def total(self) -> int:
        """Alerts of all visits, those of the warm-up and the first ones included."""
        return _FIRST + (_WARM_UP + self.visits) * self.alerts

    def offsets(self, visit: int) -> slice:
        """Offsets of the alerts of a measured visit."""
        first = _FIRST + (_WARM_UP + visit) * self.alerts
        return slice(first, first + self.alerts)


class Run:
    """What was measured; times are those of the clock [s].

    Parameters
    ----------
    total : int
        Alerts that are sent.
    """

    def __init__(self, total: int):
        #: By offset: when Kafka appended the packet, when it was done, whether by a candidate.
        self.appended, self.done = np.full(total, np.nan), np.full(total, np.nan)
        self.is_candidate = np.zeros(total, bool)
        self.counts: Counter[str] = Counter()
        self.visits: list[Visit] = []
        #: Time, and proportional memory of the stream's Java and Python processes, MB.
        self.memory: list[tuple[float, float, float]] = []
        self.disk_bytes = 0


@dataclass
class Visit:
    """When it was due, how long it was sent, and the CPU used until the next one [s]."""

    due: float
    sent_s: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)


def measure(folder: Path, plan: Plan) -> Run:
    """Send the visits, each when it is due, while the stream runs."""
    cleaning = {"log.retention.check.interval.ms": _CLEANING_MS}
    with EmbeddedKafka(folder / "kafka", cleaning) as broker:
        settings = make_settings(folder, broker.servers)
        config = folder / "fink_al.yml"
        config.write_text(yaml.safe_dump(settings.model_dump(mode="json")), "utf-8")
        retrain(Loop.open(settings), archived_examples, lambda text: None)
        originals = make_originals()
        size = np.mean([len(packet) for packet in originals])
        print(f"{plan.total} packets of {size / 1000:.0f} kB", flush=True)
        create_topics(settings)
        run, source = Run(plan.total), replicate(originals, plan.total)
        sender = Sender(settings, run)
        with (
            Listener(settings, run) as listener,
            StreamJob(settings.sink, settings.ledger_topic, config, folder / "log"),
        ):
            sender.send(islice(source, _FIRST))
            listener.wait(_FIRST)
            with Watch(broker, run) as watch:
                start = time.time()
                for number in range(_WARM_UP + plan.visits):
                    visit = Visit(start + number * plan.pause_s)
                    _sleep_until(visit.due)
                    before, since = watch.cpu(), time.time()
                    sender.send(islice(source, plan.alerts))
                    visit.sent_s = time.time() - since
                    _sleep_until(visit.due + plan.pause_s - 0.5)
                    visit.cpu = {name: used - before[name] for name, used in watch.cpu().items()}
                    run.visits.append(visit)
                    print(".", end="", flush=True)
                listener.wait(plan.total)
    print()
    return run


def make_settings(folder: Path, servers: str) -> Settings:
    """Those of the survey's target, with the schema in a folder."""
    schemas = {"folder": write_schema(folder / "schemas").parent, "registry": None, "package": None}
    kafka = {"servers": servers}
    return load_settings(
        environment={"FINK_AL_TARGET": "early_snia_lsst"},
        work_dir=folder,
        source=kafka,
        sink=kafka,
        survey={"schemas": schemas},
        # No limit a night: candidates are published until the last visit.
        target={"follow_up": {"max_per_night": 1_000_000}},
    )


def make_originals() -> list[bytes]:
    """Packets of some simulated nights."""
    campaign = simulate(4, 150, seed=1, survey="lsst")
    return [packet for night in campaign.nights for packet in packets(campaign, night)]


def create_topics(settings: Settings) -> None:
    """The alert topic, whose packets get the broker's time, and those that are listened to."""
    alerts = {
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": "10000000",
        "retention.bytes": str(_KEPT_BYTES),
        "segment.bytes": str(_SEGMENT_BYTES),
        "file.delete.delay.ms": "1000",
    }
    admin = AdminClient(settings.source.client_options())
    topics = [NewTopic(_TOPIC, 1, config=alerts)]
    topics += [NewTopic(name, 1) for name in _outputs(settings)]
    for future in admin.create_topics(topics).values():
        future.result()


def _outputs(settings: Settings) -> tuple[str, str]:
    return settings.target.candidates_topic, settings.ledger_topic


class Sender:
    """Sends packets as Rubin's producer does and notes when they were appended."""

    def __init__(self, settings: Settings, run: Run):
        self._run = run
        # Rubin's settings: lsst/ap_association, packageAlerts.py.
        self._producer = Producer(
            settings.source.client_options()
            | {
                "batch.size": 2 << 20,
                "linger.ms": 5,
                "message.max.bytes": 10_000_000,
                "queue.buffering.max.kbytes": 256 << 10,
                "log_level": 2,
                "on_delivery": self._note,
            }
        )

    def send(self, values: Iterable[bytes]) -> None:
        """Send `values` and wait until all have arrived."""
        for value in values:
            while True:
                try:
                    self._producer.produce(_TOPIC, value)
                    break
                except BufferError:
                    self._producer.poll(0.01)
            self._producer.poll(0)
        if self._producer.flush(60):
            raise TimeoutError("Kafka does not take the packets")

    def _note(self, error, message) -> None:
        if error:
            raise RuntimeError(error)
        self._run.appended[message.offset()] = message.timestamp()[1] / 1e3


class Listener:
    """Listens to candidates and ledger as any consumer of committed messages does."""

    def __init__(self, settings: Settings, run: Run):
        self._run = run
        self._candidates_topic, self._ledger_topic = _outputs(settings)
        self._candidates: list[tuple[float, bytes, bytes]] = []
        options = {"group.id": "benchmark", "isolation.level": "read_committed", "log_level": 2}
        self._consumer = Consumer(settings.sink.client_options() | options)
        self._consumer.assign([TopicPartition(name, 0, 0) for name in _outputs(settings)])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        self._consumer.close()

    def _listen(self) -> None:
        run = self._run
        while not self._ended.is_set():
            message = self._consumer.poll(0.2)
            if message is None or message.error():
                continue
            now = time.time()
            if message.topic() == self._candidates_topic:
                self._candidates.append((now, message.key(), message.value()))
                continue
            record = json.loads(message.value())
            run.counts.update(record["counts"] | {"batches": 1})
            for row in record["offsets"]:
                run.counts["lost"] += row["lost"] or 0
                run.done[row["first"] : row["until"]] = now

    def wait(self, n: int) -> None:
        """Wait until the first `n` alerts are done, then put the candidates' own times in place.

        Raises
        ------
        TimeoutError
            If nothing more is done for too long.
        """
        seen, deadline = -1, time.time() + _GIVE_UP_S
        while (done := int(np.isfinite(self._run.done[:n]).sum())) < n:
            if done > seen:
                seen, deadline = done, time.time() + _GIVE_UP_S
            if time.time() > deadline:
                raise TimeoutError(f"{done} of {n} alerts are done and no more")
            time.sleep(0.2)
        time.sleep(1.0)  # candidates of the last transaction
        candidates, self._candidates = self._candidates, []
        for now, key, value in candidates:
            offset = fastavro.schemaless_reader(io.BytesIO(value), _schema(key), None)["offset"]
            if self._run.is_candidate[offset]:
                raise RuntimeError(f"the alert at offset {offset} was published twice")
            self._run.is_candidate[offset] = True
            self._run.done[offset] = now


@cache
def _schema(key: bytes):
    return fastavro.parse_schema(json.loads(key))


class Watch:
    """Memory, once in five seconds, CPU and disk of the processes that share the machine."""

    def __init__(self, broker: EmbeddedKafka, run: Run):
        self._broker, self._run = broker, run
        self._me = psutil.Process()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def cpu(self) -> dict[str, float]:
        """Seconds used so far, by role."""
        used = {"sender": _cpu_s(self._me), "broker": 0.0, "Java": 0.0, "Python": 0.0}
        for process in self._me.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                used[self._role(process)] += _cpu_s(process)
        return used

    def _role(self, process: psutil.Process) -> str:
        if process.pid == self._broker.pid:
            return "broker"
        return "Java" if process.name() == "java" else "Python"

    def _watch(self) -> None:
        while not self._ended.wait(5.0):
            memory = {"broker": 0.0, "Java": 0.0, "Python": 0.0}
            for process in self._me.children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    # Forked workers share pages: each counts with its own share.
                    if (role := self._role(process)) != "broker":
                        memory[role] += process.memory_full_info().pss / 1e6
            self._run.memory.append((time.time(), memory["Java"], memory["Python"]))
            with suppress(FileNotFoundError):  # segments are deleted meanwhile
                files = [f.stat().st_size for f in self._broker.folder.rglob("*") if f.is_file()]
                self._run.disk_bytes = max(self._run.disk_bytes, sum(files))


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.time()))


def show(run: Run, plan: Plan) -> list[Claim]:
    """Print the visits; what is claimed."""
    latency = run.done - run.appended
    visits = run.visits[_WARM_UP:]
    ended, middle = [], []
    for number, visit in enumerate(visits):
        here = plan.offsets(number)
        ended.append(run.done[here].max() - visit.due)
        middle.append(np.median(latency[here]))
        print(
            f"  visit {number + 1:2}: sent in {visit.sent_s:4.1f} s, {_quantiles(latency[here])}, "
            f"done after {ended[-1]:.1f} s"
        )
    measured = slice(plan.offsets(0).start, None)
    is_candidate = run.is_candidate[measured]
    print(f"{plan.visits} visits of {plan.alerts} alerts every {plan.pause_s:g} s, "
          f"{os.cpu_count()} cores")  # fmt: skip
    print(f"  all alerts: {_quantiles(latency[measured])}")
    if is_candidate.any():
        print(f"  {is_candidate.sum()} candidates: {_quantiles(latency[measured][is_candidate])}")
    used = {name: np.mean([v.cpu[name] for v in visits]) for name in visits[0].cpu}
    text = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in used.items())
    print(f"  CPU a visit, of {os.cpu_count() * plan.pause_s:g} s: {text}")
    batches = run.counts["batches"] / len(run.visits)
    print(f"  micro-batches: {batches:.1f} a visit, warm-up included")
    print(f"  disk of the broker: {run.disk_bytes / 1e9:.1f} GB at most")
    claims = [
        _claim("lsst_visit", max(ended), "s", plan.pause_s),
        _claim("lsst_lost", run.counts["lost"] + run.counts["dead_letters"], "alerts", 0),
    ]
    quarter = -(-len(visits) // 4)
    growth = np.mean(middle[-quarter:]) / np.mean(middle[:quarter])
    memory = np.array([row for row in run.memory if row[0] > visits[0].due])
    if len(visits) >= 4 and len(memory) >= 8:
        claims.append(_claim("lsst_latency_growth", growth, "x", TARGET_GROWTH))
        # Halves, as in pipeline.py: Java fills its heap, up to its limit, for some minutes.
        half = len(memory) // 2
        begin, end = np.median(memory[:half, 1:], axis=0), np.median(memory[half:, 1:], axis=0)
        for name, first, last in zip(("Java", "Python"), begin, end, strict=True):
            print(f"  memory of {name}: {first:.0f} MB in the first half, {last:.0f} MB in the "
                  "second")  # fmt: skip
        grown = end.sum() / begin.sum()
        claims.append(_claim("lsst_memory_growth", grown, "x", TARGET_MEMORY_GROWTH))
    return claims


def _quantiles(seconds: np.ndarray) -> str:
    half, most = np.quantile(seconds, [0.5, 0.99])
    return f"p50 {half:.1f} s, p99 {most:.1f} s, worst {seconds.max():.1f} s"


def _claim(name: str, value: float, unit: str, target: float) -> Claim:
    return Claim(name, value, unit, target, value <= target)


if __name__ == "__main__":
    main()
