import pyarrow.parquet as pq
import pytest
from small_world import TAXONOMY

from fink_al.errors import SettingsError
from fink_al.settings import Target, load_settings
from fink_al.settings.taxonomy import Class


@pytest.fixture
def target() -> Target:
    return load_settings(environment={}).target


def test_types_become_positive_negative_or_no_example(target, caplog):
    types = ["SN Ia", "SN Iax[02cx-like]", "SN II", "AGN", "SN", "unclassified", "sn ia", "sn ia"]
    assert TAXONOMY.classify(types, target) == [
        True,
        True,
        False,
        False,
        None,
        None,
        None,
        None,
    ]
    assert caplog.messages == [
        "Types that the taxonomy does not know are not examples: 'sn ia' (2)"
    ]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("SN II", Class(False, None, "SN II: hydrogen in the spectrum of a collapsed core")),
        (
            "Galaxy",
            Class(
                None,
                "excluded",
                "Galaxy: the spectrum shows the host only, so what the alert was is not known",
            ),
        ),
        ("unclassified", Class(None, "unclassified", "no spectrum showed a type")),
        (
            "SN Iax",
            Class(
                None,
                "unknown_type",
                "'SN Iax' is not in taxonomy.yml; nearest: SN Ia, SN I, SN II",
            ),
        ),
        ("???", Class(None, "unknown_type", "'???' is not in taxonomy.yml")),
    ],
)
def test_each_class_has_its_reason(target, kind, expected):
    assert TAXONOMY.judge(kind, target) == expected


def test_families_that_do_not_exist_or_are_both_are_refused(target):
    strange = target.model_copy(update={"positive": ("SN 1a",)})
    with pytest.raises(SettingsError, match=r"families \['SN 1a'\]; known: AGN, CV, "):
        TAXONOMY.classify([], strange)
    both = target.model_copy(update={"excluded": {"SN Ia": "no"}})
    with pytest.raises(SettingsError, match=r"\['SN Ia'\] as positive and as excluded"):
        TAXONOMY.check(both)


def test_no_type_is_listed_twice_and_no_family_that_a_target_excludes_is_silent(target):
    taxonomy = TAXONOMY
    assert set(taxonomy.families.values()) == set(taxonomy.why)
    assert all(taxonomy.why.values())
    assert all(target.excluded.values())


def test_the_types_of_a_year_are_known(shared_data):
    types = pq.read_table(shared_data / "labelled" / "tns_fink_2024.parquet")["type"].unique()
    names = {name.removeprefix("(TNS) ") for name in types.drop_null().to_pylist()}
    assert TAXONOMY.unknown(names) == []


@pytest.mark.parametrize(
    ("types", "family", "is_positive"),
    [
        ("SN Ien, SN Ib/c-Ca-rich, SN Ib-Ca-rich", "SN Ibc", False),
        ("Gap, Gap I, Gap II, ILRT", "Gap", False),
        ("SN, SN I, SN I-faint, SN I-rapid", "SN", None),
        ("WR, WR-WN, WR-WC, WR-WO, WD", "Varstar", False),
        ("LBV", "LBV", False),
        ("SN Ibn, SN Icn, SN Ibn/Icn", "SN Ibn", False),
        (
            "Std-spec, Computed-Ia, Computed-IIP, Computed-IIb, Computed-IIn, Computed-PISN",
            "Reference",
            None,
        ),
    ],
)
def test_types_that_tns_offers_and_few_use(target, types, family, is_positive):
    taxonomy = TAXONOMY
    for kind in types.split(", "):
        assert taxonomy.families[kind] == family
        assert taxonomy.judge(kind, target).positive is is_positive


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SN: [", "is no valid YAML in line 1"),
        ("[SN]", "must hold keys and values; found list"),
        ("SN: 1", r"families\.SN: Input should be .*found 1"),
        ("SN: {types: SN Ia, why: x}", r"families\.SN\.types: .*should be a valid tuple"),
        ("SN: {types: [SN Ia]}", r"missing: families\.SN\.why"),
    ],
)
def test_an_invalid_taxonomy_is_refused_in_one_sentence(text, message, tmp_path, monkeypatch):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "taxonomy.yml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=message) as error:
        load_settings(environment={})
    assert "\n" not in str(error.value)


def test_a_type_that_a_table_does_not_know_is_no_example(target, caplog):
    assert TAXONOMY.classify(["SN Ia", None], target) == [True, None]
    assert caplog.messages == []


def test_a_lens_is_a_family_of_its_own():
    target = load_settings(environment={}, target="microlensing").target
    types = ["Microlensing", "LensingEv", "Varstar", "AGN", "SN Ia", "unclassified"]
    assert TAXONOMY.classify(types, target) == [True, True, False, False, False, None]


def test_lenses_are_stars_that_may_be_old():
    cuts = load_settings(environment={}, target="microlensing").target.cuts
    names = set(cuts.model_dump() if hasattr(cuts, "model_dump") else cuts)
    assert "real_bogus" in names
    assert not names & {"too_old", "host_class", "star", "many_detections"}
