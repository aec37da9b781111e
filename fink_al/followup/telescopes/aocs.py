"""The queue of the ANU 2.3 m telescope, by the forms of its control system.

The interface is described nowhere; names of pages, fields and states are those that public clients
use. A page answers in JSON: ``status`` is whether it did what it was asked for, ``msg`` says why
not, ``auth`` is whether the user may ask, and ``data`` are entries of a list. Anything else is
taken for neither success nor refusal.
"""

from __future__ import annotations

import math
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Any
from urllib.parse import urlencode

from fink_al.followup.sky import sexagesimal
from fink_al.followup.telescopes import NotSent, Quote, Receipt, Request, State, Status
from fink_al.followup.telescopes.answers import (
    as_text,
    furthest,
    kept,
    observed_at,
    one_line,
    parsed,
)
from fink_al.followup.telescopes.checks import check, problems_of
from fink_al.followup.telescopes.web import Web
from fink_al.settings import AocsRequests

#: Entries of a page, as the public client asks for, and pages of a list.
_PAGE, _MOST_PAGES = 1000, 50
_UNIT_S = {"s": 1, "min": 60, "h": 3600}
_ENDS: Mapping[str, State] = {"Succeeded": "observed", "Rejected": "failed"}
#: Words of a refusal, and of a script that broke off: that one may have done its work before.
_REFUSAL = re.compile(
    r"\b(errors?|fail(s|ed|ure)?|reject(s|ed)?|invalid|denied|refused?|exceed(s|ed)?|unknown"
    r"|not (allowed|authori[sz]ed|permitted|found|valid))\b",
    re.IGNORECASE,
)
_CRASH = re.compile(r"\b(fatal error|uncaught|exception|stack trace|warning)\b", re.IGNORECASE)
_NO_ENTRIES = re.compile(r"\bno observations?\b", re.IGNORECASE)


class Aocs:
    """Adapter of the ANU 2.3 m telescope; see :class:`fink_al.followup.telescopes.Adapter`.

    Parameters
    ----------
    name : str
        Name of the telescope.
    how : AocsRequests
        Settings, with address and proposal.
    user : str
        Name of the user.
    password : (str, str)
        Variable and value of the password.
    patience_s : float
        Time limit of a request [s].
    sleep : callable
        Waits for seconds.
    """

    reports = True

    def __init__(
        self,
        name: str,
        how: AocsRequests,
        user: str,
        password: tuple[str, str],
        *,
        patience_s: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ):
        assert how.url is not None
        assert how.proposal is not None
        self._name, self._how, self._proposal = name, how, how.proposal
        self._web = Web(
            name, how.url, dict([password]), user=user, patience_s=patience_s, sleep=sleep
        )

    def validate(self, request: Request) -> Quote:
        """Check the proposal there, and the limits of the form here: there is no dry run."""
        query = urlencode({"PROPOSAL": self._proposal})
        text = self._web.ask(f"propusers.php?{query}")
        what = "the question for the proposal"
        answer = self._answer(text, what)
        if not isinstance(answer.get("status"), bool):
            raise self._web.invalid(what, text)
        if answer.get("found") is False or not answer["status"]:
            why = one_line(answer.get("msg") or "it does not know it").rstrip(".")
            raise NotSent(
                f"{self._name} does not accept proposal {self._proposal} ({why}): correct "
                "requests.proposal, or ask there.",
                kept(text),
            )
        return Quote(None, problems_of(request), kept(text))

    def submit(self, request: Request) -> Receipt:
        """Add an observation to the queue."""
        check(request)
        what = request.request_id
        text = self._web.tell("addobsblockexec.php", what, form=self._form(request))
        return self._done(text, what)

    def statuses(self, requests: Sequence[Request]) -> Mapping[str, Status]:
        """Search the proposal's list for our ids."""
        wanted = {request.request_id: request for request in requests}
        found: defaultdict[str, list[Status]] = defaultdict(list)
        pattern = next(iter(wanted)) if len(wanted) == 1 else ""
        for entry in self._entries(pattern) if wanted else ():
            if request := wanted.get(str(entry.get("userDefId"))):
                found[request.request_id].append(_status(entry, request))
        return {name: furthest(entries) for name, entries in found.items()}

    def cancel(self, request: Request) -> Receipt:
        """Remove an observation from the queue."""
        what = f"to remove {request.request_id}"
        names = {"PROPOSAL": self._proposal, "USERDEFID": request.request_id, "Admin_Type": "JSON"}
        return self._done(self._web.tell(f"removeobs.php?{urlencode(names)}", what), what)

    def _entries(self, pattern: str) -> list[dict[str, Any]]:
        """All entries of the proposal whose ids match; to an empty page: pages may be shorter."""
        what = "the question for its list"
        entries: list[dict[str, Any]] = []
        for _ in range(_MOST_PAGES):
            form = {"PROPOSAL": self._proposal, "OFFSET": str(len(entries))}
            form |= {"PAGESIZE": str(_PAGE)} | ({"FILTER": pattern} if pattern else {})
            text = self._web.ask("propobsstat.php", form=form)
            answer = self._answer(text, what)
            data = answer.get("data")
            if data == [] or (data is None and _NO_ENTRIES.search(str(answer.get("msg")))):
                return entries
            if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
                raise self._web.invalid(what, text)
            entries += data
        raise NotSent(
            f"The list of proposal {self._proposal} at {self._name} does not end after "
            f"{len(entries)} entries: have old ones removed, or use another proposal."
        )

    def _answer(self, text: str, what: str) -> dict[str, Any]:
        answer = parsed(text)
        if not isinstance(answer, dict):
            raise self._web.invalid(what, text)
        self._check_user(answer, what, text)
        return answer

    def _check_user(self, answer: dict[str, Any], what: str, text: str) -> None:
        if answer.get("auth") is False:
            raise NotSent(
                f"{self._name} does not let this user in ({what}): "
                f"{one_line(answer.get('msg') or 'it gives no reason')}; ask for the right there.",
                kept(text),
            )

    def _done(self, text: str, what: str) -> Receipt:
        """Take an answer for a success only if it is clearly one."""
        answer = parsed(text)
        if isinstance(answer, dict):
            self._check_user(answer, what, text)
            if answer.get("status") is False:
                raise self._web.refused(what, str(answer.get("msg") or text))
            if answer.get("status") is True and not _REFUSAL.search(str(answer.get("msg"))):
                return Receipt(None, kept(text))
        elif answer is None and _REFUSAL.search(text) and not _CRASH.search(text):
            raise self._web.refused(what, text)
        raise self._web.in_doubt(what, f"it answers '{one_line(text)[:80]}'", text)

    def _form(self, request: Request) -> dict[str, str]:
        how = self._how
        right, north = _position(request.ra, request.dec)
        window_s = (request.closes - request.opens).total_seconds()
        exposure_s = str(math.ceil(request.exposure_s))
        block = {
            "INSTR_PRI": "WiFeS",
            "IMGTYPE": "Object",
            "MODE": how.mode,
            "DICHROIC": how.dichroic,
            "RED_GRATING": how.red_grating,
            "BLUE_GRATING": how.blue_grating,
            "APERTUREWHEEL": how.aperture_wheel,
            "RA": right,
            "DEC": north,
            "PMOT": "0 0",
            "ACQ_RA": right,
            "ACQ_DEC": north,
            "ACQ_PMOT": "0 0",
            "BLINDACQ": "false",
            "ROT": how.rotator,
            "ROTANG": f"{how.rotator_angle_deg:g}",
            "MAG": f"{request.mag:.2f}",
            "AGFILTER": how.guide_filter,
            "GUIDE": how.guide,
            "NEXP": str(request.exposures),
            "STELLAR": _word(how.stellar),
            "BINX": str(how.binx),
            "BINY": str(how.biny),
            "EXPTIME": exposure_s,
        }
        if how.mode == "ObjectSkyNodAndShuffle":
            north_of = min(request.dec + how.sky_offset_arcmin / 60, 90.0)
            sky = dict(zip(("SKYA_RA", "SKYA_DEC"), _position(request.ra, north_of), strict=True))
            block |= {"SKY_EXPTIME": exposure_s, **sky}
            block |= {"SCDESCR": how.sub_cycle} if how.sub_cycle else {}
        return {
            "PROPOSAL": self._proposal,
            "USERDEFID": request.request_id,
            "USERDEFPRI": str(how.priority),
            "NOBSBLK": "1",
            "MAXSEEING": f"{how.max_seeing_arcsec:g}",
            "PHOTOMETRIC": _word(how.photometric),
            "MAXLUNARPHASE": f"{how.max_lunar_phase:g}",
            "TIMECONSTRAINT": how.time_constraint,
            "TIMEREF": f"{request.opens.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            "TIMEWINDOW": str(int(window_s // _UNIT_S[how.window_unit])),
            **{f"{name}_0": value for name, value in block.items()},
        }


def _status(entry: dict[str, Any], request: Request) -> Status:
    state: State = _ENDS.get(str(entry.get("obsStatus")), "accepted")
    # The time of the last change of the state.
    observed = observed_at(entry.get("tsExec"), request) if state == "observed" else None
    return Status(state, None, observed, as_text(entry))


def _position(ra: float, dec: float) -> list[str]:
    """``HH MM SS.SS`` and ``+DD MM SS.S``."""
    return [part.replace(":", " ") for part in sexagesimal([ra], [dec])[0].split()]


def _word(value: bool) -> str:
    return "true" if value else "false"
