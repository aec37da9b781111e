"""The science module gives on Fink's columns what the package gives without Spark, and the stream.

``tests/other_sparks.sh`` runs this file with other versions of Spark.
"""

import doctest

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from fink_alerts import (
    FEATURE_SETS,
    FILES,
    fink_alerts,
    of_the_stream,
    same,
    settings_with,
    trained,
)
from fink_alerts import without_spark as probability_without_spark
from pyspark.sql import functions as F

from fink_al import processor
from fink_al.errors import ModelError
from fink_al.loop import Loop
from fink_al.processor import Bundle, features, probability, score

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module", params=FEATURE_SETS)
def settings(request):
    return settings_with(FEATURE_SETS[request.param])


@pytest.fixture(scope="module")
def model(settings):
    return trained(settings)


@pytest.fixture(scope="module")
def bundle_path(model, tmp_path_factory):
    file = tmp_path_factory.mktemp("bundle") / "bundle.zip"
    file.write_bytes(model.to_bytes())
    return file


@pytest.fixture(scope="module")
def bundle(bundle_path):
    return Bundle.from_file(bundle_path)


@pytest.mark.parametrize("name", FILES)
def test_p_is_that_of_the_same_columns_without_spark(
    spark, shared_data, name, bundle, model, settings
):
    file = shared_data / "fink_alerts" / f"{name}.parquet"
    rows = (
        fink_alerts(spark, file)
        .select(
            "candid",
            probability(bundle)(*bundle.columns).alias("number"),
            score(bundle)(*bundle.columns).alias("honest"),
        )
        .collect()
    )
    expected = probability_without_spark(model, settings, file)
    numbers = {key: 0.0 if np.isnan(p) else p for key, p in expected.items()}
    same({row.candid: row.honest.p for row in rows}, expected)
    same({row.candid: row.number for row in rows}, numbers)
    assert all((row.honest.p is None) == (row.honest.reason is not None) for row in rows)


def test_everything_is_that_of_the_stream(spark, shared_data, bundle, model, settings):
    alerts = fink_alerts(spark, shared_data / "fink_alerts" / "ztf_science_2.parquet")
    names = [*bundle.features.names, *bundle.features.reason_names]
    stream = of_the_stream(alerts, model, settings).select("alert_id", "p", "p_reason", *names)
    module = alerts.select(
        "candid",
        score(bundle)(*bundle.columns).alias("s"),
        features(bundle)(*bundle.columns).alias("f"),
    ).select("candid", "s.p", "s.reason", *(f"f.{name}" for name in names))
    found, expected = (
        {row[0]: tuple(row) for row in frame.collect()} for frame in (module, stream)
    )
    assert found == expected
    assert any(row[1] is not None for row in found.values())


def test_forced_photometry_is_read_where_the_model_wants_it(spark, shared_data):
    settings = settings_with({"name": "early_v1", "forced": True})
    bundle = Bundle.from_bytes(trained(settings).to_bytes(), settings)
    alerts = fink_alerts(spark, shared_data / "fink_alerts" / "ztf_science_2.parquet")
    days = (
        "transform(sequence(1, 60), day -> named_struct('jd', candidate.jd - day, 'fid', 1, "
        "'forcediffimflux', 100D, 'forcediffimfluxunc', 10D, 'magzpsci', 26D))"
    )
    alerts = alerts.selectExpr("*", f"{days} AS fp_hists")
    found = alerts.select(features(bundle)(*bundle.columns).alias("f")).select("f.forced_n_g")
    assert found.where("forced_n_g > 0").count() > 0


def test_the_sign_of_the_history_is_the_packets_where_its_points_are(spark, shared_data, bundle):
    alerts = fink_alerts(spark, shared_data / "fink_alerts" / "ztf_science_2.parquet")
    sign = bundle.columns[list(bundle.lists).index("cisdiffpos")].alias("sign")
    (negative,) = alerts.select(F.explode(sign).alias("sign")).agg(F.sum(1 - F.col("sign"))).first()
    assert negative == 283 + alerts.where("candidate.isdiffpos IN ('f', '0')").count()
    # A job that joins other points than the packet's has no signs for them.
    joined = alerts.withColumn("cjd", F.expr("slice(cjd, 1, 1)"))
    of_one_point = joined.where("size(prv_candidates) > 0").select(sign)
    assert of_one_point.where("sign IS NOT NULL").count() == 0


def test_no_alert_gives_no_row_and_an_empty_one_a_reason(bundle):
    for empty, expected in (([], []), ([np.array([])], [True])):
        lists = [pd.Series(empty, dtype=object)] * 6
        numbers = [pd.Series([np.nan] * len(empty))] * len(bundle.features.context_columns)
        found = score(bundle).func(*lists, *numbers)
        assert (found["p"].isna() & found["reason"].notna()).tolist() == expected


def test_a_worker_loads_a_model_once(bundle, bundle_path):
    processor._loaded.cache_clear()
    lists = [pd.Series([np.array([])])] * 6
    numbers = [pd.Series([np.nan])] * len(bundle.features.context_columns)
    for same_model in (bundle, Bundle.from_file(bundle_path)):
        probability(same_model).func(*lists, *numbers)
    assert processor._loaded.cache_info().misses == 1


def test_columns_that_are_too_few_are_named(bundle):
    with pytest.raises(ModelError, match=r"columns \(cjd, cfid, .*found 1: call .*columns"):
        probability(bundle).func(pd.Series([np.array([])]))


def test_a_file_that_is_no_bundle_stops_the_job_before_it_starts(tmp_path):
    with pytest.raises(ModelError, match=r"Cannot read the model bundle .*No such file"):
        Bundle.from_file(tmp_path / "absent.zip")
    torn = tmp_path / "torn.zip"
    torn.write_bytes(b"PK")
    with pytest.raises(ModelError, match="torn or no bundle"):
        Bundle.from_file(torn)


def test_a_model_comes_from_the_registry_by_version_or_as_champion(tmp_path):
    pytest.importorskip("mlflow")
    settings = settings_with({}).model_copy(update={"work_dir": tmp_path})
    with pytest.raises(ModelError, match="No model of 'early_snia' scores yet; run fink-al train"):
        Bundle.from_registry(settings=settings)
    registry, model = Loop.open(settings).registry, trained(settings)
    version = registry.register(model, {}, pa.table({"object_id": ["O1"]}))
    found = Bundle.from_registry(version, settings)
    assert found.manifest["fingerprint"] == model.manifest["fingerprint"]
    registry.promote(version, "a test")
    assert Bundle.from_registry(settings=settings) == found


def test_the_example_of_the_docstring_runs(spark, tmp_path):
    file = tmp_path / "bundle.zip"
    file.write_bytes(trained(settings_with({})).to_bytes())
    done = doctest.testmod(processor, extraglobs={"spark": spark, "bundle_path": file})
    assert (done.failed, done.attempted) == (0, 12)
