"""The archive as a HATS catalog, opened with LSDB."""

import sys

import numpy as np
import pyarrow as pa
import pytest
from archive_files import put_rows

from fink_al.errors import FinkAlError
from fink_al.export.catalog import Catalog, export_catalog
from fink_al.loop import Loop
from fink_al.settings import load_settings

NIGHT = 20260105


@pytest.fixture
def loop(tmp_path, monkeypatch):
    """A loop over an archive of two nights along the equator, two alerts without a position."""
    monkeypatch.setenv("FINK_AL_WORK_DIR", str(tmp_path / "work"))
    loop = Loop.open(load_settings(starting_set=None, test_set=None))
    for night in (NIGHT, NIGHT + 1):
        ra = [*np.arange(0.5, 360.0), None]
        rows = {
            "object_id": [f"{night}_{i}" for i in range(361)],
            "ra": ra,
            "dec": [0.0] * 361,
            "mag": [19.0] * 361,
            "reasons": [["too_faint", "star"]] * 361,
            "cjd": [[2461000.5, 2461001.5]] * 361,
        }
        put_rows(loop.archive, night, pa.table(rows))
    return loop


# What nested-pandas 0.7 calls on pandas 3.1.
@pytest.mark.filterwarnings("ignore:The inplace keyword in NestedFrame")
def test_a_cone_of_the_catalog_has_the_alerts_that_lie_there(loop, tmp_path):
    lsdb = pytest.importorskip("lsdb", reason="LSDB is missing: pip install 'fink-al[hats]' lsdb")
    dask = pytest.importorskip("dask")
    pytest.importorskip("hats_import", reason="pip install 'fink-al[hats]'")
    folder = tmp_path / "alerts"
    assert export_catalog(loop, folder) == Catalog(-1, 720, 2, [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alerts", "work"]
    catalog = lsdb.open_catalog(folder)
    with dask.config.set(scheduler="synchronous"):
        cone = catalog.cone_search(ra=100, dec=0, radius_arcsec=7200).compute(progress_bar=False)
    assert set(cone["object_id"]) == {
        f"{night}_{i}" for night in (NIGHT, NIGHT + 1) for i in (98, 99, 100, 101)
    }
    first = cone.iloc[0]
    assert list(first["reasons"]) == ["too_faint", "star"]
    assert list(first["cjd"]) == [2461000.5, 2461001.5]
    assert "fink_al_as_of=-1" in (folder / "hats.properties").read_text("utf-8")
    with pytest.raises(FinkAlError, match="alerts exists: name a new folder"):
        export_catalog(loop, folder)


def test_without_hats_import_the_error_says_what_to_install(loop, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "hats_import.catalog.arguments", None)
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(FinkAlError, match=r"pip install 'fink-al\[hats\]'"):
        export_catalog(loop, tmp_path / "alerts")
