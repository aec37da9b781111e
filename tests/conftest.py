"""Fixtures that several test files share."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from archive_files import put_rows
from small_world import MJD, table

from fink_al.archive.reading import Archive
from fink_al.loop import Loop
from fink_al.settings import Settings, load_settings
from fink_al.training.examples import PROVENANCE, ArchiveReader


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real alerts and reference values that lies beside the project on some machines."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real data beside the project (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def real_packets(shared_data: Path) -> list[bytes]:
    """ZTF packets of the years 2018 to 2024, of several producers and two schema versions."""
    return [file.read_bytes() for file in sorted((shared_data / "ztf_packets").iterdir())]


@pytest.fixture(autouse=True, scope="session")
def _no_settings_from_outside():
    """Tests see the settings files only, not the variables of the shell that runs them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith("FINK_AL_") and n != "FINK_AL_CACHE"]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running Kafka, one for all tests."""
    from fink_al.demo.embedded_kafka import EmbeddedKafka

    with EmbeddedKafka(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="session")
def secure_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running Kafka with TLS and three ways to say who asks, one for all tests."""
    from secure_kafka import SecureKafka

    running = SecureKafka(tmp_path_factory.mktemp("secure_kafka"))
    yield running
    running.close()


@pytest.fixture(scope="session")
def hdfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running HDFS."""
    from embedded_hdfs import EmbeddedHdfs

    with EmbeddedHdfs(tmp_path_factory.mktemp("hdfs")) as running:
        yield running


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running S3 server; the environment tells how to reach it."""
    from embedded_s3 import EmbeddedS3

    with (
        EmbeddedS3(tmp_path_factory.mktemp("s3")) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in running.variables.items():
            patch.setenv(name, value)
        yield running


@pytest.fixture
def kafka_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment has what the secured Kafka wants."""
    from secure_kafka import SECRETS

    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A Spark session of this process, one for all tests."""
    from fink_al.spark.session import spark_session

    session = spark_session("tests", "local[2]")
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "1000")
    yield session
    session.stop()


@pytest.fixture
def points(tmp_path: Path) -> Path:
    """60 objects: the positive ones rise three times as fast as the others."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(1)
    rows = [
        (f"ZTF{i}", kind, 2461000.7 + 2 * k, 1 + k % 2, 20 - rate * k + rng.normal(0, 0.02), 0.05)
        for i in range(60)
        for kind, rate in [("SN Ia", 0.15) if i % 2 else ("SN II", 0.05)]
        for k in range(10)
    ]
    names = ["objectId", "type", "jd", "fid", "magpsf", "sigmapsf"]
    file = tmp_path / "points.parquet"
    pd.DataFrame(rows, columns=names).to_parquet(file)
    return file


@pytest.fixture
def world(broker: Any, tmp_path: Path) -> Callable[..., Any]:
    """Makes settings whose topics and folders no other test has.

    Without a model everything within the cuts is a candidate.
    """
    name = f"t{uuid.uuid4().hex[:8]}"
    kafka = {"servers": broker.servers}

    def make(**target: Any) -> Any:
        settings = load_settings(
            work_dir=tmp_path,
            source=kafka,
            sink=kafka,
            starting_set=None,
            test_set=None,
            stream={"name": name, "topics": rf"{name}_[0-9]{{8}}", "trigger_seconds": 0},
        )
        follow_up = settings.target.follow_up.model_copy(update={"bootstrap_fraction": 1.0})
        model = settings.target.model.model_copy(
            update={"estimator": "random_forest", "n_estimators": 20}
        )
        changes = {
            "name": name,
            "candidates_topic": f"fink_{name}_ztf",
            "follow_up": follow_up,
            "model": model,
        }
        return settings.model_copy(
            update={"target": settings.target.model_copy(update=changes | target)}
        )

    return make


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without models: making its tables takes seconds."""
    folder = tmp_path_factory.mktemp("registry")
    Loop.open(load_settings(work_dir=folder, starting_set=None, test_set=None)).registry.champion()
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

    def read(loop: Loop, labels: pa.Table) -> pa.Table:
        files = sorted(loop.archive.folder.local.rglob("*.parquet"))
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
        loop = Loop.open(settings)
        assert loop.labels.store.version  # the stream's start makes the store
        rows = table(alerts).drop_columns("type")
        put_rows(Archive(settings.archive_dir), settings.survey.night_of(MJD), rows)

    return write
