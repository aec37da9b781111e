"""Real alerts as Fink's jobs hold them, and models to score them with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fink_utils.spark.utils import concat_col
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fink_al.alerts import light_curves
from fink_al.alerts.ztf import COLUMNS, LIGHT_CURVE
from fink_al.features.feature_set import FeatureSet
from fink_al.loop import Loop
from fink_al.models.model import Model, fit
from fink_al.settings import Settings, find_resource, load_settings
from fink_al.settings.kinds import HOST
from fink_al.spark.archived import as_target
from fink_al.spark.judge import Champion, Science
from fink_al.spark.science import with_science
from fink_al.training.examples import read_examples

FILES = ["ztf_raw", "ztf_science_2", "ztf_science_3", "ztf_science_hostless"]

#: The published features, and ours with numbers of the alert itself among them.
FEATURE_SETS: dict[str, dict[str, Any]] = {
    "sigmoid": {},
    "early_v1": {"name": "early_v1", "context": ("deep_real_bogus", "galactic_latitude", *HOST)},
}


def settings_with(features: dict[str, Any]) -> Settings:
    """Settings with other features and 20 trees."""
    settings = load_settings()
    target = settings.target
    changes = {
        "features": target.features.model_copy(update=features),
        "model": target.model.model_copy(update={"estimator": "random_forest", "n_estimators": 20}),
    }
    return settings.model_copy(update={"target": target.model_copy(update=changes)})


def trained(settings: Settings) -> Model:
    """A model of the package's starting set."""
    starting = pq.read_table(find_resource("data/early_snia/starting_set.parquet"))
    return fit(read_examples(Loop.open(settings), starting), settings.target, None)


def fink_alerts(
    spark: SparkSession, file: Path, changes: Mapping[str, float] | None = None
) -> DataFrame:
    """Alerts of `file` with the columns that Fink's jobs add before the science modules.

    `changes` are put into every candidate.
    """
    alerts = spark.read.parquet(str(file)).drop("cmagpsf")
    candidate = F.col("candidate")
    for name, value in (changes or {}).items():
        candidate = candidate.withField(name, F.lit(value))
    alerts = alerts.withColumn("candidate", candidate)
    if "cdsxmatch" not in alerts.columns:
        alerts = alerts.withColumn("cdsxmatch", F.lit(None).cast("string"))
    for name in LIGHT_CURVE:
        alerts = concat_col(alerts, name[1:])
    return alerts


def without_spark(model: Model, settings: Settings, file: Path) -> dict[int, float]:
    """Probability of each alert of `file` by its number, NaN without one."""
    rows = pq.read_table(file, columns=["candid", "candidate", "prv_candidates"]).to_pylist()
    points = [[*(row["prv_candidates"] or []), row["candidate"]] for row in rows]
    lists = {
        name: [[_value(point, name[1:]) for point in history] for history in points]
        for name in LIGHT_CURVE
    }
    numbers = {"ra": "ra", "dec": "dec", "deep_real_bogus": "drb"}
    columns = {name: pa.array(lists[name], kind) for name, kind in LIGHT_CURVE.items()}
    columns |= {
        name: pa.array([row["candidate"].get(field) for row in rows], pa.float64())
        for name, field in numbers.items()
    }
    g, r, i = (
        np.array([_known(row["candidate"][f"s{band}mag1"]) for row in rows]) for band in "gri"
    )
    near = [[_known(row["candidate"][name]) for row in rows] for name in ("magnr", "distnr")]
    hosts = zip(HOST, (r, g - r, r - i, *near), strict=True)
    columns |= {name: pa.array(values, pa.float64()) for name, values in hosts}
    columns["first_detection_mjd"] = pa.array(
        [row["candidate"]["jdstarthist"] - 2400000.5 for row in rows]
    )
    curves = light_curves(pa.table(columns), settings.survey)
    found = FeatureSet.from_settings(settings.target.features).extract(curves)
    return dict(zip((r["candid"] for r in rows), model.predict(found.values), strict=True))


def _value(point: dict[str, Any], field: str) -> float | None:
    signs = {"t": 1, "1": 1, "f": 0, "0": 0, None: None}
    return signs[point[field]] if field == "isdiffpos" else point[field]


def _known(value: float | None) -> float:
    return np.nan if value in (None, -999.0) else value


def of_the_stream(alerts: DataFrame, model: Model, settings: Settings) -> DataFrame:
    """What the stream makes of the alerts of `alerts`."""
    forced = "array<struct<jd:double,fid:int,forcediffimflux:double,forcediffimfluxunc:double,"
    packets = alerts.withColumn("fp_hists", F.lit(None).cast(forced + "magzpsci:double>>"))
    decoded = packets.select(F.struct("*").alias("alert")).select(
        *(F.expr(text).alias(name) for name, text in COLUMNS.items()),
        F.lit("t").alias("topic"),
        F.lit(0).alias("partition"),
        F.lit(0).cast("long").alias("offset"),
    )
    bundle = alerts.sparkSession.sparkContext.broadcast(model.to_bytes())
    champion = Champion("1", str(id(model)), bundle)
    rows = with_science(decoded, [Science(Loop.open(settings), champion)])
    return as_target(rows, settings.target.name)


def same(found: dict[int, float | None], expected: dict[int, float | None]) -> None:
    """Check that two sets of probabilities are the same, missing ones included."""
    assert found.keys() == expected.keys()
    values = [np.array([side[key] for key in found], float) for side in (found, expected)]
    np.testing.assert_array_equal(*values)
