"""Each cut of the targets that come with the package rejects what it should, and says so."""

from math import nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fink_al.cuts import places
from fink_al.errors import SettingsError
from fink_al.selection import (
    Draws,
    inputs,
    reasons,
    score,
    scored_by,
    select,
    strategy_and_cost,
)
from fink_al.settings import DrawSettings, load_settings

TARGETS = {
    name: load_settings(target=name, environment={}).target
    for name in ("early_snia", "early_snia_lsst")
}
TARGET = TARGETS["early_snia"]
_GOOD = {
    "mjd": 61050.0,
    "dec": -20.0,
    "mag": 19.0,
    "band": "g",
    "is_positive": 1.0,
    "real_bogus": 0.9,
    "deep_real_bogus": 0.99,
    "n_bad_pixels": 0.0,
    "classtar": 0.9,
    "star_score": 0.1,
    "star_distance_arcsec": 0.5,
    "asteroid_distance_arcsec": 100.0,
    "is_known_asteroid": 0.0,
    "first_detection_mjd": 61045.0,
    "n_detections": 4.0,
    "host_class": None,
}


def selection(alerts, target=TARGET):
    """Selection from `alerts`, which are candidates but for what they say."""
    alerts = [
        _GOOD
        | {"ra": 150.0, "score": 0.5, "history_start_mjd": 61045.0, "has_features": True}
        | {"u": 0.0, "t": 1.0, "mean": 0.5**3}
        | {"is_observable": True, "is_labelled": False}
        | {"is_reserved": False, "is_published": False}
        | alert
        for alert in alerts
    ]
    arrays = {name: [alert[name] for alert in alerts] for name in alerts[0]}
    context = {
        name: np.array(arrays[name], float) if words is None else places(arrays[name], words)
        for name, words in inputs(target.cuts).items()
    }
    truths = ("has_features", "is_observable", "is_labelled", "is_reserved", "is_published")
    return select(
        context,
        target=target,
        score=np.array(arrays["score"], float),
        draws=Draws(*(np.array(arrays[name], float) for name in ("u", "t", "mean"))),
        history_start_mjd=np.array(arrays["history_start_mjd"], float),
        **{name: np.array(arrays[name], bool) for name in truths},
    )


def rejections(alerts, target=TARGET):
    """Reasons of each of `alerts`."""
    bits, chosen = reasons(target.cuts), selection(alerts, target)
    return [[name for bit, name in enumerate(bits) if row >> bit & 1] for row in chosen.rejected]


_CASES = [
    ({}, []),
    ({"n_bad_pixels": 1.0}, ["bad_pixels"]),
    ({"n_bad_pixels": nan}, []),
    ({"real_bogus": 0.54}, ["real_bogus"]),
    ({"real_bogus": 0.55}, []),
    ({"real_bogus": nan}, []),
    ({"deep_real_bogus": 0.5}, ["deep_real_bogus"]),
    ({"deep_real_bogus": 0.51}, []),
    ({"deep_real_bogus": nan}, []),
    ({"classtar": 0.4}, ["classtar"]),
    ({"classtar": 0.41}, []),
    ({"classtar": nan}, []),
    ({"dec": 20.0}, ["declination"]),
    ({"dec": 19.9}, []),
    ({"first_detection_mjd": 61029.9, "history_start_mjd": 61029.9}, ["too_old"]),
    ({"first_detection_mjd": 61030.0, "history_start_mjd": 61030.0}, []),
    ({"first_detection_mjd": nan, "history_start_mjd": 61029.9}, ["too_old"]),
    ({"first_detection_mjd": 61029.9, "history_start_mjd": nan}, ["too_old"]),
    ({"first_detection_mjd": nan, "history_start_mjd": nan}, []),
    # The survey's first detection is unreliable: the history's own, where later, counts.
    ({"first_detection_mjd": 60000.0}, []),
    ({"host_class": "Star"}, ["host_class"]),
    ({"host_class": ""}, ["host_class"]),
    ({"host_class": "Galaxy"}, []),
    ({"host_class": "Unknown"}, []),
    ({"star_score": 0.77}, ["star"]),
    ({"star_score": 0.76}, []),
    ({"star_score": 0.77, "star_distance_arcsec": 1.5}, []),
    ({"star_score": nan}, []),
    ({"star_score": 0.77, "star_distance_arcsec": nan}, []),
    ({"star_score": 0.77, "host_class": "Galaxy"}, []),
    ({"star_score": 0.77, "host_class": "Star"}, ["host_class"]),
    ({"asteroid_distance_arcsec": 5.0}, ["asteroid"]),
    ({"asteroid_distance_arcsec": 5.1}, []),
    ({"asteroid_distance_arcsec": 5.1, "is_known_asteroid": 1.0}, []),
    ({"asteroid_distance_arcsec": nan}, []),
    ({"asteroid_distance_arcsec": nan, "is_known_asteroid": nan}, []),
    ({"asteroid_distance_arcsec": nan, "is_known_asteroid": 1.0}, ["asteroid"]),
    ({"is_positive": 0.0}, ["negative_subtraction"]),
    ({"is_positive": nan}, []),
    ({"band": "i"}, ["band"]),
    ({"band": None}, []),
    ({"n_detections": 21.0}, ["many_detections"]),
    ({"n_detections": 20.0}, []),
    ({"n_detections": nan}, []),
    ({"mag": 20.01}, ["too_faint"]),
    ({"mag": nan}, []),
    ({"has_features": False}, ["not_scored"]),
    ({"score": nan}, ["not_scored"]),
    ({"is_observable": False}, ["not_observable"]),
    ({"is_labelled": True}, ["already_labelled"]),
    ({"is_published": True}, ["already_published"]),
    ({"is_reserved": True, "u": 0.99, "t": 0.5}, ["already_labelled"]),
    ({"u": 0.99}, []),
    ({"u": 0.99, "t": 0.99}, ["not_drawn"]),
    # Odds of 0.9 * 0.3**3 / 0.5**3 + 0.1 = 0.294.
    ({"u": 0.29, "score": 0.3}, []),
    ({"u": 0.30, "score": 0.3}, ["not_drawn"]),
    ({"u": 0.29, "score": 0.3, "t": 0.9}, ["not_drawn"]),
    # Objects that are in the list with certainty.
    ({"u": 0.99, "t": 0.5, "is_labelled": True}, ["already_labelled"]),
    ({"u": 0.99, "t": 0.5, "is_published": True}, ["already_published"]),
    # An alert that fails a cut is not in the list.
    (
        {"band": "i", "is_positive": 0.0, "mag": 21.0, "u": 0.99, "t": 0.5, "is_labelled": True},
        ["negative_subtraction", "band", "too_faint", "already_labelled"],
    ),
]


def test_each_cut_alone_and_some_together():
    assert rejections([alert for alert, _ in _CASES]) == [expected for _, expected in _CASES]


def test_what_is_in_the_list_has_a_weight_and_a_priority():
    drawn, left, labelled, *others = selection(
        [
            {"u": 0.1},
            {"u": 0.9, "t": 0.5},
            {"u": 0.9, "is_labelled": True, "score": 1.0},
            {"mag": 21.0},
            {"score": nan},
            {"is_reserved": True},
        ]
    ).priority
    np.testing.assert_allclose([drawn, left, labelled], [0.1, 0.9, 0.9 / 7.3])
    assert np.isnan(others).all()


def test_scores_of_the_strategies_of_a_stream():
    p, chance, minutes = np.array([nan, 0.0, 0.5, 0.9]), np.full(4, 0.5), np.full(4, 20.0)
    expected = {
        "random": [1, 1, 1, 1],
        "entropy": [nan, 0, 1, 0.468996],
        "uncertainty": [nan, 0, 1, 0.2],
        "margin": [nan, 0, 1, 0.2],
        "cost": [nan, 0, 0.025, 0.468996 * 0.025],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(
            score(name, p, chance, minutes, DrawSettings()), values, atol=1e-6
        )
    for name in ("greedy:entropy", "committee"):
        with pytest.raises(SettingsError, match=rf"'{name}' .* For the stream: random, uncert"):
            score(name, p, chance, minutes, DrawSettings())


def test_weights_go_with_the_telescope_time_to_the_power_of_minus_cost():
    p, chance = np.full(4, 0.3), np.full(4, 0.5)
    minutes = np.array([5.0, 10.0, 20.0, 2.0])
    for exponent, cost in ((3.0, 1.0), (1.0, 0.5), (2.0, 2.0)):
        draw = DrawSettings(exponent=exponent, cost=cost)
        name = scored_by("entropy", draw)
        assert strategy_and_cost(name) == ("entropy", cost)
        found = score(name, p, chance, minutes, draw)
        plain = score("entropy", p, chance, minutes, draw)
        expected = plain**exponent * np.array([1, 2**-cost, 4**-cost, 1])
        np.testing.assert_allclose(found**exponent, expected)
    assert scored_by("random", draw) == "random"
    assert scored_by("entropy", DrawSettings()) == "entropy"
    assert strategy_and_cost("cost") == ("cost", 0)


# The cuts as they were written in code before they were settings, for one alert, None for null.
_LIMITS = {
    "early_snia": {"classtar": 0.4, "dec": 20, "age": 20, "many": 20, "bands": "gr", "mag": 20.0},
    "early_snia_lsst": {
        "classtar": 0, "dec": 5, "age": 40, "many": 40, "bands": "griz", "mag": 22.5,
    },
}  # fmt: skip


def _plain(alert, limits):
    def value(name):
        return alert[name] if alert[name] == alert[name] else None

    def fails(name, test):
        return value(name) is not None and test(value(name))

    starts = [x for x in map(value, ("first_detection_mjd", "history_start_mjd")) if x is not None]
    host = alert["host_class"]
    expected = {
        "bad_pixels": fails("n_bad_pixels", lambda x: x > 0),
        "real_bogus": fails("real_bogus", lambda x: x < 0.55),
        "deep_real_bogus": fails("deep_real_bogus", lambda x: x <= 0.5),
        "classtar": fails("classtar", lambda x: x <= limits["classtar"]),
        "declination": fails("dec", lambda x: x >= limits["dec"]),
        "too_old": bool(starts) and alert["mjd"] - max(starts) > limits["age"],
        "host_class": host is not None and host not in ("Galaxy", "Unknown"),
        "star": host is None
        and fails("star_score", lambda x: x > 0.76)
        and fails("star_distance_arcsec", lambda x: x < 1.5),
        "asteroid": fails("asteroid_distance_arcsec", lambda x: x <= 5),
        "negative_subtraction": alert["is_positive"] == 0,
        "band": alert["band"] is not None and alert["band"] not in limits["bands"],
        "many_detections": fails("n_detections", lambda x: x > limits["many"]),
        "too_faint": fails("mag", lambda x: x > limits["mag"]),
    }
    return [name for name, failed in expected.items() if failed]


def _around(*bounds):
    values = [x + step for x in bounds for step in (-0.1, 0, 0.1)]
    return st.one_of(st.sampled_from([nan, *values]), st.floats(min(values), max(values)))


_ALERTS = {
    "mjd": st.floats(61045, 61090),
    "dec": _around(5.0, 20.0),
    "mag": _around(20.0, 22.5),
    "band": st.sampled_from([*"ugrizy", None]),
    "is_positive": st.sampled_from([0.0, 1.0, nan]),
    "real_bogus": _around(0.55),
    "deep_real_bogus": _around(0.5),
    "n_bad_pixels": st.sampled_from([0.0, 1.0, 2.0, nan]),
    "classtar": _around(0.0, 0.4),
    "star_score": _around(0.76),
    "star_distance_arcsec": _around(1.5),
    "asteroid_distance_arcsec": _around(5.0),
    "first_detection_mjd": st.one_of(st.just(nan), st.floats(61000, 61050)),
    "history_start_mjd": st.one_of(st.just(nan), st.floats(61000, 61050)),
    "n_detections": st.sampled_from([nan, *map(float, (1, 19, 20, 21, 40, 41))]),
    "host_class": st.sampled_from([None, "Galaxy", "Unknown", "Star", ""]),
}
#: What packets of a survey never hold.
_ABSENT = {
    "early_snia": {},
    "early_snia_lsst": {"deep_real_bogus": nan, "star_score": nan, "star_distance_arcsec": nan},
}


@pytest.mark.parametrize("name", TARGETS)
@settings(deadline=None)
@given(alerts=st.lists(st.fixed_dictionaries(_ALERTS), min_size=1, max_size=20))
def test_cuts_as_data_decide_as_those_in_code_did(name, alerts):
    alerts = [alert | _ABSENT[name] for alert in alerts]
    expected = [_plain(alert, _LIMITS[name]) for alert in alerts]
    assert rejections(alerts, TARGETS[name]) == expected
