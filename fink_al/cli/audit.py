"""``fink-al audit``."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from fink_al.cli.night import read_night
from fink_al.cli.points import config_option, open_loop

if TYPE_CHECKING:
    from fink_al.audit.proof import Proof

#: Headings of the numbers of a topic.
_HEADINGS = {
    "offsets": "offsets",
    "candidates": "candidates",
    "rejected": "rejected",
    "not_scored": "not scored",
    "dead_letters": "dead letters",
    "empty": "no message",
    "lost": "lost",
    "missing": "missing",
}

#: Of more topics only those are shown from which something is missing.
_MOST_TOPICS = 20


@click.command()
@click.option("--night", help="YYYYMMDD or YYYY-MM-DD.  [default: the ledger's last]")
@click.option("--json", "as_json", is_flag=True, help="All numbers and ranges, for programs.")
@config_option
def audit(night: str | None, as_json: bool, config: Path | None) -> None:
    """Prove that nothing of a night was lost, and nothing published twice.

    Each offset that the ledger says to be done is archived, a dead letter, without a message, or
    counted as lost; any other offset is missing. Archived and published candidates are
    compared. audit/ of the storage keeps the proof. A night's topics tell its records, or the time
    at which they were written where a topic holds all nights.

    Exit code 0: it adds up; 1: it does not, and a sentence names each fault; 2: an invalid setting,
    no record of the night, or a cluster that does not answer.
    """
    chosen = read_night(night)
    from fink_al.audit.proof import audit as prove

    proof = prove(open_loop(config), chosen)
    if as_json:
        click.echo(json.dumps(proof.to_dict(), indent=1))
    else:
        _show(proof)
    sys.exit(0 if proof.adds_up else 1)


def _show(proof: Proof) -> None:
    from rich.table import Table

    from fink_al.cli.table import show_whole

    table = Table(title=f"{proof.target}, night {proof.night}", box=None, pad_edge=False)
    table.add_column("topic")
    for heading in _HEADINGS.values():
        table.add_column(heading, justify="right")
    rows = [(topic["topic"], topic) for topic in proof.topics]
    if len(rows) > _MOST_TOPICS:  # a science file is one
        rows = [(name, topic) for name, topic in rows if topic["missing"]][:_MOST_TOPICS]
    if len(proof.topics) > 1:
        total = Counter[str]()
        for topic in proof.topics:
            total.update({name: topic[name] for name in _HEADINGS})
        rows.append((f"all {len(proof.topics)}", total))
    for name, numbers in rows:
        table.add_row(name, *(str(numbers[key]) for key in _HEADINGS))
    show_whole(table)
    for kind, words in (("rejected", "Rejected"), ("not_scored", "Not scored")):
        reasons = Counter[str]()
        for topic in proof.topics:
            reasons.update(topic["reasons"][kind])
        if reasons:
            listed = ", ".join(f"{number} {reason}" for reason, number in reasons.most_common())
            click.echo(f"{words}, with all reasons of each: {listed}.")
    read = proof.candidates
    click.echo(f"Candidates: {read['archived']} archived, {read['published']} published.")
    if proof.repeated_alerts:
        click.echo(f"{proof.repeated_alerts} alerts came at more than one offset.")
    for sentence in (*proof.notes, *proof.faults):
        click.echo(sentence)
    missing = f" ({proof.missing} missing)" if proof.missing else ""
    verdict = "adds up" if proof.adds_up else f"does not add up{missing}"
    click.echo(f"Night {proof.night} {verdict}.")
