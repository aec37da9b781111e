"""Storage that a test may run on: the local disk, a real HDFS and a real S3 server."""

from pathlib import Path

import pytest

from fink_al.storage.place import Place


@pytest.fixture(params=["local", "hdfs", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place of each kind."""
    if request.param == "local":
        return Place(tmp_path / "a place")
    return Place(request.getfixturevalue(request.param).uri) / tmp_path.name / "a_place"
