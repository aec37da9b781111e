from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa

from fink_al.alerts.points import light_curves_of_points
from fink_al.features.counted import Counted
from fink_al.training.nightly_alerts import cut_into_alerts


def whole(*objects):
    """Whole light curves, each a list of (day, band, magnitude)."""
    rows = [
        (i, 2461000.7 + day, fid, mag) for i, one in enumerate(objects) for day, fid, mag in one
    ]
    points = pd.DataFrame(rows, columns=["objectId", "jd", "fid", "magpsf"])
    return light_curves_of_points(points.assign(sigmapsf=0.1))


def test_an_alert_a_night_with_its_past_and_nothing_of_its_future():
    nan = np.nan
    curves = whole(
        [(0, 1, nan), (1, 1, 20.0), (1.1, 2, 19.8), (3, 1, 19.0), (40, 1, 19.5), (41, 2, nan)],
        [(5, 2, 18.0)],
    )
    alerts = cut_into_alerts(curves)
    assert alerts.row.tolist() == [0, 0, 0, 1]
    assert np.diff(alerts.light_curves.offsets).tolist() == [3, 4, 1, 1]
    assert alerts.is_pre_peak.tolist() == [True, True, False, True]
    assert alerts.light_curves.context["objectId"].to_pylist() == [0, 0, 0, 1]
    for i, mjd in enumerate(alerts.mjd):
        one = alerts.light_curves.slice(i, i + 1)
        assert one.mjd.max() == mjd
        assert one.mjd.min() >= mjd - 30


def test_what_comes_later_changes_no_earlier_alert():
    rng = np.random.default_rng(3)
    one = [(day, 1 + day % 2, mag) for day, mag in enumerate(rng.uniform(18, 20, 50))]
    early, late = cut_into_alerts(whole(one[:20])), cut_into_alerts(whole(one))
    n = len(early.row)
    assert n == 20
    assert late.light_curves.slice(0, n).equals(early.light_curves)


def test_points_that_no_feature_takes_make_neither_alert_nor_maximum():
    good = pd.DataFrame({"objectId": "A", "jd": 2461050.7 + 2.0 * np.arange(4), "fid": 1,
                         "magpsf": [20.0, 19.5, 19.0, 18.5], "sigmapsf": 0.1})  # fmt: skip
    bad = good[:2].assign(magpsf=15.0, sigmapsf=[np.nan, 0.1], fid=[1, 9])
    bad["jd"] += [0.01, 1.0]
    found = [
        cut_into_alerts(light_curves_of_points(points)) for points in (good, pd.concat([good, bad]))
    ]
    assert found[1].mjd.tolist() == found[0].mjd.tolist()
    assert found[1].is_pre_peak.tolist() == [True] * 4


def test_an_alert_has_not_been_counted_more_often_than_it_was_seen():
    curves = whole([(1, 1, 20.0), (3, 1, 19.0), (3.1, 2, 19.1), (40, 1, 19.5)], [(5, 2, 18.0)])
    counts = pa.array([14, None], pa.float64())
    curves = replace(curves, context=curves.context.append_column("n_detections", counts))
    alerts = cut_into_alerts(curves).light_curves
    assert alerts.context["n_detections"].to_pylist() == [11, 13, 14, None]
    earlier = Counted().extract(alerts)[0][:, 1]
    np.testing.assert_array_equal(earlier[:3], [10, 10, 13])
