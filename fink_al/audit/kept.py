"""Files of proofs, one a night: what an audit has read stays known when the topics forget it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from fink_al.audit.archived import Candidate
from fink_al.audit.marks import Identity
from fink_al.audit.ranges import Range
from fink_al.audit.topics import Span
from fink_al.errors import ServiceError
from fink_al.storage.place import Place

log = logging.getLogger(__name__)

_NIGHT = "night-"


def write(folder: Place, night: int, proof: Mapping[str, Any]) -> None:
    """Write the file of a night, which replaces an earlier one.

    Raises
    ------
    ServiceError
        If it cannot be written.
    """
    folder.write(_name_of(night), json.dumps(proof).encode())


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
    def of_night(cls, folder: Place, night: int) -> Former:
        """Read the file of a night; one that cannot be read counts as none."""
        return cls(_read(folder, _name_of(night)))

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


def last_audit(folder: Place) -> tuple[int, int] | None:
    """Return night and number of faults of the latest night that has a proof in `folder`."""
    try:
        names = [name for name in folder.names() if name.startswith(_NIGHT)]
    except ServiceError:  # other figures are still served
        return None
    proof = _read(folder, names[-1]) if names else {}
    return (proof["night"], len(proof["faults"])) if proof else None


def _name_of(night: int) -> str:
    return f"{_NIGHT}{night}.json"


def _read(folder: Place, name: str) -> dict[str, Any]:
    try:
        proof: dict[str, Any] = json.loads(folder.read(name))
    except FileNotFoundError:
        return {}
    except (ServiceError, ValueError) as error:
        log.warning("%s cannot be read: %s", folder / name, error)
        return {}
    return proof
