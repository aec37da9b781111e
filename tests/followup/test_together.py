"""Lists of several targets as one: each object once, in turns, and no gap in any of them."""

import csv
import io

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from joint_lists import NAMES, joint_config

from fink_al.cli.candidates import candidates as command
from fink_al.errors import FinkAlError, SettingsError
from fink_al.followup.together import together
from fink_al.followup.tonight import candidates
from fink_al.loops import Loops


@pytest.fixture
def config(tmp_path):
    return joint_config(tmp_path)


@pytest.fixture
def loops(config):
    return Loops.open(config, environment={}).running


def test_an_object_of_two_lists_is_one_row(loops):
    day, rows = together(loops)
    assert rows["object_id"].is_unique
    lists = {loop.target.name: candidates(loop, day)[1] for loop in loops[:2]}
    assert set(rows["object_id"]) == set(pd.concat(lists.values())["object_id"])
    for name, own_rows in lists.items():
        ranks = own_rows.set_index("object_id")["rank"]
        is_in = rows["targets"].str.split().map(lambda names, name=name: name in names)
        assert is_in.sum() == len(own_rows)
        found = rows[is_in].set_index("object_id")[f"{name}_rank"]
        assert found.astype(int).to_dict() == ranks.to_dict()
        assert rows[~is_in][f"{name}_p"].isna().all()
    both = set.intersection(*(set(of["object_id"]) for of in lists.values()))
    assert (rows["targets"] == "early_snia mine").sum() == len(both) > 1
    assert "third_rank" not in rows


@pytest.mark.parametrize("shares", [{}, {"mine": 3.0}, {"early_snia": 5.0}])
def test_turns_follow_the_shares_and_leave_no_gap(loops, shares):
    _, rows = together(loops, shares=shares)
    for n in (1, 4, 8, 12):
        taken = rows.head(n)
        parts = {}
        for name in NAMES[:2]:
            ranks = sorted(taken[f"{name}_rank"].dropna().astype(int))
            whole = sorted(rows[f"{name}_rank"].dropna().astype(int))
            gap = next((i for i, (a, b) in enumerate(zip(ranks, whole, strict=False)) if a != b),
                       len(ranks))  # fmt: skip
            parts[name] = gap
        total = sum({name: shares.get(name, 1.0) for name in NAMES[:2]}.values())
        for name, first in parts.items():
            most = rows[f"{name}_rank"].notna().sum()
            assert first >= min(most, int(n * shares.get(name, 1.0) / total))


def test_without_any_candidates_it_says_so(loops):
    with pytest.raises(FinkAlError, match="night 20200101 has no candidates"):
        together(loops, 20200101)


def test_the_command_shows_all_targets_unless_one_is_named(config, monkeypatch):
    monkeypatch.delenv("FINK_AL_TARGET", raising=False)

    def run(*arguments):
        given = ["--config", str(config), *arguments]
        return CliRunner().invoke(command, given, catch_exceptions=False).output

    shown = run("--top", "5")
    assert shown.splitlines()[0].strip().startswith("early_snia, mine, list 2026")
    _, rows = together(Loops.open(config, environment={}).running, shares={"mine": 3})
    assert [line.split()[1] for line in shown.splitlines()[2:7]] == rows["object_id"].tolist()[:5]
    first, *table = csv.reader(io.StringIO(run("--format", "csv")))
    assert first == list(rows.columns)
    assert len(table) == min(30, len(rows))
    form = list(csv.DictReader(io.StringIO(run("--format", "form", "--top", "2"))))
    assert [row["object_id"] for row in form] == rows["object_id"].tolist()[:2]
    assert form[0]["type"] == ""
    monkeypatch.setenv("FINK_AL_TARGET", "mine")
    assert run("--top", "1").splitlines()[0].strip().startswith("mine, list 2026")


def test_shares_are_of_the_targets(config):
    values = yaml.safe_load(config.read_text()) | {"shares": {"nobody": 1}}
    config.write_text(yaml.safe_dump(values))
    with pytest.raises(
        SettingsError, match="shares: nobody: none of targets, which are early_snia"
    ):
        Loops.open(config, environment={})
