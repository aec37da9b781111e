"""The survey's count of a simulated object against a plain count."""

import numpy as np
import pytest

from fink_al.simulation.lens_alerts import (
    detected,
    packets_at,
    random_detections,
    simulate_sky,
)


@pytest.fixture(scope="module")
def sky():
    return simulate_sky(200, None, 4, past_days=100, earlier_days=1500)


def test_every_detection_up_to_the_alert_is_counted(sky):
    curves, truth = sky.curves, sky.truth
    rows = random_detections(curves, np.random.default_rng(1), 130, most=2)
    context = packets_at(sky, rows)
    counts = context.context_column("n_detections")
    first = context.context_column("first_detection_mjd")
    for k, row in enumerate(rows):
        (i,) = curves.alert_of_point()[[row]]
        own = np.arange(curves.offsets[i], row + 1)
        seen = own[np.abs(curves.flux[own]) > 5 * curves.flux_err[own]]
        earlier, begin = truth["earlier_detections"][i], truth["earlier_mjd"][i]
        assert counts[k] == len(seen) + earlier
        assert np.isnan(begin) == (earlier == 0)
        assert first[k] == (begin if earlier else curves.mjd[seen[0]])


def test_variable_stars_were_counted_years_ago_and_constant_ones_hardly(sky):
    earlier = sky.truth.groupby("kind")["earlier_detections"].median()
    assert earlier["Mira"] > 50
    assert earlier["constant"] < 5
    assert (sky.truth["earlier_mjd"].dropna() < sky.first_mjd).all()
    assert (sky.curves.mjd > sky.first_mjd).all()
    assert detected(sky.curves).any()


def test_without_earlier_years_nothing_was_counted_then():
    sky = simulate_sky(20, None, 4)
    assert (sky.truth["earlier_detections"] == 0).all()
    assert sky.truth["earlier_mjd"].isna().all()
