"""Telescopes are data: files that are right, and a sentence for those that are not."""

import pytest
import yaml

from fink_al.errors import SettingsError
from fink_al.settings import AocsRequests, FileRequests, load_telescope, telescope_names
from fink_al.settings.resources import find_resource


def test_those_of_the_package_are_read():
    assert telescope_names() == ["anu_2m3", "example_4m", "example_8m", "lco_2m"]
    telescopes = [load_telescope(name) for name in telescope_names()]
    assert [telescope.name for telescope in telescopes] == telescope_names()
    assert load_telescope() == telescopes[0]


def test_an_unknown_one_names_those_there_are():
    with pytest.raises(SettingsError) as error:
        load_telescope("keck")
    assert str(error.value) == (
        "There is no telescope 'keck'; known: anu_2m3, example_4m, example_8m, lco_2m. "
        "Choose one or write conf/telescopes/NAME.yml."
    )


@pytest.fixture
def own(tmp_path):
    """Writes a telescope that differs from the default one, and reads it."""

    def load(change):
        values = yaml.safe_load(find_resource("conf/telescopes/anu_2m3.yml").read_text())
        values["name"] = "own"
        change(values)
        (tmp_path / "telescopes").mkdir(exist_ok=True)
        (tmp_path / "telescopes" / "own.yml").write_text(yaml.safe_dump(values))
        return load_telescope("own", tmp_path)

    return load


def test_a_file_beside_the_settings_counts(own, tmp_path):
    telescope = own(lambda values: values["limits"].update(max_airmass=1.5))
    assert telescope.limits.max_airmass == 1.5
    assert "own" in telescope_names(tmp_path)
    assert "own" not in telescope_names()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda v: v["limits"].update(max_airmass=1), "limits.max_airmass: Input should be "
         "greater than 1 (found 1)."),
        (lambda v: v["limits"].update(airmass=2), "limits.airmass: no such key; allowed: "
         "min_altitude_deg, max_airmass, sun_below_deg, min_moon_distance_deg."),
        (lambda v: v.update(owner="me"), "owner: no such key; allowed: name, title, site, limits, "
         "overheads, spectrum, requests, sources."),
        (lambda v: v["site"].pop("height_m"), "site.height_m is missing."),
        (lambda v: v["spectrum"].update(shortest_min=200), "spectrum: shortest_min is 200, above "
         "longest_min, 120; swap them."),
        (lambda v: v["sources"].pop("overheads"), "sources: overheads.acquire_min has none; write "
         "where it comes from."),
        (lambda v: v["sources"].update(seeing="x"), "sources: there is no figure seeing; known: "),
        (lambda v: v["requests"].update(adapter="fax"), "requests.adapter: allowed: aocs, ocs, "
         "file, topic (found 'fax')."),
        (lambda v: v["requests"].pop("adapter"), "requests.adapter is missing; allowed: aocs, "),
        (lambda v: v["requests"].update(slit="2"), "requests.slit: no such key; allowed: submit, "),
        (lambda v: v["requests"].update(mode="x"), "requests.mode: Input should be "),
        (lambda v: v.update(name="other"), "name is 'other'; write 'own', as the file's."),
    ],
)  # fmt: skip
def test_a_wrong_file_gets_one_sentence(own, tmp_path, change, sentence):
    with pytest.raises(SettingsError) as error:
        own(change)
    text = str(error.value)
    assert text.startswith(f"{tmp_path / 'telescopes' / 'own.yml'}: {sentence}")
    assert text.count("\n") == 0


def test_a_file_may_hold_what_differs_from_a_telescope_of_the_package(tmp_path):
    (tmp_path / "telescopes").mkdir()
    file = tmp_path / "telescopes" / "anu_2m3.yml"
    file.write_text("like: anu_2m3\nrequests: {submit: true, proposal: '123'}\n")
    telescope = load_telescope("anu_2m3", tmp_path)
    assert isinstance(telescope.requests, AocsRequests)
    assert telescope.requests.submit
    assert not load_telescope("anu_2m3").requests.submit
    file.write_text("like: anu_2m3\nrequests: {adapter: file}\n")
    assert isinstance(load_telescope("anu_2m3", tmp_path).requests, FileRequests)
    file.write_text("like: palomar\n")
    with pytest.raises(SettingsError, match="like: there is no telescope 'palomar'; known: anu"):
        load_telescope("anu_2m3", tmp_path)
