"""The interface of an observatory with OCS, as a stand-in speaks it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fink_al.demo.standin.queue import Call, Entry, Fault, Queue

_STATES = {
    "waiting": "PENDING",
    "observed": "COMPLETED",
    "rejected": "FAILURE_LIMIT_REACHED",
    "expired": "WINDOW_EXPIRED",
    "removed": "CANCELED",
}
#: Seconds of each configuration beside its exposures.
_OVERHEAD_S = 120
#: Behind a proxy a server does not know its own address.
_OUTSIDE = "http://portal.example/api/requestgroups/?"
_REQUIRED = ["This field is required."]


def call_of(method: str, parts: list[str]) -> Call | None:
    """Return what is asked for by the parts of a path behind ``requestgroups``."""
    if method == "GET":
        return "list" if not parts else None
    if parts == ["validate"]:
        return "validate"
    return "submit" if not parts else "cancel" if parts[1:] == ["cancel"] else None


def answer(
    call: Call,
    parts: list[str],
    query: Mapping[str, str],
    group: dict[str, Any],
    queue: Queue,
    proposals: Collection[str],
    fault: Fault | None,
) -> tuple[int, str]:
    """Return status and text for a user who is let in."""
    if call == "list":
        return 200, json.dumps(_page(query, queue))
    if call == "cancel":
        return _cancel(parts[0], queue)
    errors = _errors(group, queue.time(fault), proposals)
    if call == "validate":
        durations = {} if errors else {"duration": _seconds(group)}
        return 200, json.dumps({"request_durations": durations, "errors": errors})
    if errors:
        return 400, json.dumps(errors)
    (window,) = group["requests"][0]["windows"]
    times = datetime.fromisoformat(window["start"]), datetime.fromisoformat(window["end"])
    return 201, json.dumps(_line(queue.add(group["name"], times, group, fault)))


def error_in_text() -> str:
    """Text of a refusal that has the status of a success."""
    return json.dumps({"errors": ["The time of this proposal is used up."]})


def _page(query: Mapping[str, str], queue: Queue) -> dict[str, Any]:
    first, size = int(query.get("offset", 0)), min(int(query.get("limit", 10)), queue.page_size)
    found = [one for one in queue.listed() if query.get("name", "").lower() in one.name.lower()]
    following = None
    if first + size < len(found):
        following = _OUTSIDE + urlencode({**query, "offset": first + size})
    page = [_line(entry) for entry in found[first : first + size]]
    return {"count": len(found), "next": following, "previous": None, "results": page}


def _cancel(number: str, queue: Queue) -> tuple[int, str]:
    with queue.lock:
        entry = next((one for one in queue.listed() if str(one.number) == number), None)
        if entry is None:
            return 404, json.dumps({"detail": "Not found."})
        if entry.state != "waiting":
            state = _STATES[entry.state]
            return 400, json.dumps({"errors": [f"Cannot transition from {state} to CANCELED"]})
        entry.state, entry.changed = "removed", queue.time() + entry.ahead
        return 200, json.dumps(_line(entry))


def _line(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.number,
        **entry.content,
        "state": _STATES[entry.state],
        "modified": f"{entry.changed:%Y-%m-%dT%H:%M:%S.%fZ}",
    }


def _seconds(group: Mapping[str, Any]) -> int:
    return round(
        sum(
            one["exposure_count"] * one["exposure_time"] + _OVERHEAD_S
            for configuration in group["requests"][0]["configurations"]
            for one in configuration["instrument_configs"]
        )
    )


def _errors(group: dict[str, Any], now: datetime, proposals: Collection[str]) -> dict[str, Any]:
    """Faults of a group, in the tree of its keys."""
    keys = ("name", "proposal", "ipp_value", "operator", "observation_type", "requests")
    errors: dict[str, Any] = {key: _REQUIRED for key in keys if not group.get(key)}
    if errors:
        return errors
    if len(group["name"]) > 50:
        errors["name"] = ["Ensure this field has no more than 50 characters."]
    if group["proposal"] not in proposals:
        errors["proposal"] = [f'Invalid pk "{group["proposal"]}" - object does not exist.']
    requests = [_request_errors(request, now) for request in group["requests"]]
    return errors | ({"requests": requests} if any(requests) else {})


def _request_errors(request: dict[str, Any], now: datetime) -> dict[str, Any]:
    configurations = [_configuration_errors(one) for one in request["configurations"]]
    errors: dict[str, Any] = {"configurations": configurations} if any(configurations) else {}
    for window in request["windows"]:
        if datetime.fromisoformat(window["end"]) <= now:
            errors["windows"] = [{"non_field_errors": ["Window end time must be in the future."]}]
    if not request["location"].get("telescope_class"):
        errors["location"] = {"telescope_class": _REQUIRED}
    return errors


def _configuration_errors(configuration: dict[str, Any]) -> dict[str, Any]:
    target, (exposure,) = configuration["target"], configuration["instrument_configs"]
    kinds = ("SPECTRUM", "LAMP_FLAT", "ARC")
    checks: list[tuple[tuple[str, ...], Any, Callable[[Any], bool]]] = [
        (("type",), configuration["type"], lambda kind: kind in kinds),
        (("target", "ra"), target["ra"], lambda ra: 0 <= ra <= 360),
        (("target", "dec"), target["dec"], lambda dec: -90 <= dec <= 90),
        (("constraints", "max_airmass"), configuration["constraints"]["max_airmass"],
         lambda airmass: 1 <= airmass <= 25),
        (("instrument_configs", "exposure_time"), exposure["exposure_time"], lambda s: s > 0),
        (("acquisition_config", "mode"), configuration["acquisition_config"]["mode"],
         lambda mode: mode in ("WCS", "BRIGHTEST")),
        (("guiding_config", "mode"), configuration["guiding_config"]["mode"],
         lambda mode: mode == "ON"),
    ]  # fmt: skip
    errors: dict[str, Any] = {}
    for place, value, is_valid in checks:
        if not is_valid(value):
            part = errors
            for key in place[:-1]:
                part = part.setdefault(key, {})
            part[place[-1]] = [f"{value} is not a valid value."]
    return errors
