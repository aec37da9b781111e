import pyarrow.parquet as pq
import pytest

from fink_al.errors import SettingsError
from fink_al.labels.taxonomy import Taxonomy
from fink_al.settings import Target, load_settings


@pytest.fixture
def target() -> Target:
    return load_settings(environment={}).target


def test_types_become_positive_negative_or_no_example(target, caplog):
    types = ["SN Ia", "SN Iax[02cx-like]", "SN II", "AGN", "SN", "unclassified", "sn ia", "sn ia"]
    assert Taxonomy.load().classify(types, target) == [
        True,
        True,
        False,
        False,
        None,
        None,
        None,
        None,
    ]
    assert caplog.messages == ["Types that the taxonomy does not know are no examples: 'sn ia' (2)"]


def test_a_target_of_unknown_families_is_refused(target):
    strange = target.model_copy(update={"positive": ("SN 1a",)})
    with pytest.raises(SettingsError, match=r"families \['SN 1a'\]; known: AGN, CV, "):
        Taxonomy.load().classify([], strange)


def test_only_types_that_say_nothing_are_unknown(shared_data):
    types = pq.read_table(shared_data / "labelled" / "tns_fink_2024.parquet")["type"].unique()
    names = {name.removeprefix("(TNS) ") for name in types.drop_null().to_pylist()}
    unknown = {"FRB", "Galaxy", "Light-Echo", "SN Ia-Ca-rich"}
    assert names - Taxonomy.load().families.keys() == unknown
