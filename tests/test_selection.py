"""Each cut rejects what it should, and says so."""

import numpy as np
import pytest

from fink_al.selection import CONTEXT, REASONS, select, uniform_hash
from fink_al.settings import load_settings

TARGET = load_settings().target
_GOOD = {
    "mjd": 61050.0,
    "dec": -20.0,
    "mag": 19.0,
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
}


def reasons(p=0.5, has_model=True, **changes):
    """Reasons of one alert that is a candidate but for `changes`."""
    context = {name: np.array([changes.pop(name, _GOOD[name])]) for name in CONTEXT}
    more = {
        "host_is_allowed": np.nan,
        "history_start_mjd": 61045.0,
        "has_features": True,
        "uniform": 0.0,
        "is_labelled": False,
        "band_is_allowed": 1.0,
        "is_published": False,
        "is_night_full": False,
    } | changes
    arrays = {name: np.array([value]) for name, value in more.items()}
    chosen = select(context, p=np.array([p]), has_model=has_model, target=TARGET, **arrays)
    return [name for bit, name in enumerate(REASONS) if chosen.rejected[0] >> bit & 1]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"n_bad_pixels": 1.0}, "bad_pixels"),
        ({"real_bogus": 0.54}, "real_bogus"),
        ({"deep_real_bogus": 0.5}, "deep_real_bogus"),
        ({"classtar": 0.4}, "classtar"),
        ({"dec": 20.0}, "declination"),
        ({"first_detection_mjd": 61029.9, "history_start_mjd": 61029.9}, "too_old"),
        ({"host_is_allowed": 0.0}, "host_class"),
        ({"star_score": 0.9}, "star"),
        ({"asteroid_distance_arcsec": 4.9}, "asteroid"),
        # Attributed to an asteroid, but nobody says how far away it is.
        ({"asteroid_distance_arcsec": np.nan, "is_known_asteroid": 1.0}, "asteroid"),
        ({"is_positive": 0.0}, "negative_subtraction"),
        ({"band_is_allowed": 0.0}, "band"),
        ({"n_detections": 21.0}, "many_detections"),
        ({"mag": 20.01}, "too_faint"),
        ({"has_features": False}, "not_scored"),
        ({"p": 0.76}, "certain"),
        ({"p": 0.24}, "certain"),
        ({"has_model": False, "p": np.nan, "uniform": 0.2}, "not_sampled"),
        ({"is_labelled": True}, "already_labelled"),
        ({"is_published": True}, "already_published"),
        ({"is_night_full": True}, "night_full"),
    ],
)
def test_each_cut_alone(changes, reason):
    assert reasons(**changes) == [reason]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"p": 0.75},
        {"host_is_allowed": 1.0, "star_score": 0.9},
        {"star_score": 0.9, "star_distance_arcsec": 1.6},
        {"has_model": False, "p": np.nan, "uniform": 0.19},
        {"asteroid_distance_arcsec": 5.1, "is_known_asteroid": 1.0},
        {"asteroid_distance_arcsec": np.nan, "is_known_asteroid": np.nan},
        # The survey's first detection is unreliable: the history's own, where later, counts.
        {"first_detection_mjd": 60000.0, "history_start_mjd": 61045.0},
    ],
)
def test_candidates(changes):
    assert reasons(**changes) == []


@pytest.mark.parametrize("name", sorted(set(CONTEXT) - {"mjd", "first_detection_mjd"}))
def test_what_a_survey_does_not_say_is_no_failure(name):
    assert reasons(**{name: np.nan}) == []


def test_the_hash_is_uniform_and_always_the_same():
    keys = np.arange(20_000)
    drawn = uniform_hash(keys, np.full(20_000, 20260110), 1)
    assert np.histogram(drawn, 10, (0, 1))[0] == pytest.approx(2000, abs=200)
    assert (drawn == uniform_hash(keys, np.full(20_000, 20260110), 1)).all()
    for other in (
        uniform_hash(keys, np.full(20_000, 20260111), 1),
        uniform_hash(keys, 20260110, 2),
    ):
        assert abs(np.corrcoef(drawn, other)[0, 1]) < 0.03
