"""Recall of real events among real variable stars, for benchmarks/microlensing.py."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
from microlensing_alike import (
    BAND,
    BASELINE_MAG,
    PEAK_AT,
    PLACES,
    Curve,
    Pair,
    difference,
    excess,
    joined,
    paired,
    stretch_of,
    width_of,
)
from microlensing_model import FEATURES, learned, share

from fink_al.features.feature_set import FeatureSet
from fink_al.lightcurve import LightCurves
from fink_al.simulation import lenses
from fink_al.simulation.star_noise import baseline_flux

TARGET_RECALL = 0.95
_ALLOWED = (0, 1, 2, 4, 8)
_FEW_SEEDS, _SEEDS, _COPIES, _DRAWS = 4, 10, 120, 200
#: Gain of chi2 from which a simulated event can be seen and teaches, and how many are drawn for it.
_SEEN, _DRAWN = 40.0, 3
#: Median of a star's flux, in its constant light, below which it is not scaled any more.
_LEAST_MEDIAN = 0.05


def report(file: Path, trees: int, seed: int, quick: bool) -> None:
    """Print recall of the real events against false alarms of the real variable stars, by seeds."""
    table = pd.read_parquet(file)
    whole = table.groupby("kind")["object"].nunique().to_dict()
    print(f"\nreal light curves: {whole}, made alike")
    since = time.perf_counter()
    for is_whole, seeds in ((False, _FEW_SEEDS), (True, _SEEDS)):
        what = "whole events" if is_whole else "events within a star's span, time not stretched"
        print(f" {what}:")
        found = []
        for k in range(2 if quick else seeds):
            one = judged(table, trees, seed + k, 8 if quick else _COPIES, is_whole)
            found.append(one)
            print(f"  seed {seed + k}: {one['events']:.0f} events, {one['stars']:.0f} stars, "
                  f"{one['points']:.0f} points in the median, time stretched by "
                  f"{one['stretch']:.1f}, points moved by {one['moved']:.1f} d; recall at 0 false "
                  f"alarms {one[0]:.1%}, AUC {one['auc']:.3f}; {time.perf_counter() - since:.0f} s",
                  flush=True)  # fmt: skip
        runs = pd.DataFrame(found)
        summary(runs)
    recall = runs[0].mean()
    met = "met" if recall >= TARGET_RECALL else "missed"
    print(f" target {TARGET_RECALL:.0%} of whole events at 0 false alarms: {recall:.1%}, mean of "
          f"{len(runs)} seeds, {met}")  # fmt: skip


def summary(runs: pd.DataFrame) -> None:
    """Print the mean and the scatter of recall over seeds, with the interval of so many events."""
    events, stars = int(runs["events"].median()), int(runs["stars"].median())
    for allowed in (*_ALLOWED, "strict"):
        what = ("0 of all pairs" if allowed == "strict" else
                f"{allowed} of {stars} false alarms {share(allowed, stars)}")  # fmt: skip
        mean = runs[allowed].mean()
        interval = share(round(mean * events), events).partition(" ")[2]
        print(f"  {what}: recall {mean:.1%} {interval}, scatter {runs[allowed].std():.1%}, "
              f"{runs[allowed].min():.1%} to {runs[allowed].max():.1%}")  # fmt: skip
    print(f"  AUC {runs['auc'].mean():.3f}, scatter {runs['auc'].std():.3f}")


def judged(
    table: pd.DataFrame, trees: int, seed: int, copies: int, whole: bool
) -> dict[int | str, float]:
    """Recall by the number of false alarms, and what else there is to say of one seed."""
    pairs = paired(table, np.random.default_rng(seed), whole)
    features = FeatureSet.from_settings(
        FEATURES.model_copy(update={"bands": ("r",), "past": False, "context": ()})
    )
    train, positive = simulated(pairs, copies, seed, whole)
    forest = learned(features.extract(train).values, positive, trees, seed)
    real = [difference(p.days, p.flux[k], p.error) for k in (0, 1) for p in pairs]
    scores = forest.predict_proba(features.extract(joined(real)).values)[:, 1]
    event, every = scores[: len(pairs)], scores[len(pairs) :]
    # Each star counts once, by a random one of its pairs: these are not independent.
    stars = [part.to_numpy() for _, part in pd.Series(every).groupby([p.variable for p in pairs])]
    rng = np.random.default_rng(seed)
    draws = np.array([[rng.choice(of_star) for of_star in stars] for _ in range(_DRAWS)])
    highest = np.sort(draws, axis=1)[:, ::-1]
    return {
        **{k: (event > highest[:, k, None]).mean() for k in _ALLOWED},
        "strict": (event > every.max()).mean(),
        "auc": np.mean([(event > s).mean() + (event == s).mean() / 2 for s in every]),
        "events": len(pairs),
        "stars": len(stars),
        "points": np.median([len(p.error) for p in pairs]),
        "stretch": np.median([p.stretch for p in pairs]),
        "moved": np.median(np.concatenate([np.abs(p.moved - p.days) for p in pairs])),
    }


def simulated(
    pairs: list[Pair], copies: int, seed: int, whole: bool = True
) -> tuple[LightCurves, np.ndarray]:
    """Simulated stars at the times and errors of the pairs: `copies` events and others of each.

    Of what is real, only times and errors are used.
    """
    rng = np.random.default_rng(seed + 1)
    curves: list[Curve] = []
    positive: list[bool] = []
    for pair in pairs:
        for is_event in (True, False):
            change = _events(pair, copies, rng, whole) if is_event else _others(pair, copies, rng)
            flux = np.maximum(1 + change, 1e-3)
            flux /= np.maximum(np.median(flux, axis=1, keepdims=True), _LEAST_MEDIAN)
            flux += pair.error * rng.uniform(1, 1.3, (copies, 1)) * rng.normal(size=flux.shape)
            curves += [difference(pair.days, one, pair.error) for one in flux]
            positive += [is_event] * copies
    return joined(curves), np.array(positive)


def _events(pair: Pair, n: int, rng: np.random.Generator, whole: bool) -> np.ndarray:
    """Change of simulated events over their constant light, shape (n, m), in such windows."""
    days, drawn = pair.days, _DRAWN * n
    lens = lenses.draw_lenses(_stars(drawn), rng)
    width = width_of(lens["u0"], lens["te_days"])
    stretch = stretch_of(width, days[-1]) if whole else np.ones(drawn)
    places = rng.uniform(*PEAK_AT, (PLACES, drawn)) * days[-1]
    near = np.abs(days - places[:, :, None]) < (width / stretch)[:, None] / 2
    peak = places[near.sum(axis=2).argmax(axis=0), np.arange(drawn)]
    tau = (days - peak[:, None]) / (lens["te_days"] / stretch)[:, None]
    u = np.hypot(lens["u0"][:, None], tau)
    change = lens["source_share"][:, None] * excess(u)
    gain = ((change - change.mean(axis=1, keepdims=True)) ** 2 / pair.error**2).sum(axis=1)
    return change[np.argsort(gain < _SEEN, kind="stable")[:n]]


def _others(pair: Pair, n: int, rng: np.random.Generator) -> np.ndarray:
    """Change of simulated stars that are not lensed over their constant light, shape (n, m)."""
    m, stars = len(pair.days), _stars(n, rng.uniform(0, pair.days[-1], n))
    index, mjd = np.repeat(np.arange(n), m), np.tile(pair.days, n)
    names = [name for name in lenses.OTHERS if name != "AGN"]
    kind, change = rng.integers(0, len(names), n), np.zeros(n * m)
    for k, name in enumerate(names):
        drawn, _ = lenses.OTHERS[name][0](stars, index, mjd, np.full(n * m, BAND), rng)
        change = np.where(kind[index] == k, drawn, change)
    return np.asarray(change / stars.flux[0, BAND]).reshape(n, m)


def _stars(n: int, centre: np.ndarray | None = None) -> lenses.Stars:
    flux = np.full((n, 2), baseline_flux(np.array(BASELINE_MAG)))
    return lenses.Stars(flux, np.zeros(n) if centre is None else centre)
