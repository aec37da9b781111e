"""Nights that an earlier version archived, which kept no signs."""

import pyarrow as pa
import pytest
from archive_files import put_rows

from fink_al.alerts.ztf import COLUMNS, LIGHT_CURVE
from fink_al.loop import Loop
from fink_al.settings import load_settings
from fink_al.spark.archived import read_archive

pytestmark = pytest.mark.spark


def test_a_night_of_both_versions_is_read_whole(spark, tmp_path):
    settings = load_settings(environment={}).model_copy(update={"work_dir": tmp_path})
    archive = Loop.open(settings).archive
    new = {name: pa.array([[1]], kind) for name, kind in LIGHT_CURVE.items()}
    new |= {name: pa.array([2], pa.int64()) for name in COLUMNS if name not in new}
    new |= {"is_known_asteroid": pa.array([True]), "host_mag": pa.array([18.5])}
    later = ("cisdiffpos", "is_known_asteroid", "host_mag")
    old = {n: column for n, column in new.items() if n not in later}
    for night, name in ((20260110, "a"), (20260111, "b")):  # whichever of them Spark looks at
        for number, part in enumerate([old, new] if name == "a" else [new, old]):
            put_rows(archive, night, pa.table(part), f"{name}{number}")
        rows = read_archive(spark, archive, night).select(*later)
        assert sorted(map(str, rows.collect())) == [
            "Row(cisdiffpos=None, is_known_asteroid=None, host_mag=None)",
            "Row(cisdiffpos=[1], is_known_asteroid=True, host_mag=18.5)",
        ]
