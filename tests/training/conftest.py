"""Settings of a small world, and its archive."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from small_world import MJD, table

from fink_al.labels.store import LabelStore
from fink_al.models.registry import Registry
from fink_al.settings import Settings, load_settings
from fink_al.training.examples import PROVENANCE, ArchiveReader


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without models: making its tables takes seconds."""
    folder = tmp_path_factory.mktemp("registry")
    Registry(load_settings(work_dir=folder, starting_set=None, test_set=None)).champion()
    return folder / "registry.db"


@pytest.fixture
def settings(tmp_path: Path, empty_registry: Path) -> Settings:
    """Settings with 20 trees and neither starting nor test set."""
    shutil.copy(empty_registry, tmp_path)
    loaded = load_settings(work_dir=tmp_path, starting_set=None, test_set=None)
    model = loaded.target.model.model_copy(
        update={"estimator": "random_forest", "n_estimators": 20}
    )
    return loaded.model_copy(update={"target": loaded.target.model_copy(update={"model": model})})


@pytest.fixture
def archived(settings: Settings) -> ArchiveReader:
    """Reads an archive of one alert an object without Spark."""

    def read(settings: Settings, labels: pa.Table) -> pa.Table:
        files = sorted(settings.archive_dir.rglob("*.parquet"))
        if not files:
            return pa.schema(PROVENANCE.items()).empty_table()
        rows = pa.concat_tables(map(pq.read_table, files)).drop_columns(["is_candidate", "reasons"])
        index = pc.index_in(rows["object_id"], labels["object_id"].combine_chunks())
        for name in ("type", "source", "observed", "modified"):
            rows = rows.append_column(name, labels[name].take(index))
        return rows.filter(pc.is_valid(index))

    return read


@pytest.fixture
def archive(settings: Settings) -> Callable[..., None]:
    """Puts alerts into the archive, as the stream does: Parquet by night."""

    def write(*alerts: dict) -> None:
        LabelStore.of(settings)  # the stream's start makes it
        folder = settings.archive_dir / f"night={settings.survey.night_of(MJD)}"
        folder.mkdir(parents=True, exist_ok=True)
        part = len(list(folder.iterdir()))
        rows = table(alerts).drop_columns("type")
        pq.write_table(rows, folder / f"part-{part}.parquet", store_schema=False)

    return write
