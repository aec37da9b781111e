"""Files of proofs, one a night: what an audit has read stays known when the topics forget it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fink_al.audit.archived import Candidate
from fink_al.audit.marks import Identity
from fink_al.audit.ranges import Range
from fink_al.audit.topics import Span
from fink_al.errors import ServiceError
from fink_al.storage.local import whole

log = logging.getLogger(__name__)


def write(folder: Path, night: int, proof: Mapping[str, Any]) -> None:
    """Write the file of a night, which replaces an earlier one.

    Raises
    ------
    ServiceError
        If it cannot be written.
    """
    file = _file(folder, night)
    try:
        with whole(file) as partial:
            partial.write_text(json.dumps(proof), "utf-8")
    except OSError as error:
        raise ServiceError(f"Cannot write {file}: {error.strerror}.") from None


class Former:
    """The former proof of a night, if any.

    Parameters
    ----------
    proof : mapping
        As it was written; empty without one.
    """

    def __init__(self, proof: Mapping[str, Any]):
        self._proof = proof

    @classmethod
    def of_night(cls, folder: Path, night: int) -> Former:
        """Read the file of a night; one that cannot be read counts as none."""
        return cls(_read(_file(folder, night)))

    @property
    def made(self) -> str:
        """Time of that audit, UTC."""
        return str(self._proof["made"])

    def is_complete(self, span: Span, name: str, ledger: Mapping[str, Any]) -> bool:
        """Return whether `span` and what was read then are all of `name`.

        Parameters
        ----------
        span : Span
            What the topic has now.
        name : str
            ``candidates`` or ``dead_letters``.
        ledger : mapping
            Marks of the night now.
        """
        if not self._proof:
            return span.is_complete
        then = self._proof[name]
        if self._proof["ledger"] == ledger and then["compared"]:
            return True
        return bool(span.is_complete and span.topic_id == then["read"]["topic_id"])

    def candidates(self, topic_id: str | None) -> list[tuple[Candidate, Range | None]]:
        """Candidates that were read, and where they are in the topic if it is still the same."""
        if not self._proof:
            return []
        read = self._proof["candidates"]
        is_same = read["read"]["topic_id"] == topic_id
        return [
            (Candidate(*row[:6]), (row[6], row[7]) if is_same else None) for row in read["in_topic"]
        ]

    def ranges(self, name: str) -> dict[Identity, list[Range]]:
        """Offsets that were ``dead_ranges`` or ``empty_ranges``, by partition."""
        return {
            (row["cluster"], row["topic_id"], row["partition"]): [(a, b) for a, b in row[name]]
            for topic in self._proof.get("topics", ())
            for row in topic["partitions"]
        }


def last_audit(folder: Path) -> tuple[int, int] | None:
    """Return night and number of faults of the latest night that has a proof in `folder`."""
    files = sorted(folder.glob("night-*.json"))
    proof = _read(files[-1]) if files else {}
    return (proof["night"], len(proof["faults"])) if proof else None


def _file(folder: Path, night: int) -> Path:
    return folder / f"night-{night}.json"


def _read(file: Path) -> dict[str, Any]:
    try:
        proof: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read: %s", file, error)
        return {}
    return proof
