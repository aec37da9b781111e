"""A campaign, and a stream that reads Fink's science files."""

import io
from collections.abc import Callable
from pathlib import Path

import fastavro
import pytest
from science_files import NOWHERE, of_files
from streaming import campaign

from fink_al.settings import Settings
from fink_al.simulation.nights import Campaign
from fink_al.simulation.packets import packets


@pytest.fixture(scope="session")
def sky() -> Campaign:
    """Two nights of a few hundred alerts, the same for all tests."""
    return campaign()


@pytest.fixture(scope="session")
def rows(sky: Campaign) -> dict[int, list[dict]]:
    """Records of the packets of each night, as Fink's jobs hold them."""
    return {
        night: [next(fastavro.reader(io.BytesIO(packet))) for packet in packets(sky, night)]
        for night in sky.nights
    }


@pytest.fixture
def science(world: Callable[..., Settings], tmp_path: Path) -> Settings:
    """Settings of a stream that reads files and cannot reach the cluster of the alert topics."""
    path = tmp_path / "online science"
    path.mkdir()
    settings = world()
    return of_files(settings, path, source=settings.source.model_copy(update={"servers": NOWHERE}))
