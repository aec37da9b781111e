"""Telescopes that take requests: an adapter a file, behind one small protocol.

A new telescope is a class with the methods of :class:`Adapter` in a file of its own, a section of
settings in :mod:`fink_al.settings.requests`, and a line in
:mod:`fink_al.followup.telescopes.adapters`. An adapter keeps no state: what was asked for and what
came of it is in :mod:`fink_al.requests`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from fink_al.errors import ServiceError

#: Longest answer of a telescope that is kept word for word [characters].
MOST_ANSWER = 4000

State = Literal["accepted", "observed", "failed", "expired", "withdrawn"]


@dataclass(frozen=True)
class Request:
    """Request to a telescope: one spectrum of one object.

    Parameters
    ----------
    request_id : str
        Our own name of it, unique, of letters, digits, ``_`` and ``-``. The same object of the same
        list always has the same, so that a telescope's list can be searched for it.
    telescope_id : str or None
        The telescope's own name of it, once it is known.
    object_id : str
        The survey's name of the object.
    ra, dec : float
        J2000 [deg].
    mag, mag_err : float
        Expected AB magnitude at the planned time, and its error.
    opens, closes : datetime
        Window in which the whole block may be observed [UTC, with time zone].
    begins : datetime
        Planned begin of the block [UTC, with time zone].
    minutes : float
        Length of the block, overheads included.
    exposures : int
        Number of exposures of the block, all of the same length.
    exposure_s : float
        Length of an exposure [s].
    list : int
        Date of the list, YYYYMMDD.
    rank : int
        Place in the list, from 1.
    pi, priority, tau, odds : float or None
        Weight and priority of the draw, threshold of the plan, and odds; None without a draw.
    why : str
        Why it is asked for, for people.
    """

    request_id: str
    telescope_id: str | None
    object_id: str
    ra: float
    dec: float
    mag: float
    mag_err: float
    opens: datetime
    closes: datetime
    begins: datetime
    minutes: float
    exposures: int
    exposure_s: float
    list: int
    rank: int
    pi: float | None
    priority: float | None
    tau: float | None
    odds: float | None
    why: str


@dataclass(frozen=True)
class Quote:
    """A telescope's word on a request that was not sent yet.

    Parameters
    ----------
    hours : float or None
        Hours that it would charge; None if it does not say.
    problems : tuple of str
        Reasons why it would refuse; empty if it would not.
    answer : str
        Its answer, word for word; empty if it was not asked.
    """

    hours: float | None
    problems: tuple[str, ...]
    answer: str


@dataclass(frozen=True)
class Receipt:
    """A telescope's word on a request that it took, or cancelled.

    Parameters
    ----------
    telescope_id : str or None
        Its own name of the request; None if it gives none.
    answer : str
        Its answer, word for word.
    """

    telescope_id: str | None
    answer: str


@dataclass(frozen=True)
class Status:
    """Status of a request, by the telescope's list.

    Parameters
    ----------
    state : str
        ``accepted`` waits in the queue; the others are ends.
    telescope_id : str or None
        Its own name of the request.
    observed : datetime or None
        Time of the observation, with time zone, if it says.
    answer : str
        Its entry, word for word.
    """

    state: State
    telescope_id: str | None
    observed: datetime | None
    answer: str


class TelescopeError(ServiceError):
    """A telescope that did not do what it was asked for.

    Attributes
    ----------
    answer : str
        Its answer, word for word; empty without one.
    """

    def __init__(self, problem: str, answer: str = ""):
        super().__init__(problem)
        self.answer = answer[:MOST_ANSWER]


class Refused(TelescopeError):
    """The telescope said no to this request; others may do better."""


class NotSent(TelescopeError):
    """The telescope surely does not have the request, for a reason that is not in it.

    Credentials, a rate limit or a lost connection would stop others, too.
    """


class InDoubt(TelescopeError):
    """The telescope may have the request: nothing may be sent again before that is known."""


class Adapter(Protocol):
    """Speaks with one telescope.

    All methods raise :class:`NotSent` if the telescope cannot be reached, or does not let us in.

    Attributes
    ----------
    reports : bool
        Whether the telescope says what it observed. If it does not, labels alone tell.
    """

    reports: bool

    def validate(self, request: Request) -> Quote:
        """Ask whether the telescope would take `request`. Nothing is submitted."""

    def submit(self, request: Request) -> Receipt:
        """Submit `request`.

        Raises
        ------
        Refused
            If the telescope says no to it, in whatever form.
        InDoubt
            If it is not known whether the telescope has it.
        """

    def statuses(self, requests: Sequence[Request]) -> Mapping[str, Status]:
        """Return what became of requests, by `request_id`; those that it does not list are absent.

        Raises
        ------
        TelescopeError
            If the list cannot be read to its end: nothing is known then.
        """

    def cancel(self, request: Request) -> Receipt:
        """Cancel a submitted request.

        Raises
        ------
        Refused
            If the telescope says no.
        InDoubt
            If it is not known whether it is cancelled.
        """
