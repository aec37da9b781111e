"""A night, when its alerts are sent, and which topics hold it."""

from datetime import UTC, datetime, timedelta

import pytest

from fink_al.settings.nights import (
    night_of_time,
    nights_of_topic,
    sending_times,
    topics_of_night,
)
from fink_al.settings.survey import load_survey

_ZTF, _DATED = "ztf_[0-9]{8}_programid1", "alerts_[0-9]{8}"


def test_a_night_in_chile_is_from_noon_to_noon():
    survey, hour = load_survey("lsst"), timedelta(hours=1)
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert sending_times(survey, 20260101) == (noon - hour, noon + 36 * hour)
    assert night_of_time(survey, noon) == 20260101
    assert night_of_time(survey, noon - timedelta(seconds=1)) == 20251231
    # Were its topics called after dates, it would be in two of them.
    assert topics_of_night(_DATED, survey, 20251231) == "alerts_(20251231|20260101)"
    assert topics_of_night(survey.topics, survey, 20251231) == survey.topics


@pytest.mark.parametrize(
    ("survey", "topics", "name", "nights"),
    [
        ("ztf", _ZTF, "ztf_20260101_programid1", [20260101]),
        ("lsst", _DATED, "alerts_20260101", [20251231, 20260101]),
        ("ztf", _ZTF, "ztf_20260101_programid1_bis", []),
        ("ztf", _ZTF, "ztf_99999999_programid1", []),
        ("lsst", "lsst-alerts-v[0-9]+", "lsst-alerts-v10", []),
        ("ztf", _ZTF, "20260101/part-0.parquet", []),
    ],
)
def test_a_topic_tells_its_nights_if_its_name_does(survey, topics, name, nights):
    assert nights_of_topic(topics, load_survey(survey), name) == nights
