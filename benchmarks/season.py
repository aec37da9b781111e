"""A season at the telescope: labels and models an hour, by four ways of using it.

Sixty nights of real light curves with new dates and places (`season_sky.py`), two hours a night at
the ANU 2.3 m with weather and Moon (`season_telescope.py`). Each list is scored by the model of its
night, which learns from the labels two days later. All ways have the same nights, weather, hours,
first labels and luck:

    top-N              the most uncertain first, one exposure for all
    random             a random order, exposure by magnitude
    drawn              the target's draw, in order of priority, exposure by magnitude
    drawn and planned  the same by the project's plan, which chooses times

Hours that a night leaves over are kept for the next ones. An object is observed once. `cost C`
divides the weight of the draw by the expected minutes to the power C, known before the draw.
`light F` asks for F times the light of the telescope's file, or of the template. Labels, AUC and
average precision are given by the hours that were charged; the models are judged on alerts up to
the peak of objects that never teach, weighted to the stream's mix. Effective labels are those of
equal odds that would say as much about the stream (Kish 1965). Differences are paired by seed, with
intervals by Student's t.

    python benchmarks/season.py [--seeds 8] [--nights 60] [--hours 2] [--template 40] [--width 0.35]
        [--ways WAYS] [--data DIR] [--output FILE] [--picture FILE] [--check] [--quick]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from claims import judge
from season_sky import Sky, alerts_of, sky_of, tables
from season_tables import claims_of, draw, show
from season_telescope import (
    Night,
    Spectrum,
    chance,
    half_signal,
    night_of,
    one_after_another,
    planned,
    signal_mag,
    template_blocks,
    weather_of,
    within,
)

from fink_al.draws import priorities, weights
from fink_al.experiments.judge import Judge
from fink_al.features.feature_set import FeatureSet
from fink_al.followup.dark import is_observable
from fink_al.followup.exposure import minutes
from fink_al.followup.plan.magnitude import magnitude_at
from fink_al.models.estimators.estimator import Estimator, fit_estimator, predict
from fink_al.models.estimators.prior import Prior
from fink_al.settings import Settings, load_settings, load_telescope
from fink_al.strategies import strategy
from fink_al.strategies.pool import Pool
from fink_al.training.teacher import prior_of
from fink_al.training.teaching_set import read_teaching_set

_DATA = Path(__file__).parents[2] / "shared/data/labelled"
_DELAY, _JUDGE_EVERY, _MOST_KEPT_HOURS = 2, 5, 2.0
_METRICS = ("auc", "average_precision")
_SUFFIX = "_stream_like"
_NOON = 0.58  # fraction of the UT day in the middle of Siding Spring's night
Floats = npt.NDArray[np.float64]


class Way(NamedTuple):
    """A way of using the hours: order of the list, times, cost in the odds, factor on the light."""

    order: str
    times: str
    cost: float = 0.0
    light: float = 1.0


WAYS = {
    "top-N": Way("top", "template"),
    "top-N, light 0.5": Way("top", "template", 0.0, 0.5),
    "top-N, light 0.25": Way("top", "template", 0.0, 0.25),
    "top-N, by magnitude": Way("top", "sequence"),
    "random": Way("random", "sequence"),
    "drawn": Way("drawn", "sequence"),
    "drawn, cost 1": Way("drawn", "sequence", 1.0),
    "planned": Way("drawn", "plan"),
    "planned, cost 0.5": Way("drawn", "plan", 0.5),
    "planned, cost 1": Way("drawn", "plan", 1.0),
    "planned, cost 2": Way("drawn", "plan", 2.0),
    "planned in the same hours, cost 1": Way("drawn", "window", 1.0),
    "planned, light 0.25": Way("drawn", "plan", 0.0, 0.25),
    "planned, cost 1, light 0.25": Way("drawn", "plan", 1.0, 0.25),
    "random planned, cost 1, light 0.25": Way("random", "plan", 1.0, 0.25),
}
_QUICK = ("top-N", "random", "drawn", "planned", "planned, cost 1")


def main() -> None:
    """Measure, print, draw, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=_DATA, help="folder of the labelled tables")
    parser.add_argument("--seeds", type=int, default=8, help="splits of the objects, and seasons")
    parser.add_argument("--nights", type=int, default=60, help="of a season")
    parser.add_argument("--hours", type=float, default=2.0, help="of telescope a night")
    parser.add_argument("--template", type=float, default=40.0, help="light of top-N [min]")
    parser.add_argument("--width", type=float, default=0.35, help="of the chance of a type [mag]")
    parser.add_argument("--ways", help="separated by semicolons; default: all")
    parser.add_argument("--mix", help="one of the mixes; default: all")
    parser.add_argument("--output", type=Path, help="CSV of all curves")
    parser.add_argument("--picture", type=Path, help="PNG of the first mix")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="2 seeds, 6 nights, few objects")
    options = parser.parse_args()
    ways = options.ways.split(";") if options.ways else list(_QUICK if options.quick else WAYS)
    if unknown := set(ways) - set(WAYS):
        parser.error(f"--ways: unknown {', '.join(sorted(unknown))}; known: {'; '.join(WAYS)}")
    if options.picture and "top-N" not in ways:
        parser.error("--picture compares with top-N: add it to --ways")
    if options.quick:
        options.seeds, options.nights = 2, 6
    settings = load_settings(starting_set=None, test_set=None)
    claims, found = [], []
    for name, points in tables(options.data, settings, options.quick):
        if options.mix not in (None, name):
            continue
        curves = measure(name, points, settings, ways, options)
        show(name, curves, ways)
        if not options.quick:
            claims += claims_of(name, curves)
        if options.picture and not found:
            draw(options.picture, curves, ways)
        found.append(curves.assign(mix=name))
    if options.output:
        pd.concat(found).to_csv(options.output, index=False)
    judge(claims, options.check)


def measure(
    name: str, points: pd.DataFrame, settings: Settings, ways: Sequence[str],
    options: argparse.Namespace,
) -> pd.DataFrame:  # fmt: skip
    """Run all ways on all seeds of one mix; return hours, labels and metrics of their models."""
    begun = time.monotonic()
    target = settings.target
    teaching = read_teaching_set(
        settings.teaching_set, target, settings.taxonomy, survey=settings.survey
    )
    prior = prior_of(target, target.features, teaching)
    alerts = alerts_of(points, settings)
    rows = []
    for seed in range(options.seeds):
        sky = sky_of(alerts, settings, seed, options.seeds, options.nights)
        by_plan = [WAYS[way] for way in ways if WAYS[way].times != "template"]
        factors = sorted({1.0, *(way.light for way in by_plan)})
        nights = nights_of(sky, settings, factors, seed, options.nights)
        half = half_signal([night for night in nights if night], options.template, options.width)
        for way in ways:
            season = Season(way, sky, nights, settings, prior, seed, half, options)
            rows += season.run()
        listed = [len(night.rows) for night in nights if night]
        print(
            f"{name}, seed {seed}: {len(listed)} open nights, {np.mean(listed):.0f} objects a list,"
            f" half of the types at {half:+.2f} mag; {time.monotonic() - begun:.0f} s",
            file=sys.stderr, flush=True,
        )  # fmt: skip
    return pd.DataFrame(rows)


def nights_of(
    sky: Sky, settings: Settings, factors: Sequence[float], seed: int, nights: int
) -> list[Night | None]:
    """Return the nights of a season; None if the telescope is closed or nothing is listed."""
    telescope, found = load_telescope(), list[Night | None]()
    places = np.random.default_rng([seed, 30]).random(nights)
    for i in range(nights):
        day = sky.first_night + i
        weather = weather_of(seed, day)
        listed = (sky.pool.night == day) & sky.details["is_listed"].to_numpy()
        rows = np.flatnonzero(listed)
        ra, dec = sky.details.iloc[rows][["ra", "dec"]].to_numpy().T
        rows = rows[is_observable(ra, dec, telescope.site, day + 1.0)]
        if weather.evening is None or not len(rows):
            found.append(None)
            continue
        rows = rows[np.argsort(sky.details["appearance"].to_numpy()[rows])]
        some = sky.details.iloc[rows]
        names = [f"{number:06d}" for number in some["appearance"]]
        targets = some.rename(columns={"mjd": "last_mjd"}).assign(
            object_id=names, mag=sky.pool.mag[rows]
        )
        found.append(
            night_of(
                rows, targets.reset_index(drop=True), telescope, factors, weather, day + 1,
                places[i],
            )
        )  # fmt: skip
    return found


class Season:
    """One way through the nights of one seed."""

    def __init__(
        self, name: str, sky: Sky, nights: list[Night | None], settings: Settings,
        prior: Prior | None, seed: int, half: float, options: argparse.Namespace,
    ) -> None:  # fmt: skip
        self.name, self.way, self.sky, self.nights = name, WAYS[name], sky, nights
        self.target, self.prior, self.seed = settings.target, prior, seed
        self.half, self.options = half, options
        self.judge = Judge(sky.test, self.target.stream_mix, self.target.follow_up.max_magnitude)
        self.columns = FeatureSet.from_settings(self.target.features).columns(
            self.target.model.without_features
        )
        self.appearance = sky.details["appearance"].to_numpy()
        self.labelled = sky.initial.tolist()
        self.observed, self.typed = set[int](), set(sky.pool.row[sky.initial].tolist())
        self.luck = np.random.default_rng([seed, 40]).random(self.appearance.max() + 1)
        self.inverse_odds = list[float]()
        self.hours = self.kept = 0.0
        self.spectra = 0

    def run(self) -> list[dict[str, object]]:
        """Observe all nights; return what is known about the models on the way."""
        model, taught = self.fit(self.labelled), len(self.labelled)
        rows, waiting = [self.judged(0, model)], [len(self.labelled)] * _DELAY
        for i, night in enumerate(self.nights, start=1):
            if (known := waiting.pop(0)) > taught:
                model, taught = self.fit(self.labelled[:known]), known
            if night:
                self.observe(night, i, model)
            waiting.append(len(self.labelled))
            if i % _JUDGE_EVERY == 0 or i == len(self.nights):
                rows.append(self.judged(i, self.fit(self.labelled)))
        return rows

    def fit(self, labelled: Sequence[int]) -> Estimator:
        """Fit the target's model to labels, and to the earlier alerts of their objects."""
        pool, rows = self.sky.pool, np.array(labelled, np.int64)
        until = np.full(len(self.luck), np.iinfo(np.int64).min)
        until[self.appearance[rows]] = pool.night[rows]
        earlier = np.flatnonzero(pool.night < until[self.appearance])
        use = np.concatenate([rows, earlier]) if self.target.model.learns_earlier_alerts else rows
        return fit_estimator(
            self.target.model, pool.values[use], pool.positive[use], pool.row[use], self.prior,
            threads=1, columns=self.columns,
        )  # fmt: skip

    def observe(self, night: Night, i: int, model: Estimator) -> None:
        """Take the night's list as far as the hours reach."""
        pool = self.sky.pool
        of_row = zip(self.appearance[night.rows], pool.row[night.rows], strict=True)
        open_ = np.array([a not in self.observed and row not in self.typed for a, row in of_row])
        hours = self.options.hours + self.kept
        taken = self.take(night, np.flatnonzero(open_), i, model, hours)
        used = sum(each.minutes for each in taken) / 60
        self.kept = min(hours - used, _MOST_KEPT_HOURS)
        self.hours += used
        self.spectra += len(taken)
        for each in taken:
            row = night.rows[each.target]
            appearance = self.appearance[row]
            self.observed.add(int(appearance))
            of_type = chance(signal_mag(night, each), self.half, self.options.width)
            if self.luck[appearance] < of_type and pool.row[row] not in self.typed:
                self.typed.add(int(pool.row[row]))
                self.labelled.append(int(row))
                self.inverse_odds.append(1 / each.odds)

    def take(
        self, night: Night, open_: npt.NDArray[np.int64], i: int, model: Estimator, hours: float
    ) -> list[Spectrum]:
        """Order the open objects of a list and give them times."""
        way, n = self.way, len(night.rows)
        u = np.random.default_rng([self.seed, i, 50]).random(n)
        pi, priority = np.full(n, np.nan), np.full(n, np.nan)
        p = predict(model, self.sky.pool.values[night.rows[open_]])
        order = "random" if way.order == "random" else self.target.strategy
        scores = strategy(order)(Pool(p=p, uniform=u[open_]))
        if way.order == "top":
            ranked = open_[np.lexsort((u[open_], -scores))].tolist()
        else:
            draw = self.target.draw
            mean = max(float((scores**draw.exponent).mean()), 1e-12) if len(scores) else 1.0
            cost = minutes(self.expected(night), self.target.follow_up.exposure)[open_]
            pi[open_] = weights(scores, mean, draw) / (cost / 60) ** way.cost
            priority[open_] = priorities(u[open_], pi[open_])
            ranked = open_[np.argsort(priority[open_])].tolist()
        first = night.first_step(hours)
        if way.times == "template":
            found = template_blocks(night, way.light * self.options.template)
            return one_after_another(ranked, found, night.conditions[1.0].telescope, first, hours)
        now = night.conditions[way.light]
        if way.times == "plan":
            return planned(ranked, night, now, pi, priority, hours)
        if way.times == "window":
            return planned(ranked, night, within(now, first, hours), pi, priority, hours)
        return one_after_another(ranked, now.blocks, now.telescope, first, hours)

    def expected(self, night: Night) -> Floats:
        """Magnitudes in the middle of the next night, as far as alerts tell."""
        names = ("last_mjd", "mag", "mag_err", "trend_mag_per_day", "trend_err")
        columns = (night.targets[name].to_numpy(float) for name in names)
        middle = np.floor(night.conditions[1.0].sky.mjd[:1]) + _NOON
        return magnitude_at(middle, *columns)[0][:, 0]

    def judged(self, night: int, model: Estimator) -> dict[str, object]:
        """State after `night`, and metrics of the model that knows all of its labels."""
        metrics = self.judge.metrics(predict(model, self.sky.test.values))
        positive = self.sky.pool.positive[self.labelled]
        inverse = np.array(self.inverse_odds)
        return {
            "way": self.name,
            "seed": self.seed,
            "night": night,
            "hours": self.hours,
            "spectra": self.spectra,
            "labels": len(self.labelled) - len(self.sky.initial),
            "positive_labels": int(positive.sum()),
            "effective": inverse.sum() ** 2 / (inverse**2).sum() if len(inverse) else 0.0,
            **{name: metrics[name + _SUFFIX] for name in _METRICS},
        }


if __name__ == "__main__":
    main()
