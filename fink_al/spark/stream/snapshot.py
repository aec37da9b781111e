"""Snapshot of the folded ledger, so that a start reads only the records behind it.

The ledger's topic stays the only truth, and the snapshot is a cache of it: a file that names the
topic by its id and, by partition, the last record that it holds. A start reads the topic from that
very record on. If the record is not there, or the file is damaged, of another topic or another
version, the topic is read whole, record by record.

A snapshot has no names of parts, which would be most of it. They tell which parts that a crash has
left in the staging folder were published. It is written when all parts are archived, and the
archive knows the number of its last one. So the records behind the snapshot decide, unless the
archive is behind it, as after a loss of power, or a staged part has no number, as before version
0.2. Then the topic is read whole.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from collections.abc import Set
from typing import Any

from fink_al.archive.names import is_numbered
from fink_al.errors import ServiceError
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.reading import read
from fink_al.loop import Loop
from fink_al.spark.stream.ledger import Ledger

log = logging.getLogger(__name__)

#: Records after which a snapshot is written: reading as many takes a fraction of a second.
EVERY = 500

#: To be raised whenever records are added up in another way, such as by other bins of scores.
_FORM = 2
_PROGRESS_S = 10.0


class Snapshots:
    """Reader of the ledger's topic, and keeper of its snapshot.

    Parameters
    ----------
    loop : Loop
        Loop of one of the stream's targets. The ledger's topic exists.

    Raises
    ------
    ServiceError
        By the constructor and :meth:`read`, if the cluster does not answer.
    """

    def __init__(self, loop: Loop):
        settings = loop.settings
        self._kafka, self._topic = settings.sink, settings.ledger_topic
        self._stream = settings.stream_name
        self._folder, self._name = settings.ledger_dir, f"{self._stream}.json"
        self._staging, self._archive = loop.settings.staging_dir, loop.archive
        cluster = Cluster(self._kafka)
        # Asked before the topic is read: if it is recreated in between, the snapshot fits none.
        topic = cluster.topics(re.escape(self._topic)).get(self._topic)
        self._identity = {
            "form": _FORM,
            "cluster": cluster.identifier(),
            "topic_id": topic.identifier if topic else None,
        }

    def read(self, source: str) -> Ledger:
        """Return the ledger of the whole topic, for a source whose cluster has this id."""
        staged = {file.partition("/")[0] for file in self._staging.files()}
        ledger = self._behind_snapshot(source, staged) or self._whole(source, staged)
        # The archive may have taken more than a topic that was recreated says.
        ledger.next_number = max(ledger.next_number, self._archive.number() + 1)
        return ledger

    def keep(self, ledger: Ledger) -> None:
        """Write a snapshot of `ledger` if it is time. All its parts must be archived.

        What fails is a warning: the next start takes longer.
        """
        if ledger.n_new < EVERY or not ledger.last:
            return
        ledger.n_new = 0
        state = ledger.to_dict()
        content = self._identity | {"sha256": _checksum(state), "state": state}
        try:
            self._folder.write(self._name, json.dumps(content).encode())
        except ServiceError as error:
            log.warning("The ledger's snapshot was not written: %s", error)

    def _behind_snapshot(self, source: str, staged: Set[str]) -> Ledger | None:
        """The ledger from snapshot and later records; None if the snapshot does not serve."""
        try:
            ledger = Ledger.from_dict(source, self._state(), self._stream)
            if old := [name for name in staged if not is_numbered(name)]:
                raise _Unfit(f"the staged part {min(old)} is older")
            if (number := self._archive.number()) < ledger.next_number - 1:
                raise _Unfit(f"the archive ends at record {number}")
            self._add(ledger, staged)
        except FileNotFoundError:
            return None
        except _Unfit as error:
            reason = str(error)
        except (ValueError, TypeError, LookupError, AttributeError):
            reason = "it is damaged"
        else:
            return ledger
        log.warning("The ledger is read whole, as its snapshot %s is unfit: %s",
                    self._folder / self._name, reason)  # fmt: skip
        return None

    def _state(self) -> dict[str, Any]:
        """Content of the file, if it is of this topic."""
        try:
            content = json.loads(self._folder.read(self._name))
        except ServiceError as error:
            raise _Unfit(f"it cannot be read ({error})") from None
        if any(content[name] != value for name, value in self._identity.items()):
            raise _Unfit("it is of another topic or version")
        if content["sha256"] != _checksum(content["state"]):
            raise _Unfit("it is damaged")
        return content["state"]

    def _whole(self, source: str, staged: Set[str]) -> Ledger:
        ledger = Ledger(source, stream=self._stream)
        self._add(ledger, staged)
        return ledger

    def _add(self, ledger: Ledger, staged: Set[str]) -> None:
        """Add the records from the last one of `ledger` on, which must be where it was."""
        expected, starts = dict(ledger.last), {p: offset for p, (offset, _) in ledger.last.items()}
        said = time.monotonic()
        for message in read(self._kafka, self._topic, starts):
            record = json.loads(message.value() or b"null")
            partition, offset = message.partition() or 0, message.offset() or 0
            if partition in expected:
                if expected.pop(partition) != (offset, record["part"]):
                    raise _Unfit("the topic has another record in its place")
                continue
            ledger.add(record, (partition, offset))
            if record["part"] not in staged:
                ledger.forget(record["part"])
            if time.monotonic() - said > _PROGRESS_S:
                said = time.monotonic()
                log.info("Reading the ledger: %d records so far", ledger.n_new)
        if expected:
            raise _Unfit("the topic does not have its last record")


class _Unfit(Exception):
    """A snapshot cannot be used."""


def _checksum(state: Any) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()
