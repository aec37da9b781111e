"""The small world with a test set, and a nightly job in it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from small_world import OBSERVED, sky, table

from fink_al.labels.label import Label
from fink_al.loop import Loop
from fink_al.settings import Settings
from fink_al.training.examples import ArchiveReader
from fink_al.training.nightly import Summary
from fink_al.training.nightly import retrain as retrain_with

_WRONG = {"SN Ia": "AGN", "AGN": "SN Ia"}


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with a test set of 20 objects of each class."""
    file = tmp_path / "test_set.parquet"
    pq.write_table(table(sky("Test", 20)), file)
    return settings.model_copy(update={"test_set": file})


@pytest.fixture
def tell(settings: Settings, archive: Callable[..., None]) -> Callable[..., None]:
    """Archives alerts and labels them, rightly or not."""

    def put(alerts, *, rightly=True, day=0):
        archive(*alerts)
        received = OBSERVED + timedelta(days=day)
        labels = [
            Label(
                row["object_id"],
                row["type"] if rightly else _WRONG[row["type"]],
                "spectrum",
                OBSERVED,
                received,
            )
            for row in alerts
        ]
        Loop.open(settings).labels.store.add(labels)

    return put


@pytest.fixture
def retrain(archived: ArchiveReader) -> Callable[..., Summary]:
    """The nightly job on that archive."""

    def run(settings, progress=print, **others):
        return retrain_with(Loop.open(settings), archived, progress, **others)

    return run
