"""Conditions on columns, bound by bound, and what a null means."""

from math import nan

import numpy as np
import pytest

from fink_al.alerts import adapter
from fink_al.cuts import columns_of, failures, places
from fink_al.features.context import galactic_latitude
from fink_al.settings import Cut, load_survey
from fink_al.settings.cuts import CONTEXT
from fink_al.settings.kinds import HOST

_NUMBERS = {"mag": np.array([18.9, 19.0, 19.1, nan])}


def failed(cut, context, start=nan):
    """Whether each alert fails `cut`."""
    cuts = {"cut": Cut(**cut)}
    n = len(next(iter(context.values())))
    return failures(cuts, context, np.full(n, start))["cut"].tolist()


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"at_least": 19}, [True, False, False, False]),
        ({"more_than": 19}, [True, True, False, False]),
        ({"at_most": 19}, [False, False, True, False]),
        ({"less_than": 19}, [False, True, True, False]),
        ({"at_least": 19, "less_than": 19.1}, [True, False, True, False]),
        ({"at_least": 19, "if_null": "fails"}, [True, False, False, True]),
        ({"if_null": "fails"}, [False, False, False, True]),
    ],
)
def test_bounds_of_a_number(bounds, expected):
    assert failed({"column": "mag"} | bounds, _NUMBERS) == expected


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"equals": True}, [True, False, False]),
        ({"equals": False}, [False, True, False]),
        ({"equals": True, "if_null": "fails"}, [True, False, True]),
    ],
)
def test_bounds_of_a_flag(bounds, expected):
    context = {"is_positive": np.array([0.0, 1.0, nan])}
    assert failed({"column": "is_positive"} | bounds, context) == expected


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"one_of": ["i", "g"]}, [False, True, False, True, False]),
        ({"one_of": ["i", "g"], "if_null": "fails"}, [False, True, False, True, True]),
        ({"if_null": "fails"}, [False, False, False, False, True]),
    ],
)
def test_bounds_of_a_word(bounds, expected):
    cut = Cut(column="band", **bounds)
    words = columns_of({"cut": cut})["band"]
    context = {"band": places(["g", "r", "i", "", None], words)}
    assert failed({"column": "band"} | bounds, context) == expected


def test_a_null_fails_where_a_flag_contradicts_it():
    distance, known = np.meshgrid([4.9, 5.1, nan], [0.0, 1.0, nan], indexing="ij")
    context = {"asteroid_distance_arcsec": distance.ravel(), "is_known_asteroid": known.ravel()}
    cut = {"column": "asteroid_distance_arcsec", "more_than": 5}
    expected = [True] * 3 + [False] * 3 + [False, True, False]
    assert failed(cut | {"null_fails_where": "is_known_asteroid"}, context) == expected
    assert failed(cut, context) == [True] * 3 + [False] * 6


def test_one_condition_of_several_is_enough():
    bright, close = np.meshgrid([18.0, 20.0, nan], [1.0, 9.0, nan], indexing="ij")
    context = {"mag": bright.ravel(), "star_distance_arcsec": close.ravel()}
    either = [{"column": "mag", "less_than": 19}, {"column": "star_distance_arcsec", "at_least": 5}]
    expected = [False] * 3 + [True, False, False] + [False] * 3
    assert failed({"any_of": either}, context) == expected


def test_away_from_the_galactic_plane():
    context = {"ra": np.array([266.4, 192.86, nan]), "dec": np.array([-29.0, 27.13, 0.0])}
    assert np.abs(galactic_latitude(context["ra"], context["dec"]))[:2].round() == pytest.approx(
        [0, 90]
    )
    either = [
        {"column": "galactic_latitude", "less_than": -10},
        {"column": "galactic_latitude", "more_than": 10},
    ]
    assert failed({"any_of": either}, context) == [True, False, False]


def test_the_age_counts_from_the_later_first_detection():
    context = {
        "mjd": np.full(4, 100.0),
        "first_detection_mjd": np.array([70.0, 95.0, nan, 85.0]),
    }
    cut = {"column": "age_days", "at_most": 10}
    assert failed(cut, context, start=80.0) == [True, False, True, True]
    assert failed(cut, context, start=91.0) == [False] * 4


def test_words_of_a_column_are_looked_for_once():
    cuts = {
        "host_class": Cut(column="host_is_extragalactic", equals=True),
        "no_quasar": Cut(column="host_class", one_of=["Star", "Galaxy"]),
    }
    words = columns_of(cuts)["host_class"]
    assert words is not None
    assert sorted(words) == sorted(set(words))
    assert words[-1] == "Star"  # of which the catalogue's extragalactic classes know nothing
    context = {"host_class": places(["Galaxy", "Star", "QSO", "Unknown", None], words)}
    expected = {
        "host_class": [False, True, True, False, False],
        "no_quasar": [False, False, True, True, False],
    }
    found = failures(cuts, context, np.full(5, nan))
    assert {name: values.tolist() for name, values in found.items()} == expected


@pytest.mark.parametrize("survey", ["ztf", "lsst"])
def test_every_survey_makes_the_columns_that_cuts_may_name(survey):
    packets = adapter(load_survey(survey))
    lists = {*packets.LIGHT_CURVE, *packets.FORCED}
    columns = set(packets.COLUMNS) - lists - {"object_id", "alert_id"}
    assert columns - set(HOST) == set(CONTEXT)  # what hosts tell is for features
    assert set(HOST) <= columns
