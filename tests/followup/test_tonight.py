"""Tonight's list from an archive of a few alerts."""

import pyarrow as pa
import pytest
from archive_files import put_rows

from fink_al.archive.reading import Archive
from fink_al.errors import FinkAlError
from fink_al.followup.sky import hours_above_airmass_2
from fink_al.followup.tonight import DETAILS, LIST, candidates, read_tonight
from fink_al.loop import Loop
from fink_al.settings import load_settings
from fink_al.settings.target import Flag

NIGHT = 20260110


@pytest.fixture
def settings(tmp_path):
    return load_settings(work_dir=tmp_path, starting_set=None, test_set=None)


@pytest.fixture
def archive(settings, candidate):
    """Puts alerts into the archive as one more part of a night."""

    def write(*alerts, night=NIGHT):
        common = {"is_candidate": True, "p_reason": None, "first_detection_mjd": None}
        draw = any("list" in alert for alert in alerts)
        common |= {"list": NIGHT, "u": 0.5, "t": 1e6, "pi": 1.0, "priority": 0.5} if draw else {}
        rows = pa.Table.from_pylist([candidate(**common | alert) for alert in alerts])
        for name, kind in (("p_reason", pa.string()), ("first_detection_mjd", pa.float64())):
            rows = rows.set_column(rows.column_names.index(name), name, rows[name].cast(kind))
        put_rows(Archive(settings.archive_dir), night, rows.drop_columns("night"))

    return write


def curve(*points):
    """Light-curve columns of (MJD, band, magnitude), the alert last."""
    mjd, band, mag = zip(*points, strict=True)
    return {
        "cjd": [t + 2400000.5 for t in mjd],
        "cfid": ["gri".index(b) + 1 for b in band],
        "cmagpsf": list(mag),
        "csigmapsf": [None if m is None else 0.1 for m in mag],
        "cdiffmaglim": [20.5] * len(mag),
        "cisdiffpos": [None if m is None else 1 for m in mag],
    }


def listed(settings, night=None):
    found, rows = candidates(Loop.open(settings), night)
    return found, rows["object_id"].tolist()


def test_whole_list(settings, archive):
    archive(
        {"object_id": "second", "informativeness": 0.7, "p": 0.35},
        {"object_id": "hidden", "dec": 80.0, "informativeness": 1.0, "p": 0.5},
        {"object_id": "no candidate", "is_candidate": False},
    )
    archive({"object_id": "first", "informativeness": 0.9, "p": 0.55})
    night, rows = candidates(Loop.open(settings))
    site = settings.target.follow_up.site
    visible, none = hours_above_airmass_2([150.1, 150.1], [-20.2, 80.0], site, 61050.3)
    assert (night, none, visible > 1) == (NIGHT, 0, True)
    south, north = "10:00:24.00 -20:12:00.0", "10:00:24.00 +80:00:00.0"
    why = "uncertainty, model 3"
    assert rows[["list", "pi", "priority"]].isna().all(axis=None)
    hidden = ["trend_mag_per_day", "age_days", "list", "pi", "priority"]
    assert rows.drop(columns=hidden).values.tolist() == [
        [1, "first", 150.1, -20.2, south, "r", 19.0, 0.55, why, visible],
        [2, "second", 150.1, -20.2, south, "r", 19.0, 0.35, why, visible],
        [3, "hidden", 150.1, 80.0, north, "r", 19.0, 0.5, why, 0],
    ]
    assert list(rows.columns) == LIST


def drawn(name, alert_id, priority, **changes):
    """An alert of the night's list."""
    draw = {"list": NIGHT, "u": 0.2, "pi": 0.2 / priority, "priority": priority}
    return {"object_id": name, "alert_id": alert_id, "informativeness": 0.5} | draw | changes


def test_a_list_is_ranked_by_priority_each_object_once(settings, archive):
    archive(
        drawn("A", 1, 0.4),
        drawn("B", 2, 0.3, dec=80.0, informativeness=0.1),
        drawn("not drawn", 3, 0.1, is_candidate=False),
        drawn("outside", 4, 0.1, is_candidate=False) | {"pi": None, "priority": None},
    )
    # Its last alert counts, also if another one was published.
    archive(drawn("B", 5, 0.5, mjd=61050.4, is_candidate=False, dec=80.0), drawn("C", 6, 0.2))
    archive(drawn("C", 6, 0.2, is_candidate=False))  # it came twice
    night, rows = candidates(Loop.open(settings))
    columns = ["rank", "object_id", "list", "pi", "priority"]
    assert (night, rows[columns].values.tolist()) == (
        NIGHT,
        [
            [1, "C", NIGHT, pytest.approx(1.0), 0.2],
            [2, "A", NIGHT, pytest.approx(0.5), 0.4],
            [3, "B", NIGHT, pytest.approx(0.4), 0.5],
        ],
    )
    site = settings.target.follow_up.site  # of the night after the list closes
    later = hours_above_airmass_2([150.1], [-20.2], site, 61051.0)
    assert rows["hours"].tolist() == [*later, *later, 0]


def test_the_limit_of_a_night_cuts_the_list_by_rank(settings, archive):
    follow_up = settings.target.follow_up.model_copy(update={"max_per_night": 2})
    target = settings.target.model_copy(update={"follow_up": follow_up})
    archive(*(drawn(name, i, 0.5 - i / 10) for i, name in enumerate("ABC")))
    assert listed(settings.model_copy(update={"target": target})) == (NIGHT, ["C", "B"])


def test_a_list_of_two_nights_is_one(settings, archive):
    archive({"object_id": "old"}, night=NIGHT - 2)
    archive(drawn("A", 1, 0.4, list=NIGHT - 1), drawn("B", 2, 0.4), night=NIGHT)
    archive(drawn("C", 3, 0.3), night=NIGHT + 1)
    assert listed(settings) == (NIGHT, ["C", "B"])
    assert listed(settings, NIGHT - 1) == (NIGHT - 1, ["A"])
    assert listed(settings, NIGHT - 2) == (NIGHT - 2, ["old"])
    with pytest.raises(FinkAlError, match=f"night {NIGHT + 1} has no candidates"):
        candidates(Loop.open(settings), NIGHT + 1)


@pytest.mark.parametrize(
    ("points", "trend"),
    [
        ([(61048.3, "r", 19.5), (61050.3, "r", 19.0)], -0.25),
        # Out of order, as some packets are; another band, the same night and a limit do not count.
        (
            [
                (61048.3, "r", 19.5),
                (61045.3, "r", 20.0),
                (61049.3, "g", 18.0),
                (61049.3, "r", None),
                (61050.2, "r", 17.0),
                (61050.3, "r", 19.0),
            ],
            -0.25,
        ),
        ([(61049.3, "g", 19.5), (61050.3, "r", 19.0)], None),
    ],
)
def test_trend_is_of_the_last_two_nights_in_the_band(settings, archive, points, trend):
    archive(curve(*points))
    (found,) = candidates(Loop.open(settings))[1]["trend_mag_per_day"]
    assert found == pytest.approx(trend) if trend else found != found


def test_a_plan_learns_the_errors(settings, archive):
    archive(
        curve((61048.3, "r", 19.5), (61050.3, "r", 19.0)), {"band": "g", "informativeness": 0.1}
    )
    rows = read_tonight(Loop.open(settings)).rows
    assert list(rows.columns) == DETAILS
    found = rows[["last_mjd", "mag_err", "trend_mag_per_day", "trend_err"]].to_numpy()
    assert found[0] == pytest.approx([61050.3, 0.1, -0.25, 0.1 * 2**0.5 / 2], abs=1e-5)
    assert rows.loc[1, ["trend_mag_per_day", "trend_err"]].isna().all()  # one detection in g
    assert found[1, :2] == pytest.approx([61049.3, 0.1], abs=1e-5)


@pytest.mark.parametrize(("survey_says", "age"), [(61040.3, 4), (61049.3, 1), (None, 4)])
def test_age_counts_from_the_later_first_detection(settings, archive, survey_says, age):
    points = curve((61030.3, "r", None), (61046.3, "g", 19.5), (61050.3, "r", 19.0))
    archive({"first_detection_mjd": survey_says} | points)
    assert candidates(Loop.open(settings))[1]["age_days"].tolist() == [pytest.approx(age)]


def test_without_a_model_it_says_so(settings, archive):
    archive({"object_id": "B", "p": 0.5})
    archive({"p": None, "p_reason": "no_model", "strategy": "random", "model_version": None})
    rows = candidates(Loop.open(settings))[1].set_index("object_id")
    assert rows.loc["ZTF26aaaaaaa", "why"] == "random sample (no_model)"
    assert rows["p"].isna().to_dict() == {"B": False, "ZTF26aaaaaaa": True}


def test_the_flags_of_an_alert_are_named(settings, archive):
    archive({"object_id": "B", "tags": ["host_from_catalogue", "odd"]}, {"object_id": "C"})
    flags = {"odd": Flag(feature="mag_g", above=19)}
    target = settings.target.model_copy(update={"flags": flags})
    rows = candidates(Loop.open(settings.model_copy(update={"target": target})))[1]
    why = dict(zip(rows["object_id"], rows["why"], strict=True))
    assert why["B"] == f"{why['C']}, odd"


def test_the_latest_night_with_candidates_is_the_default_and_it_grows(settings, archive):
    archive({"object_id": "old"}, night=20260109)
    archive({"object_id": "A", "informativeness": 0.5})
    archive({"object_id": "none yet", "is_candidate": False}, night=20260111)
    assert listed(settings) == (NIGHT, ["A"])
    archive({"object_id": "B", "informativeness": 0.6})
    assert listed(settings) == (NIGHT, ["B", "A"])
    assert listed(settings, 20260109) == (20260109, ["old"])


def test_a_night_without_candidates_names_those_there_are(settings, archive):
    with pytest.raises(FinkAlError, match="no night has candidates; archived nights: none"):
        candidates(Loop.open(settings))
    archive({}, night=20260109)
    archive({"is_candidate": False})
    for night in (NIGHT, 20250101):
        with pytest.raises(FinkAlError) as error:
            candidates(Loop.open(settings), night)
        assert str(error.value) == (
            f"In {settings.archive_dir} night {night} has no candidates; "
            "archived nights: 20260109, 20260110."
        )
