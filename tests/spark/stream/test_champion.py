"""Which model scores, whatever becomes of the registry: without a JVM."""

import logging
import sqlite3
import time
from contextlib import closing
from types import SimpleNamespace

import pytest
from registries import MlflowServer, fitted, make_champion, register

from fink_al import metrics
from fink_al.errors import ModelError, ServiceError
from fink_al.loop import Loop
from fink_al.settings import load_settings
from fink_al.spark.stream import champion as module
from fink_al.spark.stream.champion import ChampionWatch


class Broadcast:
    """Stands for Spark's."""

    def __init__(self, value):
        self.value = value

    def unpersist(self):
        self.value = None


SPARK = SimpleNamespace(sparkContext=SimpleNamespace(broadcast=Broadcast))


@pytest.fixture(scope="module")
def small():
    """Settings of a small forest."""
    loaded = load_settings(environment={}, starting_set=None, test_set=None)
    model = loaded.target.model.model_copy(update={"estimator": "random_forest", "n_estimators": 3})
    return loaded.model_copy(update={"target": loaded.target.model_copy(update={"model": model})})


@pytest.fixture(scope="module")
def bundles(small):
    """Three good ones."""
    return [fitted(small, seed).to_bytes() for seed in range(3)]


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    running = MlflowServer(tmp_path / "versions")
    yield running
    running.close()


@pytest.fixture
def settings(small, server, tmp_path, bundles):
    for number, bundle in enumerate(bundles, 1):
        server.add(str(number), bundle)
    registry = small.registry.model_copy(update={"tracking_uri": server.uri})
    return small.model_copy(update={"work_dir": tmp_path, "registry": registry})


def scores(watch):
    """Version and bundle for the next batch."""
    found = watch.current()
    return found and (found.version, found.bundle.value)


def said(caplog):
    """Level and text of what was logged since the last call."""
    words = [(r.levelname, r.getMessage()) for r in caplog.records if r.levelno >= logging.WARNING]
    caplog.clear()
    return words


def figures():
    value = metrics.REGISTRY.get_sample_value
    labels = {"target": "early_snia"}
    refused = value("fink_al_models_refused_total", labels) or 0
    return value("fink_al_registry_reachable", labels), refused


def test_the_alias_is_followed_there_and_back(settings, server, bundles):
    watch = ChampionWatch(SPARK, Loop.open(settings))
    assert scores(watch) is None
    for version in "1", "3", "2", "3":
        server.champion = version
        assert scores(watch) == (version, bundles[int(version) - 1])
        labels = {"version": version, "target": "early_snia"}
        assert metrics.REGISTRY.get_sample_value("fink_al_champion_info", labels) == 1
        kept = [file.name.split("-")[0] for file in settings.champion_dir.local.iterdir()]
        assert kept == [version]


@pytest.mark.parametrize("mode", ["refuse", "500", "hang", "names none"])
def test_an_outage_is_told_once_and_so_is_its_end(settings, server, bundles, caplog, mode):
    caplog.set_level(logging.INFO)
    server.champion = "1"
    watch = ChampionWatch(SPARK, Loop.open(settings))
    assert figures()[0] == 1
    for version in "2", "3":  # two outages
        before = scores(watch)
        caplog.clear()
        if mode == "names none":
            server.champion = None
        else:
            server.mode, server.champion = mode, version
        begin = time.monotonic()
        assert [scores(watch) for _ in range(50)] == [before] * 50
        assert time.monotonic() - begin < 60  # 50 batches together
        assert figures()[0] == 0
        ((level, words),) = said(caplog)
        assert level == "WARNING"
        assert words.startswith("Registry out of reach, the loaded model goes on: ")
        server.mode, server.champion = "ok", version
        watch._asks_again = 0.0  # its rest is over
        assert scores(watch) == (version, bundles[int(version) - 1])
        assert figures()[0] == 1
        assert [r.getMessage().rstrip("0123456789 s") for r in caplog.records] == [
            f"Model version {version} of early_snia is loaded",
            "The registry answers again after",
        ]


def test_a_registry_that_hangs_is_asked_ever_so_often(settings, server, monkeypatch):
    server.champion = "1"
    watch = ChampionWatch(SPARK, Loop.open(settings))
    server.mode = "hang"
    begin = time.monotonic()
    watch.current()
    took = time.monotonic() - begin
    assert 1 < took < 60
    assert 0.5 < (watch._asks_again - time.monotonic()) / (module._REST * took) <= 1


def test_a_refused_version_is_told_once_and_looked_at_again(settings, server, bundles, caplog):
    server.add("4", b"PK\x03\x04 torn")
    server.champion = "1"
    watch = ChampionWatch(SPARK, Loop.open(settings))
    for count in 1, 2:
        before = figures()[1]
        server.champion = "4"
        assert [scores(watch) for _ in range(3)] == [("1", bundles[0])] * 3
        assert figures() == (1, before + 1)
        ((level, words),) = said(caplog)
        assert level == "ERROR"
        assert words.startswith(
            "Model version 4 of early_snia refused, version 1 goes on scoring: The bundle is torn "
        )
        server.champion = "1"
        assert scores(watch) == ("1", bundles[0]), count


def test_a_version_that_is_gone_is_refused(settings, server, bundles, caplog):
    server.champion = "1"
    watch = ChampionWatch(SPARK, Loop.open(settings))
    server.champion = "9"
    assert scores(watch) == ("1", bundles[0])
    assert said(caplog) == [
        (
            "ERROR",
            "Model version 9 of early_snia refused, version 1 goes on scoring: No model version 9; "
            "known: 1, 2, 3.",
        )
    ]


def test_a_bundle_that_cannot_be_fetched_is_asked_for_again(settings, server, bundles, tmp_path):
    server.champion = "1"
    watch = ChampionWatch(SPARK, Loop.open(settings))
    file = tmp_path / "versions" / "2" / "bundle.zip"
    file.rename(tmp_path / "away")
    server.champion = "2"
    assert scores(watch) == ("1", bundles[0])
    (tmp_path / "away").rename(file)
    watch._asks_again = 0.0
    assert scores(watch) == ("2", bundles[1])


def test_a_start_without_the_registry_goes_on_with_the_model_that_scored(
    settings, server, bundles, caplog
):
    server.champion = "2"
    ChampionWatch(SPARK, Loop.open(settings))
    for mode in "refuse", "500", "hang":
        server.mode = mode
        watch = ChampionWatch(SPARK, Loop.open(settings))
        assert scores(watch) == ("2", bundles[1])
        assert [words.partition(":")[0] for _, words in said(caplog)] == [
            "Registry out of reach, the loaded model goes on",
            "Model version 2, which scored last, goes on for now",
        ]
    # The registry is asked for all, as its version 2 may be another one.
    server.mode, watch._asks_again = "ok", 0.0
    server._folder.joinpath("2", "bundle.zip").write_bytes(bundles[2])
    assert scores(watch) == ("2", bundles[2])


def test_a_start_with_an_empty_registry_goes_on_with_the_model_that_scored(
    settings, server, bundles
):
    server.champion = "2"
    ChampionWatch(SPARK, Loop.open(settings))
    server.champion = None
    assert scores(ChampionWatch(SPARK, Loop.open(settings))) == ("2", bundles[1])


def test_a_start_with_a_broken_champion_goes_on_with_the_model_that_scored(
    settings, server, bundles, caplog
):
    server.add("4", bundles[0][:-100])
    server.champion = "2"
    ChampionWatch(SPARK, Loop.open(settings))
    server.champion = "4"
    watch = ChampionWatch(SPARK, Loop.open(settings))
    assert [scores(watch) for _ in range(3)] == [("2", bundles[1])] * 3
    assert [words[:23] for _, words in said(caplog)] == [
        "Model version 4 of earl",
        "Model version 2, which ",
    ]


@pytest.mark.parametrize("kept", ["never", "altered", "other features"])
@pytest.mark.parametrize(
    ("mode", "error"), [("refuse", ServiceError), ("hang", ServiceError), ("torn", ModelError)]
)
def test_a_start_with_no_model_that_could_score_is_refused(
    settings, server, bundles, kept, mode, error
):
    if kept != "never":
        server.champion = "2"
        ChampionWatch(SPARK, Loop.open(settings))
        (file,) = settings.champion_dir.local.iterdir()
    if kept == "altered":
        file.write_bytes(bundles[0])
    if kept == "other features":
        features = settings.target.features.model_copy(update={"bands": ("r",)})
        target = settings.target.model_copy(update={"features": features})
        settings = settings.model_copy(update={"target": target})
    server.add("4", b"torn")
    server.champion = "4"
    server.mode = "ok" if mode == "torn" else mode
    with pytest.raises(error, match=r"registry at|torn or no bundle"):
        ChampionWatch(SPARK, Loop.open(settings))


def test_a_folder_that_cannot_be_written_costs_the_restart_only(settings, server, bundles, caplog):
    settings.champion_dir.local.parent.mkdir()
    settings.champion_dir.local.write_text("in the way")
    server.champion = "1"
    assert scores(ChampionWatch(SPARK, Loop.open(settings))) == ("1", bundles[0])
    assert "cannot be kept for a restart" in said(caplog)[0][1]


@pytest.mark.parametrize("fault", ["spoiled", "moved", "emptied"])
def test_a_database_that_cannot_be_read_is_an_outage(small, bundles, tmp_path, caplog, fault):
    settings = small.model_copy(update={"work_dir": tmp_path})
    first, second = (register(settings, bundle) for bundle in bundles[:2])
    make_champion(settings, first)
    watch = ChampionWatch(SPARK, Loop.open(settings))
    database = tmp_path / "registry.db"
    away = database.rename(tmp_path / "away.db")
    if fault != "moved":
        database.write_bytes(b"no database" * 1000 if fault == "spoiled" else b"")
    assert [scores(watch) for _ in range(20)] == [(first, bundles[0])] * 20
    assert len(said(caplog)) == 1
    assert scores(ChampionWatch(SPARK, Loop.open(settings))) == (first, bundles[0])
    away.replace(database)
    make_champion(settings, second)
    watch._asks_again = 0.0
    assert scores(watch) == (second, bundles[1])


def test_a_database_that_is_locked_is_an_outage(small, bundles, tmp_path, caplog):
    settings = small.model_copy(update={"work_dir": tmp_path})
    make_champion(settings, register(settings, bundles[0]))
    watch = ChampionWatch(SPARK, Loop.open(settings))
    with closing(sqlite3.connect(tmp_path / "registry.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        begin = time.monotonic()
        assert [scores(watch) for _ in range(20)] == [("1", bundles[0])] * 20
        assert time.monotonic() - begin < 120  # MLflow waits 20 s for a lock
    assert len(said(caplog)) == 1
    watch._asks_again = 0.0
    watch.current()
    assert figures()[0] == 1
