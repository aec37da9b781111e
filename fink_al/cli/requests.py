"""``fink-al requests``."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from fink_al.cli.night import read_night
from fink_al.cli.planning import (
    chosen_telescopes,
    plan_options,
    planned,
    warn_if_open,
)
from fink_al.cli.points import config_option, open_loops
from fink_al.cli.table import show_whole
from fink_al.errors import FinkAlError, SettingsError
from fink_al.followup import times
from fink_al.settings import Telescope

if TYPE_CHECKING:
    from fink_al.followup.telescopes import Adapter
    from fink_al.loop import Loop
    from fink_al.requests.record import Record

#: Exit code if a person must look at something.
_LOOK = 1
_json_option = click.option("--json", "as_json", is_flag=True, help="All fields, for programs.")


@click.group()
def requests() -> None:
    """Requests for spectra: send a plan to its telescopes, watch it until labels arrive.

    The states of a request: drawn (in the list, not in the plan), planned, submitting (the
    telescope may have it), submitted, accepted (in the telescope's own list), observed, classified
    (a label arrived), failed, withdrawn, expired. The store of requests only grows.

    Where targets are several, all commands are of all of them, one request for each object, unless
    --target names one. Nothing is sent before requests.submit is true in the telescope's file.
    """


@requests.command("list")
@click.option("--night", help="Date of the list, YYYYMMDD or YYYY-MM-DD.  [default: the latest]")
@click.option("--all", "is_all", is_flag=True, help="All lists.")
@click.option("--state", "states", multiple=True, help="Only requests in this state; repeatable.")
@_json_option
@config_option
def list_(
    night: str | None, is_all: bool, states: tuple[str, ...], as_json: bool, config: Path | None
) -> None:
    """List the requests of a list of candidates, each with its state and why."""
    from fink_al.requests.record import STATES
    from fink_al.requests.spectra import spectra_of

    if unknown := [state for state in states if state not in STATES]:
        raise SettingsError(f"There is no state '{unknown[0]}'; there are: {', '.join(STATES)}.")
    day = read_night(night)
    loops = open_loops(config)
    records = _of_targets(loops)
    days = sorted({record.list for record in records})
    day = day or (days[-1] if days else None)
    if not is_all:
        records = [record for record in records if record.list == day]
        if night and not records:
            known = ", ".join(map(str, days)) or "none: run fink-al requests submit"
            raise FinkAlError(f"List {day} has no requests; lists that have: {known}.")
    if states:
        records = [record for record in records if record.state in states]
    records.sort(key=lambda record: (record.list, record.rank))
    if as_json:
        click.echo(json.dumps([_plain(record) for record in records], indent=1))
        return
    several = len(loops) > 1
    spectra = spectra_of(records) if several else [(r, [r]) for r in records]
    _print(
        ("request", *(["targets"] if several else []), "#", "state", "telescope", "UTC", "min",
         "odds", "type", "why"),
        ((r.request_id, *([_targets(of)] if several else []), str(r.rank), r.state,
          r.telescope or "-", _time(r.begins), _number(r.minutes, ".0f"), _odds(of),
          r.type or "-", r.reason or "")
         for r, of in spectra),
    )  # fmt: skip
    if several:
        click.echo("In brackets: targets that list the object, and whose turn did not come.")
    records = [record for record, _ in spectra]
    counts = Counter(record.state for record in records)
    click.echo(", ".join(f"{counts[s]} {s}" for s in STATES if counts[s]) or "No requests.")


@requests.command()
@click.argument("request_id", metavar="REQUEST")
@_json_option
@config_option
def show(request_id: str, as_json: bool, config: Path | None) -> None:
    """Show all that happened to REQUEST, the telescope's answers word for word."""
    loops = open_loops(config)
    found = _request(loops, request_id)
    history = loops[0].requests.history(found.request_id)
    if as_json:
        click.echo(json.dumps([_plain(record) for record in history], indent=1))
        return
    last = history[-1]
    click.echo(f"{last.request_id}: {last.object_id}, rank {last.rank} of list {last.list}")
    click.echo(f"  {last.ra:.5f} {last.dec:+.5f}, chosen by {last.why}")
    draw = (("pi", last.pi), ("priority", last.priority), ("tau", last.tau), ("odds", last.odds))
    click.echo("  " + ", ".join(f"{name} {_number(value, '.4g')}" for name, value in draw))
    if last.asked_with is not None:
        click.echo(f"  asked for with {last.asked_with}")
    for other in loops[0].requests.current().values():
        if other.asked_with == last.request_id:
            odds = _number(other.odds, ".4g")
            click.echo(f"  asked for by {other.target}, too, with odds {odds}")
    if last.begins is not None:
        click.echo(
            f"  planned at {last.telescope}: {_time(last.begins)} UTC, {last.minutes:.0f} min with "
            f"{last.exposures} x {last.exposure_s:.0f} s, {last.mag:.2f} ± {last.mag_err:.2f} mag"
        )
    _print(
        ("time [UTC]", "state", "telescope's id", "why"),
        ((_time(r.time), r.state, r.telescope_id or "-", r.reason or "") for r in history),
    )
    answers = dict.fromkeys(r.answer for r in history if r.answer)
    for answer in answers:
        click.echo("The telescope answered:")
        click.echo("  " + answer.replace("\n", "\n  "))


@requests.command()
@plan_options
@click.option("--dry-run", is_flag=True, help="Send and write nothing, whatever the settings say.")
@config_option
def submit(names: tuple[str, ...], dry_run: bool, config: Path | None, **options: Any) -> None:
    """Plan a night, and send the plan to its telescopes.

    Telescopes are asked first whether they would take each request. Without requests.submit in a
    telescope's file nothing more happens. An object that was asked for, or has a type, is not asked
    for again. Repeat it as the night goes (--from-now): what was sent stays. A list that was sent
    for several targets together cannot be sent for one of them any more, nor the reverse.

    Exit code 0: all went well; 1: some requests failed, could not be sent, or are in doubt: each is
    named; 2: an invalid setting.
    """
    from fink_al.followup import submit as sending

    telescopes = chosen_telescopes(names, config)
    loops, now = open_loops(config), times.now()
    loop, adapters = loops[0], _adapters(telescopes, loops)
    tonight = planned(loops, telescopes, now, **options)
    warn_if_open(tonight, now)
    counts: Counter[str] = Counter()
    for sent in sending.submit(loop, tonight, telescopes, adapters, times.now, dry_run=dry_run):
        counts[sent.result] += 1
        record = sent.record
        hours = f", {sent.hours:.2f} h charged" if sent.hours is not None else ""
        click.echo(
            f"{_time(record.begins)} {record.telescope} {record.request_id}: "
            f"{sent.result.replace('_', ' ')} ({sent.words}{hours})"
        )
    words = ", ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in counts.items())
    click.echo(f"List {tonight.day}: {words or 'the plan has no observation'}.")
    dry = [t.name for t in telescopes if t.requests is not None and not t.requests.submit]
    if dry and not dry_run:
        click.echo(
            f"Nothing was sent to {', '.join(dry)}: set requests.submit to true in its file to do "
            "so (docs/requests.md)."
        )
    if counts["failed"] or counts["in_doubt"] or counts["not_sent"]:
        sys.exit(_LOOK)


@requests.command()
@click.option(
    "--telescope",
    "names",
    multiple=True,
    help="One to ask; may be repeated.  [default: all that have open requests]",
)
@config_option
def sync(names: tuple[str, ...], config: Path | None) -> None:
    """Ask telescopes and labels what became of the requests; run it every few minutes.

    A type that came in, by any way, closes a request: it is cancelled at the telescope, and a
    record with the status withdrawn goes to the plan's topic. What was observed and has no type
    after some days is asked about once. Exit code 1: a person must look at something, which is
    named.
    """
    from fink_al.followup.sync import WATCHED
    from fink_al.followup.sync import sync as bring

    loops = open_loops(config)
    open_at = {r.telescope for r in _of_targets(loops) if r.telescope and r.state in WATCHED}
    telescopes, missing = [], []
    for name in names or sorted(open_at):
        try:
            telescopes += chosen_telescopes([name], config)
        except SettingsError as error:
            if names:
                raise
            missing.append(f"Requests are open at {name}, and it cannot be asked: {error}")
    news = bring(
        loops[0], telescopes, _adapters(telescopes, loops), _announcer(loops), times.now,
        {loop.target.name for loop in loops},
    )  # fmt: skip
    news.told += missing
    for record in news.changed:
        reason = f" ({record.reason})" if record.reason else ""
        click.echo(f"{record.request_id}: {record.state}{reason}")
    asked = [record for record in _of_targets(loops) if record.asked_with is None]
    counts = Counter(record.state for record in asked)
    click.echo(f"Requests: {', '.join(f'{n} {state}' for state, n in counts.items()) or 'none'}.")
    for sentence in news.told:
        click.echo(sentence, err=True)
    if news.told:
        sys.exit(_LOOK)


@requests.command()
@click.argument("request_id", metavar="REQUEST")
@click.option("--reason", default="cancelled by a person", show_default=True, help="Why.")
@config_option
def cancel(request_id: str, reason: str, config: Path | None) -> None:
    """Cancel REQUEST, at its telescope too if that has it.

    A request that is not in the telescope's list is withdrawn here alone: look there first. What
    was observed, or is at its end, cannot be cancelled.
    """
    from fink_al.followup.sync import cancel as take_back
    from fink_al.requests.record import AT_TELESCOPE, ENDS

    loops = open_loops(config)
    record = _leader(loops, request_id)
    if record.state in ENDS or record.state == "observed":
        raise FinkAlError(f"{record.request_id} is {record.state}: there is nothing to cancel.")
    adapter = None
    if record.state in AT_TELESCOPE and record.telescope is not None:
        telescopes = chosen_telescopes([record.telescope], config)
        adapter = _adapters(telescopes, loops)[record.telescope]
    after = take_back(
        loops[0].requests, record, adapter, _announcer(loops), times.now, "withdrawn", reason
    )
    click.echo(f"{record.request_id}: {after.state}.")


@requests.command()
@click.argument("request_id", metavar="REQUEST")
@config_option
def reopen(request_id: str, config: Path | None) -> None:
    """Let REQUEST be planned and sent again, after what made it fail was mended.

    Only a request that failed, expired or was withdrawn without a type can be reopened. Look at the
    telescope first: it must not have it. Then run fink-al requests submit.
    """
    from fink_al.followup.submit import advance

    loops = open_loops(config)
    record = _leader(loops, request_id)
    if not record.is_lost:
        raise FinkAlError(
            f"{record.request_id} is {record.state}; only failed, expired and withdrawn requests "
            "without a type are reopened."
        )
    name = record.request_id
    advance(loops[0].requests, name, (record.state,), "drawn", times.now(), "reopened", sent=None)
    click.echo(f"{name}: drawn.")


def _adapters(telescopes: Sequence[Telescope], loops: Sequence[Loop]) -> dict[str, Adapter]:
    from fink_al.followup.telescopes.adapters import open_joint_adapter

    return {telescope.name: open_joint_adapter(telescope, loops) for telescope in telescopes}


def _announcer(loops: Sequence[Loop]) -> Callable[[Record], object]:
    from fink_al.followup.submit import request_of
    from fink_al.followup.telescopes.topic import announce

    by_name = {loop.target.name: loop for loop in loops}
    return lambda r: announce(
        by_name[r.target], r.telescope or "", request_of(r), "withdrawn"
    )  # fmt: skip


def _of_targets(loops: Sequence[Loop]) -> list[Record]:
    names = {loop.target.name for loop in loops}
    current = loops[0].requests.current().values()
    return [record for record in current if record.target in names]


def _targets(records: Sequence[Record]) -> str:
    is_drawn = {r.target: r.odds is not None or r.targets is None for r in records}
    nobody = all(r.begins is None for r in records)
    return " ".join(
        name if drawn or nobody else f"({name})" for name, drawn in is_drawn.items()
    )  # fmt: skip


def _odds(records: Sequence[Record]) -> str:
    return " ".join(_number(r.odds, ".2f") for r in records)


def _leader(loops: Sequence[Loop], request_id: str) -> Record:
    """Return a request, or the one that it follows."""
    from fink_al.requests.record import target_of

    record = _request(loops, request_id)
    if record.asked_with is None:
        return record
    target = target_of(record.asked_with)
    if target not in {loop.target.name for loop in loops}:
        raise FinkAlError(
            f"{request_id} is asked for with {record.asked_with}: name that one, with --target "
            f"{target}, or without."
        )
    return loops[0].requests.current()[record.asked_with]


def _request(loops: Sequence[Loop], request_id: str) -> Record:
    record = loops[0].requests.current().get(request_id)
    if record is None:
        raise FinkAlError(
            f"There is no request '{request_id}'; fink-al requests list --all shows all names."
        )
    if record.target not in {loop.target.name for loop in loops}:
        raise FinkAlError(f"{request_id} is of another target: add --target {record.target}.")
    return record


def _plain(record: Record) -> dict[str, Any]:
    return {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in asdict(record).items()
    }


def _print(heads: Sequence[str], rows: Any) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in heads:
        is_number = head in ("#", "min", "odds")
        table.add_column(head, justify="right" if is_number else "left", no_wrap=head != "why")
    for row in rows:
        table.add_row(*row)
    show_whole(table)


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time is not None else "-"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
