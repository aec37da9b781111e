import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_world import N_FEATURES

from fink_al.errors import ModelError, ServiceError
from fink_al.loop import Loop
from fink_al.models import registry as module
from fink_al.models.examples import TrainingSet
from fink_al.models.model import Model, fit
from fink_al.models.registry import DECISION, WHY, Registry
from fink_al.settings import Registry as RegistrySettings

EXAMPLES = pa.table(
    {"object_id": ["A"], "alert_id": [1], "positive": [True], "selected_by": ["random"]}
)


@pytest.fixture
def model(settings) -> Model:
    values = np.random.default_rng(1).normal(size=(20, N_FEATURES))
    names = np.array([f"O{i}" for i in range(20)], object)
    training = TrainingSet(names, np.arange(20), values[:, 0] > 0, values)
    return fit(training, settings.target, None)


def test_versions_are_registered_promoted_and_rolled_back(settings, model):
    registry = Loop.open(settings).registry
    assert (registry.champion(), registry.versions()) == (None, [])
    assert registry.register(model, {WHY: "first"}, EXAMPLES) == "1"
    assert registry.champion() is None
    assert registry.register(model, {WHY: "second"}, EXAMPLES) == "2"
    assert registry.register(model, {WHY: "third"}, EXAMPLES) == "3"
    for version in ("2", "1", "3"):
        registry.promote(version, f"as number {version}")
        assert Loop.open(settings).registry.champion() == version
    assert registry.roll_back("wrong") == ("3", "1")
    assert registry.roll_back("wrong, too", to="2") == ("1", "2")
    found = [(v.number, v.is_champion, v.tags[WHY], v.tags[DECISION]) for v in registry.versions()]
    assert found == [
        ("1", False, "wrong, too", "rolled_back"),
        ("2", True, "instead of version 1: wrong, too", "promoted"),
        ("3", False, "wrong", "rolled_back"),
    ]
    with pytest.raises(ModelError, match=r"Version 2 is the only one that .* stands: name the one"):
        registry.roll_back("again")
    with pytest.raises(ModelError, match="Version 2 is the champion already"):
        registry.roll_back("again", to="2")


def test_going_back_takes_all_champions_since_then_back(settings, model):
    registry = Loop.open(settings).registry
    for version in ("1", "2", "3", "4"):
        assert registry.register(model, {}, EXAMPLES) == version
        registry.promote(version, "better")
        if version == "2":
            registry.roll_back("odd")
    assert registry.roll_back("all wrong", to="1") == ("4", "1")
    found = [(v.number, v.tags[WHY], v.tags[DECISION]) for v in registry.versions()]
    assert found == [
        ("1", "instead of version 4: all wrong", "promoted"),
        ("2", "odd", "rolled_back"),
        ("3", "all wrong", "rolled_back"),
        ("4", "all wrong", "rolled_back"),
    ]
    with pytest.raises(ModelError, match="Version 1 is the only one that was champion and stands"):
        registry.roll_back("forward")
    with pytest.raises(ModelError, match="No model version ; known: 1, 2, 3, 4"):
        registry.roll_back("nameless", to="")


def test_a_new_registry_is_made_without_a_word(tmp_path):
    code = (
        "import contextlib\n"
        "from fink_al.errors import ServiceError\n"
        "from fink_al.loop import Loop\n"
        "from fink_al.settings import load_settings\n"
        "with contextlib.suppress(ServiceError):  # there is no model to hold\n"
        "    Loop.open(load_settings(work_dir='.')).registry.hold('clouds')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_without_a_champion_there_is_nothing_to_roll_back(settings):
    with pytest.raises(ModelError, match="There is no champion to roll back: train first"):
        Loop.open(settings).registry.roll_back("wrong")


def test_a_hold_lasts_until_it_is_taken_back(settings, model):
    registry = Loop.open(settings).registry
    assert registry.held() is None
    registry.register(model, {}, EXAMPLES)
    registry.hold(None)
    registry.hold("clouds")
    assert Loop.open(settings).registry.held() == "clouds"
    registry.hold(None)
    assert registry.held() is None


def test_a_version_is_the_bundle_that_was_registered(settings, model):
    registry = Loop.open(settings).registry
    registry.register(model, {}, EXAMPLES)
    assert registry.examples("1").equals(EXAMPLES)
    loaded = Model.from_bytes(registry.load("1"), model.manifest["feature_set"]["hash"])
    values = np.random.default_rng(2).normal(size=(9, N_FEATURES))
    np.testing.assert_array_equal(loaded.predict(values), model.predict(values))
    stored = [file.name for file in (settings.work_dir / "models").rglob("*") if file.is_file()]
    assert sorted(stored) == ["bundle.zip", "examples.parquet"]
    (file,) = (settings.work_dir / "models").rglob("examples.parquet")
    pq.write_table(EXAMPLES.drop_columns(["alert_id", "positive"]), file)
    sentence = r"version 1 lacks the columns \['alert_id', 'positive'\]: restore it"
    with pytest.raises(ModelError, match=sentence):
        registry.examples("1")
    file.write_bytes(b"PAR1")
    with pytest.raises(ModelError, match=r"examples\.parquet of model version 1 is damaged"):
        registry.examples("1")


@pytest.mark.parametrize("is_told", [True, False])
def test_a_file_that_is_too_large_is_not_read(settings, model, monkeypatch, is_told):
    from mlflow import MlflowClient

    registry = Loop.open(settings).registry
    registry.register(model, {}, EXAMPLES)
    size = len(registry.load("1"))
    monkeypatch.setattr(module, "_MAX_BYTES", size - 1)
    if is_told:
        monkeypatch.setattr(MlflowClient, "download_artifacts", None)  # it is not fetched, either
    else:
        monkeypatch.setattr(MlflowClient, "list_artifacts", lambda *_: [])
    told = f"bundle.zip of model version 1 has {size} bytes in the registry, allowed are {size - 1}"
    with pytest.raises(ModelError, match=told):
        registry.load("1")
    monkeypatch.undo()
    monkeypatch.setattr(module, "_MAX_BYTES", size)
    assert len(registry.load("1")) == size


def promote(registry: Registry, version: str) -> None:
    registry.promote(version, "a test")


@pytest.mark.parametrize("call", [Registry.load, Registry.examples, promote])
def test_an_unknown_version_is_refused_with_the_known_ones(settings, model, call):
    registry = Loop.open(settings).registry
    with pytest.raises(ModelError, match=r"No model version 9; known: none\."):
        call(registry, "9")
    registry.register(model, {}, EXAMPLES)
    with pytest.raises(ModelError, match=r"No model version 9; known: 1\."):
        call(registry, "9")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("http://127.0.0.1:9", "http://127.0.0.1:9"),
        ("http://me:secret@127.0.0.1:9", "http://127.0.0.1:9"),
        ("nonsense://x", "nonsense://x"),
    ],
)
def test_a_registry_out_of_reach_is_said_in_one_sentence_and_soon(settings, uri, said):
    settings = settings.model_copy(update={"registry": RegistrySettings(tracking_uri=uri)})
    begun = time.monotonic()
    with pytest.raises(ServiceError, match=f"registry at {said} failed: ") as error:
        Loop.open(settings).registry.champion()
    assert "secret" not in str(error.value)
    assert time.monotonic() - begun < 30
