"""Interface of a telescope for requests: section `requests` of ``conf/telescopes/NAME.yml``."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from fink_al.settings.kinds import Address, LocalFolder, Positive, Section, TopicName

NotEmpty = Annotated[str, Field(min_length=1, max_length=200)]


def _day_of_year(text: str) -> str:
    if not re.fullmatch(r"(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])", text):
        raise ValueError("write month and day as MM-DD, with a day that each month has")
    return text


class Requests(Section):
    """Settings that every adapter needs.

    `submit` is False for a dry run: everything is checked and shown, nothing is sent. Hours are
    those that the plan reserves, overheads included; a semester begins on each of
    `semesters_begin`. A request whose sending broke off is looked for in the telescope's list for
    `doubt_minutes`; behind that a person is told. `ask_after_days` is when a person is asked for
    the type of what was observed.
    """

    submit: bool = False
    hours_a_night: Positive | None = None
    hours_a_semester: Positive | None = None
    semesters_begin: Annotated[
        tuple[Annotated[str, AfterValidator(_day_of_year)], ...], Field(min_length=1)
    ] = ("02-01", "08-01")
    doubt_minutes: Annotated[float, Field(gt=0, le=10_000)] = 30.0
    ask_after_days: Annotated[float, Field(gt=0, le=1000)] = 7.0


class AocsRequests(Requests):
    """The queue of the ANU 2.3 m, which takes forms over HTTP.

    `url` is the folder of the forms. Keys beside the common ones are the fields of a form, in lower
    case. A flexible request may be observed at any time, a fixed one within its window only, for
    which a proposal needs the observatory's consent. `window_unit` is that of TIMEWINDOW, which no
    public source tells. `sky_offset_arcmin` and `sub_cycle` count for nod and shuffle only: the
    sky is so far north of the object.
    """

    adapter: Literal["aocs"]
    url: Address | None = None
    proposal: NotEmpty | None = None
    priority: Annotated[int, Field(ge=1, le=10)] = 1
    max_seeing_arcsec: Positive = 3.0
    photometric: bool = False
    max_lunar_phase: Annotated[float, Field(ge=0, le=100)] = 100.0
    time_constraint: Literal["Flexible", "Fixed"] = "Flexible"
    window_unit: Literal["s", "min", "h"] = "s"
    mode: Literal["ClassicalEqual", "ObjectSkyNodAndShuffle"] = "ClassicalEqual"
    dichroic: Literal["RT480", "RT560", "RT615"] = "RT560"
    red_grating: Literal["R3000", "R7000", "I7000"] = "R3000"
    blue_grating: Literal["B3000", "B7000", "U7000"] = "B3000"
    aperture_wheel: NotEmpty = "Clear"
    rotator: Literal["PA", "VA"] = "PA"
    rotator_angle_deg: float = 0.0
    guide_filter: Literal["B", "V", "R", "I", "ND"] = "R"
    guide: Literal["No", "BestEffort", "AcqStar"] = "BestEffort"
    stellar: bool = False
    #: Pixels that become one, along the spectrum and across it.
    binx: Literal[1, 2] = 1
    biny: Literal[1, 2, 3, 4] = 2
    sky_offset_arcmin: Positive = 5.0
    sub_cycle: NotEmpty | None = None


class OcsRequests(Requests):
    """An observatory that speaks the interface of Las Cumbres (OCS).

    `url` is the address above ``api/``. A request asks for a lamp flat of `lamp_flat_s` and an arc
    of `arc_s` seconds beside each spectrum if `calibrate` is True. Without a `site`, any telescope
    of the class may observe it, where the plan does not hold.
    """

    adapter: Literal["ocs"]
    url: Address | None = None
    proposal: NotEmpty | None = None
    ipp_value: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    observation_type: Literal["NORMAL", "RAPID_RESPONSE", "TIME_CRITICAL"] = "NORMAL"
    telescope_class: NotEmpty = "2m0"
    site: NotEmpty | None = None
    instrument_type: NotEmpty = "2M0-FLOYDS-SCICAM"
    readout_mode: NotEmpty = "default"
    slit: NotEmpty = "slit_2.0as"
    #: Further elements, such as a grating, by kind.
    optical_elements: dict[str, NotEmpty] = Field(default_factory=dict)
    rotator_mode: Literal["VFLOAT", "SKY"] = "VFLOAT"
    acquisition: Literal["WCS", "BRIGHTEST"] = "WCS"
    acquire_radius_arcsec: Positive = 5.0
    guide_is_optional: bool = True
    calibrate: bool = True
    lamp_flat_s: Positive = 20.0
    arc_s: Positive = 60.0
    max_lunar_phase: Annotated[float, Field(ge=0, le=1)] = 1.0
    acceptability_threshold: Annotated[int, Field(ge=1, le=100)] = 100
    #: Width of the window around the planned block [h]; None: the telescope's whole night.
    window_hours: Positive | None = None


class FileRequests(Requests):
    """Files to take along: one CSV with all columns, and one list of targets, a night.

    None as `folder` is ``to_take_along`` in the working folder.
    """

    adapter: Literal["file"]
    folder: LocalFolder | None = None


class TopicRequests(Requests):
    """A Kafka topic that an observatory reads; None is ``fink_plan_TARGET_SURVEY`` at `sink`."""

    adapter: Literal["topic"]
    topic: TopicName | None = None


AnyRequests = Annotated[
    AocsRequests | OcsRequests | FileRequests | TopicRequests, Field(discriminator="adapter")
]
