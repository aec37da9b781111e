"""Tags of alerts by the flags of their target."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from fink_al.alerts.ztf import COLUMNS, FORCED
from fink_al.archive.view import of_features, own
from fink_al.loop import Loop
from fink_al.settings import load_settings
from fink_al.spark.science import Science, with_science

_FAINT = 19.0


@pytest.mark.spark
def test_an_alert_is_tagged_where_the_feature_is_above_and_not_where_it_is_missing(
    spark, sky, tmp_path
):
    flags = {"faint": {"feature": "mag_r", "above": _FAINT}}
    loop = Loop.open(load_settings(environment={}, target={"flags": flags}))
    pq.write_table(sky.columns(sky.nights[1]), tmp_path / "alerts.parquet")
    alerts = spark.read.parquet(str(tmp_path / "alerts.parquet"))
    kinds = dict.fromkeys(FORCED, "array<double>") | {"host_class": "string"}
    alerts = alerts.withColumns(
        {
            name: F.lit(None).cast(kinds.get(name, "double"))
            for name in COLUMNS
            if name not in alerts.columns
        }
        | {"topic": F.lit("t"), "partition": F.lit(0), "offset": F.col("alert_id")}
    )
    name, feature = loop.target.name, of_features(loop.features.hash, "mag_r")
    found = with_science(alerts, [Science(loop)]).select(own(name, "tags"), f"`{feature}`")
    tags, mag = zip(*(tuple(row) for row in found.collect()), strict=True)
    mag = np.array(mag, float)
    expected = np.where(mag > _FAINT, "faint", "")
    assert [set(each) - {"host_from_star_score"} for each in tags] == [
        {word} - {""} for word in expected
    ]
    assert all("host_from_star_score" in each for each in tags)
    assert 10 < (mag > _FAINT).sum() < np.isfinite(mag).sum() < len(mag)
