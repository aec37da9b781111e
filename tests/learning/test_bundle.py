"""A bundle may come from anywhere: what is not right in it is refused, and never followed."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from small_world import N_FEATURES, informed

from fink_al.errors import ModelError
from fink_al.features.feature_set import FeatureSet
from fink_al.learning import bundle as module
from fink_al.learning.bundle import checksum, read_arrays, unpack
from fink_al.learning.model import Model, fit
from fink_al.learning.training_set import TrainingSet

KINDS = ("random_forest", "gradient_boosting")
ALL = (*KINDS, "informed_forest")  # which is two random forests
LEFT = {"random_forest": "left_child", "gradient_boosting": "left"}
RIGHT = {"random_forest": "right_child", "gradient_boosting": "right"}
FEATURE = {"random_forest": "feature", "gradient_boosting": "feature_idx"}


class Stranger:
    """A type that nobody trusts."""


@pytest.fixture
def hash_(settings) -> str:
    return FeatureSet.from_settings(settings.target.features).hash


@pytest.fixture
def make(settings) -> Callable[[str], bytes]:
    """Bundle of a model with an estimator of this kind."""

    def made(kind: str) -> bytes:
        values = np.random.default_rng(1).normal(size=(40, N_FEATURES))
        names = np.array([f"O{i}" for i in range(40)], object)
        training = TrainingSet(names, np.arange(40), values[:, 0] > 0, values)
        model = settings.target.model.model_copy(update={"estimator": kind})
        target = settings.target.model_copy(update={"model": model})
        if kind == "informed_forest":
            target = informed(target)
        return fit(training, target, None).to_bytes()

    return made


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def bundle(make, kind) -> bytes:
    return make(kind)


def rewritten(
    bundle: bytes,
    *,
    model: bytes | None = None,
    manifest: Callable[[dict], object] = lambda manifest: None,
) -> bytes:
    """`bundle` with another inner file, or its manifest changed, and the checksum made to fit."""
    inside, record = unpack(bundle)
    inside = inside if model is None else model
    del record["checksum"]
    manifest(record)
    record.setdefault("checksum", checksum(inside, record))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        parts.writestr("model.skops", inside)
        parts.writestr("manifest.json", json.dumps(record))
    return out.getvalue()


def with_arrays(bundle: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """`bundle` whose arrays `change` has altered."""
    arrays = read_arrays(unpack(bundle)[0])
    change(arrays)
    return rewritten(bundle, model=skops.io.dumps(arrays))


def with_file(skops_file: bytes, name: str, content: bytes) -> bytes:
    """`skops_file` in which the file whose name ends so has this content."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(skops_file)) as old, zipfile.ZipFile(out, "w") as new:
        done = False
        for part in old.namelist():
            here = not done and part.endswith(name)
            new.writestr(part, content if here else old.read(part))
            done |= here
    return out.getvalue()


@pytest.mark.parametrize("kind", ALL)
def test_a_bundle_is_read_as_it_was_written(bundle, hash_):
    loaded = Model.from_bytes(bundle, hash_)
    values = np.random.default_rng(2).normal(size=(50, N_FEATURES))
    again = Model.from_bytes(loaded.to_bytes(), hash_)
    np.testing.assert_array_equal(again.predict(values), loaded.predict(values))


@pytest.mark.parametrize("kind", ALL)
def test_a_torn_bundle_is_refused_wherever_it_is_torn(bundle, hash_):
    for end in range(0, len(bundle), len(bundle) // 50):
        with pytest.raises(ModelError, match="torn or no bundle"):
            Model.from_bytes(bundle[:end], hash_)


@pytest.mark.parametrize("kind", ALL)
def test_an_altered_bundle_is_refused_or_says_the_same(bundle, hash_):
    values = np.random.default_rng(2).normal(size=(20, N_FEATURES))
    true = Model.from_bytes(bundle, hash_)
    refused = 0
    for place in range(0, len(bundle), len(bundle) // 100):
        altered = bytearray(bundle)
        altered[place] ^= 1
        try:
            loaded = Model.from_bytes(bytes(altered), hash_)
        except ModelError:
            refused += 1
        else:  # a byte that says nothing, as the dates of a ZIP file
            assert loaded.manifest == true.manifest
            np.testing.assert_array_equal(loaded.predict(values), true.predict(values))
    assert refused > 90


@pytest.mark.parametrize("kind", ALL)
def test_altered_trees_are_refused_or_give_probabilities(bundle, kind, hash_):
    """The checksum is made to fit: what is accepted can be followed by any alert to its end."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(20, N_FEATURES))
    values[rng.uniform(size=values.shape) < 0.3] = np.nan
    refused = 0
    for _ in range(100):

        def change(arrays):
            raw = arrays["nodes" if kind in KINDS else "own_nodes"].view(np.uint8)
            raw[rng.integers(0, len(raw), 3)] = rng.integers(0, 256, 3)

        try:
            loaded = Model.from_bytes(with_arrays(bundle, change), hash_)
        except ModelError:
            refused += 1
        else:
            p = loaded.predict(values)
            assert ((p >= 0) & (p <= 1)).all()
    assert 0 < refused < 100


def _other_scikit_learn(manifest: dict) -> None:
    manifest["versions"]["scikit-learn"] = "0.24.2"


def _other_estimator(manifest: dict) -> None:
    manifest["estimator"]["estimator"] = "perceptron"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda manifest: manifest.update(checksum="0" * 64),
            "checksum is wrong: the bundle was altered; train again",
        ),
        (
            _other_scikit_learn,
            r"written by scikit-learn 0\.24\.2, installed is .*: run fink-al train to make a new",
        ),
        (
            _other_estimator,
            "is a perceptron; known: random_forest, informed_forest, gradient_boosting",
        ),
        (lambda manifest: manifest.pop("feature_set"), r"torn or no bundle \(KeyError\)"),
    ],
)
def test_a_manifest_of_something_else_is_refused(make, hash_, change, message):
    with pytest.raises(ModelError, match=message):
        Model.from_bytes(rewritten(make("random_forest"), manifest=change), hash_)


def test_a_manifest_that_was_altered_is_refused(make, hash_):
    bundle = make("random_forest")
    sum_of_before = unpack(bundle)[1]["checksum"]

    def steepen(manifest):
        manifest["calibration"] |= {"method": "platt", "slope": 9.0, "intercept": 0.0}
        manifest["checksum"] = sum_of_before

    with pytest.raises(ModelError, match=r"checksum is wrong: .*; train again"):
        Model.from_bytes(rewritten(bundle, manifest=steepen), hash_)


def test_a_model_of_other_features_is_refused(make, hash_):
    wanted = f"needs feature set {hash_}, this job computes x: .* run fink-al train"
    with pytest.raises(ModelError, match=wanted):
        Model.from_bytes(make("random_forest"), "x")


@pytest.mark.parametrize(
    "calibration",
    [
        None,
        {},
        {"method": "platt", "slope": 1.0},
        {"method": "platt", "slope": None, "intercept": 0.0, "n": 1, "why": ""},
        {"method": "platt", "slope": float("nan"), "intercept": 0.0, "n": 1, "why": ""},
        {"method": "platt", "slope": 1.0, "intercept": float("inf"), "n": 1, "why": ""},
        {"method": "platt", "slope": -1.0, "intercept": 0.0, "n": 1, "why": ""},
        {"method": "platt", "slope": "steep", "intercept": 0.0, "n": 1, "why": ""},
        {"method": "platt", "slope": [1.0], "intercept": 0.0, "n": 1, "why": ""},
        {"method": None, "slope": 1.0, "intercept": 0.0, "n": 1, "why": ""},
        {"method": "pickle", "slope": 1.0, "intercept": 0.0, "n": 1, "why": ""},
    ],
)
def test_a_calibration_that_cannot_be_applied_is_refused(make, hash_, calibration):
    def change(manifest):
        manifest["calibration"] = calibration

    with pytest.raises(ModelError, match=r"calibration is none: .* run fink-al train"):
        Model.from_bytes(rewritten(make("random_forest"), manifest=change), hash_)


@pytest.mark.parametrize(
    "content",
    [
        Stranger(),
        {"nodes": Stranger()},
        LogisticRegression(),
        RandomForestClassifier(2).fit([[0], [1]], [0, 1]),
        HistGradientBoostingClassifier(max_iter=2).fit([[0], [1]], [0, 1]),
        {"nodes": np.array([Stranger()])},
        {"predict": np.square},
        {"generator": np.random.default_rng(1)},
        {1: np.ones(1)},
        {"n": 1},
        "text",
    ],
    ids=str,
)
def test_what_is_not_an_array_is_refused_before_it_is_made(bundle, hash_, content):
    with pytest.raises(ModelError, match=r"types that are not trusted: .*; allowed are arrays"):
        Model.from_bytes(rewritten(bundle, model=skops.io.dumps(content)), hash_)


@pytest.mark.parametrize(
    "content", [[np.ones(1)], {"nodes": {"nodes": np.ones(1)}}, {"sizes": [np.ones(1)]}], ids=str
)
def test_arrays_that_have_no_names_are_refused(bundle, hash_, content):
    with pytest.raises(ModelError, match="holds no arrays by name"):
        Model.from_bytes(rewritten(bundle, model=skops.io.dumps(content)), hash_)


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
def test_arrays_of_another_form_are_refused(bundle, hash_, change):
    with pytest.raises(ModelError, match=r"arrays are no (random forest|gradient boosting)"):
        Model.from_bytes(with_arrays(bundle, change), hash_)


def test_the_trees_of_the_other_kind_are_refused(make, hash_):
    other = unpack(make("gradient_boosting"))[0]
    with pytest.raises(ModelError, match="arrays are no random forest"):
        Model.from_bytes(rewritten(make("random_forest"), model=other), hash_)


@pytest.mark.parametrize(
    ("names", "place", "index"),
    [
        (LEFT, "inside", 10**6),
        (RIGHT, "inside", 10**6),
        (LEFT, "inside", 2**31 - 1),
        (LEFT, "inside", 0),  # a path without end
        (RIGHT, "inside", 0),
        (FEATURE, "inside", N_FEATURES),
        (FEATURE, "inside", -2),
        (FEATURE, "inside", 2**60),
    ],
)
def test_a_tree_that_points_outside_itself_is_refused(bundle, kind, hash_, names, place, index):
    def change(arrays):
        starts = np.cumsum(arrays["sizes"]) - arrays["sizes"]
        tree = np.flatnonzero(arrays["sizes"] > 1)[3]
        arrays["nodes"][names[kind]][starts[tree]] = index

    with pytest.raises(ModelError, match="A tree of the model points outside itself"):
        Model.from_bytes(with_arrays(bundle, change), hash_)


def test_a_tree_that_points_into_the_next_one_is_refused(bundle, kind, hash_):
    def change(arrays):
        tree = np.flatnonzero(arrays["sizes"] > 1)[3]
        start = (np.cumsum(arrays["sizes"]) - arrays["sizes"])[tree]
        arrays["nodes"][RIGHT[kind]][start] = arrays["sizes"][tree]

    with pytest.raises(ModelError, match="A tree of the model points outside itself"):
        Model.from_bytes(with_arrays(bundle, change), hash_)


@pytest.mark.parametrize("share", [np.nan, -0.5, 2.0])
def test_leaves_of_a_forest_that_hold_no_shares_are_refused(make, hash_, share):
    def change(arrays):
        arrays["shares"][-1, 0] = share

    with pytest.raises(ModelError, match="shares in a leaf of the model are no probabilities"):
        Model.from_bytes(with_arrays(make("random_forest"), change), hash_)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("value", np.nan, "no number that can be added"),
        ("value", np.inf, "no number that can be added"),
        ("value", -1e300, "no number that can be added"),
        ("is_categorical", 1, "asks for categories"),
    ],
)
def test_boosted_trees_that_cannot_be_added_are_refused(make, hash_, field, value, message):
    def change(arrays):
        arrays["nodes"][field][-1] = value

    with pytest.raises(ModelError, match=message):
        Model.from_bytes(with_arrays(make("gradient_boosting"), change), hash_)


def test_boosted_trees_that_start_from_a_decision_are_refused(make, hash_):
    def change(arrays):
        arrays["nodes"] = arrays["nodes"][1:]
        arrays["sizes"] = arrays["sizes"][1:]

    with pytest.raises(ModelError, match="start from nothing"):
        Model.from_bytes(with_arrays(make("gradient_boosting"), change), hash_)


def test_a_bundle_that_unpacks_to_too_much_is_refused(bundle, hash_, monkeypatch):
    monkeypatch.setattr(module, "_MAX_BYTES", 10_000)
    with pytest.raises(ModelError, match=r"unpacks to [0-9]+ bytes, allowed are 10000"):
        Model.from_bytes(bundle, hash_)


def test_a_bundle_that_says_it_is_huge_is_refused_unread(bundle, hash_):
    altered = bytearray(bundle)
    for part in range(2):  # sizes in the directory, at the end
        place = -1
        for _ in range(part + 1):
            place = altered.index(b"PK\x01\x02", place + 1)
        altered[place + 24 : place + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    with pytest.raises(ModelError, match=r"unpacks to [0-9]+ bytes, allowed are 1073741824"):
        Model.from_bytes(bytes(altered), hash_)


def test_one_array_under_many_names_is_counted_each_time(bundle, hash_, monkeypatch):
    inside = skops.io.dumps({str(i): np.zeros(1000) for i in range(20)})
    with zipfile.ZipFile(io.BytesIO(inside)) as parts:
        schema = json.loads(parts.read("schema.json"))
    first = next(iter(schema["content"].values()))
    for i, part in enumerate(schema["content"].values()):
        part |= {"file": first["file"], "__id__": i}
    inside = with_file(inside, "schema.json", json.dumps(schema).encode())
    with zipfile.ZipFile(io.BytesIO(inside)) as old:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as new:
            for name in ("schema.json", first["file"]):
                new.writestr(name, old.read(name))
    monkeypatch.setattr(module, "_MAX_BYTES", 100_000)
    with pytest.raises(ModelError, match=r"unpacks to 162560 bytes, allowed are 100000"):
        Model.from_bytes(rewritten(bundle, model=out.getvalue()), hash_)


@pytest.mark.parametrize("shape", [(1 << 60,), (1 << 40,), (-1,)])
def test_an_array_that_says_it_is_huge_is_refused(bundle, hash_, shape):
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        out, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    inside = with_file(unpack(bundle)[0], ".npy", out.getvalue())
    with pytest.raises(ModelError, match="cannot be loaded"):
        Model.from_bytes(rewritten(bundle, model=inside), hash_)


def test_a_schema_without_end_is_refused(bundle, hash_):
    inside = with_file(unpack(bundle)[0], "schema.json", b"[" * 100_000)
    with pytest.raises(ModelError, match="cannot be loaded"):
        Model.from_bytes(rewritten(bundle, model=inside), hash_)
