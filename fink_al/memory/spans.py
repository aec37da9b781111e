"""Spans of nights that files hold, and which files make the memory as of a night."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from fink_al.settings import MJD_EPOCH

_NAME = re.compile(r"(\d{8})-(\d{8})\.arrow")

#: A file is merged with those after it if it is at most so many times as large as they are. Then as
#: much is written as 4 nights have, for each night, where the memory has the objects of 10 nights;
#: 7 where it has those of 1 000 nights.
RATIO = 2.0


class Span(NamedTuple):
    """Nights of a file: the first and the last, YYYYMMDD, and all between them."""

    first: int
    last: int

    @property
    def name(self) -> str:
        """Name of the file."""
        return f"{self.first}-{self.last}.arrow"


def day_of(night: int) -> date:
    """UT date of a night, YYYYMMDD."""
    return datetime.strptime(str(night), "%Y%m%d").date()


def shifted(night: int, days: int) -> int:
    """Return the night, YYYYMMDD, so many days after `night`."""
    return int(f"{day_of(night) + timedelta(days=days):%Y%m%d}")


def mjd_of(night: int) -> float:
    """MJD at which the UT date of a night begins."""
    return float((day_of(night) - MJD_EPOCH).days)


def spans_of(names: Iterable[str]) -> list[Span]:
    """Spans of the files among `names`; others are left out."""
    found = (_NAME.fullmatch(name) for name in names)
    return sorted(Span(int(match[1]), int(match[2])) for match in found if match)


def chain(spans: Sequence[Span], night: int) -> list[Span]:
    """Spans that make the memory as of `night`, newest first.

    The first ends at the last night, not later than `night`, from which others lead back to the
    begin of the memory without a gap: without the older files an object would seem to have no past.
    Each next one ends on the eve of the one before. Of several the widest is taken: it has replaced
    the others.
    """
    begin = min((span.first for span in spans), default=0)
    widest: dict[int, Span] = {}
    for span in spans:
        widest[span.last] = min(span, widest.get(span.last, span))
    for last in sorted((last for last in widest if last <= night), reverse=True):
        found = [widest[last]]
        while (eve := shifted(found[-1].first, -1)) in widest:
            found.append(widest[eve])
        if found[-1].first == begin:
            return found
    return []


def tail(sizes: Sequence[int]) -> int:
    """Number of newest files to be merged into one, by the sizes of all, newest first; 1 for none.

    Sizes are added as if no object were in two of the files.
    """
    whole, n = sizes[0], 1
    while n < len(sizes) and sizes[n] <= RATIO * whole:
        whole += sizes[n]
        n += 1
    return n


def kept(spans: Sequence[Span], nights: int) -> set[Span]:
    """Spans that the memory needs as of any of the last `nights` and the newest one."""
    newest = max(span.last for span in spans)
    ends = {span.last for span in spans} | {shifted(newest, -nights)}
    return {span for end in ends if end >= shifted(newest, -nights) for span in chain(spans, end)}
