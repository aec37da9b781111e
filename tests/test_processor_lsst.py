"""The science module gives on Fink's columns of LSST what the package gives without Spark."""

import fastavro
import numpy as np
import pytest
from fink_lsst_alerts import (
    FEATURE_SETS,
    fink_rows,
    made_up,
    real_fink_rows,
    settings_with,
    trained,
    without_spark,
)

from fink_al.errors import ModelError
from fink_al.processor import Bundle, features, probability, score
from fink_al.settings import load_settings, load_survey

pytestmark = pytest.mark.spark

_NIGHT = 61041.2


@pytest.fixture(scope="module", params=FEATURE_SETS)
def settings(request):
    return settings_with(FEATURE_SETS[request.param])


@pytest.fixture(scope="module")
def model(settings):
    return trained(settings)


@pytest.fixture(scope="module")
def bundle(model, settings):
    return Bundle.from_bytes(model.to_bytes(), settings)


def test_a_bundle_says_whose_alerts_it_reads(model, settings):
    data = model.to_bytes()
    assert Bundle.from_bytes(data).survey == load_survey("lsst")
    with pytest.raises(ModelError, match="trained on alerts of lsst, the settings are for ztf"):
        Bundle.from_bytes(data, load_settings(starting_set=None, test_set=None))


def check(rows, alerts, bundle, model, settings):
    """That the module says of `rows` all that the package says of `alerts`; the probabilities."""
    columns = bundle.columns
    found = {
        row.diaSourceId: row
        for row in rows.select(
            "diaSourceId",
            probability(bundle)(*columns).alias("number"),
            score(bundle)(*columns).alias("honest"),
            features(bundle)(*columns).alias("features"),
        ).collect()
    }
    assert found.keys() == {alert["diaSourceId"] for alert in alerts}
    in_order = [found[alert["diaSourceId"]] for alert in alerts]
    expected, names = without_spark(alerts, settings), bundle.features
    p = model.predict(expected.values)
    values = [[row.features[name] for name in names.names] for row in in_order]
    np.testing.assert_array_equal(np.array(values, float), expected.values)
    np.testing.assert_array_equal(np.array([row.honest.p for row in in_order], float), p)
    np.testing.assert_array_equal([row.number for row in in_order], np.nan_to_num(p, nan=-1.0))
    told = zip(names.reason_names, names.reason_words, expected.codes.T, strict=True)
    for name, words, codes in told:
        assert [row.features[name] or "" for row in in_order] == [words[code] for code in codes]
    assert all((row.honest.p is None) == (row.honest.reason is not None) for row in in_order)
    return p


def test_made_up_alerts(spark, bundle, model, settings):
    alerts = made_up(24, _NIGHT)
    p = check(fink_rows(spark, alerts), alerts, bundle, model, settings)
    assert p[1:20:2].min() > 0.5 > p[0:20:2].max()
    # The published features exist of what has a light curve, the others of nearly all.
    assert np.isnan(p).any() == (len(bundle.features.names) == 12)


def test_real_alerts_as_fink_distributed_them(spark, shared_data, bundle, model, settings):
    with (shared_data / "lsst_packets" / "fink_lsst_20260306.avro").open("rb") as file:
        alerts = list(fastavro.reader(file))
    check(real_fink_rows(spark, shared_data), alerts, bundle, model, settings)


def test_no_text_enters_a_worker(spark, bundle):
    rows = fink_rows(spark, made_up(4, _NIGHT))
    assert dict(rows.dtypes)["cband"] == "array<string>"
    assert {kind for _, kind in rows.select(*bundle.columns).dtypes} <= {
        "array<double>", "array<float>", "array<int>", "double",
    }  # fmt: skip


def test_sources_that_are_not_the_packets_have_no_flags(spark):
    settings = settings_with(FEATURE_SETS["sigmoid"])
    model = trained(settings)
    bundle = Bundle.from_bytes(model.to_bytes(), settings)
    alerts = made_up(24, _NIGHT)
    for alert in alerts:
        for source in alert["prvDiaSources"] or []:
            source["psfFlux_flag"] = True
    # A job that joins another history, of as many points: the light curve is what it says.
    others = [
        alert
        | {
            "prvDiaSources": alert["prvDiaSources"]
            and [
                point | {"midpointMjdTai": point["midpointMjdTai"] - 0.01, "psfFlux_flag": False}
                for point in alert["prvDiaSources"]
            ]
        }
        for alert in alerts
    ]
    rows = fink_rows(spark, alerts)
    moved = "transform(prvDiaSources, s -> s.midpointMjdTai - 0.01D)"
    joined = f"concat(coalesce({moved}, array()), array(diaSource.midpointMjdTai))"
    rows = rows.selectExpr(
        *(c for c in rows.columns if c != "cmidpointMjdTai"), f"{joined} AS cmidpointMjdTai"
    )
    p = check(rows, others, bundle, model, settings)
    assert np.isfinite(p).any()
    flagged = fink_rows(spark, alerts)
    assert np.isnan(check(flagged, alerts, bundle, model, settings)).all()


def test_a_survey_has_the_columns_of_its_own(spark, bundle):
    with pytest.raises(ModelError, match=r"columns \(cmidpointMjdTai, cband, .*found"):
        probability(bundle).func()
