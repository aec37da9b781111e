"""A night of the ledger with its rows, dead letters and candidates, which tests then spoil."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from fink_al.audit.account import Answer, Letters, settle, tally
from fink_al.audit.archived import Archived, Candidate
from fink_al.audit.candidates import compare
from fink_al.audit.faults import faults_of
from fink_al.audit.marks import Marks, read_marks
from fink_al.audit.numbers import NUMBERS, numbers_of
from fink_al.audit.ranges import as_array
from fink_al.settings.survey import load_survey

NIGHT = 20260105
TOPIC = f"ztf_{NIGHT}_programid1"
SCHEMA = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("alert_id", pa.int64()),
        ("object_id", pa.string()),
        ("list", pa.int32()),
        ("is_candidate", pa.bool_()),
        ("p", pa.float64()),
        ("strategy", pa.string()),
        ("reasons", pa.list_(pa.string())),
    ]
)


@dataclass
class Night:
    """What ledger, archive and topics have; all lists may be changed before :meth:`account`."""

    records: list[dict] = field(default_factory=list)
    rows: dict[str, list[dict]] = field(default_factory=dict)
    letters: list[tuple[str, int, int]] = field(default_factory=list)
    published: list[Candidate] = field(default_factory=list)
    empty: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def add(self, partition: int, kinds: str, *, lost: int = 0, topic: str = TOPIC) -> str:
        """Add a record of one partition; its part.

        Each letter of `kinds` is an offset: c candidate, r rejected, n not scored, d dead letter,
        e no message.
        """
        part = f"part{len(self.records)}"
        begun = [r["offsets"][0] for r in self.records]
        done = [o["until"] for o in begun if (o["topic"], o["partition"]) == (topic, partition)]
        first = max(done, default=0) + lost
        counts = {"alerts": len(kinds) - kinds.count("e"), "scored": 0, "candidates": 0}
        rows = []
        for offset, kind in enumerate(kinds, first):
            if kind in "crn":
                rows.append(row(topic, partition, offset, kind))
                counts["scored"] += kind in "cr"
                counts["candidates"] += kind == "c"
                if kind == "c":
                    self.published.append(Candidate(**{n: rows[-1][n] for n in Candidate._fields}))
            elif kind == "d":
                self.letters.append((topic, partition, offset))
            else:
                self.empty.setdefault(partition, []).append((offset, offset + 1))
        self.rows[part] = rows
        self.records.append(
            {
                "part": part,
                "written": "2026-01-06T02:00:00Z",
                "counts": counts | {"dead_letters": kinds.count("d")},
                "offsets": [
                    {"cluster": "C", "topic": topic, "topic_id": "T", "partition": partition,
                     "first": first, "until": first + len(kinds), "lost": lost}
                ],
            }
        )  # fmt: skip
        return part

    def marks(self) -> Marks:
        """Records of the night."""
        survey = load_survey("ztf")
        return read_marks(self.records, survey.topics, survey)

    def account(
        self, *, held=(), why="expired", unreadable=(), letters_complete=True, all_candidates=True
    ) -> tuple[list[str], list[dict]]:
        """Faults and numbers."""
        marks, archived = self.marks(), Archived()
        for part, rows in self.rows.items():
            if part in unreadable:
                archived.unreadable[part] = [f"Cannot read {part}."]
            else:
                archived.add(part, pa.Table.from_pylist(rows, SCHEMA))
        letters = Letters(self.letters, letters_complete)
        tallies = tally(marks, archived, letters)
        answers = {
            ("C", "T", partition): Answer(
                np.array(held, np.int64), as_array(self.empty.get(partition, ())), why
            )
            for partition in range(3)
        }
        settle(marks, tallies, answers, letters, archived.unreadable)
        compared = compare(archived.candidates, self.published, is_complete=all_candidates)
        faults = faults_of(marks, tallies, archived, letters, compared)
        return faults, numbers_of(tallies, archived)


def row(topic: str, partition: int, offset: int, kind: str) -> dict:
    """One row of the archive."""
    alert = partition * 1000 + offset
    return {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "alert_id": alert,
        "object_id": f"ZTF{alert}",
        "list": NIGHT,
        "is_candidate": kind == "c",
        "p": 0.5 if kind in "cr" else None,
        "strategy": "entropy",
        "reasons": {"c": [], "r": ["too_old", "band"], "n": ["not_scored"]}[kind],
    }


def numbers(topics: list[dict]) -> dict[str, int]:
    """Numbers that are not 0, of all topics."""
    totals = {name: sum(t[name] for t in topics) for name in ("offsets", *NUMBERS)}
    return {name: total for name, total in totals.items() if total}
