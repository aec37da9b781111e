"""The archive of fink-al 0.1.0: tonight's list, light curves, features, probabilities."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archive_files import paths

from fink_al.followup.tonight import LIST, candidates
from fink_al.labels.verdict import verdicts
from fink_al.loop import Loop
from fink_al.spark.archived import read_archive
from fink_al.spark.nights.examples import archived_examples
from fink_al.training.examples import feature_values


def rows_of(archive, night):
    (file,) = paths(archive, night)
    with pq.ParquetFile(file) as parquet:
        return parquet.read()


def test_tonights_list_of_ztf(ztf):
    night, rows = candidates(Loop.open(ztf))
    assert (night, len(rows), list(rows.columns)) == (20260106, 16, LIST)
    first = rows.iloc[0]
    assert first[["object_id", "position", "band", "why"]].tolist() == [
        "ZTF25aapaaav", "06:06:14.15 -18:35:49.8", "g", "uncertainty, model 1",
    ]  # fmt: skip
    numbers = first[["mag", "trend_mag_per_day", "age_days", "p", "hours"]].astype(float)
    assert numbers.tolist() == pytest.approx(
        [20.31545639038086, 0.1090868347059775, 20.73936819192022, 0.5, 6.666666666666666]
    )
    night, rows = candidates(Loop.open(ztf), 20260105)
    assert (night, len(rows)) == (20260105, 19)
    assert set(rows["why"]) == {"random sample (no_model)"}
    assert rows["p"].isna().all()


def test_tonights_list_of_lsst(lsst):
    night, rows = candidates(Loop.open(lsst))
    assert night == 20260707
    assert rows["object_id"].tolist() == [
        "170000000150000099", "170000000150000050", "170000000150000015",
    ]  # fmt: skip
    assert rows["band"].tolist() == ["i", "i", "i"]
    assert rows["mag"].tolist() == pytest.approx([22.220022, 21.458494, 21.185619])
    assert rows["age_days"].tolist() == pytest.approx([29.267820, 29.267820, 9.995227])


@pytest.mark.parametrize(
    ("survey", "night", "n", "n_columns", "n_points", "n_detections"),
    [
        ("ztf", 20260105, 55, 99, 2357, 1012),
        ("ztf", 20260106, 47, 99, 2035, 1007),
        ("lsst", 20260707, 34, 216, 435, 316),
    ],
)
def test_light_curves_give_the_archived_features(
    request, survey, night, n, n_columns, n_points, n_detections
):
    loop = Loop.open(request.getfixturevalue(survey))
    rows = rows_of(loop.archive, night)
    assert (len(rows), rows.num_columns) == (n, n_columns)
    curves = loop.light_curves(rows)
    assert (len(curves.mjd), int(curves.is_detection.sum())) == (n_points, n_detections)
    names = list(loop.features.names)
    kept = loop.archive.frame(night, names).to_numpy(float)
    assert np.isfinite(kept).any(axis=0).sum() > len(names) / 2
    found = feature_values(loop, rows)
    # The fit over all bands ends elsewhere on a processor with other instructions.
    fitted = np.array([name.startswith("rainbow") for name in names])
    np.testing.assert_allclose(found[:, ~fitted], kept[:, ~fitted], rtol=1e-6, atol=1e-9)
    same = np.isclose(found[:, fitted], kept[:, fitted], rtol=0.01, equal_nan=True)
    assert same.all(axis=1).mean() > 0.8 if fitted.any() else survey == "ztf"


def test_nights_are_listed(ztf, lsst):
    assert Loop.open(ztf).archive.nights() == [20260105, 20260106]
    assert Loop.open(lsst).archive.nights() == [20260707]


@pytest.mark.spark
def test_spark_reads_the_nights(spark, ztf, lsst):
    rows = read_archive(spark, Loop.open(ztf).archive, 20260106)
    assert rows.count() == 47
    assert rows.where("is_candidate").count() == 16
    assert {row.model_version for row in rows.select("model_version").collect()} == {"1"}
    assert (
        read_archive(spark, Loop.open(ztf).archive, 20260105).where("p_reason = 'no_model'").count()
        == 55
    )
    assert read_archive(spark, Loop.open(lsst).archive, 20260707).where("is_candidate").count() == 3


@pytest.mark.spark
def test_examples_are_found_in_the_archive(spark, ztf):
    said = verdicts(Loop.open(ztf).labels, ztf.target, ztf.taxonomy)
    labels = said.filter(pa.compute.is_valid(said["positive"]))
    rows = archived_examples(Loop.open(ztf), labels)
    # Those that the second training of the folder had.
    assert len(rows) == 17
    assert set(rows["object_id"].to_pylist()) == set(labels["object_id"].to_pylist())
