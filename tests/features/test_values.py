"""Features of light curves that can be followed by hand."""

import numpy as np
import pandas as pd
import pytest

from fink_al.alerts.points import light_curves_of_points
from fink_al.features.colour import Colour
from fink_al.features.history import History
from fink_al.features.limit import Limit
from fink_al.features.magnitude import Magnitude
from fink_al.features.noise import Noise
from fink_al.features.rate import Rate


def curve(g, r=(), limits=(), error=0.1):
    """One light curve from (day, magnitude) in g and r and (day, limit) in g."""
    rows = [(day, 1, mag, np.nan) for day, mag in g] + [(day, 2, mag, np.nan) for day, mag in r]
    rows += [(day, 1, np.nan, limit) for day, limit in limits]
    points = pd.DataFrame(rows, columns=["jd", "fid", "magpsf", "diffmaglim"])
    points["jd"] += 2461050.7
    return light_curves_of_points(points.assign(alert_id=1, sigmapsf=error))


def values(feature, light_curve):
    found, _ = feature.extract(light_curve)
    return dict(zip(feature.names, found[0].tolist(), strict=True))


def test_rates_of_a_rise_that_flattens():
    found = values(Rate("g"), curve([(0, 20.0), (2, 19.0), (4, 18.0), (6, 18.0)]))
    flux = 10 ** (-0.4 * (np.array([20.0, 19.0, 18.0, 18.0]) - 27.5))
    line = np.polyfit([0, 2, 4, 6], flux / flux.max(), 1, w=1 / flux)
    assert found["rate_g"] == pytest.approx(-0.35)
    assert found["rate_last_g"] == pytest.approx(0.0, abs=1e-9)
    assert found["flux_rate_g"] == pytest.approx(line[0], rel=1e-3)
    assert found["bend_g"] == pytest.approx(0.5)  # 0 after -0.5 mag/day


def test_the_middle_of_an_odd_number_of_nights_is_in_both_halves():
    found = values(Rate("g"), curve([(0, 20.0), (1, 19.0), (3, 18.8)]))
    assert found["bend_g"] == pytest.approx(0.9)
    assert np.isnan(values(Rate("g"), curve([(0, 20.0), (1, 19.0)]))["bend_g"])


def test_scatter_about_a_straight_rise_is_one():
    rng = np.random.default_rng(1)
    nights = range(5)
    found = [
        values(Noise("g"), curve([(k, 20 - 0.2 * k + rng.normal(0, 0.1)) for k in nights]))
        for _ in range(400)
    ]
    assert np.mean([one["scatter_g"] ** 2 for one in found]) == pytest.approx(1.0, abs=0.15)


def test_the_limit_before_the_first_night():
    found = values(
        Limit("g"), curve([(5, 19.0), (7, 18.0)], limits=[(1, 20.0), (3, 20.5), (6, 21)])
    )
    assert found == pytest.approx({"limit_gap_g": 2.0, "limit_rate_g": -0.75})
    close = values(Limit("g"), curve([(5, 19.0)], limits=[(4.98, 20.0)]))
    assert close == pytest.approx({"limit_gap_g": 0.02, "limit_rate_g": -2.0})
    brighter = values(Limit("g"), curve([(5, 19.0)], limits=[(3, 18.0)]))
    assert np.isnan(brighter["limit_rate_g"])


def test_colours_of_nights_that_are_near_each_other():
    found = values(
        Colour("g", "r"), curve([(0, 19.0), (4, 18.5), (9, 18.0)], [(1, 19.2), (4, 18.5)])
    )
    assert found["colour_g_r"] == pytest.approx(0.0, abs=1e-9)
    assert found["colour_err_g_r"] == pytest.approx(0.1414, rel=1e-3)
    assert found["colour_rate_g_r"] == pytest.approx(0.05)


def test_magnitudes_and_history():
    light_curve = curve([(0, 20.0), (2, 18.5), (4, 19.0)], [(2.1, 18.7)])
    assert values(Magnitude("g"), light_curve) == pytest.approx(
        {"mag_g": 19.0, "amplitude_g": 1.5, "fade_g": 0.5}
    )
    assert values(History(("g", "r")), light_curve) == pytest.approx(
        {"age": 4.0, "detections": 4, "nights": 3}
    )
