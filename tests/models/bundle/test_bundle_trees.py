"""Trees are followed only if every index of them leads to an end."""

import numpy as np
import pytest
from rewriting import rewritten, with_arrays
from small_world import N_FEATURES

from fink_al.errors import ModelError
from fink_al.models.bundle import unpack
from fink_al.models.model import Model

#: Array of the trees of each kind.
NODES = {
    "random_forest": "nodes",
    "boosted_trees": "nodes",
    "informed_forest": "own_nodes",
    "informed_process": "prior_nodes",
}


def test_altered_trees_are_refused_or_give_probabilities(bundle, kind, hash_):
    """The checksum is made to fit: what is accepted can be followed by any alert to its end."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(20, N_FEATURES))
    values[rng.uniform(size=values.shape) < 0.3] = np.nan
    refused = 0
    for _ in range(100):

        def change(arrays):
            raw = arrays[NODES[kind]].view(np.uint8)
            raw[rng.integers(0, len(raw), 3)] = rng.integers(0, 256, 3)

        try:
            loaded = Model.from_bytes(with_arrays(bundle, change), hash_)
        except ModelError:
            refused += 1
        else:
            p = loaded.predict(values)
            assert ((p >= 0) & (p <= 1)).all()
    assert 0 < refused < 100


def _huge(arrays: dict) -> None:
    arrays["sizes"] = np.array([2**62, 2**62, 2**62, 2**62, *arrays["sizes"]])  # the sum: 0 more


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.clear(),
        lambda arrays: arrays.pop("nodes"),
        lambda arrays: arrays.pop("sizes"),
        lambda arrays: arrays.update(more=np.ones(1)),
        lambda arrays: arrays.update(sizes=arrays["sizes"].astype(float)),
        lambda arrays: arrays.update(sizes=arrays["sizes"][:, None]),
        lambda arrays: arrays.update(sizes=np.empty(0, np.int64), nodes=arrays["nodes"][:0]),
        lambda arrays: arrays.update(sizes=np.append(arrays["sizes"], 0)),
        lambda arrays: arrays.update(sizes=np.append(arrays["sizes"], 1)),
        lambda arrays: arrays.update(sizes=np.append(arrays["sizes"], [1, -1])),
        _huge,
        lambda arrays: arrays.update(nodes=arrays["nodes"][:-1]),
        lambda arrays: arrays.update(nodes=arrays["nodes"][:, None]),
        lambda arrays: arrays.update(nodes=arrays["nodes"].view(np.uint8)),
        lambda arrays: arrays.update(
            nodes=arrays["nodes"].astype(arrays["nodes"].dtype.newbyteorder(">"))
        ),
    ],
)
def test_arrays_of_another_form_are_refused(make, hash_, change):
    with pytest.raises(ModelError, match="arrays are no forest: fetch it again or train"):
        Model.from_bytes(with_arrays(make("random_forest"), change), hash_)


def test_the_trees_of_the_other_kind_are_refused(make, hash_):
    other = unpack(make("informed_forest"))[0]
    with pytest.raises(ModelError, match="arrays are no forest"):
        Model.from_bytes(rewritten(make("random_forest"), model=other), hash_)


@pytest.mark.parametrize(
    ("field", "index"),
    [
        ("left", 10**6),
        ("right", 10**6),
        ("left", 2**31 - 1),
        ("left", 0),  # a path without end
        ("right", 0),
        ("left", -1),  # half a leaf
        ("left", -2),
        ("feature", N_FEATURES),
        ("feature", -2),
        ("feature", 2**31 - 1),
    ],
)
def test_a_tree_that_points_outside_itself_is_refused(make, hash_, field, index):
    def change(arrays):
        starts = np.cumsum(arrays["sizes"]) - arrays["sizes"]
        tree = np.flatnonzero(arrays["sizes"] > 1)[3]
        arrays["nodes"][field][starts[tree]] = index

    with pytest.raises(ModelError, match="A tree of the model points outside itself"):
        Model.from_bytes(with_arrays(make("random_forest"), change), hash_)


def test_a_tree_that_points_into_the_next_one_is_refused(make, hash_):
    def change(arrays):
        tree = np.flatnonzero(arrays["sizes"] > 1)[3]
        start = (np.cumsum(arrays["sizes"]) - arrays["sizes"])[tree]
        arrays["nodes"]["right"][start] = arrays["sizes"][tree]

    with pytest.raises(ModelError, match="A tree of the model points outside itself"):
        Model.from_bytes(with_arrays(make("random_forest"), change), hash_)


@pytest.mark.parametrize("share", [np.nan, -0.5, 2.0, np.inf])
def test_nodes_that_hold_no_shares_are_refused(make, hash_, share):
    def change(arrays):
        arrays["nodes"]["share"][-1] = share

    with pytest.raises(ModelError, match="A share in the model is out of bounds"):
        Model.from_bytes(with_arrays(make("random_forest"), change), hash_)
