"""The pages of the ANU 2.3 m telescope, as a stand-in fills them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from fink_al.demo.standin.queue import Call, Entry, Fault, Queue

CALLS: Mapping[str, Call] = {
    "propusers.php": "validate",
    "addobsblockexec.php": "submit",
    "propobsstat.php": "list",
    "removeobs.php": "cancel",
}
_STATES = {
    "waiting": "Waiting",
    "observed": "Succeeded",
    "rejected": "Rejected",
    "expired": "Rejected",
}
#: Values that a field may have; other fields may have any.
_ALLOWED = {
    "NOBSBLK": "1",
    "TIMECONSTRAINT": "Flexible|Fixed",
    "TIMEREF": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    "TIMEWINDOW": r"[1-9]\d*",
    "PHOTOMETRIC": "true|false",
    "INSTR_PRI_0": "WiFeS",
    "IMGTYPE_0": "Object",
    "MODE_0": "ClassicalEqual|ObjectSkyNodAndShuffle",
    "DICHROIC_0": "RT480|RT560|RT615",
    "RED_GRATING_0": "R3000|R7000|I7000",
    "BLUE_GRATING_0": "B3000|B7000|U7000",
    "RA_0": r"([01]\d|2[0-3]) [0-5]\d [0-5]\d\.\d\d",
    "DEC_0": r"[-+]([0-8]\d [0-5]\d [0-5]\d\.\d|90 00 00\.0)",
    "PMOT_0": "0 0",
    "ROT_0": "PA|VA",
    "GUIDE_0": "No|BestEffort|AcqStar",
    "MAG_0": r"-?\d+\.\d+",
    "NEXP_0": r"[1-9]\d?",
    "EXPTIME_0": r"[1-9]\d*",
    "STELLAR_0": "true|false",
    "BINX_0": "1|2",
    "BINY_0": "[1-4]",
}


def answer(
    page: str,
    form: Mapping[str, str],
    queue: Queue,
    proposals: Collection[str],
    fault: Fault | None,
) -> tuple[int, str]:
    """Return status and text of a page for a user who is let in."""
    if form.get("PROPOSAL") not in proposals:
        return _said(False, "Proposal not found", found=False)
    if page == "propusers.php":
        return _said(True, "", found=True, member=[{"user": "observer", "featureBits": 1}])
    if page == "addobsblockexec.php":
        return _add(form, queue, fault)
    if page == "removeobs.php":
        return _remove(form.get("USERDEFID", ""), queue)
    return _list(form, queue)


def error_in_text() -> str:
    """Text of a refusal that has the status of a success."""
    return "Error: the time of this proposal is used up"


def _add(form: Mapping[str, str], queue: Queue, fault: Fault | None) -> tuple[int, str]:
    for name in ("USERDEFID", "MAXSEEING", "MAXLUNARPHASE", *_ALLOWED):
        if not re.fullmatch(_ALLOWED.get(name, ".+"), form.get(name, "")):
            return _said(False, f"Invalid {name}: '{form.get(name, '')}'")
    opens = datetime.fromisoformat(form["TIMEREF"]).replace(tzinfo=UTC)
    closes = opens + timedelta(seconds=int(form["TIMEWINDOW"]))
    if closes <= queue.time(fault):
        return _said(False, "The time window is over")
    queue.add(form["USERDEFID"], (opens, closes), dict(form), fault)
    return _said(True, "Observation added")


def _remove(name: str, queue: Queue) -> tuple[int, str]:
    with queue.lock:
        found = [one for one in queue.listed() if one.name == name and one.state == "waiting"]
        for entry in found:
            entry.state, entry.changed = "removed", queue.time() + entry.ahead
    return _said(bool(found), "Removed" if found else "No such observation waits")


def _list(form: Mapping[str, str], queue: Queue) -> tuple[int, str]:
    first, size = int(form["OFFSET"]), min(int(form["PAGESIZE"]), queue.page_size)
    found = [
        _line(entry)
        for entry in queue.listed()
        if entry.state != "removed" and form.get("FILTER", "") in entry.name
    ]
    page = found[first : first + size]
    if not page:
        return _said(False, "No observations")
    return _said(True, "", data=page, pageSize=len(page))


def _line(entry: Entry) -> dict[str, Any]:
    return {
        "obsBlkId": entry.number,
        "userDefId": entry.name,
        "obsStatus": _STATES[entry.state],
        "tsExec": f"{entry.changed:%Y-%m-%dT%H:%M:%S}" if entry.state != "waiting" else "",
    }


def _said(status: bool, message: str, **more: Any) -> tuple[int, str]:
    return 200, json.dumps({"status": status, "auth": True, "msg": message, **more})
