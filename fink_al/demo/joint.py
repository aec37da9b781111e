"""The loop with several targets in one stream: supernovae, lenses and oddities in one sky."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from fink_al.demo.loop import FOLLOW_UP, BrokenLink, Demo, link, shared_settings
from fink_al.demo.telescope import JointTelescope, Observed
from fink_al.errors import SettingsError
from fink_al.followup.together import together
from fink_al.kafka.records import counts_of
from fink_al.loop import Loop
from fink_al.loops import Loops
from fink_al.requests.record import Record
from fink_al.settings import Settings, find_resource, load_settings
from fink_al.settings.taxonomy import UNCLASSIFIED
from fink_al.simulation.nights import Campaign, simulate
from fink_al.simulation.objects import default_mix
from fink_al.simulation.packets import packets
from fink_al.simulation.stars import joined, simulate_stars
from fink_al.training.drawn import read_drawn

#: Shares of rare classes in the sky: a short one would have none of a stream's.
_RARE = {"TDE": 0.03, "SLSN-I": 0.03}
#: Alerts of stars among all.
_STARS_SHARE = 0.25
#: Alerts that a star has a night, about.
_ALERTS_OF_STAR = 0.9
#: Longest time without a new batch [s]: a loaded machine starts slowly.
_TIMEOUT_S = 300.0
#: Exit code of a training that has too few labels.
_NO_MODEL = 3


@dataclass
class TargetResult:
    """Share of a target in the nights.

    Parameters
    ----------
    scored, candidates : int
        Alerts with a probability or a score, and published candidates.
    observed, typed, positive : int
        Spectra of objects to which its turns came, those of them that show a type, and the
        positives among these.
    listed, listed_positive : int
        Objects of its lists, and the positives among them by the simulation.
    with_odds : int
        Rows of its drawn objects: an object and list each.
    versions : list of str
        Versions that scored each night, then the last one; "none" without a model.
    """

    scored: int = 0
    candidates: int = 0
    observed: int = 0
    typed: int = 0
    positive: int = 0
    listed: int = 0
    listed_positive: int = 0
    with_odds: int = 0
    versions: list[str] = field(default_factory=list)


@dataclass
class JointOutcome:
    """The result of a demo of several targets.

    Parameters
    ----------
    targets : dict of str to TargetResult
        By target.
    nights, alerts, spectra, labels, shared : int
        Numbers of nights, alerts, spectra, types that came in, and spectra that several targets
        asked for.
    listed : pandas.DataFrame
        The joint list of the last night.
    requests : list of Record
        Requests of the last night, of all targets.
    states, faults : dict of str to int
        Requests by state, and faults that the telescope's server had.
    settings : Settings
        Settings of one of the targets.
    config : path
        Settings file.
    """

    targets: dict[str, TargetResult]
    nights: int
    alerts: int
    spectra: int
    labels: int
    shared: int
    listed: pd.DataFrame
    requests: list[Record]
    states: dict[str, int]
    faults: dict[str, int]
    settings: Settings
    config: Path


class JointDemo(Demo):
    """One run of the loop with several targets; a context manager as :class:`Demo`."""

    _telescope: JointTelescope

    def _sky(self) -> Campaign:
        return sky(self._plan.nights, self._plan.alerts_per_night, self._plan.seed)

    def _set_up(self, kafka: dict[str, str]) -> None:
        shared = shared_settings(self._plan.folder, kafka)
        for name in self._plan.targets:
            _write_target(self._plan.folder / "targets", name, shared)
        values = shared | {"work_dir": str(self._plan.folder), "targets": [*self._plan.targets]}
        self.config.write_text(yaml.safe_dump(values), "utf-8")
        loops = Loops.open(self.config, environment={})
        if loops.left_out:
            raise SettingsError(" ".join(loops.left_out.values()))
        self._loops = {loop.target.name: loop for loop in loops.running}
        self._loop = loops.running[0]
        self.settings = self._loop.settings
        self._results = {name: TargetResult() for name in self._loops}

    def _new_telescope(self) -> JointTelescope:
        plan, loops = self._plan, list(self._loops.values())
        spectra = plan.spectra_per_night * len(loops)
        return JointTelescope(loops, self._oracle, spectra, plan.seed)

    def _first_models(self) -> None:
        for name, loop in self._loops.items():
            if loop.settings.starting_set is not None:
                self._say(f"training the first model of {name} on its starting set")
                self._train(name, (0, _NO_MODEL))

    def run_joint(self) -> JointOutcome:
        """Run all nights.

        Raises
        ------
        BrokenLink
            If a part of the loop failed; the message names it.
        """
        observed = [self._joint_night(night) for night in self._campaign.nights]
        with link("summary"):
            for name, result in self._results.items():
                result.versions.append(self._version(name))
                result.with_odds = len(read_drawn(self._loops[name].archive))
            return self._outcome(observed)

    def _joint_night(self, night: int) -> Observed:
        before = {name: self._version(name) for name in self._loops}
        with link("broker"):
            topic = self._shown.topic.format(night=night)
            self._say(f"{night}: publishing packets to {topic}")
            sent = self._publish(topic, packets(self._campaign, night, forced=True))
        with link("stream"):
            self._say(f"{night}: scoring {sent} alerts for {len(self._loops)} targets")
            counts = self._counts(topic)
        with link("telescope"):
            self._say(f"{night}: planning, sending requests, observing")
            received = self._received(night)
            for name, result in self._results.items():
                if received[name] != counts[name]["candidates"]:
                    raise BrokenLink(
                        f"the ledger has {counts[name]['candidates']} candidates of {name}, its "
                        f"topic {received[name]}"
                    )
                result.scored += counts[name]["scored"]
                result.candidates += received[name]
                result.versions.append(before[name])
            observed = self._telescope.observe(night) if sum(received.values()) else Observed()
        for name in self._loops:
            self._say(f"{night}: training {name}")
            self._train(name, (0, _NO_MODEL))
        return observed

    def _version(self, name: str) -> str:
        return self._loops[name].registry.champion() or "none"

    def _received(self, night: int) -> Counter[str]:
        return Counter(record["target"] for record in self._telescope.receive(night))

    def _counts(self, topic: str) -> dict[str, Counter[str]]:
        """Wait for the messages of `topic`, and return their counts by target."""
        records = self._stream.wait_for({topic: self._sent[topic]}, _TIMEOUT_S)
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for record in records:
            for name in self._loops:
                counts[name].update(counts_of(record, name, self.settings.stream_name))
        return counts

    def _outcome(self, observed: list[Observed]) -> JointOutcome:
        records = list(self._loop.requests.current().values())
        types = self._campaign.truth.set_index("object_id")["type"]
        for name, loop in self._loops.items():
            result, own = self._results[name], [r for r in records if r.target == name]
            # An object may be in several lists.
            listed = sorted({record.object_id for record in own})
            result.listed = len(listed)
            result.listed_positive = _positives(loop, types.loc[listed])
            seen = [r for r in own if r.observed is not None]
            result.observed = len(seen)
            told = pd.Series(
                [r.type for r in seen if r.type not in (None, UNCLASSIFIED)], dtype=object
            )
            result.typed, result.positive = len(told), _positives(loop, told)
        nights = self._campaign.nights
        together_of = Counter(r.asked_with for r in records if r.observed and r.asked_with)
        _, listed_last = together(
            list(self._loops.values()), nights[-1], self.settings.shares
        )  # fmt: skip
        return JointOutcome(
            self._results, len(nights), len(self._campaign.alerts),
            sum(one.spectra for one in observed),
            sum(label.type != UNCLASSIFIED for one in observed for label in one.labels),
            len(together_of), listed_last, [r for r in records if r.list == nights[-1]],
            self._telescope.states(), self._telescope.faults, self.settings, self.config,
        )  # fmt: skip


def sky(nights: int, alerts_per_night: int, seed: int) -> Campaign:
    """Return nights with supernovae, rare classes, artefacts and lensed and other stars.

    Parameters
    ----------
    nights, alerts_per_night, seed
        As for :func:`fink_al.simulation.nights.simulate`; a quarter of the alerts are of stars.
    """
    others = round(alerts_per_night * (1 - _STARS_SHARE))
    stars = round(alerts_per_night * _STARS_SHARE / _ALERTS_OF_STAR)
    return joined(
        simulate(nights, others, seed, mix=default_mix() | _RARE),
        simulate_stars(nights, stars, seed),
    )


def _write_target(folder: Path, name: str, shared: dict[str, Any]) -> None:
    """Write a whole file of a target, as the demo runs it, without an installation's settings."""
    load = partial(
        load_settings, find_resource("conf/fink_al.yml"), environment={"FINK_AL_TARGET": name},
        **shared,
    )  # fmt: skip
    found = load(target={"follow_up": FOLLOW_UP})
    if found.survey.name != "ztf":
        raise SettingsError(f"--targets are of ZTF; {name} is of {found.survey.name}.")
    if found.target.model.is_taught:
        # The sky comes from the simulator: a model taught by it would know the answers.
        found = load(target={"follow_up": FOLLOW_UP, "model": {"estimator": "random_forest"}})
    values = found.target.model_dump(mode="json")
    for key in ("starting_set", "test_set"):
        file = getattr(found, key)
        values[key] = None if file is None else str(file)
    folder.mkdir(exist_ok=True)
    text = yaml.safe_dump(values | {"teaching_set": None})
    (folder / f"{name}.yml").write_text(text, "utf-8")


def _positives(loop: Loop, types: pd.Series) -> int:
    classes = loop.taxonomy.classify(types.fillna(UNCLASSIFIED).tolist(), loop.target)
    return int(np.sum([one is True for one in classes]))
