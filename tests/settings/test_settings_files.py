"""Settings files hold what differs, and are looked up one by one."""

import re

import pytest
import yaml

from fink_al.errors import SettingsError
from fink_al.settings import find_resource, find_setting, load_settings, load_survey
from fink_al.storage.place import Place

_NO_DATA = {
    "starting_set": None,
    "test_set": None,
    "teaching_set": "data/early_snia/teaching_set.parquet",
}


def write(file, values):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(values), "utf-8")
    return file


def topics(settings):
    return [settings.target.candidates_topic, settings.dead_letter_topic, settings.ledger_topic]


def test_a_settings_file_holds_only_what_differs(tmp_path):
    file = write(tmp_path / "mine.yml", {"source": {"servers": "broker:9092"}})
    expected = load_settings(environment={}, source={"servers": "broker:9092"})
    assert load_settings(file, environment={}) == expected
    assert expected.sink.servers == "localhost:9092"


def test_a_section_of_a_target_changes_the_default_or_is_a_whole_one(tmp_path):
    default = load_settings(environment={}).target
    file = write(tmp_path / "mine.yml", {"target": {"cuts": {"too_old": {"at_most": 9}}}})
    too_old = default.cuts["too_old"].model_copy(update={"at_most": 9.0})
    cuts = default.cuts | {"too_old": too_old}
    changed = load_settings(file, environment={}).target
    assert changed == default.model_copy(update={"cuts": cuts})

    whole = default.model_dump(mode="json") | {"name": "mine", "excluded": {"SN": "why"}}
    write(file, {"target": whole})
    assert load_settings(file, environment={}, **_NO_DATA).target.excluded == {"SN": "why"}
    write(file, {"target": {"name": "mine", "survey": "ztf"}})
    with pytest.raises(SettingsError, match=r"mine\.yml: missing: target\.positive, "):
        load_settings(file, environment={})


def test_files_of_the_working_directory_hide_no_other(tmp_path, monkeypatch):
    expected = load_settings(environment={})
    write(tmp_path / "conf" / "targets" / "mine.yml", {"like": "early_snia", "name": "mine"})
    monkeypatch.chdir(tmp_path)
    assert load_settings(environment={}).target == expected.target
    mine = load_settings(environment={"FINK_AL_TARGET": "mine"}, **_NO_DATA)
    assert mine.target.cuts == expected.target.cuts
    assert load_survey("lsst").name == "lsst"
    assert find_setting("taxonomy.yml") == find_resource("conf/taxonomy.yml")
    with pytest.raises(SettingsError) as error:
        load_settings(environment={"FINK_AL_TARGET": "theirs"})
    own, package = tmp_path / "conf" / "targets", find_resource("conf/targets")
    assert str(error.value) == (
        f"FINK_AL_TARGET: No target 'theirs'; known: mine in {own}; "
        "anomaly, anomaly_lsst, early_snia, early_snia_lsst, microlensing, microlensing_lsst in "
        f"{package}."
    )


@pytest.mark.parametrize("name", ["mine", "early_snia"])
def test_two_target_files_of_one_name_are_refused(tmp_path, name):
    file = write(tmp_path / "targets" / "mine.yml", {"like": "early_snia", "name": name})
    other = find_resource("conf/targets/early_snia.yml")
    if name == "mine":
        other = tmp_path / "targets" / "other.yml"
        other.write_text("# [\nname: 'mine' # mine\ncuts: {")
    settings = write(tmp_path / "fink_al.yml", {"target": "mine"})
    with pytest.raises(SettingsError) as error:
        load_settings(settings, environment={}, **_NO_DATA)
    assert str(error.value) == (
        f"{file} and {other} have the same name, {name}: give each target its own."
    )
    # A file that hides the package's is the only one of its name.
    hiding = load_settings(environment={}).target.model_dump(mode="json") | {"name": "x"}
    write(tmp_path / "targets" / "early_snia.yml", hiding)
    write(file, {"like": "early_snia", "name": "early_snia"})
    assert load_settings(settings, environment={}, **_NO_DATA).target.name == "early_snia"


def test_the_settings_file_of_the_working_directory_is_the_default(tmp_path, monkeypatch):
    write(tmp_path / "conf" / "fink_al.yml", {"work_dir": "here"})
    elsewhere = write(tmp_path / "elsewhere.yml", {"target": "early_snia_lsst"})
    monkeypatch.chdir(tmp_path)
    assert str(load_settings(environment={}).work_dir) == "here"
    settings = load_settings(environment={"FINK_AL_CONFIG": str(elsewhere)})
    assert (settings.target.name, str(settings.work_dir)) == ("early_snia_lsst", "work")
    with pytest.raises(SettingsError, match=r"Cannot read the settings file absent\.yml"):
        load_settings("absent.yml")


def test_resources_are_the_packages_wherever_one_works(tmp_path, monkeypatch):
    write(tmp_path / "bin" / "label2model.py", {})
    script = find_resource("bin/label2model.py")
    monkeypatch.chdir(tmp_path)
    assert find_resource("bin/label2model.py") == script
    with pytest.raises(SettingsError, match=r"^'bin/absent\.py' not found; looked in /"):
        find_resource("bin/absent.py")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (
            "early_snia",
            ["fink_uncertain_early_snia_ztf", "fink_al_ztf_dead_letters", "fink_al_ztf_ledger"],
        ),
        (
            "early_snia_lsst",
            ["fink_uncertain_early_snia_lsst", "fink_al_lsst_dead_letters",
             "fink_al_lsst_ledger"],
        ),
        ("mine", ["fink_uncertain_mine_ztf", "fink_al_night_dead_letters", "my_ledger"]),
    ],
)  # fmt: skip
def test_topics_are_called_after_target_and_stream(tmp_path, target, expected):
    write(tmp_path / "targets" / "mine.yml", {"like": "early_snia", "name": "mine"})
    own = {"stream": {"name": "night", "ledger_topic": "my_ledger"}} if target == "mine" else {}
    file = write(tmp_path / "fink_al.yml", {"target": target, **own})
    assert topics(load_settings(file, environment={}, **_NO_DATA)) == expected


@pytest.mark.parametrize(
    "place", ["hdfs://node:8020/al", "s3a://bucket/al", "file:/al", "viewfs:al"]
)
def test_a_remote_work_dir_is_refused(place):
    with pytest.raises(SettingsError) as error:
        load_settings(environment={"FINK_AL_WORK_DIR": place})
    assert str(error.value) == (
        "FINK_AL_WORK_DIR: remote places are not supported: name a local folder, without a scheme "
        f"(found {place!r})."
    )


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("s3a:bucket/x", "write two slashes behind the scheme"),
        ("s3a://bucket", "and a folder there"),
        ("hdfs://node:99999999/x", "Port out of range"),
        ("s3a://bucket/x?token=abc", "comes from the environment"),
        ("gs://bucket/x", "by a URI of hdfs://, s3a://"),
        ("~/work", "~ is not expanded"),
        ("s3a://bucket/a b", "without spaces"),
    ],
)
def test_a_storage_that_cannot_be_is_refused(place, words):
    with pytest.raises(SettingsError, match=re.escape(words)) as error:
        load_settings(environment={"FINK_AL_STORAGE": place})
    assert "abc" not in str(error.value)


def test_labels_may_be_remote():
    place = "hdfs://node:8020/labels"
    assert load_settings(environment={"FINK_AL_LABELS_PATH": place}).labels_dir == Place(place)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({1: 2}, "1: Keys should be strings"),
        ({None: 2}, "Keys should be strings"),
        ({"work_dir": "~/work"}, "work_dir: name a folder by its path; ~ is not expanded"),
        ({"work_dir": ""}, "work_dir: name a folder by its path"),
        ({"work_dir": "a\0b"}, "work_dir: name a folder by its path"),
        ({"target": {"positive": []}}, "target.positive: Tuple should have at least 1 item"),
    ],
)
def test_settings_that_would_mislead_are_refused(values, message, tmp_path):
    file = write(tmp_path / "mine.yml", values)
    with pytest.raises(SettingsError, match=message):
        load_settings(file, environment={})


@pytest.mark.parametrize(
    "text", ["work_dir: a\nwork_dir: b", "stream: {starting: latest, starting: x}"]
)
def test_a_key_that_is_written_twice_is_refused(text, tmp_path):
    file = tmp_path / "mine.yml"
    file.write_text(text)
    with pytest.raises(
        SettingsError, match=r"YAML in line \d: (work_dir|starting) is written twice"
    ):
        load_settings(file, environment={})
