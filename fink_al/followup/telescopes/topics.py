"""Topics of several targets: each request goes to the topic of its target."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from fink_al.followup.telescopes import Adapter, Quote, Receipt, Request, Status
from fink_al.requests.record import target_of


class Topics:
    """Adapter of several topics; see :class:`fink_al.followup.telescopes.Adapter`.

    Parameters
    ----------
    adapters : mapping of str to Adapter
        How to speak with the telescope about the requests of each target.
    """

    reports = False

    def __init__(self, adapters: Mapping[str, Adapter]):
        self._adapters = adapters

    def validate(self, request: Request) -> Quote:
        """Check what needs no telescope."""
        return self._of(request).validate(request)

    def submit(self, request: Request) -> Receipt:
        """Publish that it is requested."""
        return self._of(request).submit(request)

    def statuses(self, requests: Sequence[Request]) -> Mapping[str, Status]:
        """Read the topics."""
        of_target: defaultdict[str, list[Request]] = defaultdict(list)
        for request in requests:
            of_target[target_of(request.request_id)].append(request)
        found: dict[str, Status] = {}
        for target, theirs in of_target.items():
            found |= self._adapters[target].statuses(theirs)
        return found

    def cancel(self, request: Request) -> Receipt:
        """Publish that it is withdrawn."""
        return self._of(request).cancel(request)

    def _of(self, request: Request) -> Adapter:
        return self._adapters[target_of(request.request_id)]
