"""Requests by spectrum: several targets may ask for the same one."""

from __future__ import annotations

from collections.abc import Sequence

from fink_al.requests.record import Record


def spectra_of(records: Sequence[Record]) -> list[tuple[Record, list[Record]]]:
    """Return the requests that stand for themselves, each with all that ask for its spectrum.

    Targets whose turn did not come to an object that is asked for are with it, too. An object that
    nobody asks for has one row.

    Parameters
    ----------
    records : sequence of Record
        Requests of several targets.
    """
    groups: dict[str, list[Record]] = {}
    of_object: dict[tuple[int, str], str] = {}
    order = sorted(
        records, key=lambda r: (r.asked_with is not None, r.sent is None, r.state == "drawn")
    )
    for record in order:
        key = record.asked_with or record.request_id
        if record.asked_with is None and record.sent is None:
            key = of_object.get((record.list, record.object_id), key)
        of_object.setdefault((record.list, record.object_id), key)
        groups.setdefault(key, []).append(record)
    spectra = [(of[0], of) for of in groups.values()]
    return sorted(spectra, key=lambda each: (each[0].list, each[0].rank, each[0].request_id))
