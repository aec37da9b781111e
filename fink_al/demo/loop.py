"""The whole loop on this machine: broker, stream, telescope, labels, training, night by night."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import yaml

from fink_al.demo.baseline import RandomSelection
from fink_al.demo.embedded_kafka import EmbeddedKafka, die_with_parent
from fink_al.demo.oracle import Oracle
from fink_al.demo.stream_job import StreamJob
from fink_al.demo.surveys import SURVEYS
from fink_al.demo.telescope import Observed, Telescope, typed
from fink_al.errors import FinkAlError, SettingsError
from fink_al.evaluation.metrics import Metrics
from fink_al.evaluation.selections import Comparison, compare
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.publisher import produce
from fink_al.kafka.records import counts_of
from fink_al.loop import Loop
from fink_al.models.model import Model, read_manifest
from fink_al.settings import Settings, find_resource, load_settings
from fink_al.simulation.nights import Campaign, simulate
from fink_al.storage.local import alone

_BASELINE_SEEDS = 3
_STREAM_TIMEOUT_S = 300.0  # without a new batch: a loaded machine starts slowly
_MARKER = ".fink-al-demo"
#: The first list is as long as later ones: a night has few alerts.
FOLLOW_UP = {"bootstrap_fraction": 1.0}


class BrokenLink(FinkAlError):
    """A part of the loop failed to give what the next one needs."""


@dataclass(frozen=True)
class Plan:
    """The settings of a demo.

    Parameters
    ----------
    folder : path
        Receives all that the demo writes; emptied at the start.
    nights, alerts_per_night : int
        Number of simulated nights, and their mean number of alerts.
    spectra_per_night : int
        Number of spectra that the telescope takes a night.
    seed : int
        Seed of the simulation and of the spectra that show a type.
    survey : str
        One of :data:`fink_al.demo.surveys.SURVEYS`.
    packets : path, optional
        Folder of real packets, published before the first night.
    targets : tuple of str
        Targets of one stream; empty: that of the survey.
    """

    folder: Path
    nights: int
    alerts_per_night: int
    spectra_per_night: int
    seed: int
    survey: str = "ztf"
    packets: Path | None = None
    targets: tuple[str, ...] = ()


@dataclass
class Night:
    """The result of one night; the metrics are those of the champion after it."""

    night: int
    alerts: int
    scored: int
    candidates: int
    observed: int
    labels: int
    scored_by: str
    champion: str
    metrics: Metrics
    told: list[str] = field(default_factory=list)
    random: list[Metrics] = field(default_factory=list)


@dataclass
class Outcome:
    """The result of a demo.

    Parameters
    ----------
    nights : list of Night
        In order.
    settings : Settings
        Settings of archive, report and topics.
    config : path
        File with the same settings.
    real : dict of str to int
        Counts of the packets of a folder, by their fate.
    comparison : Comparison
        Comparison with random selection, after the last night.
    requests, faults : dict of str to int
        Requests by state, and faults that the telescope's server had.
    """

    nights: list[Night]
    settings: Settings
    config: Path
    real: dict[str, int]
    comparison: Comparison
    requests: dict[str, int]
    faults: dict[str, int]


class Demo:
    """One run of the loop: a context manager; broker and stream run inside the block.

    Parameters
    ----------
    plan : Plan
        Settings of the demo.
    say : callable
        Takes a line about each step.
    """

    def __init__(self, plan: Plan, say: Callable[[str], None]):
        self._plan = replace(plan, folder=plan.folder.resolve())
        self._say = say
        self._open = ExitStack()
        self._shown = SURVEYS[plan.survey]
        self._sent: Counter[str] = Counter()
        self._done: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def __enter__(self) -> Self:
        plan = self._plan
        try:
            self._open.enter_context(_claim(plan.folder))
            with link("simulation"):
                self._campaign: Campaign = self._sky()
            with link("broker"):
                self._say("starting Kafka")
                broker = self._open.enter_context(EmbeddedKafka(plan.folder / "kafka"))
            kafka = {"servers": broker.servers, "security_protocol": "PLAINTEXT"}
            self.config = plan.folder / "fink_al.yml"
            self._set_up(kafka)
            exposure = self.settings.target.follow_up.exposure
            self._oracle = Oracle(self._campaign.truth, exposure, plan.seed)
            self._telescope = self._open.enter_context(self._new_telescope())
            self._first_models()
            self._say("starting the stream: spark-submit bin/alert2candidate.py")
            ledger, log = self.settings.ledger_topic, plan.folder / "stream.log"
            job = StreamJob(self.settings.sink, ledger, self.config, log)
            self._stream = self._open.enter_context(job)
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        self._say("stopping stream and Kafka")
        self._open.close()

    def _sky(self) -> Campaign:
        plan = self._plan
        return simulate(plan.nights, plan.alerts_per_night, plan.seed, survey=plan.survey)

    def _set_up(self, kafka: dict[str, str]) -> None:
        # No setting may lead to an installation of the user.
        self.settings = load_settings(
            find_resource("conf/fink_al.yml"),
            environment={"FINK_AL_TARGET": self._shown.target},
            survey=self._shown.settings(self._plan.folder),
            **shared_settings(self._plan.folder, kafka),
            # The sky comes from the simulator: a model taught by it would know the answers.
            target={"model": {"estimator": "random_forest"}, "follow_up": FOLLOW_UP},
        )
        self.config.write_text(yaml.safe_dump(self.settings.model_dump(mode="json")), "utf-8")
        self._loop = Loop.open(self.settings)

    def _new_telescope(self) -> Telescope:
        plan = self._plan
        return Telescope(self._loop, self._oracle, plan.spectra_per_night, plan.seed)

    def _first_models(self) -> None:
        self._say("training the first model on the starting set")
        self._train()

    def run(self) -> Outcome:
        """Run all nights, then random selection on the same nights.

        Raises
        ------
        BrokenLink
            If a part of the loop failed; the message names it.
        """
        real = self._publish_folder(self._plan.packets) if self._plan.packets else {}
        nights: list[Night] = []
        for night in self._campaign.nights:
            nights.append(self._night(night, nights[-1].labels if nights else 0))
        with link("comparison with random selection"):
            theirs = []
            for seed in range(_BASELINE_SEEDS):
                self._say(f"random selection on the same nights, seed {seed + 1}")
                other = RandomSelection(self._loop, self._oracle, seed)
                for done in nights:
                    done.random.append(other.night(done.night, done.observed))
                theirs.append(other.p)
            ours = self._model(nights[-1].champion).predict(other.test.values)
            comparison = compare(other.test.positive, ours, theirs)
        return Outcome(
            nights, self.settings, self.config, real, comparison,
            self._telescope.states(), self._telescope.faults,
        )  # fmt: skip

    def _night(self, night: int, labels: int) -> Night:
        champion = self._loop.registry.champion() or "none"
        with link("broker"):
            topic = self._shown.topic.format(night=night)
            self._say(f"{night}: publishing packets to {topic}")
            sent = self._publish(topic, self._shown.packets(self._campaign, night))
        with link("stream"):
            self._say(f"{night}: scoring {sent} alerts")
            # Counts of this topic only: the archive may also hold packets of a folder.
            counts = self._wait_for(topic)
            alerts = self._campaign.alerts
            sent_ids = alerts["alert_id"][alerts["night"] == night]
            is_archived = sent_ids.isin(self._loop.archive.frame(night, ["alert_id"])["alert_id"])
            if not counts["alerts"] == is_archived.sum() == sent:
                raise BrokenLink(
                    f"{sent} alerts were sent, {counts['alerts']} scored or refused, "
                    f"{is_archived.sum()} are in the archive"
                )
        with link("telescope"):
            self._say(f"{night}: planning, sending requests, observing")
            candidates = self._telescope.receive(night)
            versions = {candidate["model_version"] or "none" for candidate in candidates}
            if versions - {champion}:
                raise BrokenLink(f"candidates carry model {versions}, the champion is {champion}")
            if len(candidates) != counts["candidates"]:
                raise BrokenLink(
                    f"the ledger has {counts['candidates']} candidates, "
                    f"the follow-up topic {len(candidates)}"
                )
            observed = self._telescope.observe(night) if candidates else Observed()
        self._say(f"{night}: training on {labels + typed(observed.labels)} labels")
        self._train()
        with link("registry"):
            version = self._loop.registry.champion()
            if version is None:
                raise BrokenLink("training registered no model")
            metrics = read_manifest(self._loop.registry.load(version))["metrics"]
        return Night(
            night=night,
            alerts=sent,
            scored=counts["scored"],
            candidates=len(candidates),
            observed=observed.spectra,
            labels=labels + typed(observed.labels),
            told=observed.told,
            scored_by=champion,
            champion=version,
            metrics=Metrics(**metrics),
        )

    def _publish(self, topic: str, values: Any) -> int:
        kafka = self.settings.source
        if not self._sent[topic]:
            Cluster(kafka).create_topic(topic)
        sent = produce(kafka, topic, values)
        self._sent[topic] += sent
        return sent

    def _wait_for(self, topic: str) -> Counter[str]:
        """Wait for the messages of `topic` sent since the last call, and return their counts."""
        sent = {topic: self._sent[topic]}
        total = Counter(self._sums(self._stream.wait_for(sent, _STREAM_TIMEOUT_S)))
        new = Counter({name: n - self._done[topic][name] for name, n in total.items()})
        self._done[topic] = total
        return new

    def _sums(self, records: list[dict[str, Any]]) -> dict[str, int]:
        """Sum the counts of some records of the ledger."""
        total, settings = Counter[str](), self.settings
        for record in records:
            total.update(counts_of(record, settings.target.name, settings.stream_name))
        return dict(total)

    def _publish_folder(self, folder: Path) -> dict[str, int]:
        files = sorted(file for file in folder.iterdir() if file.is_file())
        topic = "ztf_20180101_programid1"  # matches the stream's pattern, and is before any night
        with link("broker"):
            self._say(f"publishing the {len(files)} packets of {folder} to {topic}")
            self._publish(topic, (file.read_bytes() for file in files))
        with link("stream"):
            counts = self._wait_for(topic)
        with link("telescope"):
            self._telescope.pass_over()
        return dict(counts)

    def _model(self, version: str) -> Model:
        return Model.from_bytes(self._loop.registry.load(version), self._loop.features.hash)

    def _train(self, target: str | None = None, accepted: Collection[int] = (0,)) -> None:
        of_target = {} if target is None else {"FINK_AL_TARGET": target}
        with link("training"):
            script = find_resource("bin/label2model.py")
            done = subprocess.run(
                [sys.executable, str(script), "--config", str(self.config)],
                capture_output=True,
                text=True,
                check=False,
                env=os.environ | of_target,
                preexec_fn=die_with_parent,
            )
            with (self._plan.folder / "training.log").open("a", encoding="utf-8") as log:
                log.write(done.stdout + done.stderr)
            if done.returncode not in accepted:
                last = (done.stderr or done.stdout).strip().splitlines()[-1:]
                raise BrokenLink(f"exit code {done.returncode}: {''.join(last)}")


def shared_settings(folder: Path, kafka: dict[str, str]) -> dict[str, Any]:
    """Return the settings of a demo that no target has."""
    return {
        "work_dir": folder,
        "source": kafka,
        "sink": kafka,
        "stream": {"topics": None, "starting": "earliest", "trigger_seconds": 0.5},
        "registry": {"tracking_uri": None},
    }


@contextmanager
def link(name: str) -> Iterator[None]:
    """Name the part of the loop in which an error comes up."""
    try:
        yield
    except (FinkAlError, OSError) as error:
        raise BrokenLink(f"The loop is broken at the {name}: {error}") from error


@contextmanager
def _claim(folder: Path) -> Iterator[None]:
    """Remove an earlier demo from `folder`, and lock the folder until the block ends."""
    marker = folder / _MARKER
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()) and not marker.exists():
                raise SettingsError(
                    f"The folder {folder} is neither empty nor an earlier demo: name another "
                    "--folder."
                )
            busy = f"Another demo runs in {folder}: wait for its end or name another --folder."
            held.enter_context(alone(marker, SettingsError(busy)))
            for old in folder.iterdir():
                if old.is_dir() and not old.is_symlink():
                    shutil.rmtree(old)
                elif old != marker:  # the marker is the lock
                    old.unlink()
        except OSError as error:
            raise SettingsError(
                f"The demo cannot write its folder {folder} ({error.strerror}): name another "
                "--folder."
            ) from None
        yield
