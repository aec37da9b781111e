"""Settings whose label store is empty, and tables of the Transient Name Server."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from fink_al.labels.store import LabelStore
from fink_al.settings import Settings, load_settings

TNS_HEADER = (
    "objid,name_prefix,name,ra,declination,redshift,typeid,type,reporting_groupid,reporting_group,"
    "source_groupid,source_group,discoverydate,discoverymag,discmagfilter,filter,reporters,"
    "time_received,internal_names,Discovery_ADS_bibcode,Class_ADS_bibcodes,creationdate,"
    "lastmodified"
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings without starting and test set."""
    return load_settings(
        environment={}, work_dir=tmp_path / "work", starting_set=None, test_set=None
    )


@pytest.fixture(scope="session")
def tns_row() -> Callable[..., str]:
    """Makes a line of the table of public objects."""

    def make(objid: object = 17, type: str = "SN Ia", **changes: str) -> str:
        values = dict.fromkeys(TNS_HEADER.split(","), "") | {
            "objid": str(objid),
            "name_prefix": "SN",
            "name": "2026a",
            "ra": "10.5",
            "declination": "-3.25",
            "type": type,
            "reporters": "J. Tonry, L. Denneau (IfA)",
            "internal_names": "ATLAS26aaa, ZTF26aaaaaaa",
            "lastmodified": "2026-01-05 10:00:00",
        }
        unknown = changes.keys() - values.keys()
        assert not unknown
        line = io.StringIO()
        csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(
            (values | changes).values()
        )
        return line.getvalue()

    return make


@pytest.fixture(scope="session")
def tns_table() -> Callable[..., str]:
    """Makes a table of such lines, with the time above the header."""

    def make(*rows: str, stamp: str = '"2026-01-06 00:00:00"\n') -> str:
        header = ",".join(f'"{name}"' for name in TNS_HEADER.split(","))
        return f"{stamp}{header}\n{''.join(rows)}"

    return make


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    """A store without labels."""
    made = LabelStore(tmp_path / "labels")
    made.make()
    return made
