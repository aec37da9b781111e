"""Installations that fink-al 0.1.0 left, each a copy that a test may change."""

import gzip
import shutil
import sqlite3
from pathlib import Path

import pytest

from fink_al.archive.intake import adopt
from fink_al.loop import Loop
from fink_al.settings import Settings, load_settings


@pytest.fixture
def v0_1() -> Path:
    """The files themselves, to be read only."""
    return Path(__file__).parent / "v0_1"


@pytest.fixture
def ztf(v0_1: Path, tmp_path: Path) -> Settings:
    """Settings of the target of ZTF in a copy of its working folder, without the registry."""
    return _opened(v0_1 / "ztf", tmp_path, "early_snia")


@pytest.fixture
def lsst(v0_1: Path, tmp_path: Path) -> Settings:
    """Settings of the target of LSST in a copy of its working folder."""
    return _opened(v0_1 / "lsst", tmp_path, "early_snia_lsst")


@pytest.fixture
def registry_of_ztf(ztf: Settings) -> Settings:
    """The same as `ztf`, with the registry where MLflow looks for it.

    MLflow keeps absolute paths of its artifacts, so the database is kept as SQL in which a word
    stands for the working folder.
    """
    packed = (ztf.work_dir / "registry.sql.gz").read_bytes()
    text = gzip.decompress(packed).decode().replace("@WORK_DIR@", str(ztf.work_dir.resolve()))
    database = sqlite3.connect(ztf.work_dir / "registry.db")
    database.executescript(text)
    database.close()
    return ztf


def _opened(folder: Path, tmp_path: Path, target: str) -> Settings:
    work = tmp_path / folder.name
    shutil.copytree(folder, work)
    settings = load_settings(
        environment={"FINK_AL_TARGET": target, "FINK_AL_STREAM__NAME": target},
        work_dir=work,
        starting_set=None,
        test_set=None,
    )
    assert not adopt(Loop.open(settings).archive)
    return settings
