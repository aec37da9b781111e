"""The telescope of the demo: takes a night's list from the top, and reports types."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from fink_al.demo.oracle import Oracle
from fink_al.demo.surveys import SURVEYS
from fink_al.followup.subscriber import read_candidates
from fink_al.followup.tonight import candidates as tonight
from fink_al.labels.label import Label
from fink_al.loop import Loop
from fink_al.settings.taxonomy import UNCLASSIFIED


class Telescope:
    """One spectrograph that takes a fixed number of spectra a night.

    Parameters
    ----------
    loop : Loop
        Provides follow-up topic, archive and label store.
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
        """Return candidates of `night` that arrived since the last call, in any order."""
        return [record for record in self._new() if record["night"] == night]

    def _new(self) -> list[dict[str, Any]]:
        received = []
        topic, kafka = self._loop.target.candidates_topic, self._loop.settings.sink
        for partition, offset, record in read_candidates(kafka, topic, self._next):
            self._next[partition] = offset + 1
            received.append(record)
        return received

    def observe(self, night: int, candidates: list[dict[str, Any]]) -> list[Label]:
        """Spend the night's budget from the top of its list; store and return the labels.

        Parameters
        ----------
        night : int
            YYYYMMDD; also the date of the list.
        candidates : list of dict
            Messages of the topic. The list ranks their objects by their last alerts, which the
            topic need not have.
        """
        if not candidates:
            return []
        begin = datetime.strptime(str(night), "%Y%m%d").replace(tzinfo=UTC)
        observed, received = (begin + after for after in self._after)
        rows = tonight(self._loop, night)[1]
        rows = rows[rows["object_id"].isin([record["object_id"] for record in candidates])]
        labels = []
        for row in rows.head(self._budget).to_dict("records"):
            name, day = row["object_id"], row["list"]
            self._spectra[name] += 1
            kind = self._oracle.observe(name, row["mag"], self._spectra[name])
            day = None if pd.isna(day) else int(day)
            labels.append(Label(name, kind, "spectrum", observed, received, "demo", list=day))
        self._loop.labels.store.add(labels)
        return labels


def typed(labels: list[Label]) -> int:
    """Count the `labels` that have a type."""
    return sum(label.type != UNCLASSIFIED for label in labels)
