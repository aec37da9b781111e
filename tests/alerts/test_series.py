"""Light curves from the columns of pandas functions."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fink_al.alerts import light_curves
from fink_al.alerts.series import curves_of
from fink_al.alerts.ztf import LIGHT_CURVE
from fink_al.settings import load_settings


def test_arrays_none_and_numbers_become_light_curves_with_their_context():
    survey = load_settings(environment={}).survey
    kinds = LIGHT_CURVE | {"n_detections": pa.float64()}
    points = {
        "cjd": [2461050.5, 2461051.5], "cfid": [1, 2], "cmagpsf": [18.0, None],
        "csigmapsf": [0.1, None], "cdiffmaglim": [20.0, 20.5],
        "cisdiffpos": [0, None],
    }  # fmt: skip
    columns = [
        pd.Series([np.array(points[name], float), None, np.array([])]) for name in LIGHT_CURVE
    ]
    found = curves_of([*columns, pd.Series([2, None, 7])], kinds, survey)
    rows = {name: [points[name], [], []] for name in LIGHT_CURVE} | {"n_detections": [2, None, 7]}
    wanted = light_curves(pa.table(rows, pa.schema(kinds.items())), survey)
    assert found.offsets.tolist() == [0, 2, 2, 2]
    for name in ("offsets", "mjd", "band", "flux", "flux_err", "is_upper_limit"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    assert found.context.equals(wanted.context)


def test_none_is_no_empty_list():
    survey = load_settings(environment={}).survey
    # An archive of before has no signs: a null list is not one of no points.
    rows = [[2461050.5], [1], [18.0], [0.1], [20.0], None]
    found = curves_of([pd.Series([v], dtype=object) for v in rows], LIGHT_CURVE, survey)
    assert found.flux.tolist() == pytest.approx([10**3.8])
