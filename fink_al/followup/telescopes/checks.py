"""Checks of a request that need no telescope."""

from __future__ import annotations

import math

from fink_al.followup.telescopes import Refused, Request


def problems_of(request: Request) -> tuple[str, ...]:
    """Return why `request` asks for nothing that a telescope could do; empty if it is all right."""
    found = []
    if not (0 <= request.ra < 360 and -90 <= request.dec <= 90):
        found.append(f"({request.ra:g}, {request.dec:g}) is not a position in degrees")
    if not math.isfinite(request.mag):
        found.append("the magnitude is missing")
    if request.exposures < 1 or not 0 < request.exposure_s < math.inf:
        found.append(f"{request.exposures} exposures of {request.exposure_s:g} s hold no light")
    window_min = (request.closes - request.opens).total_seconds() / 60
    if window_min < request.minutes:
        found.append(f"{request.minutes:g} min do not fit into a window of {window_min:g} min")
    return tuple(found)


def check(request: Request) -> None:
    """Refuse a request that asks for nothing that a telescope could do.

    Raises
    ------
    Refused
        With all that is wrong.
    """
    if found := problems_of(request):
        raise Refused(f"{request.request_id} is not sent: {'; '.join(found)}.")
