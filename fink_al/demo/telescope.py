"""The telescope of the demo: reads the follow-up topic, takes spectra, hands in types."""

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
    """One spectrograph with a number of spectra a night.

    Parameters
    ----------
    loop : Loop
        Follow-up topic and label store.
    oracle : Oracle
        What a spectrum shows.
    spectra_per_night : int
        The budget.
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
        """Leave all candidates so far unobserved: they are real, and nothing here knows them."""
        self._new()

    def receive(self, night: int) -> list[dict[str, Any]]:
        """Candidates of `night` that arrived since the last call, most informative first."""
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
        """Spend the night's budget on the first of `candidates`; the labels, which are stored."""
        begin = datetime.strptime(str(night), "%Y%m%d").replace(tzinfo=UTC)
        labels = []
        for candidate in candidates[: self._budget]:
            name = candidate["object_id"]
            self._spectra[name] += 1
            found = self._oracle.observe(name, candidate["mag"], self._spectra[name])
            observed, received = (begin + after for after in self._after)
            labels.append(Label(name, found, "spectrum", observed, received, "demo"))
        self._loop.labels.store.add(labels)
        return labels


def typed(labels: list[Label]) -> int:
    """How many of `labels` tell a type."""
    return sum(label.type != UNCLASSIFIED for label in labels)
