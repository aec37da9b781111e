"""An installation anywhere has the files that the package needs."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fink_al.settings import find_resource, load_settings

_ROOT = Path(__file__).parents[1]
_LOOK = """
import json, fink_al
from fink_al.settings import find_resource, load_settings
settings = load_settings(environment={"FINK_AL_TARGET": "early_snia_lsst"})
scripts = [str(find_resource(f"bin/{name}.py")) for name in ("alert2candidate", "label2model")]
print(json.dumps([
    fink_al.__file__, str(settings.starting_set), str(settings.test_set), settings.survey.name,
    sorted(settings.taxonomy.families), str(find_resource("conf/log4j2.properties")), *scripts,
]))
"""


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """A folder that a wheel of this source tree was installed into, without a network."""
    source, folder = (tmp_path_factory.mktemp(name) for name in ("source", "target"))
    # The build would leave its files in the source tree: links keep that clean.
    files = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
    for name in (*files, "fink_al", "conf", "data", "bin"):
        (source / name).symlink_to(_ROOT / name)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    command += ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(folder)]
    subprocess.run([*command, str(source)], check=True, capture_output=True)
    return folder


def test_an_installation_into_a_folder_finds_its_files(target, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _LOOK],
        env=os.environ | {"PYTHONPATH": str(target)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    module, *data, survey, families, logging, stream, train = json.loads(done.stdout)
    package = target / "fink_al"
    assert module == str(package / "__init__.py")
    assert data == [
        str(package / "data" / "early_snia_lsst" / f"{name}.parquet")
        for name in ("starting_set", "test_set")
    ]
    assert (survey, "SN Ia" in families) == ("lsst", True)
    assert logging == str(package / "conf" / "log4j2.properties")
    assert [stream, train] == [
        str(package / "bin" / f"{name}.py") for name in ("alert2candidate", "label2model")
    ]


@pytest.mark.parametrize("folder", ["conf", "data"])
def test_no_file_is_left_out(target, folder):
    there = {
        file.relative_to(target / "fink_al")
        for file in (target / "fink_al" / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    tree = find_resource(folder)
    assert there == {
        file.relative_to(tree.parent)
        for file in tree.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_the_source_tree_has_its_files_beside_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_resource("conf") == _ROOT / "conf"
    assert load_settings(environment={}).starting_set == (
        _ROOT / "data" / "early_snia" / "starting_set.parquet"
    )


def test_the_stream_asks_for_what_pyspark_imports_on_every_python():
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [x for x in project["optional-dependencies"]["stream"] if x.startswith("setuptools")]
    assert len(asked) == 1
    assert asked[0].endswith("; python_version >= '3.12'")
