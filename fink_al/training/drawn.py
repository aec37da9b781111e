"""Drawn objects: labelled objects of lists, with the odds with which they were drawn.

An observer takes a list from the top. All its objects above the first one that was not taken were
drawn, each with odds ``min(1, pi * tau)``, where ``tau`` is the priority of that first object. An
object whose type did not depend on the draw of a list is in that list with odds of 1. Totals over
the objects of the lists follow from these rows, each divided by its odds.

If a list was sent to telescopes as requests, each of them took its own part of it, with a ``tau``
of its own. The totals are then those over the objects that the telescopes can take: the others have
no odds. To which part an object belongs is known only if it was published. So no object of a part
has odds of 1 for a type that was known before, but those of its priority. If targets were planned
together, a target's part ends at its first object to which its turn did not come.

Archive, requests and labels decide. What a list holds is kept in a file of its own, so the archive
is read once for a list, and again if its files change. Memory follows the largest list and the
labels.

Sources: Duffield, Lund & Thorup 2007 (JACM 54, 32); Ting 2017 (arXiv 1708.04970). A list from which
nothing was drawn is left out as a whole: nobody observed, and it says nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.archive.reading import Archive
from fink_al.draws import closing_fraction, closing_mjd, odds, smallest_untaken
from fink_al.errors import ServiceError
from fink_al.labels.reading import Labels
from fink_al.labels.standing import statements
from fink_al.labels.verdict import verdicts
from fink_al.lists import LISTED, least_t, read_list
from fink_al.loop import Loop
from fink_al.requests.record import Record
from fink_al.settings import MJD_EPOCH
from fink_al.settings.taxonomy import UNCLASSIFIED, WITHDRAWN

#: Columns of the table, one row an object and list. `lists` is the number of the table's lists in
#: which the object was, drawn or not: a mean over objects divides by it.
DRAWN = pa.schema(
    [
        ("object_id", pa.string()),
        ("list", pa.int32()),
        ("pi", pa.float64()),
        ("u", pa.float64()),
        ("priority", pa.float64()),
        ("t", pa.float64()),
        ("tau", pa.float64()),
        ("odds", pa.float64()),
        ("p", pa.float64()),
        ("model_version", pa.string()),
        ("positive", pa.bool_()),
        ("mag", pa.float64()),
        ("alert_id", pa.int64()),
        ("lists", pa.int32()),
    ]
)

#: Reasons why a labelled object has no odds: its label names no list, it was not within the cuts
#: of its list, an object above it was not taken, or no telescope of the list's plan could take it.
NO_LIST, NOT_IN_LIST, ABOVE_TAU, NO_PART = "no_list", "not_in_list", "above_tau", "not_in_plan"

Flags = npt.NDArray[np.bool_]

_TABLE, _LIST, _FILES = "drawn.parquet", "list-", b"files"


@dataclass(frozen=True)
class Spectra:
    """Labels as the draws see them.

    Parameters
    ----------
    taken : mapping of int to list of str
        Objects of which a spectrum was taken from each list, with a type or without.
    known : pyarrow.Table
        ``object_id list mjd``: each statement that gives a type, the list that it names or null,
        and the time of its evidence.
    labelled : frozenset of str
        Objects that have any statement.
    parts : mapping of int to mapping of str to str
        Telescope of each object of a plan, empty if none could take it, for lists that were sent as
        requests.
    """

    taken: Mapping[int, list[str]]
    known: pa.Table
    labelled: frozenset[str]
    parts: Mapping[int, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, labels: Labels, requests: Iterable[Record] = ()) -> Spectra:
        """Return the spectra of the statements that stand, and of a target's requests."""
        stands, rows = labels.standing(), labels.read()
        typed = stands.filter(pc.not_equal(stands["type"], UNCLASSIFIED))
        rows = rows.filter(pc.invert(pc.is_in(rows["type"], pa.array([UNCLASSIFIED, WITHDRAWN]))))
        # A type that changes does not make its evidence younger.
        mjd = pa.array(_mjd(rows["observed"]))
        first = pa.table({"statement": statements(rows), "mjd": mjd}).group_by("statement")
        earliest = first.aggregate([("mjd", "min")])
        index = pc.index_in(statements(typed), earliest["statement"].combine_chunks())
        known = typed.select(["object_id", "list"]).append_column(
            "mjd", earliest["mjd_min"].take(index)
        )
        taken: dict[int, list[str]] = {}
        for row in stands.select(["object_id", "list"]).drop_null().to_pylist():
            taken.setdefault(row["list"], []).append(row["object_id"])
        parts: dict[int, dict[str, str]] = {}
        requests = list(requests)
        sent = {one.list for one in requests if one.sent}
        for one in requests:
            if one.list in sent:
                parts.setdefault(one.list, {})[one.object_id] = one.telescope or ""
            if one.is_taken and one.type is not None:
                taken.setdefault(one.list, []).append(one.object_id)
        return cls(taken, known, frozenset(stands["object_id"].to_pylist()), parts)

    def without(self, others: Collection[tuple[int, str]]) -> Spectra:
        """The same spectra but those that were asked for, and not because of this target's draw.

        Parameters
        ----------
        others : collection of tuple of int and str
            List and object. Labels name a list by its date alone.
        """
        taken = {
            day: [name for name in names if (day, name) not in others]
            for day, names in self.taken.items()
        }
        return replace(self, taken={day: names for day, names in taken.items() if names})


def drawn_of(
    listed: pa.Table, day: int, closes_mjd: float, spectra: Spectra
) -> tuple[pa.Table, Counter[str]]:
    """Return the objects of a list that have odds, and count those taken from it that have none.

    Parameters
    ----------
    listed : pyarrow.Table
        The objects of the list: `LISTED`.
    day : int
        Date of the list, YYYYMMDD.
    closes_mjd : float
        Time at which it closed [MJD].
    spectra : Spectra
        Labels under the archive's names.

    Returns
    -------
    pyarrow.Table
        `DRAWN` without `positive` and `lists`; empty if nothing was drawn from the list.
    Counter
        Objects by reason, `NOT_IN_LIST` or `ABOVE_TAU`.
    """
    names = pa.array(spectra.taken.get(day, []), pa.string()).unique()
    is_taken = pc.is_in(listed["object_id"], names).to_numpy()
    counts = Counter({NOT_IN_LIST: len(names) - int(is_taken.sum())})
    is_certain = _known_before(listed, day, closes_mjd, spectra.known)
    priority = listed["priority"].to_numpy()
    if part := spectra.parts.get(day):
        use, tau = _drawn_by_part(listed, is_taken, is_taken | is_certain, part)
        owned = [name for name, telescope in part.items() if telescope]
        has_part = pc.is_in(listed["object_id"], pa.array(owned, pa.string())).to_numpy()
        counts[NO_PART] = int((is_taken & ~has_part).sum())
        counts[ABOVE_TAU] = int((is_taken & has_part & ~use).sum())
        share = odds(listed["pi"].to_numpy(), tau)
    else:
        least = smallest_untaken(priority[~is_certain], is_taken[~is_certain], least_t(listed))
        is_drawn = is_taken & ~is_certain & (priority < least)
        counts[ABOVE_TAU] = int((is_taken & ~is_certain & ~is_drawn).sum())
        use = (is_drawn | is_certain) & is_drawn.any()
        share = np.where(is_certain, 1.0, odds(listed["pi"].to_numpy(), least))
        tau = np.full(len(listed), least)
    columns = {name: listed[name] for name in DRAWN.names if name in LISTED.names}
    columns |= {
        "list": pa.array(np.full(len(listed), day, np.int32)),
        "tau": pa.array(tau),
        "odds": pa.array(share),
    }
    table = pa.table({name: columns[name] for name in DRAWN.names if name in columns})
    return table.filter(pa.array(use)), counts


def _drawn_by_part(
    listed: pa.Table, is_taken: Flags, is_settled: Flags, part: Mapping[str, str]
) -> tuple[Flags, npt.NDArray[np.float64]]:
    """Tell which objects of a list were drawn, each by the telescope it belongs to; their `tau`.

    A part of which nothing was taken says nothing. What was known before is settled, as what was
    taken: it does not end a part.
    """
    priority = listed["priority"].to_numpy()
    at = pc.index_in(listed["object_id"], pa.array(list(part)))
    is_seen = pc.is_valid(at).to_numpy()
    owner = pa.array([*part.values()]).take(at).fill_null("").to_numpy(zero_copy_only=False)
    # Objects that were published, and that no plan saw, may belong to any part.
    unseen = priority[listed["is_published"].to_numpy() & ~is_seen & ~is_settled]
    bound = float(np.min(unseen, initial=least_t(listed)))
    drawn, tau = np.zeros(len(listed), bool), np.full(len(listed), np.nan)
    for telescope in sorted({*part.values()} - {""}):
        mine = owner == telescope
        tau[mine] = smallest_untaken(priority[mine], is_settled[mine], bound)
        within = mine & is_settled & (priority < tau)
        drawn |= within & (within & is_taken).any()
    return drawn, tau


def _not_drawn(requests: Iterable[Record], mine: Iterable[Record]) -> set[tuple[int, str]]:
    """Return list and object of requests that the draw of a target does not account for.

    Those are requests of other targets alone. In a joint plan they are also those for objects to
    which the target's turn did not come (:mod:`fink_al.followup.plan.turns`): for its list such an
    object was not taken, whoever else observed it, and ends the part with odds.

    Parameters
    ----------
    requests : iterable of Record
        Requests of all targets.
    mine : iterable of Record
        Those of the target.
    """
    of_all, of_mine = ({(r.list, r.object_id) for r in some} for some in (requests, mine))
    sent = {(r.list, r.object_id) for r in requests if r.sent is not None}
    no_turn = {(r.list, r.object_id) for r in mine if r.targets is not None and r.odds is None}
    return (of_all - of_mine) | (no_turn & sent)


def write_drawn(loop: Loop, progress: Callable[[str], None]) -> pa.Table:
    """Write the drawn objects of archive and labels, and return them.

    Parameters
    ----------
    loop : Loop
        Archive and labels, and the hour at which lists close.
    progress : callable
        Takes a line about the result.

    Returns
    -------
    pyarrow.Table
        `DRAWN`.

    Raises
    ------
    FinkAlError
        If archive, labels or the folder of drawn objects cannot be read or written.
    """
    requests = list(loop.requests.current().values())
    mine = [request for request in requests if request.target == loop.target.name]
    archive = loop.archive
    spectra = Spectra.of(loop.labels, mine).without(_not_drawn(requests, mine))
    closes = closing_fraction(loop.target.draw, loop.survey)
    tables, counts = [], Counter[str]()
    for day in sorted(spectra.taken):
        listed = _kept_list(archive, day)
        rows, left_out = drawn_of(listed, day, closing_mjd(day, closes), spectra)
        tables.append(rows)
        counts += left_out
    days = [rows["list"][0].as_py() for rows in tables if len(rows)]
    table = _completed(loop, [rows for rows in tables if len(rows)], days)
    with_list = {name for names in spectra.taken.values() for name in names}
    have_odds = set(table["object_id"].to_pylist())
    counts[NO_LIST] = len(spectra.labelled - with_list - have_odds)
    folder = archive.drawn_folder
    kept = folder.names()
    if _TABLE not in kept or not table.equals(read_drawn(archive)):
        folder.write_table(_TABLE, table)
    wanted = {_name_of(day) for day in spectra.taken}
    folder.remove(*(name for name in kept if name.startswith(_LIST) and name not in wanted))
    certain = int(pc.sum(pc.equal(table["odds"], 1.0)).as_py() or 0)
    reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(counts.items()) if number)
    progress(
        f"drawn objects: {len(table)} rows of {len(days)} lists, {certain} with odds of 1"
        + (f"; labelled objects without odds: {reasons}" if reasons else "")
    )
    return table


def read_drawn(archive: Archive) -> pa.Table:
    """Return the drawn objects that the last nightly job wrote: `DRAWN`, empty without a file.

    Raises
    ------
    ServiceError
        If the file cannot be read.
    """
    file = archive.drawn_folder / _TABLE
    try:
        return archive.drawn_folder.read_table(_TABLE).cast(DRAWN)
    except FileNotFoundError:
        return DRAWN.empty_table()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ServiceError(
            f"{file} is not a table of drawn objects ({str(error).splitlines()[0]}): move it away; "
            "fink-al train then writes a new one."
        ) from None


def _known_before(
    listed: pa.Table, day: int, closes_mjd: float, known: pa.Table
) -> npt.NDArray[np.bool_]:
    """Tell whether the type of each object of a list did not depend on the draw of this list.

    A spectrum taken from an earlier list before this one closed did not. One of no list did not if
    it is from before the object's first alert in this list: later ones may have been taken because
    the object was published.
    """
    index = pc.index_in(known["object_id"], listed["object_id"].combine_chunks())
    here = known.filter(pc.is_valid(index))
    at = index.drop_null().to_numpy()
    lists = pc.fill_null(here["list"], 0).to_numpy()
    first = listed["first_mjd"].to_numpy()[at]
    limit = np.where(lists == 0, first, closes_mjd)
    is_certain = np.zeros(len(listed), bool)
    is_certain[at[(lists < day) & (here["mjd"].to_numpy() < limit)]] = True
    return is_certain


def _completed(loop: Loop, tables: list[pa.Table], days: list[int]) -> pa.Table:
    """Join the lists' rows, and add types and the number of lists of each object."""
    if not tables:
        return DRAWN.empty_table()
    rows = pa.concat_tables(tables).combine_chunks()
    names = rows["object_id"].unique()
    number = np.zeros(len(names), np.int32)
    for day in days:
        members = loop.archive.drawn_folder.read_table(_name_of(day))["object_id"]
        number += pc.is_in(names, members.combine_chunks()).to_numpy(zero_copy_only=False)
    judged = verdicts(loop.labels, loop.target, loop.taxonomy)
    index = pc.index_in(rows["object_id"], judged["object_id"].combine_chunks())
    lists = pa.array(number).take(pc.index_in(rows["object_id"], names).combine_chunks())
    columns = {name: rows[name] for name in rows.column_names}
    columns |= {"positive": judged["positive"].take(index), "lists": lists}
    return pa.table({name: columns[name] for name in DRAWN.names}).cast(DRAWN)


def _kept_list(archive: Archive, day: int) -> pa.Table:
    """Return the objects of a list from its own file, or from the archive if that has changed."""
    parts = archive.files_of_list(day)
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest().encode()
    try:
        kept = archive.drawn_folder.read_table(_name_of(day))
        if kept.schema.metadata.get(_FILES) == digest:
            return kept.replace_schema_metadata().cast(LISTED)
    except (pa.ArrowException, OSError, ValueError, AttributeError):
        pass  # it holds nothing of its own
    listed = read_list(archive, day)
    archive.drawn_folder.write_table(
        _name_of(day), listed.replace_schema_metadata({_FILES: digest})
    )
    return listed


def _name_of(day: int) -> str:
    return f"{_LIST}{day}.parquet"


def _mjd(times: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    since = times.to_numpy().astype("datetime64[us]") - np.datetime64(MJD_EPOCH, "us")
    return np.asarray(since / np.timedelta64(1, "D"), np.float64)
