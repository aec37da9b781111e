"""What holds for every feature, whatever it measures."""

import inspect
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fink_al.features.colour import Colour
from fink_al.features.context import Context
from fink_al.features.counted import Counted
from fink_al.features.feature_set import FEATURES
from fink_al.features.forced import Forced
from fink_al.features.history import History
from fink_al.features.limit import Limit
from fink_al.features.magnitude import Magnitude
from fink_al.features.microlensing.baseline import Baseline
from fink_al.features.microlensing.lens import PointLens
from fink_al.features.microlensing.peak import Peak
from fink_al.features.microlensing.rise import Rise
from fink_al.features.noise import Noise
from fink_al.features.past import Past
from fink_al.features.past_columns import OF_BAND, SINCE
from fink_al.features.rainbow.feature import Rainbow
from fink_al.features.rate import Rate
from fink_al.features.sigmoid import Sigmoid
from fink_al.lightcurve import LightCurves

BANDS = ("g", "r", "i")
EVERY = (
    Sigmoid("g"),
    Sigmoid("r", "diff", last_limit=True),
    Magnitude("g"),
    Rate("g"),
    Noise("r"),
    Limit("g"),
    Colour("g", "r"),
    History(("g", "r")),
    Context(("real_bogus", "galactic_latitude")),
    Forced("g"),
    Rainbow(BANDS, (475.3, 636.9, 791.5)),
    Rainbow(("g", "r"), (475.3, 636.9), forced=True),
    Rise("g"),
    Rise("r", forced=True),
    Peak("g"),
    Peak("r", forced=True),
    PointLens(BANDS),
    PointLens(("r", "g"), forced=True, star=True),
    Past("g"),
    Past("r", forced=True),
    Counted(),
    Baseline(),
)
PAST = {f"past_{name}_g": 59000.0 if name in ("last", "quiet") else 7.0 for name in OF_BAND}


def curves(*alerts, dtype=np.float64):
    """Light curves of `alerts`, each a list of (mjd, band, flux, flux_err, kind)."""
    points = np.array([p for alert in alerts for p in alert], float).reshape(-1, 5)
    mjd, band, flux, flux_err, kind = points.T
    n = len(alerts)
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum([len(a) for a in alerts], dtype=int)]),
        mjd=mjd,
        band=band,
        flux=flux.astype(dtype),
        flux_err=flux_err.astype(dtype),
        is_upper_limit=kind == 1,
        is_forced=kind == 2,
        bands=BANDS,
        context=pa.table(
            {
                "real_bogus": pa.array([0.9] * n, pa.float64()),
                "n_detections": pa.array([9.0] * n, pa.float64()),
                "first_detection_mjd": pa.array([58990.0] * n, pa.float64()),
                "ra": pa.array([10.0] * n, pa.float64()),
                "dec": pa.array([-5.0] * n, pa.float64()),
                "reference_mag": pa.array([19.0] * n, pa.float64()),
                "host_mag": pa.array([19.1] * n, pa.float64()),
                "host_colour_g_r": pa.array([0.7] * n, pa.float64()),
                SINCE: pa.array([58900.0] * n, pa.float64()),
                **{name: pa.array([v] * n, pa.float64()) for name, v in PAST.items()},
            }
        ),
    )


def test_none_is_forgotten():
    assert {type(feature) for feature in EVERY} == set(FEATURES)


@pytest.mark.parametrize("feature", EVERY, ids=lambda f: type(f).__name__)
def test_docstring_gives_source_and_what_missing_means(feature):
    text = inspect.getdoc(type(feature))
    assert "Missing:" in text
    assert "Source:" in text or "published" in text
    for name in feature.names:
        stem = re.sub(r"(_[gri])+$", "", name)
        assert f"``{stem}" in text or name.startswith("context_")


@pytest.mark.parametrize("feature", EVERY, ids=lambda f: type(f).__name__)
def test_the_columns_that_are_read_are_those_that_are_named(feature, monkeypatch):
    read, column = set(), LightCurves.context_column

    def noted(light_curves, name):
        read.add(name)
        return column(light_curves, name)

    monkeypatch.setattr(LightCurves, "context_column", noted)
    feature.extract(curves([(59000.5, 0, 10.0, 1.0, 0)]))
    assert read == set(feature.context_columns)


point = st.tuples(
    st.one_of(st.floats(59000, 59030), st.sampled_from([59001.25, 59002.25])),
    st.integers(-1, 2),
    st.one_of(st.floats(-100, 1e6), st.sampled_from([0.0, 1.0, np.nan, np.inf])),
    st.sampled_from([0.0, 1e-3, 5.0, 1e30, np.nan]),
    st.sampled_from([0, 0, 0, 1, 2]),
)
alert = st.lists(point, max_size=14)


@settings(max_examples=50, deadline=None)
@given(st.lists(alert, min_size=1, max_size=4))
def test_a_batch_equals_its_alerts_one_by_one(alerts):
    batch = curves(*alerts)
    for feature in EVERY:
        values, codes = feature.extract(batch)
        assert values.shape == (len(alerts), len(feature.names))
        assert not np.isinf(values).any()
        # A reason if, and only if, there is nothing at all.
        np.testing.assert_array_equal(codes != 0, np.isnan(values).all(axis=1))
        assert codes.max() < len(feature.reasons)
        for i, one in enumerate(alerts):
            single, code = feature.extract(curves(one))
            np.testing.assert_array_equal(single[0], values[i])
            assert code[0] == codes[i]


@settings(max_examples=50, deadline=None)
@given(alert, st.randoms(use_true_random=False))
def test_the_order_of_points_does_not_matter(one, random):
    # One point a night and band: a mean in another order may differ in its last bit.
    distinct = list({(np.floor(p[0]), p[1], p[4]): p for p in one}.values())
    shuffled = list(distinct)
    random.shuffle(shuffled)
    for feature in EVERY:
        for ours, theirs in zip(
            feature.extract(curves(distinct)), feature.extract(curves(shuffled)), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


RISE = [(59000.3 + k, k % 2, 100.0 * (k + 1), 8.0, 0) for k in range(12)]


@pytest.mark.parametrize("feature", EVERY, ids=lambda f: type(f).__name__)
def test_single_precision_is_enough(feature):
    double = feature.extract(curves(RISE))[0]
    single = feature.extract(curves(RISE, dtype=np.float32))[0]
    np.testing.assert_allclose(single, double, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    "strange",
    [
        [(59000.3, 0, 100.0, 8.0, 0)] * 2,
        [(59000.3, 0, 100.0, 8.0, 0), (59000.3, 1, 80.0, 8.0, 0)] * 3,
        [(59000.3 + k, k % 2, 100.0, 0.0, 0) for k in range(8)],
        [(59000.3 + k, k % 2, 100.0, 1e300, 0) for k in range(8)],
        [(59000.3 + k, k % 2, np.nan, np.nan, 0) for k in range(8)],
        [(59000.3 + k, k % 2, np.nan, np.nan, 1) for k in range(8)],
        [],
    ],
    ids=["identical", "one time", "no error", "huge error", "all nan", "limits only", "nothing"],
)
@pytest.mark.parametrize("feature", EVERY, ids=lambda f: type(f).__name__)
def test_strange_light_curves_give_numbers_or_a_reason(feature, strange):
    values, codes = feature.extract(curves(strange, RISE))
    assert not np.isinf(values).any()
    assert (codes[0] != 0) == np.isnan(values[0]).all()
    np.testing.assert_array_equal(values[1], feature.extract(curves(RISE))[0][0])


def test_no_alerts():
    for feature in EVERY:
        values, codes = feature.extract(curves())
        assert values.shape == (0, len(feature.names))
        assert codes.shape == (0,)
