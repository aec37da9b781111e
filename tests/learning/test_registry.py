import time

import numpy as np
import pytest
from small_world import N_FEATURES

from fink_al.errors import ModelError, ServiceError
from fink_al.learning.model import Model, fit
from fink_al.learning.registry import DECISION, Registry
from fink_al.learning.training_set import TrainingSet
from fink_al.settings import Registry as RegistrySettings


@pytest.fixture
def model(settings) -> Model:
    values = np.random.default_rng(1).normal(size=(20, N_FEATURES))
    names = np.array([f"O{i}" for i in range(20)], object)
    training = TrainingSet(names, np.arange(20), values[:, 0] > 0, values)
    return fit(training, settings.target, None)


def test_versions_are_registered_promoted_and_rolled_back(settings, model):
    registry = Registry(settings)
    assert (registry.champion(), registry.versions()) == (None, [])
    assert registry.register(model, {"why": "first"}) == "1"
    assert registry.champion() is None
    assert registry.register(model, {"why": "second"}) == "2"
    for version in ("2", "1"):
        registry.promote(version)
        assert Registry(settings).champion() == version
    found = [(v.number, v.is_champion, v.tags) for v in registry.versions()]
    assert found == [
        ("1", True, {"why": "first", DECISION: "promoted"}),
        ("2", False, {"why": "second", DECISION: "promoted"}),
    ]


def test_a_version_is_the_bundle_that_was_registered(settings, model):
    registry = Registry(settings)
    registry.register(model, {})
    loaded = Model.from_bytes(registry.load("1"), model.manifest["feature_set"]["hash"])
    values = np.random.default_rng(2).normal(size=(9, N_FEATURES))
    np.testing.assert_array_equal(loaded.predict(values), model.predict(values))
    stored = [file.name for file in (settings.work_dir / "models").rglob("*") if file.is_file()]
    assert stored == ["bundle.zip"]


@pytest.mark.parametrize("call", [Registry.load, Registry.promote])
def test_an_unknown_version_is_refused_with_the_known_ones(settings, model, call):
    registry = Registry(settings)
    with pytest.raises(ModelError, match=r"No model version 9; known: none\."):
        call(registry, "9")
    registry.register(model, {})
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
    with pytest.raises(ServiceError, match=f"registry at {said} does not do its part: ") as error:
        Registry(settings).champion()
    assert "secret" not in str(error.value)
    assert time.monotonic() - begun < 30
