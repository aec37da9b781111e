"""A Kafka topic of what is asked for, for observatories that read it and for anybody else.

Key and value are those of a candidate (:mod:`fink_al.followup.messages`): the key holds the schema.
``docs/messages.md`` explains the fields.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import fastavro

from fink_al.errors import FencedError, ServiceError
from fink_al.followup.subscriber import read_candidates
from fink_al.followup.telescopes import InDoubt, NotSent, Quote, Receipt, Request, State, Status
from fink_al.followup.telescopes.answers import as_text
from fink_al.followup.telescopes.checks import check, problems_of
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.publisher import Publisher
from fink_al.loop import Loop
from fink_al.settings import Target

#: The first part rises if a field is removed or changes its meaning, the second if one is added.
REQUEST_VERSION = "1.0"

Word = Literal["requested", "withdrawn"]

#: Times that another process may take over before this one gives up.
_ATTEMPTS = 3

_FIELDS: list[tuple[str, Any, str]] = [
    ("schema_version", "string", "version of this record"),
    ("status", "string", "requested, or withdrawn: then it is not wanted any more"),
    ("request_id", "string", "name of the request, the same in both records"),
    ("telescope", "string", "telescope that is asked"),
    ("target", "string", "what is looked for"),
    ("survey", "string", "survey that found the object"),
    ("object_id", "string", "the survey's name of the object"),
    ("ra", "double", "right ascension, J2000 [deg]"),
    ("dec", "double", "declination, J2000 [deg]"),
    ("mag", "double", "expected magnitude at the planned time, AB"),
    ("mag_err", "double", "its 1 sigma error"),
    ("opens", "string", "begin of the window, UTC, ISO 8601"),
    ("closes", "string", "end of the window, UTC, ISO 8601"),
    ("begins", "string", "planned begin of the block, UTC, ISO 8601"),
    ("minutes", "double", "length of the block, overheads included [min]"),
    ("exposures", "int", "number of exposures"),
    ("exposure_s", "double", "length of an exposure [s]"),
    ("list", "int", "list of which the object was drawn, UT date on which it begins [YYYYMMDD]"),
    ("rank", "int", "place in the list, from 1"),
    ("pi", ["null", "double"], "weight of the draw; null without a draw"),
    ("priority", ["null", "double"], "priority of the draw"),
    ("tau", ["null", "double"], "threshold of the plan: priorities below it are observed"),
    ("odds", ["null", "double"], "chance with which the draw put it into the plan"),
    ("why", "string", "why it is asked for"),
    ("published", "string", "when this record was published, UTC, ISO 8601"),
]
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "request",
    "namespace": "fink_al",
    "doc": f"fink-al request {REQUEST_VERSION}",
    "fields": [{"name": name, "type": kind, "doc": doc} for name, kind, doc in _FIELDS],
}
_KEY = json.dumps(SCHEMA).encode()
_PARSED = fastavro.parse_schema(json.loads(_KEY))


def plan_topic(target: Target) -> str:
    """Return the topic of a target: ``fink_plan_NAME_SURVEY``, the survey once."""
    name, survey = target.name, target.survey
    return f"fink_plan_{name if name.endswith(f'_{survey}') else f'{name}_{survey}'}"


def announce(
    loop: Loop, telescope: str, request: Request, word: Word, topic: str | None = None
) -> bool:
    """Publish a record of `request`; return False if the topic has one of this status already.

    Parameters
    ----------
    loop : Loop
        The target's loop; its `sink` is the cluster.
    telescope : str
        Name of the telescope.
    request : Request
        The request.
    word : {'requested', 'withdrawn'}
        Status of the record.
    topic : str, optional
        Default: :func:`plan_topic`.

    Raises
    ------
    NotSent
        If the topic cannot be read, or other processes publish in it all the time.
    InDoubt
        If it is not known whether the record was published. The next call finds it out.
    """
    topic, kafka = topic or plan_topic(loop.target), loop.settings.sink
    for _ in range(_ATTEMPTS):
        if _is_in(loop, topic, request, word):
            return False
        try:
            Cluster(kafka).create_topic(topic)
            # From here on no other process can publish what the search does not see.
            publisher = Publisher(kafka, f"fink-al-{topic}")
        except ServiceError as error:
            raise NotSent(str(error)) from None
        if _is_in(loop, topic, request, word):
            return False
        try:
            with publisher.transaction() as out:
                out.send(topic, _encoded(loop, telescope, request, word), _KEY)
            return True
        except FencedError:
            continue
        except ServiceError as error:
            raise InDoubt(str(error)) from None
    raise NotSent(f"Other processes publish in topic '{topic}' all the time: try again later.")


class Topic:
    """Adapter of a topic; see :class:`fink_al.followup.telescopes.Adapter`.

    Nothing comes back by the topic, so what is in it waits until it is withdrawn.

    Parameters
    ----------
    loop : Loop
        The target's loop.
    telescope : str
        Name of the telescope.
    topic : str or None
        None: :func:`plan_topic`.
    """

    reports = False

    def __init__(self, loop: Loop, telescope: str, topic: str | None = None):
        self._loop, self._telescope = loop, telescope
        self._topic = topic or plan_topic(loop.target)

    def validate(self, request: Request) -> Quote:
        """Check what needs no telescope."""
        return Quote(None, problems_of(request), "")

    def submit(self, request: Request) -> Receipt:
        """Publish that it is requested."""
        check(request)
        return self._announce(request, "requested")

    def statuses(self, requests: Sequence[Request]) -> Mapping[str, Status]:
        """Read the topic."""
        wanted = {request.request_id for request in requests}
        found: dict[str, Status] = {}
        for record in _records(self._loop, self._topic):
            name = record.get("request_id")
            if name in wanted and (name not in found or found[name].state == "accepted"):
                state: State = "withdrawn" if record.get("status") == "withdrawn" else "accepted"
                found[name] = Status(state, None, None, as_text(record))
        return found

    def cancel(self, request: Request) -> Receipt:
        """Publish that it is withdrawn."""
        return self._announce(request, "withdrawn")

    def _announce(self, request: Request, word: Word) -> Receipt:
        is_new = announce(self._loop, self._telescope, request, word, self._topic)
        return Receipt(None, f"{word} {'now' if is_new else 'before'} in topic '{self._topic}'")


def _is_in(loop: Loop, topic: str, request: Request, word: Word) -> bool:
    return any(
        (record.get("request_id"), record.get("status")) == (request.request_id, word)
        for record in _records(loop, topic)
    )


def _records(loop: Loop, topic: str) -> Iterator[dict[str, Any]]:
    try:
        for _, _, record in read_candidates(loop.settings.sink, topic):
            yield record
    except ServiceError as error:
        raise NotSent(str(error)) from None
    except Exception as error:  # whatever a foreign schema makes of foreign bytes
        raise NotSent(
            f"Topic '{topic}' holds a message that is no record ({type(error).__name__}): let "
            "nothing else write there, or name another as requests.topic."
        ) from None


def _encoded(loop: Loop, telescope: str, request: Request, word: Word) -> bytes:
    record = {name: getattr(request, name) for name, _, _ in _FIELDS if hasattr(request, name)}
    times = {name: _iso(record[name]) for name in ("opens", "closes", "begins")}
    record |= {
        "schema_version": REQUEST_VERSION,
        "status": word,
        "telescope": telescope,
        "target": loop.target.name,
        "survey": loop.survey.name,
        "published": _iso(datetime.now(UTC)),
        **times,
    }
    out = io.BytesIO()
    fastavro.schemaless_writer(out, _PARSED, record)
    return out.getvalue()


def _iso(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
