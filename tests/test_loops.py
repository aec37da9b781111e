"""The targets of one stream: each with its own settings, and a broken one stops no other."""

import pytest
import yaml

from fink_al.errors import SettingsError
from fink_al.loops import Loops
from fink_al.settings import find_resource, load_settings
from fink_al.settings.layers import targets_of

NO_SETS = {"starting_set": None, "test_set": None}
TEACHER = str(find_resource("data/early_snia/teaching_set.parquet"))


@pytest.fixture
def config(tmp_path):
    """Makes a settings file with target files beside it."""

    def make(targets, own=None, **files):
        for name, values in files.items():
            file = tmp_path / "targets" / f"{name}.yml"
            file.parent.mkdir(exist_ok=True)
            given = {"like": "early_snia", "name": name, **NO_SETS, "teaching_set": TEACHER}
            file.write_text(yaml.safe_dump(given | values))
        file = tmp_path / "fink_al.yml"
        file.write_text(
            yaml.safe_dump({"work_dir": str(tmp_path), "targets": targets} | (own or {}))
        )
        return file

    return make


def names(loops):
    return [loop.target.name for loop in loops.running]


def test_each_has_its_own_settings_and_what_all_share(config):
    file = config(["early_snia", "mine"], mine={"cuts": {"too_old": {"at_most": 3}}})
    environment = {"FINK_AL_TARGET__FOLLOW_UP__MAX_MAGNITUDE": "18", "FINK_AL_TARGET": "mine"}
    loops = Loops.open(file, environment=environment)
    assert names(loops) == ["early_snia", "mine"]
    assert [loop.target.cuts["too_old"].at_most for loop in loops.running] == [20, 3]
    # A variable changes every target, and what it names matters to commands alone.
    assert {loop.target.follow_up.max_magnitude for loop in loops.running} == {18.0}
    first, second = (loop.settings for loop in loops.running)
    assert (first.ledger_topic, first.stream_name) == (second.ledger_topic, second.stream_name)
    assert first.archive_dir.path == second.archive_dir.path
    assert first.champion_dir.path != second.champion_dir.path
    assert first.audit_dir.path != second.audit_dir.path
    assert loops.running[0].archive.drawn_folder.path != loops.running[1].archive.drawn_folder.path
    assert (first.test_set is None, second.test_set is None) == (False, True)
    assert load_settings(file, environment=environment).target.name == "mine"


def test_a_target_s_sets_are_its_own_but_for_variables(config):
    other = str(find_resource("data/early_snia/test_set.parquet"))
    file = config(["early_snia", "mine"], {"test_set": other}, mine={})
    assert load_settings(file, environment={}, target="mine").test_set is None
    environment = {"FINK_AL_TEACHING_SET": "null"}
    with pytest.raises(SettingsError, match="teaching_set is null, and the estimator informed_"):
        load_settings(file, environment=environment, target="mine")


def test_a_broken_one_is_left_out_with_its_sentence(config):
    file = config(
        ["early_snia", "nowhere", "wrong", "twin", "unlike"],
        wrong={"cuts": {"glow": {"column": "magnitude", "at_most": 3}}},
        twin={"candidates_topic": "fink_uncertain_early_snia_ztf"},
        unlike={"positive": ["No such family"]},
    )
    loops = Loops.open(file, environment={})
    assert names(loops) == ["early_snia"]
    said = loops.left_out
    assert said.keys() == {"nowhere", "wrong", "twin", "unlike"}
    assert "No target 'nowhere'" in said["nowhere"]
    assert "cuts.glow" in said["wrong"]
    assert "'early_snia' and 'twin' have the same candidates_topic" in said["twin"]
    assert "No such family" in said["unlike"]


def test_a_stream_is_of_one_survey(config):
    file = config(["early_snia_lsst", "early_snia"])
    with pytest.raises(SettingsError, match="a stream is of one survey, and these are of lsst, zt"):
        Loops.open(file, environment={})


def test_a_section_beside_names_is_refused(config):
    file = config(["early_snia"], {"target": {"follow_up": {"max_magnitude": 18}}})
    with pytest.raises(SettingsError, match="target is a section, and targets names files: move"):
        load_settings(file, environment={})


def test_without_any_that_runs_nothing_starts(config):
    file = config(["nowhere", "neither"])
    with pytest.raises(SettingsError, match=r"No target 'nowhere'.*No target 'neither'"):
        Loops.open(file, environment={})


def test_commands_say_which_there_are(config):
    file = config(["early_snia", "mine"], mine={})
    with pytest.raises(SettingsError, match="several targets, early_snia, mine: name one with --t"):
        load_settings(file, environment={})
    assert load_settings(file, environment={}, target="mine").target.name == "mine"
    assert load_settings(config(["mine"], mine={}), environment={}).target.name == "mine"
    chosen = config(["early_snia", "mine"], {"target": "mine"}, mine={})
    assert load_settings(chosen, environment={}).target.name == "mine"


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ("early_snia", False),
        ([1], False),
        (["a", "a"], False),
        (["a"], True),
        (None, True),
        ([], False),
    ],
)
def test_names_are_a_list(config, value, allowed):
    file = config(value)
    if allowed:
        assert targets_of(file, environment={}) == tuple(value or ())
        return
    with pytest.raises(
        SettingsError, match=r"targets: (give names of conf/targets in a list|a is named twice)"
    ):
        targets_of(file, environment={})


def test_names_in_a_variable_are_json(config):
    file = config(["early_snia"])
    environment = {"FINK_AL_TARGETS": '["early_snia", "mine"]'}
    assert targets_of(file, environment=environment) == ("early_snia", "mine")
