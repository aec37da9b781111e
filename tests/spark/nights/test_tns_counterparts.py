"""Rows of the real TNS table meet the right objects of real ZTF alerts by position alone."""

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from archive_files import put_rows
from importing import import_file
from tns_table_2024 import ZTF_NAME, read_tns_table

from fink_al.labels.counterparts import places
from fink_al.loop import Loop
from fink_al.settings import MJD_EPOCH, load_settings
from fink_al.spark.nights.counterparts import archived_counterparts

pytestmark = pytest.mark.spark


def test_typed_rows_without_ztf_names_meet_their_alerts(spark, shared_data, tmp_path):
    """All that ZTF saw within a year of the discovery, and more than the table names."""
    file = shared_data / "labelled" / "ztf_fink_tns_alerts.parquet"
    alerts = pq.read_table(file, columns=["objectId", "alert_jd", "ra", "dec"])
    table = read_tns_table(shared_data)
    names = dict(zip(table["name"], table["internal_names"].str.findall(ZTF_NAME), strict=True))
    table["internal_names"] = ""
    table.to_csv(tmp_path / "tns.csv", index=False)
    settings = load_settings(
        environment={}, work_dir=tmp_path / "work", starting_set=None, test_set=None
    )
    assert import_file(settings, tmp_path / "tns.csv").added == len(table)

    loop = Loop.open(settings)
    mjd = pc.subtract(alerts["alert_jd"], 2_400_000.5)
    columns = {
        "object_id": alerts["objectId"],
        "mjd": mjd,
        "ra": alerts["ra"],
        "dec": alerts["dec"],
    }
    put_rows(loop.archive, 20240101, pa.table(columns))
    pairs = archived_counterparts(loop, places(loop.labels.store.read())).to_pylist()
    met = {row["said_of"].removeprefix("TNS "): row["object_id"] for row in pairs}

    first = alerts.append_column("mjd", mjd).group_by("objectId").aggregate([("mjd", "min")])
    begun = {
        row["objectId"]: (MJD_EPOCH + timedelta(days=row["mjd_min"])).year
        for row in first.to_pylist()
    }
    right = {
        name
        for name, ours in names.items()
        if any(begun.get(one, 9999) - int(name[:4]) <= 1 for one in ours)
    }
    assert len(right) > 1000
    assert right <= met.keys()
    # Of one the table lists another name of ZTF at the same place, of the others none.
    other = {name: one for name, one in met.items() if one not in names[name]}
    assert [name for name in other if names[name]] == ["2020adgg"]
    assert len(other) == 44
    assert max(row["arcsec"] for row in pairs) <= 1.5
