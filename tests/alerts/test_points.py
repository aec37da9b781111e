import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fink_al.alerts.points import light_curves_of_points
from fink_al.errors import LightCurveError
from fink_al.settings import load_settings, load_survey

SURVEY = load_settings().survey

POINTS = pd.DataFrame(
    {
        "objectId": ["b", "a", "b", "b"],
        "type": ["SN Ia", "AGN", "SN Ia", "SN Ia"],
        "jd": [2461052.7, 2461050.7, 2461050.7, 2461051.7],
        "fid": [1, 2, 1, 3],
        "magpsf": [19.0, 18.5, np.nan, 20.0],
        "sigmapsf": [0.1, 0.1, np.nan, 0.2],
        "diffmaglim": [20.5, 20.5, 20.0, 20.5],
    }
)


def test_light_curves_are_in_order_of_appearance_and_points_in_order_of_time():
    curves = light_curves_of_points(POINTS)
    assert curves.offsets.tolist() == [0, 3, 4]
    assert curves.mjd.tolist() == pytest.approx([61050.2, 61051.2, 61052.2, 61050.2])
    assert curves.band.tolist() == [0, 2, 0, 1]
    assert curves.is_upper_limit.tolist() == [True, False, False, False]
    assert curves.flux.tolist() == pytest.approx([1000, 1000, 10**3.4, 10**3.6])
    assert curves.context.to_pydict() == {"objectId": ["b", "a"], "type": ["SN Ia", "AGN"]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda t: t.drop(columns="jd"),
            r"lacks jd; found objectId, type, fid.*Needed: objectId, jd",
        ),
        (lambda t: t.iloc[:0], "is empty"),
        (lambda t: t.assign(fid=["g", "r", "g", "i"]), "'fid' holds .* Bands are 1 for g"),
        (lambda t: t.assign(fid=1.5), "'fid' holds 1.5"),
        (lambda t: t.assign(jd=t.jd - 2400000.5), "Add 2400000.5 to a modified Julian date"),
        (lambda t: t.assign(magpsf=1500.0), "not an AB magnitude.*a flux"),
        (lambda t: t.assign(magpsf=None), "No row has a magnitude"),
        (lambda t: t.assign(diffmaglim="deep"), "'diffmaglim' holds .*not numbers"),
        (lambda t: t.assign(objectId=None), "'objectId' is null in 4 rows"),
    ],
)
def test_a_table_that_is_none_of_points_is_told_what_it_lacks(change, said):
    with pytest.raises(LightCurveError, match=said):
        light_curves_of_points(change(POINTS))


def table(**columns):
    return pd.DataFrame(
        {
            "objectId": ["A", "A", "B", "B"],
            "jd": [2461050.7, 2461052.7, 2461050.7, 2461052.7],
            "fid": 1,
            "magpsf": 19.0,
            "sigmapsf": 0.1,
            "type": ["SN Ia", "SN Ia", "AGN", "AGN"],
        }
        | columns
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"fid": 7}, "No row of 'fid' holds a band"),
        ({"sigmapsf": 0.0}, "No row of 'sigmapsf' holds an error"),
        ({"diffmaglim": -999.0}, "No row of 'diffmaglim' holds an AB magnitude"),
        ({"isdiffpos": None}, "'isdiffpos' is null in every detection: give its sign, or leave"),
        ({"type": None}, "'type' is null in every row: give it as text"),
        ({"type": [np.nan] * 4}, "'type' is null in every row: give it as text"),
        ({"type": [1, 1, 2, 2]}, "'type' holds 1, which is not text: give its name in words"),
        ({"type": ["SN Ia", "AGN"] * 2}, "Every light curve has several values of type"),
    ],
)
def test_columns_of_which_nothing_can_be_used_are_refused(columns, message):
    with pytest.raises(LightCurveError, match=message):
        light_curves_of_points(table(**columns), SURVEY, also=("type",))


def test_times_in_single_precision_are_refused():
    with pytest.raises(LightCurveError, match="'jd' is float32"):
        light_curves_of_points(table().astype({"jd": "float32"}), SURVEY)


def test_what_cannot_be_used_is_told(caplog):
    points = pd.concat([table(fid=[1, 2, 1, 9]), table(fid=[1, 2, 1, 9])])
    curves = light_curves_of_points(points, SURVEY)
    assert "4 rows repeat another row" in caplog.text
    assert "2 rows of 'fid' do not hold a band: 1 is g, 2 r, 3 i (the first holds 9)" in caplog.text
    assert curves.band.tolist() == [0, 1, 0, -1]


def test_a_light_curve_of_two_types_is_left_out(caplog):
    points = table(type=["SN Ia", "SN Ia", "AGN", "CV"], note=[1, "x", None, 2.5])
    curves = light_curves_of_points(points, SURVEY, also=("type",))
    assert curves.context["objectId"].to_pylist() == ["A"]
    assert "1 light curves have several values of 'type' and are left out: B" in caplog.text


def test_a_table_is_not_taken_for_one_of_another_survey():
    with pytest.raises(LightCurveError, match=r"in ZTF's names .*; the survey is 'lsst', whose"):
        light_curves_of_points(POINTS, load_survey("lsst"))


def test_histories_of_alerts_are_put_together_to_light_curves_of_objects(caplog):
    # The second alert tells the points of the first again, one of them as it is known by then.
    points = pd.DataFrame(
        [("b", "X", 3.0, 2, 18.0), ("b", "X", 2.0, 1, 18.4), ("b", "X", 1.0, 1, 19.0),
         ("a", "X", 2.0, 1, 18.5), ("a", "X", 1.0, 1, 19.0)],
        columns=["alert_id", "objectId", "jd", "fid", "magpsf"],
    ).assign(sigmapsf=0.1)  # fmt: skip
    points["jd"] += 2_459_000
    with caplog.at_level("WARNING"):
        (made,) = [light_curves_of_points(points, SURVEY, by="objectId")]
        singly = light_curves_of_points(points, SURVEY)
    assert (len(made), len(singly)) == (1, 2)
    mag = 27.5 - 2.5 * np.log10(made.flux)
    assert mag.tolist() == pytest.approx([19.0, 18.4, 18.0])
    assert not caplog.records


_ALERTS = {"alert_id": [2695378462115010012] * 2 + [2695378462115010013] * 2}


def test_alerts_whose_numbers_differ_in_the_last_digit_stay_apart():
    for points in (table(**_ALERTS), pa.Table.from_pandas(table(**_ALERTS))):
        curves = light_curves_of_points(points, SURVEY)
        assert curves.context["alert_id"].to_pylist() == _ALERTS["alert_id"][1:3]


@pytest.mark.parametrize("name", ["alert_id", "objectId"])
def test_identifiers_in_floating_point_are_refused(name):
    points = table(**_ALERTS).assign(**{name: np.array(_ALERTS["alert_id"], float)})
    for given in (points, pa.Table.from_pandas(points)):
        with pytest.raises(
            LightCurveError, match=f"Column '{name}' holds (float64|double); .*Int64"
        ):
            light_curves_of_points(given, SURVEY)


def test_a_null_does_not_round_the_other_numbers():
    numbers = [_ALERTS["alert_id"][0], None, *_ALERTS["alert_id"][2:]]
    points = pa.Table.from_pandas(table()).append_column("alert_id", pa.array(numbers, pa.int64()))
    with pytest.raises(LightCurveError, match="'alert_id' is null in 1 rows"):
        light_curves_of_points(points, SURVEY)
    kept = light_curves_of_points(points.filter(pc.is_valid(points["alert_id"])), SURVEY)
    assert kept.context["alert_id"].to_pylist() == _ALERTS["alert_id"][1:3]


@pytest.mark.parametrize("signs", [["t", "f", "1", "0"], [1, 0, 1, 0], [True, False, True, False]])
def test_the_sign_of_a_point_is_that_of_its_flux(signs):
    curves = light_curves_of_points(table(isdiffpos=signs), SURVEY)
    assert curves.flux.tolist() == pytest.approx([10**3.4, -(10**3.4)] * 2)
    assert curves.is_detection.all()
    assert (curves.flux_err > 0).all()


def test_a_sign_is_known_or_the_point_left_out(caplog):
    points = table(isdiffpos=["t", None, None, "f"], magpsf=[19.0, 19.0, np.nan, 19.0])
    curves = light_curves_of_points(points.assign(diffmaglim=20.0), SURVEY)
    assert curves.flux.tolist() == pytest.approx([10**3.4, 1000, -(10**3.4)])
    assert "1 detections have no 'isdiffpos' and are left out" in caplog.text
    with pytest.raises(LightCurveError, match="'isdiffpos' holds -1; allowed: 't' or '1'"):
        light_curves_of_points(table(isdiffpos=[1, -1, 1, -1]), SURVEY)
