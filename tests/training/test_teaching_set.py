import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_world import sky, table

from fink_al.errors import FinkAlError
from fink_al.training.teaching_set import read_teaching_set


@pytest.fixture
def write(tmp_path):
    def made(rows):
        file = tmp_path / "teaching_set.parquet"
        pq.write_table(table(rows), file)
        return file

    return made


@pytest.fixture
def read(settings, write):
    """Writes alerts to a file and reads them as teaching set."""
    return lambda rows, *reserved: read_teaching_set(
        write(rows), settings.target, settings.taxonomy, reserved
    )


def test_no_file_is_no_teaching_set(settings):
    assert read_teaching_set(None, settings.target, settings.taxonomy) is None


def test_alerts_have_their_classes_and_an_object_may_have_several(read):
    rows = sky("A", 2)
    again = [row | {"alert_id": 10 + i} for i, row in enumerate(rows)]
    found = read(rows + again)
    assert found.positive.tolist() == [True, True, False, False] * 2
    assert found.rows["alert_id"].to_pylist() == [0, 1, 0, 1, 10, 11, 12, 13]


def test_types_that_are_no_examples_and_objects_that_judge_are_left_out(read):
    rows = sky("A", 2)
    rows[1]["type"] = "SN"
    found = read(rows, "AAGN1")
    assert found.rows["object_id"].to_pylist() == ["ASN Ia0", "AAGN0"]


def test_the_identity_follows_content_classes_and_what_is_left_out(read, settings, write):
    rows = sky("A", 2)
    of_agn = settings.target.model_copy(update={"positive": ("AGN",)})
    sets = [read(rows), read(rows), read(rows, "AAGN1"), read(sky("A", 3))]
    sets.append(read_teaching_set(write(rows), of_agn, settings.taxonomy))
    assert sets[0] == sets[1]
    assert len({each.identity for each in sets}) == len(set(sets)) == 4


def test_one_class_is_refused(read):
    with pytest.raises(FinkAlError, match=r"has 2 usable alerts, .* name another .* random_forest"):
        read(sky("A", 2)[:2])


def test_what_is_no_labelled_set_is_refused(settings, tmp_path):
    file = tmp_path / "x.parquet"
    file.write_text("no Parquet")
    with pytest.raises(FinkAlError, match=r"is not a Parquet .*teaching_set, or null for none"):
        read_teaching_set(file, settings.target, settings.taxonomy)
    pq.write_table(pa.table({"object_id": ["A"]}), file)
    with pytest.raises(FinkAlError, match=r"lacks the columns \['alert_id', 'type'\]"):
        read_teaching_set(file, settings.target, settings.taxonomy)
