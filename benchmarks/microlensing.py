"""Recall of simulated and real microlensing at fixed false alarms, with 95% intervals.

The package's boosted trees learn from simulated alerts and judge others, of other objects: once
with the light curve alone, then with the nearest sources in catalogue and reference image, with a
memory of the year before, and with the survey's own count of detections. The target's first model,
of its starting set alone, judges them, too, and so does a random forest of the same. A threshold is
the highest score of so many simulated non-events. False alarms are counted per alert: each
non-event is seen once, at a random one of its detections. An event gets a score at each of its
detections; it counts from the first that passes. Most non-events that teach are those that the
memory hardly knows, as they are the difficult ones; they weigh as much less.

Shares of the kinds are round numbers. As Be stars score highest, the target is also measured on a
sky with a tenth of them.

With --real, real light curves with a common treatment: each event is paired with a variable star.
Both get the same times, errors that are the larger of the two, and the same magnitude. Their forest
learns from simulated objects observed like these.

    python benchmarks/microlensing.py [--survey lsst] [--events 2000] [--non-events 200000]
        [--check 200000] [--train 10000] [--full] [--real FILE] [--planets 600] [--trees 200]
        [--seed 1] [--quick]

--full is a million non-events for the thresholds, in parts of bounded size: about an hour, one line
of progress a part.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import pairwise
from pathlib import Path

import microlensing_lists
import microlensing_real
import numpy as np
import pyarrow.parquet as pq
from microlensing_model import WAYS, boosted, share
from microlensing_surveys import WATCHES, Watch

from fink_al.alerts import light_curves
from fink_al.features.feature_set import FeatureSet
from fink_al.features.microlensing.lens import PointLens
from fink_al.models.estimators.estimator import Estimator, fit_estimator, predict
from fink_al.settings import load_settings
from fink_al.simulation.lens_alerts import (
    EVENT,
    PLANET,
    Sky,
    detected,
    packets_at,
    random_detections,
    simulate_sky,
)
from fink_al.simulation.lenses import half_of_rise_mjd

#: Times at which an event is looked at, in Einstein times before the peak.
TIMES = (-2.0, -1.5, -1.0, -0.75, -0.5, -0.25, 0.0, 0.5)
RATES = (1e-2, 1e-3, 1e-4, 1e-5)
RISES = (0.0, 0.1, 0.2, 0.4, 0.8, 9.0)
_BATCH, _HISTORY = 5_000, 30.0
_FULL = 1_000_000
#: Alerts of an object that teach; non-events for each event that do.
_TEACHING_ALERTS, _OTHERS = 4, 15
#: Epochs below which an object is hardly known, and share of the others that teach.
_HARDLY_KNOWN, _KNOWN_SHARE = 20, 0.12
#: Weight of the non-events, in that of the events: high scores must be rare.
_AGAINST = 10.0
#: Target: recall of events of this baseline before half of the rise, and false alarms at which.
TARGET_RECALL, TARGET_RATE = 0.80, 1e-5
#: Kind that scores highest, and the share of it on a milder sky.
HARDEST, FEWER = "Be star", 0.1

#: The target's first model, which the package's starting set teaches, and a forest in its place.
FIRST, FOREST = "starting set", "starting set, random forest"

Models = dict[str, tuple[Estimator, np.ndarray]]
Scores = dict[str, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--survey", choices=WATCHES, default="ztf")
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--non-events", type=int, default=200_000)
    parser.add_argument("--check", type=int, default=200_000, help="others that check rates")
    parser.add_argument("--train", type=int, default=10_000, help="events that teach")
    parser.add_argument("--full", action="store_true", help="a million non-events")
    parser.add_argument("--real", type=Path)
    parser.add_argument("--planets", type=int, help="stars with a planet; needs VBMicrolensing")
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="few objects and trees")
    options = parser.parse_args()
    if options.quick:
        options.events, options.non_events, options.trees, options.train = 200, 2000, 40, 200
        options.check = 1000
    if options.full:
        options.non_events = _FULL
    watch = WATCHES[options.survey]
    since = time.perf_counter()
    models = fitted(watch, options.train, options.trees, options.seed)
    models |= first_models(watch)
    print(f"five boosters of {options.trees} trees, up to {len(watch.features.names)} features, "
          f"{options.train} events and {_OTHERS * options.train} non-events, up to "
          f"{_TEACHING_ALERTS} alerts of each: {time.perf_counter() - since:.0f} s")  # fmt: skip
    scores, kinds = non_events(models, watch, options.non_events, options.seed + 1000)
    thresholds = {way: of_rates(scores[way]) for way in models}
    fewer = np.where(kinds == HARDEST, FEWER, 1.0)
    milder = {way: of_rates(scores[way], fewer) for way in models}
    for way in models:
        print(f"\n{len(kinds)} alerts of non-events, {way}; highest scores by kind:")
        for kind in sorted(set(kinds)):
            these = scores[way][kinds == kind]
            print(f"  {kind:12} {len(these):7}  99.9% below {np.quantile(these, 0.999):.3f}, "
                  f"highest {these.max():.3f}")  # fmt: skip
    events(models, watch, thresholds, milder, options.events, options.seed + 2000)
    rising = watch.sky(options.events, EVENT, options.seed + 3000)
    rows = random_detections(
        rising.curves, np.random.default_rng(options.seed), _HISTORY + watch.past_days, 1,
        rising.truth["peak_mjd"].to_numpy(),
    )  # fmt: skip
    first = {FIRST: models[FIRST]}
    found = score(first, watch.features.extract(packets_at(rising, rows)).values)[FIRST]
    microlensing_lists.report(scores[FIRST], found)
    if options.planets:
        planets(watch, options.planets)
    check_rates(models, watch, thresholds, options)
    if options.real:
        microlensing_real.report(options.real, options.trees, options.seed, options.quick)


def fitted(watch: Watch, n: int, trees: int, seed: int) -> Models:
    """Boosted trees that have learned from `n` events and more non-events, by way.

    Alerts of an object are drawn at random; those of events are up to the peak.
    """
    values, weights, objects, positive = [], [], [], []
    count = 0
    for kind, number, first in ((EVENT, n, 0), (None, _OTHERS * n, 500)):
        for i in range(0, number, _BATCH):
            one_seed = 1000 * seed + first + i // _BATCH
            sky = watch.sky(min(_BATCH, number - i), kind, one_seed)
            rng = np.random.default_rng(one_seed)
            end = sky.truth["peak_mjd"].to_numpy() if kind == EVENT else None
            since = _HISTORY + watch.past_days
            rows = random_detections(sky.curves, rng, since, _TEACHING_ALERTS, end)
            alerts = packets_at(sky, rows)
            epochs = sum(alerts.context_column(f"past_n_{band}") for band in watch.stars.bands)
            known = (epochs >= _HARDLY_KNOWN) & (kind is None)
            taken = ~known | (rng.random(len(rows)) < _KNOWN_SHARE)
            owner = sky.curves.alert_of_point()[rows]
            each = 1 / np.bincount(owner)[owner]
            values.append(watch.features.extract(alerts.select(taken)).values.astype(np.float32))
            weights.append((np.where(known, 1 / _KNOWN_SHARE, 1.0) * each)[taken])
            objects.append(owner[taken] + count)
            positive.append(np.full(taken.sum(), kind == EVENT))
            count += len(sky.truth)
            print(f"\r{count} of {n * (1 + _OTHERS)} objects that teach", end="", file=sys.stderr)
    print(file=sys.stderr)
    matrix, weight, truth = np.vstack(values), np.concatenate(weights), np.concatenate(positive)
    _, own = np.unique(np.concatenate(objects), return_inverse=True)
    ways = {way: watch.features.columns(without) for way, without in WAYS.items()}
    return {
        way: (boosted(matrix[:, c], truth, own, weight, trees, seed, _AGAINST), c)
        for way, c in ways.items()
    }


def first_models(watch: Watch) -> Models:
    """The target's model of its starting set alone, and a random forest of the same."""
    settings = load_settings(environment={"FINK_AL_TARGET": watch.target})
    features = FeatureSet.from_settings(settings.target.features)
    rows = pq.read_table(settings.starting_set)
    positive = np.array(settings.taxonomy.classify(rows["type"].to_pylist(), settings.target), bool)
    values = features.extract(light_curves(rows, settings.survey)).values
    columns = np.array([watch.features.names.index(name) for name in features.names])
    objects = rows["object_id"].to_numpy()
    model = settings.target.model
    forest = model.model_copy(update={"estimator": "random_forest"})
    return {
        name: (fit_estimator(recipe, values, positive, objects), columns)
        for name, recipe in ((FIRST, model), (FOREST, forest))
    }


def score(models: Models, values: np.ndarray) -> Scores:
    """Scores by way."""
    return {way: predict(model, values[:, columns]) for way, (model, columns) in models.items()}


def non_events(models: Models, watch: Watch, n: int, seed: int) -> tuple[Scores, np.ndarray]:
    """Scores and kinds of alerts of `n` non-events, one each."""
    parts, kinds, count, since = [], [], 0, time.perf_counter()
    while count < n:
        sky = watch.sky(_BATCH, None, seed * 7919 + len(parts))
        rng = np.random.default_rng([seed, len(parts)])
        rows = random_detections(sky.curves, rng, _HISTORY + watch.past_days)
        parts.append(score(models, watch.features.extract(packets_at(sky, rows)).values))
        kinds.append(sky.truth["kind"].to_numpy(str)[sky.curves.alert_of_point()[rows]])
        count += len(rows)
        print(f"\r{count} of {n} non-events, {time.perf_counter() - since:.0f} s", end="",
              file=sys.stderr)  # fmt: skip
    print(file=sys.stderr)
    scores = {way: np.concatenate([part[way] for part in parts])[:n] for way in models}
    return scores, np.concatenate(kinds)[:n]


def of_rates(scores: np.ndarray, weights: np.ndarray | None = None) -> dict[float, float]:
    """Score that a share of the non-events passes, for each rate that they can measure."""
    order = np.argsort(-scores)
    weights = np.ones(len(scores)) if weights is None else weights[order]
    passed = (np.cumsum(weights) - weights) / weights.sum()
    return {
        rate: scores[order[np.searchsorted(passed, rate)]] for rate in RATES
        if rate * len(scores) >= 1
    }  # fmt: skip


def check_rates(
    models: Models, watch: Watch, thresholds: dict[str, dict[float, float]], options
) -> None:
    """Count false alarms among other non-events, as thresholds were chosen to fit the first."""
    scores, _ = non_events(models, watch, options.check, options.seed + 5000)
    for way, of_way in thresholds.items():
        print(f"\nfalse alarms among {len(scores[way])} other non-events, {way}:")
        for rate, threshold in of_way.items():
            hits = int((scores[way] > threshold).sum())
            print(f"  threshold for {rate:.0e}: {hits}, {share(hits, len(scores[way]), '.2e')}")


def events(
    models: Models,
    watch: Watch,
    thresholds: dict[str, dict[float, float]],
    milder: dict[str, dict[float, float]],
    n: int,
    seed: int,
) -> None:
    """Print recall by time and by baseline magnitude, and before half of the rise."""
    skies = [watch.sky(min(_BATCH, n - i), EVENT, 1000 * seed + i) for i in range(0, n, _BATCH)]
    seen = [scored_alerts(models, watch, sky) for sky in skies]
    columns = {
        name: np.concatenate([sky.truth[name].to_numpy() for sky in skies])
        for name in ("peak_mjd", "te_days", "u0", "source_share", "r_mag")
    }
    peak, te = columns["peak_mjd"], columns["te_days"]
    half, rise = half_of_rise_mjd(columns)
    begins = np.cumsum([0, *(len(sky.truth) for sky in skies[:-1])])
    owner = np.concatenate([o + b for (o, _, _), b in zip(seen, begins, strict=True)])
    mjd = np.concatenate([t for _, t, _ in seen])
    is_target = columns["r_mag"] < watch.target_mag

    def until(values: np.ndarray, end: np.ndarray) -> np.ndarray:
        """The highest of the values of each event's alerts up to a time, -1 without any."""
        best = np.full(n, -1.0)
        use = mjd <= end[owner]
        np.maximum.at(best, owner[use], values[use])
        return best

    has_early = until(np.zeros(len(mjd)), half) >= 0
    print(f"\nrecall of {n} events, of all and (of those with an alert by then); "
          f"{len(mjd)} alerts scored")  # fmt: skip
    for way, of_way in thresholds.items():
        scores = np.concatenate([found[way] for _, _, found in seen])
        for rate, threshold in of_way.items():
            print(f" {way}, {rate:.0e} false alarms an alert (score above {threshold:.3f})")
            for x in TIMES:
                best = until(scores, peak + x * te)
                print(f"  {x:+.2f} tE: {_both(best > threshold, best >= 0)}")
            hits = until(scores, half) > threshold
            print(f"  before half of the rise: {_both(hits, has_early)}")
            for low, high in pairwise(watch.magnitudes):
                chosen = (columns["r_mag"] >= low) & (columns["r_mag"] < high)
                print(f"    r {low:g} to {high:g}: {_both(hits[chosen], has_early[chosen])}")
            print(
                f"    r below {watch.target_mag:g}: {_both(hits[is_target], has_early[is_target])}"
            )
            for low, high in pairwise(RISES):
                chosen = is_target & (rise / 2 >= low) & (rise / 2 < high)
                print(f"      risen by {low:g} to {high:g} mag at half: "
                      f"{_both(hits[chosen], has_early[chosen])}")  # fmt: skip
        rate = min(of_way)
        hits = (until(scores, half) > of_way[rate])[is_target]
        met = "met" if rate <= TARGET_RATE and hits.mean() >= TARGET_RECALL else "missed"
        note = "" if rate <= TARGET_RATE else f" (too few non-events for it; at {rate:.0e})"
        print(
            f" target {TARGET_RECALL:.0%} of the events below r = {watch.target_mag:g} before half "
            f"of the rise at {TARGET_RATE:.0e}, {way}: {share(hits.sum(), len(hits))}{note}, {met}"
        )
        hits = (until(scores, half) > milder[way][rate])[is_target]
        print(f"  the same with {FEWER:g} of the {HARDEST}s: {share(hits.sum(), len(hits))}")
    print(f" of these, {share(has_early[is_target].sum(), is_target.sum())} have an alert by then: "
          "more cannot be found")  # fmt: skip


def scored_alerts(models: Models, watch: Watch, sky: Sky) -> tuple[np.ndarray, np.ndarray, Scores]:
    """Object, time and scores of every alert of the events of `sky`, up to the last of `TIMES`."""
    curves, owner = sky.curves, sky.curves.alert_of_point()
    last = (sky.truth["peak_mjd"] + max(TIMES) * sky.truth["te_days"]).to_numpy()
    whole = curves.mjd > sky.first_mjd + _HISTORY
    rows = np.flatnonzero(detected(curves) & whole & (curves.mjd <= last[owner]))
    parts = [
        score(models, watch.features.extract(packets_at(sky, rows[i : i + _BATCH])).values)
        for i in range(0, len(rows), _BATCH)
    ]
    found = {way: np.concatenate([part[way] for part in parts]) for way in models}
    return owner[rows], curves.mjd[rows], found


def planets(watch: Watch, n: int) -> None:
    """Print how many lenses with a planet have more structure than 99% of single ones.

    And the value that 1% of the alerts of single lenses exceed.
    """
    feature = PointLens(watch.stars.bands, forced=True)
    column = feature.names.index("lens_planetary")
    found = []
    for kind, seed in ((EVENT, 77), (PLANET, 78)):
        sky = simulate_sky(n, kind, seed, mag=watch.planet_mag, survey=watch.stars)
        values, codes = feature.extract(sky.curves)
        found.append(values[codes == 0, column])
    single, double = found
    hits = int((double > np.quantile(single, 0.99)).sum())
    print(f"\nlens_planetary above 99% of {len(single)} single lenses: {hits} of {len(double)} "
          f"with a planet, {share(hits, len(double))}")  # fmt: skip
    sky = watch.sky(n, EVENT, 79)
    rows = np.flatnonzero(detected(sky.curves) & (sky.curves.mjd > sky.first_mjd + _HISTORY))
    values, codes = feature.extract(packets_at(sky, rows))
    of_alerts = values[codes == 0, column]
    print(
        f"1% of {len(of_alerts)} alerts of single lenses above {np.quantile(of_alerts, 0.99):.2f}"
    )


def _both(hits: np.ndarray, exists: np.ndarray) -> str:
    return f"{share(hits.sum(), len(hits))}  ({share(hits[exists].sum(), exists.sum())})"


if __name__ == "__main__":
    main()
