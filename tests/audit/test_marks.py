"""Which records of the ledger are a night's."""

import pytest
from small_ledger import NIGHT, TOPIC, Night

from fink_al.audit.marks import NoRecord, read_marks
from fink_al.settings.survey import load_survey

_NEXT = f"ztf_{NIGHT + 1}_programid1"
_ALL = "lsst-alerts-v10"


def parts(ledger, survey="ztf", **chosen):
    survey = load_survey(survey)
    marks = read_marks(ledger.records, survey.topics, survey, **chosen)
    return marks.night, [record.part for record in marks.records]


def test_topics_tell_their_night_and_a_record_of_two_nights_is_in_both():
    night = Night()
    night.add(0, "rr")
    night.add(0, "r")
    night.records[1]["offsets"].append(night.records[0]["offsets"][0] | {"topic": _NEXT})
    night.add(0, "r", topic=_NEXT)
    assert parts(night) == (NIGHT + 1, ["part1", "part2"])
    assert parts(night, night=NIGHT) == (NIGHT, ["part0", "part1"])
    with pytest.raises(NoRecord, match="no record of night 20260101; nights there: 20260105 to "):
        parts(night, night=20260101)


def test_a_topic_of_all_nights_is_divided_by_the_time_of_the_record():
    night = Night()
    for time in ("06T11:59:59", "06T12:00:00", "07T11:00:00", "07T12:00:00"):
        night.add(0, "r", topic=_ALL)
        night.records[-1]["written"] = f"2026-01-{time}Z"
    assert parts(night, "lsst", night=20260106) == (20260106, ["part1", "part2"])
    assert parts(night, "lsst") == (20260107, ["part3"])


def test_where_the_stream_began_at_the_end_of_topics_there_is_no_night():
    night = Night()
    night.add(0, "")
    with pytest.raises(NoRecord, match="no record of any alert: run fink-al stream"):
        parts(night)
    with pytest.raises(NoRecord, match=f"no record of night {NIGHT}; nights there: none"):
        parts(night, night=NIGHT)
    night.records[0]["offsets"][0] |= {"first": 40, "until": 40}
    night.add(0, "rr")
    assert parts(night) == (NIGHT, ["part1"])
    assert TOPIC.startswith("ztf")
    survey = load_survey("ztf")
    (record,) = read_marks(night.records, survey.topics, survey).records
    assert (record.stretches[0].done, record.stretches[0].first) == (40, 40)
