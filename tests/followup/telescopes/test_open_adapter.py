"""A telescope's adapter, or the sentence that says why there is none."""

import pytest

from fink_al.errors import SettingsError
from fink_al.followup.telescopes.adapters import open_adapter
from fink_al.followup.telescopes.aocs import Aocs
from fink_al.followup.telescopes.file import FileOfNight
from fink_al.followup.telescopes.ocs import Ocs
from fink_al.loop import Loop
from fink_al.settings import load_settings, load_telescope
from fink_al.settings.telescope import Telescope

FORMS = {"adapter": "aocs", "url": "https://forms.example/aocs", "proposal": "1234"}
GROUPS = {"adapter": "ocs", "url": "https://ocs.example", "proposal": "1234"}


@pytest.fixture
def opened(tmp_path):
    loop = Loop.open(load_settings(environment={}, work_dir=tmp_path))

    def make(requests):
        values = load_telescope("anu_2m3").model_dump() | {"name": "own", "requests": requests}
        return open_adapter(Telescope.model_validate(values), loop)

    return make


@pytest.fixture
def environment(monkeypatch):
    def export(**values):
        for name, value in values.items():
            monkeypatch.setenv(f"FINK_AL_TELESCOPE_OWN_{name}", value)

    return export


def test_each_kind_has_its_adapter(opened, environment, tmp_path, asked):
    environment(USERNAME="me", PASSWORD="pa55", TOKEN="t0ken")
    assert isinstance(opened(FORMS), Aocs)
    assert isinstance(opened(GROUPS), Ocs)
    own = opened({"adapter": "file"})
    assert isinstance(own, FileOfNight)
    own.submit(asked())
    assert (tmp_path / "to_take_along" / "own_20260110.csv").is_file()
    opened({"adapter": "file", "folder": str(tmp_path / "other")}).submit(asked())
    assert (tmp_path / "other" / "own_20260110.csv").is_file()
    assert type(opened({"adapter": "topic"})).__name__ == "Topic"


@pytest.mark.parametrize(
    ("requests", "sentence"),
    [
        (None, "own takes no requests: write a section requests into its file, with adapter aocs, "
         "ocs, file or topic."),
        (FORMS | {"url": None}, "own has no requests.url: write the address of its interface into "
         "its file."),
        (GROUPS | {"proposal": None}, "own has no requests.proposal: write the one that pays for "
         "the time into its file."),
        (FORMS, "The environment lacks FINK_AL_TELESCOPE_OWN_USERNAME and "
         "FINK_AL_TELESCOPE_OWN_PASSWORD: export what own knows you by."),
        (GROUPS, "The environment lacks FINK_AL_TELESCOPE_OWN_TOKEN: export what own knows you "
         "by."),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(opened, requests, sentence):
    with pytest.raises(SettingsError) as error:
        opened(requests)
    assert str(error.value) == sentence


def test_credentials_that_cannot_be_sent_are_not_shown(opened, environment):
    environment(TOKEN="t0ken\u00e9")
    with pytest.raises(SettingsError, match=r"_OWN_TOKEN holds characters that") as error:
        opened(GROUPS)
    assert "t0ken" not in str(error.value)


def test_credentials_go_out_encrypted_only(opened, environment):
    environment(USERNAME="me", PASSWORD="pa55")
    with pytest.raises(SettingsError, match=r"must begin with https://.*_OWN_PASSWORD is sent"):
        opened(FORMS | {"url": "http://forms.example"})
