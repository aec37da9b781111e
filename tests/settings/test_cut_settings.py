"""A wrong cut is one clear sentence, before anything starts."""

from pathlib import Path

import pytest
import yaml

from fink_al.errors import SettingsError
from fink_al.settings import Cut, find_resource, load_settings
from fink_al.settings.cuts import COLUMNS, CONTEXT, DERIVED, words_of

_KNOWN = (
    "mjd, ra, dec, band, mag, mag_err, is_positive, real_bogus, deep_real_bogus, n_bad_pixels, "
    "classtar, star_score, star_distance_arcsec, asteroid_distance_arcsec, is_known_asteroid, "
    "n_detections, first_detection_mjd, host_class, age_days, galactic_latitude, "
    "host_is_extragalactic"
)
_EXAMPLE = "real_bogus: {column: real_bogus, at_least: 0.55}"
_CUTS = "target.cuts"
_WRONG = [
    (
        {"glow": {"column": "real_bogos", "at_least": 0.5}},
        f"{_CUTS}.glow.column: no such column; known: {_KNOWN}; nearest: real_bogus "
        "(found 'real_bogos').",
    ),
    (
        {"glow": {"at_least": 0.5}},
        f"{_CUTS}.glow: column is missing; known: {_KNOWN}; write {_EXAMPLE}.",
    ),
    (
        {"glow": {"column": "mag", "one_of": ["g"]}},
        f"{_CUTS}.glow: one_of cannot bound mag, a number; allowed: at_least, more_than, at_most, "
        "less_than.",
    ),
    (
        {"glow": {"column": "band", "at_least": 1}},
        f"{_CUTS}.glow: at_least cannot bound band, a word; allowed: one_of.",
    ),
    (
        {"glow": {"column": "is_positive", "at_least": 1}},
        f"{_CUTS}.glow: at_least cannot bound is_positive, a flag; allowed: equals.",
    ),
    (
        {"glow": {"column": "mag"}},
        f"{_CUTS}.glow: mag has no bound; allowed: at_least, more_than, at_most, less_than.",
    ),
    (
        {"glow": {"column": "mag", "at_least": "bright"}},
        f"{_CUTS}.glow.at_least: Input should be a valid number, unable to parse string as a "
        "number (found 'bright').",
    ),
    (
        {"glow": {"column": "mag", "at_least": True}},
        f"{_CUTS}.glow.at_least: must be a number (found True).",
    ),
    (
        {"glow": {"column": "real_bogus", "at_least": 55}},
        f"{_CUTS}.glow: at_least is 55; real_bogus is between 0 and 1.",
    ),
    (
        {"glow": {"column": "mag", "at_least": 20, "less_than": 18}},
        f"{_CUTS}.glow: the lower bound 20 is above the upper one, 18.",
    ),
    (
        {"real_bogus": {"more_than": 0.6}},
        f"{_CUTS}.real_bogus: at_least and more_than are both set: set one of them to null.",
    ),
    (
        {"glow": {"column": "mag", "at_min": 3}},
        f"{_CUTS}.glow.at_min: no such key; {_CUTS}.glow has: column, at_least, more_than, "
        "at_most, less_than, equals, one_of, if_null, null_fails_where, any_of; nearest: at_most.",
    ),
    (
        {"glow": {"any_of": [{"column": "mag", "at_most": 3}, {"column": "mag", "at_leest": 9}]}},
        f"{_CUTS}.glow.any_of.1.at_leest: no such key; {_CUTS}.glow.any_of.1 has: column, "
        "at_least, more_than, at_most, less_than, equals, one_of, if_null, null_fails_where; "
        "nearest: at_least.",
    ),
    (
        {"star": {"column": "mag", "at_most": 3}},
        f"{_CUTS}.star: any_of must be the only key: move column, at_most into its list.",
    ),
    (
        {"asteroid": {"null_fails_where": "mag"}},
        f"{_CUTS}.asteroid.null_fails_where: must be a column of true or false: is_positive, "
        "is_known_asteroid, host_is_extragalactic (found 'mag').",
    ),
    (
        {"asteroid": {"if_null": "fails"}},
        f"{_CUTS}.asteroid: every null fails: leave out if_null or null_fails_where.",
    ),
    (
        {"too_faint": {"column": "mag", "at_most": 19}},
        f"{_CUTS}: too_faint: reserved by the loop; choose other names.",
    ),
    (
        {"min_real_bogus": 0.55, "host_classes": "any", "bands": ["g"]},
        f"{_CUTS}: min_real_bogus, host_classes, bands: a cut is the name of a reason and a "
        f"condition, as {_EXAMPLE}; the files of conf/targets have more.",
    ),
    (
        {"glow": {"any_of": []}},
        f"{_CUTS}.glow: any_of is empty: write conditions into its list.",
    ),
    (
        {"glow": {"column": "mag", "at_most": 3, None: "passes"}},
        f"{_CUTS}.glow: null cannot be a key in YAML: write if_null.",
    ),
    (
        {"band": {"one_of": ["g", "q"]}},
        "target 'early_snia' uses bands ['q']; survey 'ztf' has ['g', 'r', 'i'].",
    ),
]


@pytest.mark.parametrize(("cuts", "message"), _WRONG)
def test_a_wrong_cut_is_refused(cuts, message):
    with pytest.raises(SettingsError) as error:
        load_settings(environment={}, target={"cuts": cuts})
    assert str(error.value) == message


def test_a_variable_sets_one_bound_or_drops_a_cut():
    names = {
        "REAL_BOGUS__AT_LEAST": "0.7",
        "BAND__ONE_OF": '["g"]',
        "STAR": "null",
        "BRIGHT__COLUMN": "mag",
        "BRIGHT__AT_MOST": "18",
    }
    variables = {f"FINK_AL_TARGET__CUTS__{name}": text for name, text in names.items()}
    cuts = load_settings(environment=variables).target.cuts
    before = load_settings(environment={}).target.cuts
    expected = {name: cut for name, cut in before.items() if name != "star"} | {
        "real_bogus": Cut(column="real_bogus", at_least=0.7),
        "band": Cut(column="band", one_of=("g",)),
        "bright": Cut(column="mag", at_most=18.0),
    }
    assert cuts == expected


def test_a_variable_of_the_old_form_is_to_blame():
    variables = {"FINK_AL_TARGET__CUTS__MIN_DRB": "0.5"}
    with pytest.raises(
        SettingsError, match=f"^FINK_AL_TARGET__CUTS__MIN_DRB: min_drb: .* as {_EXAMPLE}"
    ):
        load_settings(environment=variables)


def test_a_target_drops_and_changes_cuts_of_the_one_it_is_like(tmp_path):
    (tmp_path / "targets").mkdir()
    topics = {"candidates_topic": "mine_candidates"}
    cuts = {
        "asteroid": None,
        "too_old": {"at_most": 100},
        "plane": {"column": "galactic_latitude", "at_least": -10, "at_most": 10},
    }
    target = {"like": "early_snia", "name": "microlensing", "cuts": cuts, **topics}
    (tmp_path / "targets" / "microlensing.yml").write_text(yaml.safe_dump(target), "utf-8")
    config = tmp_path / "fink_al.yml"
    config.write_text(find_resource("conf/fink_al.yml").read_text("utf-8"), "utf-8")
    none = {"starting_set": None, "test_set": None, "teaching_set": None}
    variables = {
        "FINK_AL_TARGET": "microlensing",
        "FINK_AL_TARGET__MODEL__ESTIMATOR": "random_forest",
    }
    made = load_settings(config, environment=variables, **none)
    like = load_settings(environment={}).target.cuts
    assert made.target.cuts == {n: cut for n, cut in like.items() if n != "asteroid"} | {
        "too_old": Cut(column="age_days", at_most=100.0),
        "plane": Cut(column="galactic_latitude", at_least=-10.0, at_most=10.0),
    }


def test_cuts_that_were_written_out_are_read_back():
    target = load_settings(environment={}).target
    written = yaml.safe_load(yaml.safe_dump(target.model_dump(mode="json")))
    assert load_settings(environment={}, target=written).target.cuts == target.cuts


def test_words_of_all_conditions():
    either = [{"column": "band", "one_of": ["r", "g"]}, {"column": "mag", "at_most": 18}]
    cuts = {"a": Cut(column="band", one_of=["g", "i"]), "b": Cut(any_of=either)}
    assert words_of(cuts, "band") == ("g", "i", "r")


def test_derived_columns_are_made_of_known_ones():
    assert set(COLUMNS) == set(CONTEXT) | set(DERIVED)
    assert {name for made_of in DERIVED.values() for name in made_of} <= set(CONTEXT)


def test_the_document_has_every_column_and_its_example_is_valid():
    text = (Path(__file__).parents[2] / "docs" / "messages.md").read_text("utf-8")
    section = text.split("## Cuts of a target")[1].split("\n## ")[0]
    example = section.split("```yaml\n")[1].split("```")[0]
    made = load_settings(environment={}, target=yaml.safe_load(example)).target.cuts
    assert made["plane"] == Cut(column="galactic_latitude", at_least=-10.0, at_most=10.0)
    assert "too_old" not in made
    assert [name for name in COLUMNS if f"`{name}`" not in section] == []
