"""A bundle may come from anywhere: what is not right in it is refused, and never followed."""

import io
import json
import zipfile

import numpy as np
import pytest
import skops.io
from rewriting import ALL, rewritten, with_file
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from small_world import N_FEATURES

from fink_al.errors import ModelError
from fink_al.models import bundle as module
from fink_al.models.bundle import unpack
from fink_al.models.model import Model


class Stranger:
    """A type that nobody trusts."""


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
