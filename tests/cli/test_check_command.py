"""``fink-al check`` shows every setting with its origin, and every fault."""

import importlib.util
import json

import pytest
from click.testing import CliRunner

from fink_al.cli.check import check
from fink_al.settings import Settings, load_settings


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the command in an empty folder on a settings file with `text`."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "own.yml"

    def make(text, *options):
        file.write_text(text)
        result = CliRunner().invoke(check, ["--config", str(file), *options])
        return result.exit_code, result.stdout, result.stderr

    return make


def leaves(section, where=()):
    for name, value in section.items():
        is_section = isinstance(value, dict) and value and name != "families"
        yield from leaves(value, (*where, name)) if is_section else [".".join((*where, name))]


def test_each_value_has_its_origin(run, tmp_path, monkeypatch):
    monkeypatch.setenv("FINK_AL_STREAM__TRIGGER_SECONDS", "7")
    text = "work_dir: here\nsink: {options: {client.rack: hidden}}\n"
    code, out, _ = run(text, "--json")
    found = json.loads(out)
    assert (code, found["faults"]) == (0, [])
    values = {value["key"]: (value["value"], value["origin"]) for value in found["settings"]}
    settings = load_settings(tmp_path / "own.yml")
    assert list(values) == list(leaves(Settings.model_dump(settings, mode="json")))
    own = str(tmp_path / "own.yml")
    assert values["work_dir"] == ("here", own)
    assert values["stream.trigger_seconds"] == (7.0, "FINK_AL_STREAM__TRIGGER_SECONDS")
    assert values["sink.options.client.rack"] == ("***", own)
    assert values["sink.token_url"] == (None, "default")
    assert values["target.strategy"][1].endswith("conf/targets/early_snia.yml")
    assert values["survey.name"][1].endswith("conf/surveys/ztf.yml")
    assert "hidden" not in out
    table = run(text)[1]
    assert "FINK_AL_STREAM__TRIGGER_SECONDS" in table
    assert f"{len(values)} settings, 0 faults." in table


def test_each_fault_has_a_line(run, tmp_path):
    (tmp_path / "telescopes").mkdir()
    (tmp_path / "telescopes" / "mine.yml").write_text("like: keck\n")
    text = "stream: {triger: 3}\nsource: {servers: x}\ntarget: {strategy: luck}\n"
    code, out, err = run(text)
    lines = err.splitlines()
    assert code == 2
    assert out == "0 settings, 3 faults.\n"
    assert lines[0].endswith("source.servers: write host:port, several with commas between them "
                             "(found 'x')")  # fmt: skip
    assert "stream.triger: no such key; stream has: " in lines[1]
    assert "mine.yml: like: there is no telescope 'keck'; known: " in lines[2]
    assert len(lines) == 3


def test_a_strategy_that_does_not_exist_is_found_too(run):
    code, _, err = run("target: {strategy: luck}\n")
    assert code == 2
    assert "luck" in err
    assert err.count("\n") == 1


def test_a_missing_target_is_one_sentence(run):
    code, out, err = run("target: sn\n")
    assert (code, out) == (2, "0 settings, 1 faults.\n")
    assert "No target 'sn'; known: " in err


def test_a_target_may_be_chosen_by_an_option(run, monkeypatch):
    monkeypatch.setenv("FINK_AL_TARGET", "early_snia")  # what the option sets is taken back
    _, out, _ = run("target: early_snia\n", "--json", "--target", "early_snia_lsst")
    values = {value["key"]: value["value"] for value in json.loads(out)["settings"]}
    assert values["target.name"] == "early_snia_lsst"
    code, _, err = run("target: early_snia\n", "--target", "kilonova")
    assert code == 2
    assert "No target 'kilonova'; known: anomaly, anomaly_lsst, early_snia" in err


def test_a_package_that_only_training_needs_is_a_warning(run, monkeypatch):
    text = "target: microlensing\n"
    assert run(text)[2] == ""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    code, _, errors = run(text)
    assert code == 0
    assert errors == (
        "Warning: target microlensing: Fitting boosted_trees needs the package 'xgboost': pip "
        "install 'fink-al[boosting]'. The stream does not need it.\n"
    )
    assert json.loads(run(text, "--json")[1])["warnings"] == [errors[len("Warning: ") : -1]]
