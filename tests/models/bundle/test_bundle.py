"""A bundle may come from anywhere: wrong content is refused, and never followed."""

import io
import pickle
import zipfile

import numpy as np
import pytest
from rewriting import rewritten, stored, zipped
from small_world import N_FEATURES

from fink_al.errors import ModelError
from fink_al.models import bundle as module
from fink_al.models.bundle import unpack
from fink_al.models.model import Model


def with_part(bundle: bytes, **parts: bytes) -> bytes:
    """`bundle` in whose inner file these parts stand beside the arrays, or in their place."""
    with zipfile.ZipFile(io.BytesIO(unpack(bundle)[0])) as inside:
        before = {name: inside.read(name) for name in inside.namelist()}
    return rewritten(bundle, model=zipped(before | parts))


def test_a_bundle_is_read_as_it_was_written(bundle, hash_):
    loaded = Model.from_bytes(bundle, hash_)
    values = np.random.default_rng(2).normal(size=(50, N_FEATURES))
    again = Model.from_bytes(loaded.to_bytes(), hash_)
    np.testing.assert_array_equal(again.predict(values), loaded.predict(values))


def test_a_torn_bundle_is_refused_wherever_it_is_torn(bundle, hash_):
    for end in range(0, len(bundle), len(bundle) // 50):
        with pytest.raises(ModelError, match="torn or no bundle"):
            Model.from_bytes(bundle[:end], hash_)


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
    "objects", [np.array([{}], object), np.zeros(1, [("a", "f8"), ("b", "O")])], ids=str
)
def test_objects_are_refused_before_they_are_made(bundle, hash_, objects):
    with pytest.raises(ModelError, match="The model cannot be loaded"):
        Model.from_bytes(with_part(bundle, **{"sizes.npy": stored(objects)}), hash_)


def test_a_pickle_is_refused_unread(bundle, hash_):
    with pytest.raises(ModelError, match="The model cannot be loaded"):
        Model.from_bytes(rewritten(bundle, model=pickle.dumps({"sizes": np.ones(1)})), hash_)


def test_what_is_no_array_is_refused(bundle, hash_):
    with pytest.raises(ModelError, match="The model holds more than arrays"):
        Model.from_bytes(with_part(bundle, **{"sizes.txt": b"1"}), hash_)


def test_a_bundle_that_unpacks_to_too_much_is_refused(bundle, hash_, monkeypatch):
    monkeypatch.setattr(module, "_MAX_BYTES", 1000)
    with pytest.raises(ModelError, match=r"unpacks to [0-9]+ bytes, allowed are 1000"):
        Model.from_bytes(bundle, hash_)


def test_a_bundle_whose_directory_names_a_huge_size_is_refused_unread(bundle, hash_):
    altered = bytearray(bundle)
    for part in range(2):  # sizes in the directory, at the end
        place = -1
        for _ in range(part + 1):
            place = altered.index(b"PK\x01\x02", place + 1)
        altered[place + 24 : place + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    with pytest.raises(ModelError, match=r"unpacks to [0-9]+ bytes, allowed are 1073741824"):
        Model.from_bytes(bytes(altered), hash_)


@pytest.mark.parametrize("shape", [(1 << 60,), (1 << 40,), (-1,), (3,), (1, 1 << 40, 0)])
def test_an_array_that_says_it_has_another_size_is_refused_unread(bundle, hash_, shape):
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        out, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    with pytest.raises(ModelError, match="The model cannot be loaded"):
        Model.from_bytes(with_part(bundle, **{"sizes.npy": out.getvalue() + bytes(4)}), hash_)


def test_a_header_of_another_version_is_refused(bundle, hash_):
    out = io.BytesIO()
    np.lib.format.write_array(out, np.ones(1), version=(2, 0))
    with pytest.raises(ModelError, match="The model cannot be loaded"):
        Model.from_bytes(with_part(bundle, **{"sizes.npy": out.getvalue()}), hash_)
