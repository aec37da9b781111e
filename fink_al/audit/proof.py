"""The proof of a night: read, accounted for, and kept where topics that expire cannot take it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from fink_al.archive.names import is_numbered
from fink_al.audit.account import Answer, Letters, Tally, recall, settle, tally
from fink_al.audit.archived import COLUMNS, Archived, Candidate
from fink_al.audit.candidates import compare
from fink_al.audit.faults import faults_of
from fink_al.audit.kept import Former, write
from fink_al.audit.marks import Identity, Marks, NoRecord, read_marks
from fink_al.audit.numbers import numbers_of
from fink_al.audit.ranges import Range, as_array
from fink_al.audit.topics import Scope, Span, ask, dead_letters, published
from fink_al.errors import FinkAlError, ServiceError
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.reading import read_ledger
from fink_al.kafka.records import counts_of
from fink_al.loop import Loop

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Proof:
    """Accounts of one night; ``docs/messages.md`` explains every field.

    Parameters
    ----------
    target : str
        Name of the target.
    night : int
        YYYYMMDD.
    made : str
        Time of the audit, UTC.
    faults : list of str
        What does not add up, a sentence each.
    notes : list of str
        What could not be compared, and what the ledger counts as lost.
    ledger : dict
        The marks: first and last record, and their number.
    topics : list of dict
        Numbers of each topic and of its partitions.
    repeated_alerts : int
        Alerts that came at more than one offset.
    candidates, dead_letters : dict
        Comparison of archive, ledger and topics, and what was read there.
    """

    target: str
    night: int
    made: str
    faults: list[str]
    notes: list[str]
    ledger: dict[str, Any]
    topics: list[dict[str, Any]]
    repeated_alerts: int
    candidates: dict[str, Any]
    dead_letters: dict[str, Any]

    @property
    def adds_up(self) -> bool:
        """True if nothing is missing, surplus or repeated."""
        return not self.faults

    @property
    def missing(self) -> int:
        """Number of missing offsets and candidates."""
        return sum(topic["missing"] for topic in self.topics) + len(self.candidates["missing"])

    def to_dict(self) -> dict[str, Any]:
        """All fields, for JSON."""
        return {"adds_up": self.adds_up, "missing": self.missing, **asdict(self)}

    def summary(self) -> dict[str, Any]:
        """Night, whether it adds up, and the number of what is missing."""
        return {"night": self.night, "adds_up": self.adds_up, "missing": self.missing}


def audit(loop: Loop, night: int | None = None) -> Proof:
    """Account for all offsets of a night and for its candidates, and keep the proof.

    Parameters
    ----------
    loop : Loop
        The target's loop.
    night : int, optional
        YYYYMMDD; default: the last one of the ledger.

    Raises
    ------
    ServiceError
        If the sink's cluster does not answer, or the proof cannot be written.
    FinkAlError
        If the ledger has no record of the night.
    """
    proof = prove(loop, night)
    write(loop.settings.audit_dir, proof.night, proof.to_dict())
    return proof


def prove(loop: Loop, night: int | None = None, also: Collection[str] = ()) -> Proof:
    """The same as :func:`audit` without keeping it, with the records of the parts `also`, too."""
    settings, target = loop.settings, loop.target
    sink = settings.sink
    try:
        Cluster(sink).identifier()  # a wrong address is said soon
        records = read_ledger(sink, settings.ledger_topic)
        counts = partial(counts_of, target=target.name, stream=settings.stream_name)
        marks = read_marks(records, settings.topics, loop.survey, night, also, counts)
        spans = (
            Span.of_night(sink, target.candidates_topic, marks),
            Span.of_night(sink, settings.dead_letter_topic, marks),
        )
        sent = list(published(sink, spans[0]))
        scope = Scope(marks)
        letters = Letters(at for at in dead_letters(sink, spans[1]) if scope.holds(*at))
    except ServiceError as error:
        raise ServiceError(f"{error} Check sink.servers, and start the audit again.") from error
    except NoRecord as error:
        raise FinkAlError(
            f"Topic '{settings.ledger_topic}' at {sink.servers} has {error}"
        ) from None
    return _account(loop, marks, sent, letters, spans)


def read_archived(loop: Loop, marks: Marks) -> Archived:
    """Read what the archive holds of the parts of a night."""
    archived = Archived()
    parts = {record.part for record in marks.records}
    for part, night, rows in loop.archive.read_parts(parts, COLUMNS):
        archived.nights.add(night)
        if isinstance(rows, FinkAlError):
            archived.unreadable.setdefault(part, []).append(str(rows))
        else:
            archived.add(part, rows)
    return archived


def _account(
    loop: Loop,
    marks: Marks,
    sent: Sequence[tuple[Candidate, Range]],
    letters: Letters,
    spans: tuple[Span, Span],
) -> Proof:
    scope, ledger, notes = Scope(marks), _ledger(marks), list[str]()
    former = Former.of_night(loop.settings.audit_dir, marks.night)
    own: list[tuple[Candidate, Range | None]] = [
        (candidate, at) for candidate, at in sent if scope.holds(*candidate[3:])
    ]
    present = {at for _, at in own}
    recalled = [
        (candidate, at)
        for candidate, at in former.candidates(spans[0].topic_id)
        if at is None or at not in present
    ]
    own += recalled
    are_all = former.is_complete(spans[0], "candidates", ledger)
    if recalled:
        notes.append(f"Candidates that expired are those that the audit of {former.made} read.")
    elif not are_all:
        notes.append(f"{spans[0].topic} no longer has all candidates: none counts as missing.")
    # The archive comes last: a part that was just published moves there at once.
    archived = read_archived(loop, marks)
    tallies = tally(marks, archived, letters)
    dead = {key: as_array(ranges) for key, ranges in former.ranges("dead_ranges").items()}
    n_recalled = sum(recall(t, dead.get(t.stretch.identity, as_array([]))) for t in tallies)
    letters.is_complete = former.is_complete(spans[1], "dead_letters", ledger)
    if n_recalled:
        notes.append(f"Dead letters that expired are those that the audit of {former.made} read.")
    elif not letters.is_complete:
        notes.append(f"{spans[1].topic} no longer has all dead letters: the ledger counts them.")
    answers = _ask(loop, tallies, former.ranges("empty_ranges"))
    settle(marks, tallies, answers, letters, archived.unreadable)
    compared = compare(
        archived.candidates,
        [candidate for candidate, _ in own],
        _around(loop, archived, sent, scope),
        is_complete=are_all,
    )
    unknown = [
        (night, part)
        for night in sorted(archived.nights)
        for part in sorted(loop.archive.parts(night) - marks.parts)
        if not _is_later(part, marks)
    ]
    return Proof(
        target=loop.target.name,
        night=marks.night,
        made=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        faults=faults_of(marks, tallies, archived, letters, compared, unknown),
        notes=notes + _notes(loop, tallies),
        ledger=ledger,
        topics=numbers_of(tallies, archived),
        repeated_alerts=archived.repeated_alerts(),
        candidates={
            "ledger": sum(record.counts["candidates"] for record in marks.records),
            "archived": len(archived.candidates),
            "published": len(own),
            "compared": are_all,
            "missing": [str(candidate) for candidate in compared.missing],
            "surplus": [str(candidate) for candidate in compared.surplus],
            "twice": list(compared.twice),
            "read": asdict(spans[0]),
            "in_topic": [[*candidate, *(at or (None, None))] for candidate, at in own],
        },
        dead_letters={
            "ledger": sum(record.counts["dead_letters"] for record in marks.records),
            "published": sum(len(each.dead) for each in tallies),
            "compared": letters.is_complete,
            "read": asdict(spans[1]),
        },
    )


def _ask(
    loop: Loop, tallies: Iterable[Tally], before: Mapping[Identity, Sequence[Range]]
) -> dict[Identity, Answer]:
    """Ask what offsets hold, unless an earlier audit was told that they hold nothing."""
    known = {key: as_array(ranges) for key, ranges in before.items()}
    questions: dict[Identity, tuple[str, list[Range]]] = {}
    for each in tallies:
        key = each.stretch.identity
        if asked := each.questions(known.get(key, as_array([]))):
            questions.setdefault(key, (each.stretch.topic, []))[1].extend(asked)
    answers = ask(loop, questions)
    for key, ranges in before.items():
        answer = answers.get(key, Answer())
        empty = as_array([*map(tuple, answer.empty.tolist()), *ranges])
        answers[key] = replace(answer, empty=empty)
    return answers


def _is_later(part: str, marks: Marks) -> bool:
    """Tell whether a part was published after the ledger was read."""
    return is_numbered(part) and part > max(filter(is_numbered, marks.parts), default=part)


def _around(
    loop: Loop, archived: Archived, sent: Iterable[tuple[Candidate, Range]], scope: Scope
) -> set[Candidate]:
    """Candidates of the night's lists that other records have published."""
    others = {candidate for candidate, _ in sent}
    for day in sorted({c.list for c in archived.candidates if c.list is not None}):
        try:
            is_candidate = loop.archive.field("is_candidate")
            rows = loop.archive.read_list(day, Candidate._fields, is_candidate)
            others |= {Candidate(**row) for row in rows.to_pylist()} if rows else set()
        except FinkAlError as error:  # a night's own damaged file is named already
            log.warning("List %s is not compared with other nights: %s", day, error)
    return {candidate for candidate in others if not scope.holds(*candidate[3:])}


def _notes(loop: Loop, tallies: Sequence[Tally]) -> list[str]:
    notes = []
    if lost := sum(each.lost for each in tallies):
        notes.append(f"The ledger counts {lost} offsets as lost: they expired, or were unreadable.")
    for each in tallies:
        if each.stretch.lost is None:
            notes.append(f"Nobody knows how many rows of {each.stretch.topic} are lost.")
    waiting = {each.stretch.part for each in tallies if each.missing}
    for part in sorted(waiting):
        if (loop.settings.staging_dir / part).files():
            notes.append(f"Part {part} is published and waits: the next start archives it.")
    return notes


def _ledger(marks: Marks) -> dict[str, Any]:
    first, last = marks.records[0], marks.records[-1]
    return {
        "records": len(marks.records),
        "first": first.part,
        "last": last.part,
        "first_written": first.written.isoformat(),
        "last_written": last.written.isoformat(),
    }
