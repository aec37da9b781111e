"""Las Cumbres Observatory, and others with its control system (OCS).

A request is a group of one request, whose name is our id. Its interface is that of
https://github.com/observatorycontrolsystem/observation-portal. A list is searched by a part of the
name, so names are compared here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from fink_al.followup.telescopes import NotSent, Quote, Receipt, Refused, Request, State, Status
from fink_al.followup.telescopes.answers import (
    as_text,
    furthest,
    kept,
    observed_at,
    parsed,
    problems,
)
from fink_al.followup.telescopes.checks import check, problems_of
from fink_al.followup.telescopes.web import Web
from fink_al.settings import Limits, OcsRequests

_GROUPS = "api/requestgroups/"
#: Entries of a page, and pages of one name.
_PAGE, _MOST_PAGES = 100, 20
_STATES: Mapping[str, State] = {
    "COMPLETED": "observed",
    "WINDOW_EXPIRED": "expired",
    "NOT_ATTEMPTED": "expired",
    "CANCELED": "withdrawn",
    "FAILURE_LIMIT_REACHED": "failed",
}


class Ocs:
    """Adapter of an observatory; see :class:`fink_al.followup.telescopes.Adapter`.

    Parameters
    ----------
    name : str
        Name of the telescope.
    how : OcsRequests
        Settings, with address and proposal.
    limits : Limits
        Limits of the plan, which go out with each request.
    token : (str, str)
        Variable and value of the token.
    patience_s : float
        Time limit of a request [s].
    sleep : callable
        Waits for seconds.
    """

    reports = True

    def __init__(
        self,
        name: str,
        how: OcsRequests,
        limits: Limits,
        token: tuple[str, str],
        *,
        patience_s: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ):
        assert how.url is not None
        self._name, self._how, self._limits = name, how, limits
        self._web = Web(
            name,
            how.url,
            dict([token]),
            headers={"Authorization": f"Token {token[1]}", "Accept": "application/json"},
            patience_s=patience_s,
            sleep=sleep,
        )

    def validate(self, request: Request) -> Quote:
        """Make the observatory's dry run, which gives hours and problems."""
        if own := problems_of(request):
            return Quote(None, own, "")
        text = self._web.ask(
            f"{_GROUPS}validate/", json=self._group(request), accepted=(200, 201, 400)
        )
        answer = parsed(text)
        if not isinstance(answer, dict):
            raise self._web.invalid("a dry run", text)
        is_report = "errors" in answer or "request_durations" in answer
        found = problems(answer.get("errors") if is_report else answer)
        hours = _hours(answer.get("request_durations"))
        if not found and hours is None:
            raise self._web.invalid("a dry run", text)
        return Quote(hours, found, kept(text))

    def submit(self, request: Request) -> Receipt:
        """Submit a group of one request."""
        check(request)
        what = request.request_id
        text = self._web.tell(_GROUPS, what, json=self._group(request))
        answer = parsed(text)
        has_id = isinstance(answer, dict) and _is_id(answer.get("id"))
        if isinstance(answer, dict) and problems(answer.get("errors")):
            if has_id:
                raise self._web.in_doubt(what, "its answer has an id, and errors", text)
            raise self._web.refused(what, as_text(answer["errors"]))
        if has_id:
            return Receipt(str(answer["id"]), kept(text))
        raise self._web.in_doubt(what, "its answer has no id", text)

    def statuses(self, requests: Sequence[Request]) -> Mapping[str, Status]:
        """Search the list for the name of each request."""
        statuses = {}
        for request in requests:
            if found := [_status(entry, request) for entry in self._entries(request.request_id)]:
                statuses[request.request_id] = furthest(found)
        return statuses

    def cancel(self, request: Request) -> Receipt:
        """Cancel all groups that wait under the name of the request."""
        found = self._waiting(request)
        if not found:
            raise Refused(f"{request.request_id} does not wait in the list of {self._name}.")
        answers = [self._cancel(name, request) for name in found]
        return Receipt(found[0], kept("\n".join(answers)))

    def _cancel(self, name: str, request: Request) -> str:
        what = f"to cancel {request.request_id} ({name})"
        path = f"{_GROUPS}{quote(name, safe='')}/cancel/"
        text = self._web.tell(path, what, json={}, refusals=(404,))
        answer = parsed(text)
        if isinstance(answer, dict) and answer.get("state") == "CANCELED":
            return text
        if isinstance(answer, dict) and problems(answer.get("errors")):
            raise self._web.refused(what, as_text(answer["errors"]))
        raise self._web.in_doubt(what, "its answer does not say that it is canceled", text)

    def _waiting(self, request: Request) -> list[str]:
        entries = self._entries(request.request_id)
        found = [_status(entry, request) for entry in entries]
        return [one.telescope_id for one in found if one.state == "accepted" and one.telescope_id]

    def _entries(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the groups of that name."""
        what = "the question for its list"
        query = urlencode({"name": name, "proposal": self._how.proposal, "limit": _PAGE})
        for _ in range(_MOST_PAGES):
            text = self._web.ask(f"{_GROUPS}?{query}")
            answer = parsed(text)
            entries = answer.get("results") if isinstance(answer, dict) else None
            if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
                raise self._web.invalid(what, text)
            yield from (entry for entry in entries if entry.get("name") == name)
            if not (following := answer.get("next")):
                return
            try:
                # The token goes to this server only, whatever the address says.
                query = urlsplit(following).query
            except (AttributeError, TypeError, ValueError):
                raise self._web.invalid(what, text) from None
        raise NotSent(
            f"The list of {self._name} has more than {_MOST_PAGES * _PAGE} groups with '{name}' in "
            "their names: ask the observatory whether it searches by name."
        )

    def _group(self, request: Request) -> dict[str, Any]:
        how = self._how
        configurations = [("SPECTRUM", request.exposure_s, request.exposures)]
        if how.calibrate:
            configurations += [("LAMP_FLAT", how.lamp_flat_s, 1), ("ARC", how.arc_s, 1)]
        location = {"telescope_class": how.telescope_class}
        opens, closes = self._window(request)
        return {
            "name": request.request_id,
            "proposal": how.proposal,
            "ipp_value": how.ipp_value,
            "operator": "SINGLE",
            "observation_type": how.observation_type,
            "requests": [
                {
                    "configurations": [
                        self._configuration(request, *one) for one in configurations
                    ],
                    "windows": [{"start": _iso(opens), "end": _iso(closes)}],
                    "location": location | ({"site": how.site} if how.site else {}),
                    "acceptability_threshold": how.acceptability_threshold,
                }
            ],
        }

    def _configuration(
        self, request: Request, kind: str, exposure_s: float, count: int
    ) -> dict[str, Any]:
        how, limits = self._how, self._limits
        by_altitude = 1 / math.sin(math.radians(limits.min_altitude_deg))
        acquisition: dict[str, Any] = {"mode": how.acquisition}
        if how.acquisition == "BRIGHTEST":
            acquisition["extra_params"] = {"acquire_radius": how.acquire_radius_arcsec}
        exposures: dict[str, Any] = {
            "exposure_time": exposure_s,
            "exposure_count": count,
            "mode": how.readout_mode,
            "rotator_mode": how.rotator_mode,
            "optical_elements": {"slit": how.slit, **how.optical_elements},
        }
        if how.rotator_mode == "SKY":
            exposures["extra_params"] = {"rotator_angle": 0.0}
        return {
            "type": kind,
            "instrument_type": how.instrument_type,
            "constraints": {
                "max_airmass": round(min(limits.max_airmass, by_altitude), 3),
                "min_lunar_distance": limits.min_moon_distance_deg,
                "max_lunar_phase": how.max_lunar_phase,
            },
            "target": {
                "name": request.object_id,
                "type": "ICRS",
                "ra": request.ra,
                "dec": request.dec,
                "epoch": 2000.0,
            },
            "acquisition_config": acquisition,
            "guiding_config": {"mode": "ON", "optional": how.guide_is_optional},
            "instrument_configs": [exposures],
        }

    def _window(self, request: Request) -> tuple[datetime, datetime]:
        if self._how.window_hours is None:
            return request.opens, request.closes
        middle = request.begins + timedelta(minutes=request.minutes / 2)
        # A window that does not hold the block is of no use.
        width = max(timedelta(hours=self._how.window_hours), timedelta(minutes=request.minutes))
        opens, closes = middle - width / 2, middle + width / 2
        return max(opens, request.opens), min(closes, request.closes)


def _hours(durations: Any) -> float | None:
    seconds = durations.get("duration") if isinstance(durations, dict) else None
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not seconds > 0:
        return None
    return seconds / 3600


def _status(entry: dict[str, Any], request: Request) -> Status:
    state: State = _STATES.get(str(entry.get("state")), "accepted")
    observed = observed_at(entry.get("modified"), request) if state == "observed" else None
    name = entry.get("id")
    return Status(state, str(name) if _is_id(name) else None, observed, as_text(entry))


def _is_id(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool) and value != ""


def _iso(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
