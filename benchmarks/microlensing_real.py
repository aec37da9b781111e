"""Real events and variable stars, made alike, for benchmarks/microlensing.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from microlensing_model import FEATURES, learned, share

from fink_al.features.feature_set import FeatureSet
from fink_al.lightcurve import LightCurves
from fink_al.simulation import lenses
from fink_al.simulation.star_noise import baseline_flux

#: Baseline magnitude that all objects get.
BASELINE_MAG = 18.0
_BAND = 1
_WINDOWS, _LEAST_POINTS, _NEAR_DAYS = 10, 10, 3.0
_COPIES = 40
TARGET_RECALL = 0.95


@dataclass(frozen=True)
class Pair:
    """An event and a variable star at the same number of points.

    Parameters
    ----------
    days : float64 arrays, shape (2, m)
        Times of both, each from its first.
    mag : float64 array, shape (2, m)
        Magnitudes.
    error : float64 array, shape (m,)
        The larger of both errors [mag]; noise is already added to the other.
    variable : int
        Number of the variable star.
    """

    days: np.ndarray
    mag: np.ndarray
    error: np.ndarray
    variable: int


def report(file: Path, trees: int, seed: int, quick: bool) -> None:
    """Print recall of the real events against false alarms of the real variable stars."""
    table = pd.read_parquet(file)
    pairs = paired(table, np.random.default_rng(seed))
    features = FeatureSet.from_settings(
        FEATURES.model_copy(update={"bands": ("r",), "past": False, "context": ()})
    )
    curves = [curve(p.days[k], p.mag[k], p.error) for k in (0, 1) for p in pairs]
    found = features.extract(joined(curves)).values
    train, positive = simulated(pairs, 4 if quick else _COPIES, seed)
    forest = learned(features.extract(train).values, positive, trees, seed)
    scores = forest.predict_proba(found)[:, 1]
    event, variable = scores[: len(pairs)], scores[len(pairs) :]
    # Each star once, by the median of its pairs: its false alarms are not independent.
    whole = table.groupby("kind")["object"].nunique()
    stars = pd.Series(variable).groupby([p.variable for p in pairs]).median().to_numpy()
    points = np.median([len(pair.error) for pair in pairs])
    print(f"\n{len(event)} real events and {len(stars)} real variable stars, made alike, of "
          f"{whole.to_dict()}: {points:.0f} points in the median")  # fmt: skip
    for allowed in (0, 1, 2, 4, 8):
        threshold = np.sort(stars)[::-1][allowed]
        print(f"  {allowed} of {len(stars)} false alarms, {share(allowed, len(stars))}: "
              f"recall {share(int((event > threshold).sum()), len(event))}")  # fmt: skip
    grid = np.sort(np.concatenate([event, stars]))
    auc = np.mean([(event > s).mean() + (event == s).mean() / 2 for s in stars])
    print(f"  AUC {auc:.3f}; scores from {grid[0]:.2f} to {grid[-1]:.2f}")
    recall = (event > stars.max()).mean()
    met = "met" if recall >= TARGET_RECALL else "missed"
    print(f"  target {TARGET_RECALL:.0%} at 0 false alarms: {recall:.1%}, {met}")


def paired(table: pd.DataFrame, rng: np.random.Generator) -> list[Pair]:
    """Pair each event with a variable star in turn, and make both alike.

    The event's window has the star's span and holds the peak at a random place, of a few that of
    most points: OGLE's seasons have gaps. A pair of fewer than ten points is left out.
    """
    groups = {
        kind: [g.sort_values("jd") for _, g in part.groupby("object")]
        for kind, part in table.groupby("kind")
    }
    stars = groups["variable"]
    turn = [int(i) for _ in groups["microlensing"] for i in rng.permutation(len(stars))]
    pairs = []
    for k, event in enumerate(groups["microlensing"]):
        star = stars[turn[k]]
        t, s = event["jd"].to_numpy(), star["jd"].to_numpy()
        days = s - s[0]
        smooth = event["mag"].rolling(3, center=True, min_periods=1).median().to_numpy()
        rows, kept = np.array([], int), np.array([], int)
        for _ in range(_WINDOWS):
            begin = t[np.argmin(smooth)] - rng.uniform(0.3, 0.9) * days[-1]
            more_rows, more_kept = nearest(t, begin + days)
            if len(more_rows) > len(rows):
                rows, kept = more_rows, more_kept
        if len(rows) < _LEAST_POINTS:
            continue
        mine, theirs = event.iloc[rows], star.iloc[kept]
        errors = np.stack([mine["mag_err"].to_numpy(), theirs["mag_err"].to_numpy()])
        error = errors.max(axis=0)
        more = np.sqrt(np.maximum(error**2 - errors**2, 0)) * rng.normal(size=errors.shape)
        mag = np.stack([mine["mag"].to_numpy(), theirs["mag"].to_numpy()]) + more
        times = np.stack([t[rows] - t[rows[0]], days[kept] - days[kept[0]]])
        pairs.append(Pair(times, mag, error, turn[k]))
    return pairs


def nearest(t: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `t` within three days of the times `wanted`, each once, and rows of the latter."""
    free = np.ones(len(t), bool)
    rows, kept = [], []
    for j, day in enumerate(wanted):
        gap = np.where(free, np.abs(t - day), np.inf)
        if gap.min() < _NEAR_DAYS:
            rows.append(int(np.argmin(gap)))
            kept.append(j)
            free[rows[-1]] = False
    return np.sort(np.array(rows, int)), np.array(kept, int)


def curve(days: np.ndarray, mag: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, ...]:
    """Difference flux of a star against its own baseline, the faint third of its points."""
    faint = np.sort(mag)[-max(3, len(mag) // 3) :]
    total = baseline_flux(mag - np.median(faint) + BASELINE_MAG)
    flux = total - baseline_flux(np.array(BASELINE_MAG))
    return days, flux, total * error * np.log(10) / 2.5


def joined(curves: list[tuple[np.ndarray, ...]]) -> LightCurves:
    """Light curves of all stars, in one band; what is above 5 sigma is a detection."""
    days, flux, error = (np.concatenate(column) for column in zip(*curves, strict=True))
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum([len(c[0]) for c in curves])]),
        mjd=59000.3 + days,
        band=np.full(len(days), _BAND),
        flux=flux,
        flux_err=error,
        is_upper_limit=np.zeros(len(days), bool),
        is_forced=np.abs(flux) <= 5 * error,
        bands=("g", "r"),
        context=pa.table({}),
    )


def simulated(pairs: list[Pair], copies: int, seed: int) -> tuple[LightCurves, np.ndarray]:
    """Simulated stars at the times and errors of the pairs: `copies` events and others of each.

    Of what is real, only times and errors are used.
    """
    rng = np.random.default_rng(seed + 1)
    curves: list[tuple[np.ndarray, ...]] = []
    positive = []
    names = [name for name in lenses.OTHERS if name != "AGN"]
    for pair in pairs:
        for is_event in (True, False):
            days = pair.days[0 if is_event else 1]
            if rng.random() < 0.5:  # both kinds at the times of both
                days = pair.days[1 if is_event else 0]
            m, n = len(days), copies
            index, mjd = np.repeat(np.arange(n), m), np.tile(days, n)
            centre = rng.uniform(0.1, 0.95, n) * days[-1]
            flux = np.full((n, 2), baseline_flux(np.array(BASELINE_MAG)))
            stars, band = lenses.Stars(flux, centre), np.full(len(mjd), _BAND)
            if is_event:
                change, _ = lenses.point_lens(stars, index, mjd, band, rng)
            else:
                change = np.zeros(len(mjd))
                kind = rng.integers(0, len(names), n)
                for k, name in enumerate(names):
                    model = lenses.OTHERS[name][0]
                    drawn, _ = model(stars, index, mjd, band, rng)
                    change = np.where(kind[index] == k, drawn, change)
            total = np.maximum(change / flux[0, 0] + 1, 1e-3)
            noise = np.tile(pair.error, n) * rng.uniform(1, 1.3, n)[index]
            mag = BASELINE_MAG - 2.5 * np.log10(total) + noise * rng.normal(size=len(mjd))
            for i in range(n):
                rows = slice(i * m, (i + 1) * m)
                curves.append(curve(days, mag[rows], pair.error))
            positive += [is_event] * n
    return joined(curves), np.array(positive)
