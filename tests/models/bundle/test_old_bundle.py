"""Bundles of fink-al 0.1.0, from anywhere: read if they hold arrays alone, refused otherwise."""

import numpy as np
import pytest
from rewriting import as_old, stored
from small_world import N_FEATURES

from fink_al.errors import ModelError
from fink_al.models import bundle as module
from fink_al.models.model import Model


def test_a_bundle_of_0_1_gives_the_same_probabilities(bundle, hash_):
    values = np.random.default_rng(2).normal(size=(50, N_FEATURES))
    values[np.random.default_rng(3).uniform(size=values.shape) < 0.3] = np.nan
    old, new = Model.from_bytes(as_old(bundle), hash_), Model.from_bytes(bundle, hash_)
    np.testing.assert_array_equal(old.predict(values), new.predict(values))
    again = Model.from_bytes(old.to_bytes(), hash_)
    np.testing.assert_array_equal(again.predict(values), new.predict(values))


def _call(schema):
    schema |= {"__module__": "posix", "__class__": "system", "__loader__": "FunctionNode"}


def _object(schema):
    next(iter(schema["content"].values()))["__loader__"] = "ObjectNode"


def _list(schema):
    schema["content"] = [*schema["content"].values()]


def _twice(schema):
    for node in schema["content"].values():
        node["file"] = "0.npy"


def _elsewhere(schema):
    next(iter(schema["content"].values()))["file"] = "../manifest.json"


@pytest.mark.parametrize("change", [_call, _object, _twice, _elsewhere])
def test_what_is_more_than_arrays_is_refused(make, hash_, change):
    with pytest.raises(ModelError, match=r"fink-al 0\.1 holds more than arrays: run fink-al train"):
        Model.from_bytes(as_old(make("random_forest"), change), hash_)


@pytest.mark.parametrize("change", [_list, lambda schema: schema.clear()])
def test_a_schema_of_another_form_is_refused(make, hash_, change):
    with pytest.raises(ModelError, match="The model cannot be loaded"):
        Model.from_bytes(as_old(make("random_forest"), change), hash_)


def test_a_schema_without_end_is_refused(make, hash_):
    old = as_old(make("random_forest"), **{"schema.json": b"[" * 100_000})
    with pytest.raises(ModelError, match="The model cannot be loaded"):
        Model.from_bytes(old, hash_)


def test_objects_in_an_array_are_refused(make, hash_):
    old = as_old(make("random_forest"), **{"0.npy": stored(np.array([{}], object))})
    with pytest.raises(ModelError, match="The model cannot be loaded"):
        Model.from_bytes(old, hash_)


def test_a_bundle_of_0_1_that_unpacks_to_too_much_is_refused(make, hash_, monkeypatch):
    old = as_old(make("random_forest"))
    monkeypatch.setattr(module, "_MAX_BYTES", 1000)
    with pytest.raises(ModelError, match=r"unpacks to [0-9]+ bytes, allowed are 1000"):
        Model.from_bytes(old, hash_)


@pytest.mark.parametrize("field", ["left_child", "right_child", "feature"])
def test_trees_of_0_1_that_point_outside_themselves_are_refused(make, hash_, field):
    def change(nodes):
        nodes[field][0] = 10**6

    with pytest.raises(ModelError, match="A tree of the model points outside itself"):
        Model.from_bytes(as_old(make("random_forest"), nodes=change), hash_)
