import re

import numpy as np
import pyarrow as pa
import pytest

from fink_al.alerts import ztf
from fink_al.errors import SettingsError
from fink_al.features.feature_set import FeatureSet, extract
from fink_al.features.sigmoid import Sigmoid
from fink_al.lightcurve import LightCurves
from fink_al.loop import Loop
from fink_al.settings import FeatureSettings, load_settings

SETTINGS = {
    "name": "sigmoid",
    "bands": ("g", "r"),
    "criterion": "ewma",
    "min_data_points": 3,
    "min_rising_points": 1,
}


def feature_set(**changes):
    return FeatureSet.from_settings(FeatureSettings(**SETTINGS | changes))


def curves(*alerts):
    """Light curves of `alerts`, each the fluxes of nights in a row by band code."""
    points = [
        (59000.2 + night, band, flux)
        for alert in alerts
        for band, fluxes in alert.items()
        for night, flux in enumerate(fluxes)
    ]
    mjd, band, flux = np.array(points, float).reshape(-1, 3).T
    none = np.zeros(len(mjd), bool)
    lengths = [sum(map(len, alert.values())) for alert in alerts]
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum(lengths, dtype=int)]),
        mjd=mjd,
        band=band,
        flux=flux,
        flux_err=np.ones(len(mjd)),
        is_upper_limit=none,
        is_forced=none,
        bands=("g", "r", "i"),
        context=pa.table({}),
    )


RISE, FALL = (10.0, 40.0, 80.0, 95.0), (95.0, 80.0, 40.0, 10.0)


def test_names_are_the_published_columns_in_order():
    features = feature_set()
    assert features.names == tuple(
        f"{name}_{band}" for band in "gr" for name in ("a", "b", "c", "snratio", "mse", "nrise")
    )
    assert features.reason_names == ("reason_g", "reason_r")


def test_hash_is_that_of_features_and_parameters():
    changes = [
        {},
        {"bands": ("r", "g")},
        {"bands": ("g",)},
        {"criterion": "diff"},
        {"min_data_points": 4},
        {"min_rising_points": 2},
    ]
    assert feature_set().hash == feature_set().hash
    assert len({feature_set(**change).hash for change in changes}) == len(changes)


def test_hash_is_stable():
    # It is stored with every model: a change of this value makes them all refuse their features.
    assert feature_set().hash == "628a697bd7a3a49c"


def test_matrix_is_the_features_side_by_side():
    batch = curves({0: RISE, 1: FALL}, {1: RISE})
    found = feature_set().extract(batch)
    g, r = (Sigmoid(band).extract(batch)[0] for band in "gr")
    np.testing.assert_array_equal(found.values, np.hstack([g, r]))
    assert np.isfinite(found.values[0, :6]).all()


def test_a_table_has_null_and_a_word_where_a_feature_is_missing():
    dip = (10.0, 80.0, 5.0)
    batch = curves({0: RISE, 1: FALL}, {1: RISE}, {0: FALL, 1: dip}, {0: FALL}, {2: RISE}, {})
    features = feature_set(criterion="diff")
    table = extract(batch, features)
    g = ["", "too_few_points", "too_few_rising_points", "too_few_rising_points"]
    r = ["too_few_rising_points", "", "not_rising", "too_few_points"]
    none = ["too_few_points", "too_few_points"]
    told = {"reason_g": g + none, "reason_r": r + none}
    assert table.column_names == [*features.names, *told]
    for name, words in told.items():
        assert table[name].to_pylist() == [word or None for word in words]
        values = table[f"a_{name[-1]}"].to_pylist()
        assert [value is None for value in values] == [bool(word) for word in words]
    assert features.extract(batch).exist.tolist() == [True, True, False, False, False, False]


def test_no_column_has_the_name_of_another():
    every = feature_set(
        name="early_v1", bands=("g", "r", "i"), context=("n_detections",), forced=True
    )
    names = [*every.names, *every.reason_names, *ztf.COLUMNS]
    assert len(names) == len(set(names))


def test_empty_batch():
    found = feature_set().extract(curves())
    assert found.values.shape == (0, 12)
    assert found.codes.shape == (0, 2)


def test_a_model_may_do_without_features_by_their_first_words():
    features = feature_set(name="early_v1")
    everything = features.columns()
    assert everything.tolist() == list(range(len(features.names)))
    left = [features.names[i] for i in features.columns(("colour", "c_g", "flux_rate", "rainbow"))]
    gone = [name for name in features.names if name not in left]
    assert gone == [
        "c_g", "flux_rate_g", "flux_rate_r", "colour_g_r", "colour_err_g_r", "colour_rate_g_r",
    ]  # fmt: skip


def test_a_model_without_all_features_is_refused():
    with pytest.raises(
        SettingsError, match=r"\['a', 'b'.*\] leaves none of a_g, b_g, .*nrise_r: name fewer"
    ):
        feature_set().columns(("a", "b", "c", "snratio", "mse", "nrise"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"model": {"without_features": ["hue", "age", "col"]}},
            "model.without_features: the features of target 'early_snia' have no hue, col; allowed "
            "are a, age, amplitude, b, bend, c, colour, ",
        ),
        (
            {"challengers": {"plain": {"without_features": ["sun"]}}},
            "challengers.plain.without_features: the features of target 'early_snia' have no sun;",
        ),
    ],
)  # fmt: skip
def test_features_that_a_target_lacks_cannot_be_left_out(changes, sentence):
    settings = load_settings(environment={}, target=changes)
    with pytest.raises(SettingsError, match=re.escape(sentence)):
        Loop.open(settings)
