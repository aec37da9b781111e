"""The target that the documentation adds is one: it is read, checked, and fits into a stream."""

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from fink_al.cli.main import cli
from fink_al.loops import Loops
from fink_al.settings import find_resource

PAGE = Path(__file__).parents[1] / "docs" / "targets.md"


@pytest.fixture
def installation(tmp_path):
    """A settings file and the target of the page beside it."""
    file, setting = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    name = re.search(r"targets/(\w+)\.yml", file)[1]
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / f"{name}.yml").write_text(file)
    config = tmp_path / "fink_al.yml"
    config.write_text(f"{setting}work_dir: {tmp_path}\n")
    assert len(file.splitlines()) < 100
    return config, name


def test_the_page_s_target_fits_into_a_stream(installation):
    config, name = installation
    loops = Loops.open(config, environment={})
    assert [loop.target.name for loop in loops.running] == ["early_snia", name]
    assert not loops.left_out
    first, second = loops.running
    assert second.target.positive == ("Fast",)
    assert second.target.cuts.keys() == first.target.cuts.keys()
    assert second.target.cuts["too_old"].at_most == 5
    assert second.target.candidates_topic == f"fink_uncertain_{name}_ztf"
    assert second.settings.test_set is None is second.settings.teaching_set
    assert first.settings.test_set
    assert second.features.hash == first.features.hash
    assert first.archive.folder.path == second.archive.folder.path


def test_check_shows_both_and_commands_ask_which(installation, monkeypatch):
    config, name = installation
    monkeypatch.setenv("COLUMNS", "300")
    run = CliRunner().invoke(cli, ["check", "--config", str(config)])
    assert run.exit_code == 0, run.output
    shown = {line.split()[0]: line.split()[1:] for line in run.output.splitlines() if line.strip()}
    assert shown[f"targets.{name}.cuts.too_old.at_most"][0] == "5.0"
    assert shown[f"targets.{name}.cuts.too_old.at_most"][1].endswith(f"{name}.yml")
    assert shown["targets.early_snia.cuts.too_old.at_most"][0] == "20.0"
    assert "stream.trigger_seconds" in shown
    asked = CliRunner().invoke(cli, ["audit", "--config", str(config)])
    assert f"there are several targets, early_snia, {name}: name one with --target" in str(
        asked.exception
    )


def test_the_page_lists_no_key_that_a_target_lacks(installation):
    values = yaml.safe_load((installation[0].parent / "targets" / "fast_transient.yml").read_text())
    default = yaml.safe_load(find_resource("conf/targets/early_snia.yml").read_text("utf-8"))
    assert values.keys() <= default.keys() | {"like", "starting_set", "test_set", "teaching_set"}
