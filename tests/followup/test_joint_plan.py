"""One plan and one request for several targets, and what each target learns of it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from joint_lists import NAMES, joint_config

from fink_al.cli.plan import plan as plan_command
from fink_al.cli.requests import requests as requests_command
from fink_al.demo import telescope
from fink_al.demo.oracle import Oracle
from fink_al.errors import FinkAlError
from fink_al.followup import times
from fink_al.followup.known_types import KnownTypes
from fink_al.followup.plan.plan import DRAW, PlanLimits
from fink_al.followup.plan.tonight import plan_together, plan_tonight
from fink_al.followup.records import records_of
from fink_al.followup.submit import submit
from fink_al.labels.label import Label
from fink_al.loops import Loops
from fink_al.requests.record import Record
from fink_al.requests.spectra import spectra_of
from fink_al.requests.store import RequestStore
from fink_al.settings import load_telescope
from fink_al.training.drawn import write_drawn

ANU, TWO = load_telescope(), NAMES[:2]
LIMITS = PlanLimits(method="heuristic", slots=6)


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.delenv("FINK_AL_TARGET", raising=False)
    return joint_config(tmp_path)


@pytest.fixture
def loops(config):
    running = Loops.open(config, environment={}).running
    running[0].labels.store.make()
    return running


def planned_records(loops, tonight):
    return records_of(loops[0], tonight, tonight.closes)


def test_an_object_of_two_lists_is_planned_once_with_odds_of_each_turn(loops):
    tonight = plan_together(loops, [ANU], LIMITS, shares={"mine": 1.5})
    assert tonight.targets == TWO
    rows = tonight.plan.observations
    assert rows["object_id"].is_unique
    assert set(rows["object_id"]) | set(tonight.plan.left["object_id"]) == set(
        tonight.rows["object_id"]
    )
    (night,) = tonight.plan.telescopes.to_dict("records")
    for name in TWO:
        listed = rows["targets"].str.split().map(lambda names, name=name: name in names)
        priority, odds = rows[f"{name}_priority"], rows[f"{name}_odds"]
        is_drawn = priority < night[f"{name}_tau"]
        expected = np.minimum(1, rows[f"{name}_pi"] * night[f"{name}_tau"]).where(is_drawn)
        np.testing.assert_allclose(odds.astype(float), expected.astype(float))
        assert not odds[~listed].notna().any()
    assert rows[[f"{name}_odds" for name in TWO]].notna().any(axis=1).all()
    assert (rows["targets"] == " ".join(TWO)).any()


def test_a_joint_plan_of_one_list_is_that_of_its_target(loops):
    alone = plan_tonight(loops[1], [ANU], LIMITS)
    joint = plan_together([loops[1]], [ANU], LIMITS)
    own, same = alone.plan.observations, joint.plan.observations
    for column in ("object_id", "begin_mjd", "rank"):
        assert own[column].tolist() == same[column].tolist()
    for column in DRAW:
        assert own[column].tolist() == same[f"mine_{column}"].tolist()
    assert alone.plan.telescopes["tau"].tolist() == joint.plan.telescopes["mine_tau"].tolist()
    assert alone.plan.left["reason"].tolist() == joint.plan.left["reason"].tolist()


def test_lists_with_the_same_random_numbers_are_refused(tmp_path):
    running = Loops.open(joint_config(tmp_path, same_draws=True), environment={}).running
    with pytest.raises(FinkAlError, match="plan this night with --target"):
        plan_together(running, [ANU], LIMITS)


def test_targets_that_are_like_each_other_draw_by_numbers_of_their_own(loops):
    assert len({loop.target.follow_up.seed for loop in loops}) == len(NAMES)


def test_each_target_learns_of_a_joint_night_what_its_draw_accounts_for(loops, monkeypatch):
    monkeypatch.setattr(telescope, "announce", lambda *record: None)
    lists = plan_together(loops, [ANU], LIMITS).rows
    truth = pd.DataFrame({"object_id": lists["object_id"], "type": "SN Ia"})
    oracle = Oracle(truth, loops[0].target.follow_up.exposure, 1)
    with telescope.JointTelescope(loops, oracle, 4, 1) as ours:
        observed = ours.observe(int(lists["list"][0]))
        states = ours.states()
    records = list(loops[0].requests.current().values())
    spectra = [r for r in records if r.observed is not None and r.asked_with is None]
    assert observed.spectra == len({r.object_id for r in spectra}) == len(spectra)
    assert set(states) <= {"drawn", "classified", "failed", "withdrawn", "expired"}
    followers = [r for r in records if r.asked_with is not None]
    assert followers
    for one in followers:
        leader = loops[0].requests.current()[one.asked_with]
        assert (one.state, one.type, one.object_id) == (leader.state, leader.type, leader.object_id)
        assert one.target != leader.target
    unasked = drawn = 0
    for loop in loops[:2]:
        name = loop.target.name
        table = write_drawn(loop, lambda line: None)
        mine = sorted((r for r in records if r.target == name), key=lambda r: r.priority)
        # As far as there is no gap, by the states of the target's own requests.
        part = [r for r in mine if r.telescope]
        settled = [r.is_taken and r.type is not None and r.odds is not None for r in part]
        until = [*settled, False].index(False)
        assert set(table["object_id"].to_pylist()) == {r.object_id for r in part[:until]}
        if until < len(part):
            np.testing.assert_allclose(table["tau"].to_numpy(), part[until].priority)
        drawn += len(table)
        seen = {r.object_id for r in spectra}
        unasked += sum(r.object_id in seen and r.odds is None for r in mine)
    assert drawn > 2
    assert unasked  # observed for the other target, behind this one's last turn


def test_commands_show_targets_side_by_side(config, loops):
    def run(command, *arguments):
        done = CliRunner().invoke(command, [*arguments, "--config", str(config)])
        assert done.exit_code == 0, done.output
        return done.output

    shown = run(plan_command, "--method", "heuristic", "--slots", "5")
    assert "early_snia, mine, list 2026" in shown
    assert "By target: rank in its own list, and odds" in shown
    page = config.with_name("page.html")
    run(plan_command, "--method", "heuristic", "--slots", "5", "--page", str(page))
    assert "mine: place" in page.read_text("utf-8")
    shares = loops[0].settings.shares
    tonight = plan_together(loops, [ANU], PlanLimits(method="heuristic", slots=5), shares=shares)
    submitted = planned_records(loops, tonight)
    loops[0].requests.change(lambda current: submitted)
    listed = run(requests_command, "list")
    assert "targets" in listed
    both = next(r for r in submitted if r.asked_with is not None)
    assert f"asked for with {both.asked_with}" in run(requests_command, "show", both.request_id)
    cancelled = run(requests_command, "cancel", both.request_id)
    assert cancelled.splitlines()[-1] == f"{both.asked_with}: withdrawn."
    current = loops[0].requests.current()
    assert current[both.request_id].state == "withdrawn"


def test_a_list_is_sent_in_one_way(loops):
    joint = plan_together(loops, [ANU], LIMITS)
    sent = [replace(r, sent=joint.closes) for r in planned_records(loops, joint) if r.begins]
    loops[0].requests.change(lambda current: sent)
    alone = plan_tonight(loops[1], [ANU], LIMITS)
    with pytest.raises(FinkAlError, match="plan and submit it as before, without --target"):
        list(submit(loops[1], alone, [ANU], {}, times.now))
    again = plan_together(loops, [ANU], LIMITS)
    assert list(submit(loops[0], again, [], {}, times.now)) == []


def test_the_request_of_any_target_is_evidence_for_the_spectrum(loops):
    joint = plan_together(loops, [ANU], LIMITS)
    records = planned_records(loops, joint)
    follower = next(r for r in records if r.asked_with is not None)
    leader = next(r for r in records if r.request_id == follower.asked_with)
    label = Label(
        follower.object_id, "SN II", "spectrum", joint.closes, joint.closes,
        evidence=follower.request_id,
    )  # fmt: skip
    loops[0].labels.store.add([label])
    assert KnownTypes(loops[0].labels).of(leader).is_ours


def test_a_spectrum_of_several_targets_is_one_row(loops):
    tonight = plan_together(loops, [ANU], LIMITS)
    records = planned_records(loops, tonight)
    rows = spectra_of(records)
    counts = Counter((r.list, r.object_id) for r, _ in rows)
    assert set(counts.values()) == {1}
    assert sum(len(of) for _, of in rows) == len(records)


def test_who_follows_a_request_changes_with_it(tmp_path, loops):
    tonight = plan_together(loops, [ANU], LIMITS)
    records = planned_records(loops, tonight)
    store = RequestStore(tmp_path / "others")
    store.change(lambda current: records)
    follower = next(r for r in records if r.asked_with is not None)
    leader = next(r for r in records if r.request_id == follower.asked_with)

    def observe(current: dict[str, Record]) -> list[Record]:
        return [current[leader.request_id].now("observed", tonight.closes, observed=tonight.closes)]

    store.change(observe)
    now = RequestStore(tmp_path / "others").current()[follower.request_id]
    assert (now.state, now.observed) == ("observed", tonight.closes)
    assert (now.odds, now.tau, now.rank) == (follower.odds, follower.tau, follower.rank)
