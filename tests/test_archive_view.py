"""One target's columns of an archive that several share, of files of any version."""

import pyarrow as pa
import pytest
from archive_files import put_rows

from fink_al.archive.reading import Archive
from fink_al.archive.view import of_features, own, stored
from fink_al.errors import FinkAlError

NIGHT = 20260105
HASHES = {"a": "1" * 16, "a_b": "2" * 16}


def rows(names, target_values):
    """Alerts `names` with `(target, p, mag)` of each target that judged them."""
    columns = {"object_id": pa.array(names), "mjd": pa.array([1.0] * len(names))}
    for target, p, mag in target_values:
        columns |= {
            own(target, "p"): pa.array([p] * len(names)),
            own(target, "is_candidate"): pa.array([p > 0.5] * len(names)),
            own(target, "list"): pa.array([NIGHT] * len(names), pa.int32()),
            own(target, "feature_set_hash"): pa.array([HASHES[target]] * len(names)),
            of_features(HASHES[target], "mag_g"): pa.array([mag] * len(names)),
        }
    return pa.table(columns)


@pytest.fixture
def folder(tmp_path):
    """Files of version 0.1, of one target, of two, and of the other alone."""
    kept = Archive(tmp_path / "archive" / "ztf")
    old = {"object_id": ["old"], "mjd": [1.0], "target": ["a"], "p": [0.1], "mag_g": [18.0]}
    put_rows(kept, NIGHT, pa.table(old | {"is_candidate": [False]}), "old")
    put_rows(kept, NIGHT, rows(["one"], [("a", 0.2, 19.0)]), "one")
    put_rows(kept, NIGHT, rows(["both"], [("a", 0.3, 20.0), ("a_b", 0.9, 20.5)]), "both")
    put_rows(kept, NIGHT, rows(["other"], [("a_b", 0.8, 21.0)]), "other")
    return kept.folder


def seen(archive, filter=None):
    table = archive.read(NIGHT, ["object_id", "target", "p", "mag_g", "is_candidate"], filter)
    return sorted(tuple(row.values()) for row in table.to_pylist())


def test_each_target_sees_its_own_values_of_every_file(folder):
    assert seen(Archive(folder, target="a")) == [
        ("both", "a", 0.3, 20.0, False),
        ("old", "a", 0.1, 18.0, False),
        ("one", "a", 0.2, 19.0, False),
        ("other", "a", None, None, None),
    ]
    assert seen(Archive(folder, target="a_b")) == [
        ("both", "a_b", 0.9, 20.5, True),
        ("old", "a_b", None, None, None),
        ("one", "a_b", None, None, None),
        ("other", "a_b", 0.8, 21.0, True),
    ]


def test_filters_and_lists_are_the_target_s(folder):
    other = Archive(folder, target="a_b")
    assert [row[0] for row in seen(other, other.field("is_candidate"))] == ["both", "other"]
    assert [row[0] for row in seen(other, other.field("p").is_null())] == ["old", "one"]
    for target, names in (("a", ["both", "one"]), ("a_b", ["both", "other"])):
        listed = Archive(folder, target=target).read_list(NIGHT, ["object_id"])
        assert sorted(listed["object_id"].to_pylist()) == names


def test_the_schema_has_plain_names_and_one_target(folder):
    schema = Archive(folder, target="a").schema()
    assert schema.names[:2] == ["night", "target"]
    assert not [name for name in schema.names if "__" in name]
    assert len(set(schema.names)) == len(schema.names)
    # A target that never ran has all columns, and no values.
    never = Archive(folder, target="c")
    assert {row[2:] for row in seen(never) if row[0] != "old"} == {(None, None, None)}
    with pytest.raises(FinkAlError, match="has no columns nothing"):
        never.read(NIGHT, ["nothing"])


def test_batches_see_the_same(folder):
    kept = Archive(folder, target="a")
    names = ["night", "object_id", "p"]
    tables = list(kept.batches(kept.files(), kept.schema(), names, kept.field("p") < 0.25))
    found = pa.concat_tables(tables).sort_by("object_id").to_pylist()
    assert [tuple(row.values()) for row in found] == [(NIGHT, "old", 0.1), (NIGHT, "one", 0.2)]


def test_a_name_that_begins_as_another_does_not_take_its_columns():
    columns = ["object_id", "a__p", "a__b__p", "a_b__p"]
    assert [one.column for one in stored(columns, "a")["p"]] == ["a__p"]
    assert [one.column for one in stored(columns, "a__b")["p"]] == ["a__b__p"]
    assert stored(columns, None).keys() == {"object_id"}
