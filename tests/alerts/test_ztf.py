import numpy as np
import pyarrow as pa

from fink_al.alerts import light_curves
from fink_al.alerts.ztf import LIGHT_CURVE
from fink_al.settings import load_settings


def test_an_alert_whose_lists_differ_in_length_has_no_points():
    whole = {"cjd": [2461050.7, 2461052.7], "cfid": [1, 2], "cmagpsf": [19.0, 18.5],
             "csigmapsf": [0.1, 0.1], "cdiffmaglim": [20.0, 20.0]}  # fmt: skip
    rows = [whole, whole | {"cmagpsf": None}, whole | {"cfid": [1]}, dict.fromkeys(whole), whole]
    table = pa.Table.from_pylist(rows, pa.schema(list(LIGHT_CURVE.items())))
    found = light_curves(table, load_settings().survey)
    assert found.offsets.tolist() == [0, 2, 2, 2, 2, 4]
    assert found.band.tolist() == [0, 1, 0, 1]


def test_a_detection_fainter_than_the_template_has_a_negative_flux():
    row = {"cjd": [2461050.7 + day for day in range(5)], "cfid": [1] * 5,
           "cmagpsf": [17.5, None, 17.5, 17.5, 17.5], "csigmapsf": [0.1, None, 0.1, 0.1, 0.1],
           "cdiffmaglim": [20.0] * 5, "cisdiffpos": [0, None, 1, None, 0]}  # fmt: skip
    old = row | {"cisdiffpos": None}
    table = pa.Table.from_pylist([row, old], pa.schema(list(LIGHT_CURVE.items())))
    found = light_curves(table, load_settings().survey)
    # The point of unknown sign is left out; where no sign was recorded, all are positive.
    assert found.offsets.tolist() == [0, 4, 9]
    np.testing.assert_allclose(found.flux, [-1e4, 1e3, 1e4, -1e4, 1e4, 1e3, 1e4, 1e4, 1e4])
    error = 1e4 * 0.4 * np.log(10) * 0.1
    seen = found.is_detection
    np.testing.assert_allclose(found.flux_err[seen], [error] * 7, rtol=1e-5)
    assert found.is_upper_limit.tolist() == [False, True, False, False, False, True, *[False] * 3]


def test_an_archive_of_before_has_no_signs():
    row = {"cjd": [2461050.7, 2461051.7], "cfid": [1, 1], "cmagpsf": [17.5, 17.5],
           "csigmapsf": [0.1, 0.1], "cdiffmaglim": [20.0] * 2}  # fmt: skip
    kinds = {name: kind for name, kind in LIGHT_CURVE.items() if name != "cisdiffpos"}
    table = pa.Table.from_pylist([row], pa.schema(list(kinds.items())))
    np.testing.assert_allclose(light_curves(table, load_settings().survey).flux, [1e4, 1e4])
