"""``fink-al plan`` over a simulated list."""

import json

import pytest
from archive_files import put_rows
from click.testing import CliRunner
from simulated_lists import simulated_list

from fink_al.archive.reading import Archive
from fink_al.cli.plan import plan as command
from fink_al.errors import FinkAlError
from fink_al.followup.times import time_of
from fink_al.followup.tonight import read_tonight
from fink_al.labels.intake import import_file
from fink_al.loop import Loop
from fink_al.settings import load_settings

simulated = pytest.fixture(simulated_list, scope="module")


@pytest.fixture
def loop(tmp_path, monkeypatch, simulated):
    """The loop of settings that are in the environment, too."""
    monkeypatch.setenv("FINK_AL_WORK_DIR", str(tmp_path))
    loaded = load_settings(starting_set=None, test_set=None)
    put_rows(Archive(loaded.archive_dir), *simulated)
    opened = Loop.open(loaded)
    opened.labels.store.make()
    return opened


def run(*arguments):
    return CliRunner().invoke(command, arguments, catch_exceptions=False).output


def test_the_table_shows_what_json_has(loop, simulated):
    whole = json.loads(run("--json"))
    assert whole["list"] == simulated[0]
    (telescope,) = whole["telescopes"]
    planned, left = whole["observations"], whole["left"]
    assert len(planned) >= 3
    assert len(planned) + len(left) == len(simulated[1])
    assert all(0 < row["odds"] <= 1 for row in planned)
    title, heading, *lines = run().splitlines()
    used = f"{telescope['used_hours']:.1f} of {telescope['dark_hours']:.1f} dark hours"
    assert title.strip() == f"early_snia, list {simulated[0]}, anu_2m3: {used}, exact"
    assert heading.split() == [
        "UTC",
        "object",
        "#",
        "priority",
        "mag",
        "then",
        "min",
        "airmass",
        "Moon",
        "odds",
    ]
    shown = [line.split() for line in lines[: len(planned)]]
    assert [f"{row[0]}T{row[1]}" for row in shown] == [row["begin"][:16] for row in planned]
    assert [row[2] for row in shown] == [row["object_id"] for row in planned]
    assert lines[len(planned)].strip() == f"Left out: {len(left)}"


def test_what_was_handed_in_is_not_planned_again(loop, simulated, tmp_path):
    first = json.loads(run("--json"))["observations"]
    done = first[0]["object_id"]
    file = tmp_path / "night.csv"
    observed = f"{str(simulated[0])[:4]}-{str(simulated[0])[4:6]}-{str(simulated[0])[6:]}T20:00"
    file.write_text(f"object_id,type,observed,list\n{done},SN Ia,{observed},{simulated[0]}\n")
    assert (
        import_file(loop.labels.store, loop.survey, file, rejects=tmp_path / "rejects.csv").added
        == 1
    )
    later = json.loads(run("--json"))
    assert done not in {row["object_id"] for row in later["observations"]}
    assert {row["reason"] for row in later["left"] if row["object_id"] == done} == {"taken"}


def test_several_telescopes_share_the_list(loop):
    found = json.loads(run("--telescope", "anu_2m3", "--telescope", "example_8m", "--json"))
    names = [row["object_id"] for row in found["observations"]]
    assert len(names) == len(set(names))
    assert {row["telescope"] for row in found["observations"]} == {"anu_2m3", "example_8m"}


def test_what_fills_the_night_has_no_odds(loop):
    plain = json.loads(run("--slots", "3", "--hours", "2", "--json"))
    filled = json.loads(run("--slots", "3", "--hours", "2", "--fill", "--json"))
    drawn = {row["object_id"] for row in filled["observations"] if row["odds"] is not None}
    assert drawn == {row["object_id"] for row in plain["observations"]}
    assert len(filled["observations"]) <= 3


def test_objects_cut_by_the_limit_of_a_night_end_the_odds(loop, monkeypatch):
    priorities = read_tonight(loop).rows["priority"]
    monkeypatch.setenv("FINK_AL_TARGET__FOLLOW_UP__MAX_PER_NIGHT", "2")
    (telescope,) = json.loads(run("--telescope", "example_8m", "--json"))["telescopes"]
    assert telescope["tau"] <= priorities[2]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--telescope", "keck"], "There is no telescope 'keck'; known: anu_2m3, example_4m, "),
        (["--night", "soon"], "--night is 'soon'; write YYYYMMDD or YYYY-MM-DD."),
        (["--night", "20250101"], "has no candidates; archived nights: "),
        (["--hours", "0"], "The hours are 0; give a number above 0, at most 24."),
        (["--slots", "0"], "The slots are 0; give at least 1."),
        (["--seeing", "-1"], "The seeing is -1 arcsec; give a number above 0, at most 20."),
        (["--cloud", "9"], "The cloud is 9 mag; give a number from 0 to 5: with more, close."),
        (["--from-now"], "is over: leave out --from-now, or choose a later --night."),
    ],
)
def test_errors_are_one_sentence(loop, arguments, sentence):
    with pytest.raises(FinkAlError) as error:
        run(*arguments)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_the_rest_of_the_night(loop, monkeypatch):
    whole = json.loads(run("--json"))["observations"]
    middle = whole[1]["begin_mjd"] - 1e-4
    monkeypatch.setattr("fink_al.followup.times.now", lambda: time_of(middle))
    rest = json.loads(run("--from-now", "--json"))["observations"]
    assert rest
    assert min(row["begin_mjd"] for row in rest) >= middle
