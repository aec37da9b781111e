"""Whether anything is lost or published twice when processes of a running stream are killed.

A real broker gets alerts all the time, some of them twice, at another offset. The stream runs as a
process of its own and merges the archive's files after each micro-batch. SIGKILL comes at random
moments, also while the stream starts:

    driver       Python's process alone; the stream starts again at once, beside what is left
    java         the Java process alone
    both         driver and Java process
    worker       one of the Python workers that compute features
    broker       restarted on the same data up to three seconds later
    merging      driver and Java process, while a thread of the driver merges files of the archive
    publishing   the same, between the begin of a transaction and the end of archiving

At the end the stream catches up and stops in order. Then every offset of the alert topics is
archived once, every candidate published once, and ``fink-al audit`` adds up for each night.

    python tests/chaos/chaos.py [--kills 30] [--minutes 60] [--seed 1] [--folder EMPTY]
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import yaml
from chaos_stream import MARKS, Stream, kill

from fink_al.demo.embedded_kafka import EmbeddedKafka
from fink_al.errors import ServiceError
from fink_al.followup.subscriber import read_candidates
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.offsets import ends
from fink_al.kafka.publisher import produce
from fink_al.kafka.reading import read_ledger
from fink_al.loop import Loop
from fink_al.settings import Kafka, Settings, load_settings
from fink_al.simulation.nights import simulate
from fink_al.simulation.packets import packets, replicate

#: Kinds in the order of the first round; later rounds are shuffled.
KINDS = ("merging", "broker", "worker", "publishing", "both", "driver", "java")

#: Share of the kills after a start that do not wait for its first micro-batch.
_EARLY = 0.4
#: Longest random wait before a kill [s]: after a start, and after its first micro-batch.
_EARLY_S, _LATER_S = 12.0, 4.0
#: Longest random wait after a mark appeared, of what takes a part of a second [s].
_MARKED_S = {"merging": 0.02, "publishing": 0.4}
#: Longest time without what is waited for, on a machine that has other work [s].
_PATIENCE_S = 400.0
#: Share of the alerts that come again later.
_AGAIN = 0.05
#: Alerts that are sent first, those that are sent at a time, seconds between, and the most in all.
_FIRST, _CHUNK, _PAUSE_S, _MOST = 400, 10, 1.0, 40_000
#: Alerts that wait for the stream at most: it must catch up in the end, on a busy machine, too.
_AHEAD = 600


def main() -> None:
    """Kill, check, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="after which no more are killed"
    )
    parser.add_argument("--seed", type=int, default=1, help="of kinds and moments")
    parser.add_argument("--folder", type=Path, help="is kept; default: a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fink-al-chaos-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        faults = Chaos(folder.resolve(), options.seed).run(options.kills, options.minutes * 60)
    for fault in faults:
        print(f"FAULT: {fault}")
    print("Nothing is lost and nothing is twice." if not faults else f"{len(faults)} faults")
    sys.exit(1 if faults else 0)


@dataclass
class Tally:
    """Kills of one kind."""

    kills: int = 0
    #: While the stream was starting, before its first micro-batch.
    early: int = 0
    #: After which the stream went on by itself.
    survived: int = 0


def some_again(
    alerts: Iterable[tuple[int, bytes]], generator: random.Random
) -> Iterator[tuple[int, bytes]]:
    """Yield `alerts`, and at times one of the last hundreds again."""
    last = deque[tuple[int, bytes]](maxlen=500)
    for alert in alerts:
        yield alert
        last.append(alert)
        if generator.random() < _AGAIN:
            yield generator.choice(last)


@dataclass
class Feeder(threading.Thread):
    """Sends alerts of two nights until it is told to stop, as the stream keeps up with it."""

    kafka: Kafka
    ledger: str
    topics: list[str]
    chunks: Iterator[list[tuple[int, bytes]]]
    sent: int = 0
    again: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        """Send chunk by chunk; one of which it is not known whether it arrived is sent again."""
        for chunk in self.chunks:
            while self._ahead() > _AHEAD and not self.ended.wait(_PAUSE_S):
                pass
            for number, topic in enumerate(self.topics):
                values = [value for of, value in chunk if of == number]
                while values and not self.ended.is_set():
                    try:
                        self.sent += produce(self.kafka, topic, values)
                        break
                    except ServiceError:
                        self.again += len(values)
            if self.ended.wait(_PAUSE_S):
                return

    def _ahead(self) -> int:
        """Return the number of alerts that wait; too many if the broker is away."""
        try:
            records = list(read_ledger(self.kafka, self.ledger))
        except ServiceError:
            return _AHEAD + 1
        rows = (row for record in records for row in record["offsets"])
        return self.sent - sum(row["until"] - row["first"] for row in rows)


class Chaos:
    """One run in an empty folder.

    Parameters
    ----------
    folder : Path
        Gets the data of the broker and the working folder of the stream.
    seed : int
        Of kinds and moments.
    """

    def __init__(self, folder: Path, seed: int):
        self._folder, self._random, self._seed = folder, random.Random(seed), seed
        self._begin = time.monotonic()
        self._tallies = {kind: Tally() for kind in KINDS}
        self._starts = 0

    def run(self, kills: int, seconds: float) -> list[str]:
        """Kill so often, unless time is up, catch up, and return what is wrong."""
        self._say(f"seed {self._seed}, {kills} kills; Kafka starts")
        with EmbeddedKafka(self._folder / "kafka") as self._broker:
            self._loop = Loop.open(self._write_settings())
            self._stream = Stream(self._folder / "fink_al.yml", self._folder)
            feeder = self._feed()
            try:
                self._start()
                for number, kind in enumerate(self._kinds(kills), 1):
                    if time.monotonic() - self._begin > seconds:
                        self._say("no time for more kills")
                        break
                    self._kill(kind, f"kill {number} of {kills}")
                feeder.ended.set()
                feeder.join()
                self._catch_up()
            finally:
                feeder.ended.set()
                left = self._stream.close()
            faults = [f"{left} processes of killed streams did not end"] if left else []
            return faults + self._check(feeder)

    def _write_settings(self) -> Settings:
        kafka = {"servers": self._broker.servers, "security_protocol": "PLAINTEXT"}
        settings = load_settings(
            work_dir=self._folder / "work",
            source=kafka,
            sink=kafka,
            starting_set=None,
            test_set=None,
            # Many small micro-batches: more moments at which a kill may come.
            stream={"trigger_seconds": 0, "max_offsets_per_trigger": 200},
            # Without a model, all within the cuts are candidates, and no draw hides any.
            target={
                "model": {"estimator": "random_forest"},
                "follow_up": {"bootstrap_fraction": 1.0, "max_per_night": 1_000_000},
            },
        )
        text = yaml.safe_dump(settings.model_dump(mode="json"))
        (self._folder / "fink_al.yml").write_text(text, "utf-8")
        return settings

    def _feed(self) -> Feeder:
        kafka, sky = self._loop.settings.source, simulate(2, 250, seed=3)
        self._nights = sky.nights
        self._topics = [f"ztf_{night}_programid1" for night in self._nights]
        for topic in self._topics:
            Cluster(kafka).create_topic(topic, partitions=2)
        by_night = [(n, p) for n, night in enumerate(self._nights) for p in packets(sky, night)]
        self._random.shuffle(by_night)
        copies = replicate([packet for _, packet in by_night], _MOST)
        new = ((by_night[i % len(by_night)][0], packet) for i, packet in enumerate(copies))
        chunk = some_again(new, random.Random(self._seed))
        later = iter(lambda: list(islice(chunk, _CHUNK)), [])
        ledger = self._loop.settings.ledger_topic
        feeder = Feeder(kafka, ledger, self._topics, chain([list(islice(chunk, _FIRST))], later))
        feeder.start()
        return feeder

    def _kinds(self, kills: int) -> Iterator[str]:
        kinds = list(KINDS)
        while kills > 0:
            yield from kinds[:kills]
            kills -= len(kinds)
            self._random.shuffle(kinds)

    def _kill(self, kind: str, name: str) -> None:
        """Kill one of `kind` at a random moment; if it was not there any more, at another one."""
        while True:
            if not self._stream.is_running:
                self._start()
            moment = self._wait_for_moment(kind)
            is_early = self._stream.batches == 0
            if self._kill_now(kind):
                break
            if kind in MARKS:  # the processes were killed, if not at the mark
                self._tallies["both"].kills += 1
            self._say(f"{name}: {kind} had just ended, {moment}")
        tally = self._tallies[kind]
        tally.kills += 1
        tally.early += is_early
        self._settle()
        if self._stream.is_running:
            tally.survived += 1
            moment += "; the stream goes on"
        self._say(f"{name}: {kind}, {moment}")

    def _wait_for_moment(self, kind: str) -> str:
        """Wait for a random moment; return which it is."""
        if kind in MARKS:
            self._until(lambda: self._stream.is_at(kind), f"it is {kind}", 0.001)
            wait = self._random.uniform(0, _MARKED_S[kind])
            time.sleep(wait)
            return f"{wait * 1e3:.0f} ms after it began"
        is_early = kind != "worker" and self._random.random() < _EARLY
        if is_early and self._stream.batches == 0:
            wait = self._random.uniform(0, _EARLY_S)
            time.sleep(wait)
            return f"{wait:.2f} s after the start"
        self._until(lambda: self._stream.batches > 0, "its first micro-batch ends")
        wait = self._random.uniform(0, _LATER_S)
        time.sleep(wait)
        if kind == "worker":
            self._until(lambda: bool(self._stream.parts()["worker"]), "it has workers", 0.01)
        return f"{wait:.2f} s after a micro-batch, the start's {self._stream.batches}."

    def _kill_now(self, kind: str) -> bool:
        """Kill one of `kind`; return False if there was none."""
        if kind == "broker":
            self._broker.kill()
            time.sleep(self._random.uniform(0, 3))
            self._broker.start()
            return True
        parts = self._stream.parts()
        if kind == "worker":
            return bool(parts["worker"]) and kill([self._random.choice(parts["worker"])]) > 0
        if kind == "java":
            return kill(parts["java"]) > 0
        n_driver = kill(parts["driver"])
        if kind != "driver":
            kill(parts["java"])
        self._stream.wait(_PATIENCE_S)  # for the system, which ends it
        return n_driver > 0 and (kind not in MARKS or self._stream.is_at(kind))

    def _settle(self) -> None:
        """Wait until the stream has ended or has done a further micro-batch."""
        before = self._stream.batches
        self._until(
            lambda: not self._stream.is_running or self._stream.batches > before,
            "the stream ends or goes on",
            keep=False,
        )

    def _start(self, *options: str, **variables: str) -> None:
        self._starts += 1
        self._stream.start(*options, **variables)

    def _until(
        self, condition: Callable[[], bool], what: str, pause_s: float = 0.1, keep: bool = True
    ) -> None:
        """Wait until `condition` holds; with `keep`, the stream is started again when it ends."""
        deadline = time.monotonic() + _PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                raise SystemExit(f"Waited in vain until {what}:\n{self._stream.last_lines()}")
            if keep and not self._stream.is_running:
                self._start()
            time.sleep(pause_s)

    def _catch_up(self) -> None:
        """Let the stream do all that is there and end by itself."""
        self._say("catching up")
        if self._stream.is_running:
            self._stream.stop(_PATIENCE_S)
        # Nothing is killed any more: few large micro-batches are faster.
        self._start("--available-now", FINK_AL_STREAM__MAX_OFFSETS_PER_TRIGGER="5000")
        while self._stream.is_running:
            self._settle()
        if code := self._stream.wait(_PATIENCE_S):
            raise SystemExit(f"The last run ended with {code}:\n{self._stream.last_lines()}")

    def _check(self, feeder: Feeder) -> list[str]:
        """Compare topics, archive and ledger; print what there is, and return what is wrong."""
        loop, settings = self._loop, self._loop.settings
        topics = Cluster(settings.source).topics(settings.topics)
        expected = {
            (topic, partition, offset)
            for (topic, partition), end in ends(settings.source, topics).items()
            for offset in range(end)
        }
        columns = ["topic", "partition", "offset", "list", "object_id", "is_candidate"]
        archived, candidates = Counter[tuple](), Counter[tuple]()
        for night in loop.archive.nights():
            for *at, list_, object_id, is_candidate in zip(
                *loop.archive.read(night, columns).to_pydict().values(), strict=True
            ):
                archived[tuple(at)] += 1
                candidates[list_, object_id] += is_candidate
        candidates = +candidates
        published = Counter(
            (record["list"], record["object_id"])
            for _, _, record in read_candidates(settings.sink, loop.target.candidates_topic)
        )
        faults = [
            f"{number} {what}"
            for what, number in {
                "alerts are lost": len(expected - archived.keys()),
                "archived alerts were never sent": len(archived.keys() - expected),
                "alerts are archived more than once": sum(n > 1 for n in archived.values()),
                "objects are published more than once": sum(n > 1 for n in published.values()),
                "archived candidates are not published": len(candidates.keys() - published.keys()),
                "published candidates are not archived": len(published.keys() - candidates.keys()),
                "alerts were sent and are in no topic": max(0, feeder.sent - len(expected)),
                "candidates: too few to show anything": len(published) * (len(published) < 50),
            }.items()
            if number
        ]
        staged = {file.partition("/")[0] for file in settings.staging_dir.files()}
        records = 0
        for record in read_ledger(settings.sink, loop.settings.ledger_topic):
            records += 1
            if record["part"] in staged:
                faults.append(f"Part {record['part']} is published and left in the staging folder")
        self._show(len(expected), feeder, len(published), records)
        return faults + [fault for night in self._nights if (fault := self._audit(night))]

    def _audit(self, night: int) -> str | None:
        command = [sys.executable, "-m", "fink_al.cli.main", "audit", "--night", str(night)]
        done = subprocess.run(
            [*command, "--config", self._folder / "fink_al.yml"],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
        )
        print(done.stdout, end="", flush=True)
        return None if done.returncode == 0 else f"audit of {night}: {done.stderr or 'exit 1'}"

    def _show(self, alerts: int, feeder: Feeder, candidates: int, records: int) -> None:
        print(f"\n{'killed':<10} {'kills':>5} {'while it started':>17} {'stream went on':>15}")
        rows = [*self._tallies.items()]
        tallies = self._tallies.values()
        total = (sum(getattr(t, n) for t in tallies) for n in ("kills", "early", "survived"))
        for kind, each in [*rows, ("all", Tally(*total))]:
            print(f"{kind:<10} {each.kills:>5} {each.early:>17} {each.survived:>15}")
        print(
            f"{alerts} alerts in {len(self._topics)} topics "
            f"({feeder.again} more were perhaps sent while the broker was away), "
            f"{records} micro-batches, {candidates} candidates, {self._starts} starts, "
            f"{self._stream.recovered} parts that a start archived, "
            f"{time.monotonic() - self._begin:.0f} s\n"
        )

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._begin:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    main()
