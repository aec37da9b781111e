"""Plans of lists made here: all limits kept, order kept, and odds that are true."""

import numpy as np
import pandas as pd
import pytest

from fink_al.draws import priorities
from fink_al.errors import FinkAlError, SettingsError
from fink_al.followup.plan.conditions import conditions
from fink_al.followup.plan.exposure import Weather
from fink_al.followup.plan.geometry import geometry
from fink_al.followup.plan.plan import (
    BEHIND,
    LEFT,
    NO_ROOM,
    PLAN,
    TAKEN,
    PlanLimits,
    make_plan,
    plan_of,
)
from fink_al.settings import load_telescope

BEGIN = 61051.0  # the list of 2026-01-10 closes
ANU, LCO, FOUR = (load_telescope(name) for name in ("anu_2m3", "lco_2m", "example_4m"))


def listed(n, seed=1, draw=1):
    """Objects of a list in order of priority."""
    rng = np.random.default_rng(seed)
    ids = [f"object {i:03}" for i in range(n)]
    pi = rng.uniform(0.2, 2, n)
    rows = pd.DataFrame(
        {
            "object_id": ids,
            "ra": rng.uniform(20, 260, n),
            "dec": rng.uniform(-70, 20, n),
            "mag": rng.uniform(17.5, 19.8, n),
            "mag_err": 0.1,
            "last_mjd": BEGIN - rng.uniform(0, 1, n),
            "trend_mag_per_day": np.where(rng.random(n) < 0.5, rng.normal(0, 0.2, n), np.nan),
            "trend_err": 0.1,
            "list": 20260110,
            "pi": pi,
        }
    )
    u = np.random.default_rng(draw).random(n)
    return ranked(rows.assign(priority=priorities(u, pi)))


def ranked(rows):
    rows = rows.sort_values("priority", ignore_index=True)
    return rows.assign(rank=rows.index + 1)


def check(plan, rows, telescopes, chosen):
    """Assert all that every plan keeps."""
    assert list(plan.observations.columns) == PLAN
    assert list(plan.left.columns) == LEFT
    both = [*plan.observations["object_id"], *plan.left["object_id"]]
    assert sorted(both) == sorted(rows["object_id"])
    for telescope in telescopes:
        mine = plan.observations[plan.observations["telescope"] == telescope.name]
        begin, end = mine["begin_mjd"].to_numpy(), (mine["begin_mjd"] + mine["minutes"] / 1440)
        assert (begin[1:] > end.to_numpy()[:-1] - 1e-6).all()
        (row,) = plan.telescopes[plan.telescopes["telescope"] == telescope.name].to_dict("records")
        assert row["used_hours"] == pytest.approx(mine["minutes"].sum() / 60)
        assert row["used_hours"] <= min(chosen.hours or np.inf, row["dark_hours"]) + 1e-9
        if chosen.slots:
            assert len(mine) <= chosen.slots
        for one in mine.to_dict("records"):
            within_limits(telescope, one)
        # Drawn ones stand above the first that does not fit, the others below.
        first = plan.left[
            (plan.left["telescope"] == telescope.name) & (plan.left["reason"] == NO_ROOM)
        ]
        drawn = mine["odds"].notna()
        if len(first):
            assert row["tau"] == first["priority"].iloc[0]
            assert (mine["priority"] < row["tau"]).equals(drawn)
            behind = plan.left[
                (plan.left["telescope"] == telescope.name)
                & (plan.left["reason"] == "behind_the_first")
            ]
            assert (behind["priority"] > row["tau"]).all()
        odds = np.minimum(1, mine["pi"] * row["tau"])
        assert mine["odds"][drawn].to_numpy() == pytest.approx(odds[drawn].to_numpy())
        assert chosen.fill or drawn.all()


def within_limits(telescope, one):
    mjd = one["begin_mjd"] + (np.arange(one["minutes"]) + 0.5) / 1440  # every minute
    seen = geometry(telescope.site, np.array([one["ra"]]), np.array([one["dec"]]), mjd)
    limits = telescope.limits
    assert (seen.sun_altitude_deg < limits.sun_below_deg + 0.6).all()  # half a step
    assert (seen.altitude_deg > limits.min_altitude_deg - 0.6).all()
    assert (seen.airmass < limits.max_airmass + 0.05).all()
    up = seen.moon_altitude_deg > 0.6
    assert (seen.moon_distance_deg[0][up] > limits.min_moon_distance_deg - 0.1).all()
    overheads = one["minutes"] - one["light_min"]
    assert overheads >= telescope.overheads.acquire_min + telescope.overheads.readout_min - 1e-6
    assert telescope.spectrum.shortest_min - 1e-6 <= one["light_min"]


@pytest.mark.parametrize("method", ["exact", "heuristic"])
@pytest.mark.parametrize("limits", [{}, {"hours": 3.0}, {"slots": 4}, {"fill": True}])
def test_every_plan_keeps_its_limits(method, limits):
    rows, telescopes = listed(24), [ANU, FOUR]
    chosen = PlanLimits(method=method, **limits)
    plan = make_plan(rows, telescopes, BEGIN, chosen)
    check(plan, rows, telescopes, chosen)
    assert len(plan.observations) >= 4


def test_a_long_list_fills_three_telescopes():
    rows, telescopes = listed(200), [ANU, LCO, FOUR]
    chosen = PlanLimits(fill=True)
    plan = make_plan(rows, telescopes, BEGIN, chosen)
    check(plan, rows, telescopes, chosen)
    assert set(plan.telescopes["method"]) == {"heuristic"}
    assert (plan.telescopes["used_hours"] > 0.8 * plan.telescopes["dark_hours"]).all()
    assert plan.observations["odds"].isna().any()


def test_odds_are_true():
    """Totals over the objects that can be taken follow from those planned, over many draws."""
    base = listed(60).sort_values("object_id", ignore_index=True)
    telescopes = [ANU, FOUR]
    chosen = PlanLimits(method="heuristic")
    nights = [conditions(one, base, BEGIN, chosen.weather) for one in telescopes]
    everything = plan_of(base, nights, chosen)
    impossible = everything.left[everything.left["telescope"].isna()]["object_id"]
    can = base[~base["object_id"].isin(impossible)]
    value = np.random.default_rng(5).uniform(0, 1, 60)
    of = dict(zip(base["object_id"], value + (base["mag"] < 18.7), strict=True))
    truth = sum(of[name] for name in can["object_id"])
    found = []
    for draw in range(400):
        u = np.random.default_rng([7, draw]).random(len(base))
        rows = ranked(base.assign(priority=priorities(u, base["pi"].to_numpy())))
        rows = rows.sort_values("object_id", ignore_index=True)
        planned = plan_of(rows, nights, chosen).observations
        values = planned["object_id"].map(of).to_numpy()
        found.append((values / planned["odds"].to_numpy()).sum())
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - truth) < 3 * error
    assert error < 0.03 * truth


def test_the_night_goes_on():
    rows = listed(40)
    first = make_plan(rows, [ANU], BEGIN, PlanLimits())
    done = first.observations["object_id"].iloc[:2].tolist()
    now = first.observations["begin_mjd"].iloc[2]
    later = make_plan(rows, [ANU], BEGIN, PlanLimits(since_mjd=now), taken=done)
    assert later.observations["begin_mjd"].min() >= now - 1e-6
    assert not set(done) & set(later.observations["object_id"])
    assert (later.left.set_index("object_id").loc[done, "reason"] == TAKEN).all()
    # What was planned for the rest of the night still fits.
    assert later.telescopes["tau"].iloc[0] >= first.telescopes["tau"].iloc[0]
    with pytest.raises(FinkAlError, match=r"^The night of anu_2m3 is over: leave out --from-now"):
        make_plan(rows, [ANU], BEGIN, PlanLimits(since_mjd=BEGIN + 0.99))


def test_cloud_and_seeing_cost_time():
    rows = listed(40)
    clear = make_plan(rows, [ANU], BEGIN, PlanLimits())
    poor = make_plan(rows, [ANU], BEGIN, PlanLimits(weather=Weather(3.0, 0.5)))
    assert len(poor.observations) < len(clear.observations)
    assert (poor.left["reason"] == "too_faint").sum() > (clear.left["reason"] == "too_faint").sum()


def test_why_an_object_is_left_out():
    rows = listed(6).assign(ra=[90.0] * 6, dec=-30.0, mag=18.0, trend_mag_per_day=np.nan)
    rows.loc[0, "mag"] = np.nan
    rows.loc[1, "dec"] = 80.0
    rows.loc[2, "mag"] = 22.0
    rows.loc[3, "ra"] = np.nan
    plan = make_plan(rows, [ANU], BEGIN, PlanLimits(slots=1))
    assert plan.observations["rank"].tolist() == [5]
    assert plan.left[["rank", "reason"]].values.tolist() == [
        [1, "no_magnitude"],
        [2, "not_visible"],
        [3, "too_faint"],
        [4, "not_visible"],
        [6, BEHIND],
    ]


def test_the_moon_keeps_what_is_near_it_out():
    night = BEGIN - 7  # the Moon is full on 2026-01-03, and in Gemini
    seen = geometry(ANU.site, np.zeros(0), np.zeros(0), np.array([night + 0.58]))
    assert seen.moon_illuminated[0] > 0.95
    ra = np.arange(0, 360, 3.0)
    rows = listed(len(ra)).assign(ra=ra, dec=20.0, mag=17.0, last_mjd=night)
    plan = make_plan(rows, [ANU], night, PlanLimits())
    near = set(plan.left[plan.left["reason"] == "moon_too_near"]["object_id"])
    where = rows[rows["object_id"].isin(near)]
    distances = geometry(
        ANU.site, where["ra"].to_numpy(), where["dec"].to_numpy(), np.array([night + 0.58])
    ).moon_distance_deg
    assert len(near) > 5
    assert distances.max() < ANU.limits.min_moon_distance_deg + 5  # it moves during the night


def test_a_night_without_lists_has_no_odds():
    rows = listed(10).assign(pi=np.nan, priority=np.nan)
    plan = make_plan(rows, [ANU], BEGIN, PlanLimits())
    assert len(plan.observations) > 2
    assert plan.observations["odds"].isna().all()
    assert plan.telescopes["tau"].isna().all()


def test_objects_that_were_not_published_end_the_odds():
    rows = listed(10)
    most = rows["priority"].iloc[1]
    plan = make_plan(rows, [FOUR], BEGIN, PlanLimits(), most_tau=most)
    assert plan.observations["odds"].notna().sum() <= 1
    assert plan.telescopes["tau"].tolist() == [most]


def test_a_day_without_night():
    north = ANU.model_copy(
        update={"site": ANU.site.model_copy(update={"name": "North", "latitude_deg": 75.0})}
    )
    with pytest.raises(FinkAlError) as error:
        make_plan(listed(3), [north], 61212.0, PlanLimits())
    assert str(error.value) == (
        "At North the Sun stays above -18 deg for a day after MJD 61212.00: "
        "leave out telescope anu_2m3."
    )


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"hours": 0}, "The hours are 0; give a number above 0, at most 24."),
        ({"hours": 25}, "The hours are 25; give a number above 0, at most 24."),
        ({"slots": 0}, "The slots are 0; give at least 1."),
        ({"hours": 0.05}, "0.05 h of anu_2m3 hold no block; the shortest takes 0.25 h: give more "
         "hours."),
    ],
)  # fmt: skip
def test_an_impossible_budget(limits, sentence):
    with pytest.raises((FinkAlError, SettingsError)) as error:
        make_plan(listed(20), [ANU], BEGIN, PlanLimits(**limits))
    assert str(error.value) == sentence


def test_odds_stay_true_for_a_telescope_that_is_added_later():
    """The second shares what the first could not take, whatever was drawn."""
    base = listed(60).sort_values("object_id", ignore_index=True)
    chosen = PlanLimits(method="heuristic")
    first, second = (conditions(one, base, BEGIN, chosen.weather) for one in (ANU, FOUR))
    rng, totals, expected = np.random.default_rng(6), [], set()
    for _ in range(120):
        u = rng.random(60)
        rows = base.assign(priority=u / base["pi"])
        rows["rank"] = rows["priority"].rank().astype(int)
        early = plan_of(rows, [first], chosen)
        left = early.left[early.left["telescope"] == "anu_2m3"]["object_id"]
        owned = dict.fromkeys([*early.observations["object_id"], *left], "anu_2m3")
        late = plan_of(rows, [second], chosen, owners=owned)
        assert owned.keys().isdisjoint(late.observations["object_id"])
        reasons = late.left.set_index("object_id").loc[list(owned), "reason"]
        assert set(reasons) == {"at_other_telescope"}
        totals.append((1 / late.observations["odds"]).sum())
        theirs = set(late.observations["object_id"])
        theirs |= set(late.left[late.left["telescope"] == "example_4m"]["object_id"])
        expected.add(len(theirs))
    (number,) = expected
    assert number > 5
    assert abs(np.mean(totals) - number) < 4 * np.std(totals) / np.sqrt(len(totals))
