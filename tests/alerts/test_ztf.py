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
