"""The cache folder: its variable counts first, and what is wrong with it is one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fink_al.cache import cache_dir, ensure_home
from fink_al.errors import SettingsError
from fink_al.features.compiled import private_cache
from fink_al.jars import fetch


@pytest.fixture
def no_home(monkeypatch):
    """A user of a container: no HOME, and no entry in passwd."""

    def home(_class=Path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    for name in ("FINK_AL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_the_variable_counts_first(no_home, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "theirs"))
    assert cache_dir() == tmp_path / "theirs" / "fink-al"
    monkeypatch.setenv("FINK_AL_CACHE", str(tmp_path / "mine"))
    assert cache_dir() == tmp_path / "mine"


def test_without_a_home_the_variable_is_asked_for(no_home, caplog):
    message = "The user has no home folder. Set FINK_AL_CACHE to a folder that you can write."
    for ask in (cache_dir, ensure_home):
        with pytest.raises(SettingsError) as error:
            ask()
        assert str(error.value) == message
    assert private_cache() is None
    assert message in caplog.text


def test_libraries_get_the_cache_as_home_of_a_user_without_one(no_home, monkeypatch, tmp_path):
    monkeypatch.setenv("FINK_AL_CACHE", str(tmp_path / "mine"))
    monkeypatch.delenv("HOME", raising=False)
    ensure_home()
    assert os.environ["HOME"] == str(tmp_path / "mine")


def test_a_home_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    ensure_home()
    assert os.environ["HOME"] == str(tmp_path)


def test_jars_in_a_folder_that_nobody_can_use_are_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "jars").touch()
    monkeypatch.setenv("FINK_AL_CACHE", str(tmp_path))
    with pytest.raises(SettingsError, match=f"^Cannot use the cache folder {tmp_path}: "):
        fetch("spark", [])


def test_a_home_where_nothing_can_be_made_is_named(monkeypatch, tmp_path):
    (tmp_path / "home").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("FINK_AL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError) as error:
        cache_dir()
    assert str(error.value) == (
        f"Cannot make the cache folder {tmp_path}/home/.cache/fink-al: Not a directory. Set "
        "FINK_AL_CACHE to a folder that you can write."
    )


def test_the_command_that_fetches_jars_says_so_in_one_sentence(tmp_path):
    (tmp_path / "home").touch()
    variables = {
        k: v for k, v in os.environ.items() if k not in ("FINK_AL_CACHE", "XDG_CACHE_HOME")
    }
    done = subprocess.run(
        [sys.executable, "-m", "fink_al.jars"],
        env=variables | {"HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: Cannot make the cache folder {tmp_path}/home/.cache/")
    assert len(done.stderr.splitlines()) == 1
