"""The telescope of the demo: reads the follow-up topic, takes spectra, reports types."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from fink_al.demo.oracle import Oracle
from fink_al.demo.surveys import SURVEYS
from fink_al.followup.subscriber import read_candidates
from fink_al.labels.label import Label
from fink_al.loop import Loop
from fink_al.settings.taxonomy import UNCLASSIFIED


class Telescope:
    """One spectrograph that takes a fixed number of spectra a night.

    Parameters
    ----------
    loop : Loop
        Provides follow-up topic and label store.
    oracle : Oracle
        Gives the type that a spectrum shows.
    spectra_per_night : int
        Number of spectra a night.
    """

    def __init__(self, loop: Loop, oracle: Oracle, spectra_per_night: int):
        self._loop = loop
        self._oracle = oracle
        self._budget = spectra_per_night
        shown = SURVEYS[loop.survey.name]
        self._after = shown.observed, shown.received
        self._next: dict[int, int] = {}
        self._spectra: Counter[str] = Counter()

    def pass_over(self) -> None:
        """Skip all candidates so far: the oracle does not have the types of real objects."""
        self._new()

    def receive(self, night: int) -> list[dict[str, Any]]:
        """Return candidates of `night` that arrived since the last call, most informative first."""
        received = [record for record in self._new() if record["night"] == night]
        return sorted(received, key=lambda r: (-r["informativeness"], r["alert_id"]))

    def _new(self) -> list[dict[str, Any]]:
        received = []
        topic, kafka = self._loop.target.candidates_topic, self._loop.settings.sink
        for partition, offset, record in read_candidates(kafka, topic, self._next):
            self._next[partition] = offset + 1
            received.append(record)
        return received

    def observe(self, night: int, candidates: list[dict[str, Any]]) -> list[Label]:
        """Spend the night's budget on the first of `candidates`; store and return their labels."""
        begin = datetime.strptime(str(night), "%Y%m%d").replace(tzinfo=UTC)
        labels = []
        for candidate in candidates[: self._budget]:
            name = candidate["object_id"]
            self._spectra[name] += 1
            kind = self._oracle.observe(name, candidate["mag"], self._spectra[name])
            observed, received = (begin + after for after in self._after)
            labels.append(Label(name, kind, "spectrum", observed, received, "demo"))
        self._loop.labels.store.add(labels)
        return labels


def typed(labels: list[Label]) -> int:
    """Count the `labels` that have a type."""
    return sum(label.type != UNCLASSIFIED for label in labels)
