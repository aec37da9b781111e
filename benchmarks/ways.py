"""Which ways raise the AUC on real supernovae up to the peak, with all labels or without one.

Needs two tables of whole light curves (``objectId type jd fid magpsf sigmapsf``): supernovae, such
as ``../shared/data/labelled/ztf_supernovae.parquet``, and contaminants, of which those that are no
ordinary supernovae are taken, such as ``ztf_fink_nonIa_fullLC.parquet`` beside it. Contaminants
have no non-detections there. Where they are judged, the supernovae lose theirs, so that no model
can learn which file a row is from. Every object weighs the same, and each split is by object.

Also printed: the features by which simulated alerts differ most from real ones of the same type.
These tables have no host columns, so what a host is worth for ZTF cannot be measured here.

    python benchmarks/ways.py [--points FILE] [--contaminants FILE] [--splits 4] [--check] [--quick]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from claims import Claim, at_most, judge
from other_sky import bounded, over_splits
from science import _POINTS
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import roc_auc_score

from fink_al.alerts import light_curves
from fink_al.alerts.points import light_curves_of_points
from fink_al.features.feature_set import FeatureSet
from fink_al.features.nightly import nightly_means
from fink_al.lightcurve import FLUXCAL_ZERO_POINT, LightCurves
from fink_al.models.estimators.estimator import fit_estimator, predict
from fink_al.models.estimators.forest import fit_forest
from fink_al.models.estimators.prior import Prior
from fink_al.settings import ModelSettings, Settings, load_settings
from fink_al.training.nightly_alerts import cut_into_alerts
from fink_al.training.teacher import prior_of
from fink_al.training.teaching_set import TeachingSet, read_teaching_set

TARGET_ALL, TARGET_FEW = 0.84, 0.74
MOST_LOST = 0.03  # of the AUC by the simulated teacher to the real one, at ten labels
_TEN = "ten labels: {} teacher"
_FAMILIES = ("CV", "AGN", "TDE", "Varstar", "SLSN", "Gap")
_FEW_DETECTIONS, _RECENT_NIGHTS = 3, 5
_DRAWS = 100  # of the bootstrap, a split
_COLUMNS = ["objectId", "type", "jd", "fid", "magpsf", "sigmapsf"]


class Sky(NamedTuple):
    """Real alerts up to the peak; arrays of n alerts."""

    curves: LightCurves
    values: np.ndarray
    recent: np.ndarray
    positive: np.ndarray
    row: np.ndarray
    types: np.ndarray
    detections: np.ndarray


def parser_of(description: str) -> argparse.ArgumentParser:
    """Return a parser of the options of benchmarks that judge on real alerts."""
    folder = _POINTS.parent
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--points", type=Path, default=folder / "ztf_supernovae.parquet")
    parser.add_argument(
        "--contaminants", type=Path, default=folder / "ztf_fink_nonIa_fullLC.parquet"
    )
    parser.add_argument("--splits", type=int, default=4, help="splits of the objects")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="few objects, one split, few trees")
    return parser


def main() -> None:
    """Measure, print, and judge."""
    options = parser_of(__doc__.splitlines()[0]).parse_args()
    if missing := [f for f in (options.points, options.contaminants) if not f.exists()]:
        print(f"ways: no whole light curves at {missing[0]}: nothing was measured")
        sys.exit(1 if options.check or not options.quick else 0)
    settings = load_settings(starting_set=None, test_set=None)
    teaching = read_teaching_set(settings.teaching_set, settings.target, settings.taxonomy)
    prior = prior_of(settings.target, settings.target.features, teaching)
    assert prior
    assert teaching
    splits, trees = (1, 3) if options.quick else (options.splits, 100)
    draws = 20 if options.quick else _DRAWS
    best, lost = (0.0, 0.0), 0.0
    mixes = tables(options.points, options.contaminants, settings, options.quick)
    for name, points in mixes.items():
        sky = sky_of(points, settings)
        few = sky.detections <= _FEW_DETECTIONS
        print(
            f"{name}: {len(few)} alerts of {len(np.unique(sky.row))} objects, {few.sum()} with one "
            f"to three detections, {sky.positive.mean():.0%} positive"
        )
        if name == "supernovae":
            differences(sky, teaching, settings)
        found = ways(sky, prior, settings.target.model, splits, trees)
        for way, p in found.items():
            judged = shown(way, p, sky, draws)
            if "labels" in way:
                best = max(best, (judged[0][0], judged[1][0]))
        real, simulated = (found[_TEN.format(each)] for each in ("real", "simulated"))
        less = shown("ten labels: AUC lost by simulation", real, sky, draws, beside=simulated)
        lost = max(lost, less[0][0])
    judge(
        [
            Claim("ways_auc", best[0], "AUC, best way", TARGET_ALL, best[0] >= TARGET_ALL),
            Claim("ways_few", best[1], "AUC, same way", TARGET_FEW, best[1] >= TARGET_FEW),
            at_most("ways_lost", lost, "AUC lost by simulation at ten labels", MOST_LOST),
        ],
        options.check,
    )


def shown(
    way: str, p: np.ndarray, sky: Sky, draws: int, beside: np.ndarray | None = None
) -> list[tuple[float, float, float]]:
    """Print and return AUC and interval, of all alerts and of those with few detections."""
    few = sky.detections <= _FEW_DETECTIONS
    judged = [
        over_splits(p, sky.positive, sky.row, mask, by_object=True, draws=draws, beside=beside)
        for mask in (np.ones_like(few), few)
    ]
    cells = ("{:.3f} ({:.3f} to {:.3f})".format(*each) for each in judged)
    print(f"  {way:44} " + "   few: ".join(cells), flush=True)
    return judged


def tables(
    file: Path, contaminants: Path, settings: Settings, quick: bool
) -> dict[str, pd.DataFrame]:
    """Points of the supernovae, and of both tables without non-detections."""
    supernovae, others = pd.read_parquet(file), pd.read_parquet(contaminants)
    if quick:
        supernovae, others = (
            part[part["objectId"].isin(part["objectId"].unique()[::15])]
            for part in (supernovae, others)
        )
    families = settings.taxonomy.families
    kinds = [kind for kind in others["type"].unique() if families.get(kind) in _FAMILIES]
    others = others[others["type"].isin(kinds) & ~others["objectId"].isin(supernovae["objectId"])]
    seen = supernovae[supernovae["magpsf"].notna()]
    numbers = {"fid": int, "magpsf": float, "sigmapsf": float}
    both = pd.concat([part[_COLUMNS].astype(numbers) for part in (seen, others)])
    return {"supernovae": supernovae, "with contaminants": both}


def sky_of(points: pd.DataFrame, settings: Settings) -> Sky:
    """Cut whole light curves into nightly alerts up to the peak, with features."""
    whole = light_curves_of_points(points, settings.survey, by="objectId", also=("type",))
    types = np.array(whole.context["type"].to_pylist(), object)
    classes = settings.taxonomy.classify(types.tolist(), settings.target)
    alerts = cut_into_alerts(whole)
    use = np.array([each is not None for each in classes], bool)[alerts.row] & alerts.is_pre_peak
    curves, row = alerts.light_curves.select(use), alerts.row[use]
    seen = np.bincount(curves.alert_of_point()[curves.is_detection], minlength=len(curves))
    values = FeatureSet.from_settings(settings.target.features).extract(curves).values
    positive = np.array([each is True for each in classes], bool)[row]
    return Sky(curves, values, recent_nights(curves), positive, row, types[row], seen)


def recent_nights(curves: LightCurves) -> np.ndarray:
    """Age and magnitude of the last nights of g and r: what a sequence network would be shown."""
    nights = nightly_means(curves)
    mag = FLUXCAL_ZERO_POINT - 2.5 * np.log10(np.maximum(nights.flux, 1e-3))
    bounds = [nights.of(band) for band in ("g", "r")]
    latest = np.full(len(curves), -np.inf)
    for starts, ends in bounds:
        has = ends > starts
        latest[has] = np.maximum(latest[has], nights.mjd[ends[has] - 1])
    columns = np.full((len(curves), 2 * 2 * _RECENT_NIGHTS), np.nan)
    places = iter(range(columns.shape[1]))
    for starts, ends in bounds:
        for back in range(1, _RECENT_NIGHTS + 1):
            has = ends - back >= starts
            at = ends[has] - back
            columns[has, next(places)] = latest[has] - nights.mjd[at]
            columns[has, next(places)] = mag[at]
    return columns


def ways(
    sky: Sky, prior: Prior, model: ModelSettings, splits: int, trees: int
) -> dict[str, np.ndarray]:
    """Probabilities of the judging half by each way, shape (splits, n), NaN in the other half."""
    n = len(sky.row)
    columns = list(prior.columns)
    taught = prior.forest.predict_proba(bounded(sky.values[:, columns]))[:, 1]
    found: dict[str, np.ndarray] = {}
    for seed in range(splits):
        teaches = teaching_half(sky, seed)
        weights = weight_of_alerts(sky)

        def fitted(estimator, *parts, use=teaches, weights=weights):
            inputs = bounded(np.column_stack(parts))
            chosen = np.isfinite(inputs[use]).sum(axis=0) > 0
            estimator.fit(inputs[use][:, chosen], sky.positive[use], weights[use])
            return estimator.predict_proba(inputs[~use][:, chosen])[:, 1]

        def forest(leaf, seed=seed):
            return RandomForestClassifier(trees, min_samples_leaf=leaf, random_state=seed, n_jobs=1)

        def boosting(seed=seed):
            return HistGradientBoostingClassifier(
                learning_rate=0.05, max_iter=trees, max_leaf_nodes=16, min_samples_leaf=40,
                l2_regularization=1.0, random_state=seed,
            )  # fmt: skip

        told = {
            "no label: simulated teacher": taught[~teaches],
            "no label: teacher of real light curves": fitted(
                forest(10), sky.values[:, columns], weights=np.ones(n)
            ),
            "all labels: forest": fitted(forest(6), sky.values),
            "all labels: forest, recent nights, teacher": fitted(
                forest(6), sky.values, sky.recent, taught
            ),
            "all labels: boosting": fitted(boosting(), sky.values),
            "all labels: boosting, recent nights, teacher": fitted(
                boosting(), sky.values, sky.recent, taught
            ),
        }
        told["all labels: mean of the last and forest"] = (
            told["all labels: forest, recent nights, teacher"]
            + told["all labels: boosting, recent nights, teacher"]
        ) / 2
        few = ten_of(sky, ~teaches, seed)
        real = {"estimator": "random_forest", "n_estimators": trees, "min_samples_leaf": 10}
        learned = fit_forest(
            model.model_copy(update=real), sky.values[teaches][:, columns],
            sky.positive[teaches], np.ones(int(teaches.sum())), threads=1,
        )  # fmt: skip
        for name, teacher in (("simulated", prior.forest), ("real", learned)):
            taught_by = replace(prior, forest=teacher)
            bent = fit_estimator(
                model, sky.values[few], sky.positive[few], sky.row[few], taught_by, threads=1
            )
            # The ten do not judge.
            told[_TEN.format(name)] = np.where(few, np.nan, predict(bent, sky.values))[~teaches]
        for name, p in told.items():
            found.setdefault(name, np.full((splits, n), np.nan))[seed, ~teaches] = p
    return found


def teaching_half(sky: Sky, seed: int) -> np.ndarray:
    """Alerts of the half of the objects that teaches, shape (n,)."""
    objects = np.unique(sky.row)
    order = np.random.default_rng(seed).permutation(len(objects))
    return np.isin(sky.row, objects[order[: len(order) // 2]])


def weight_of_alerts(sky: Sky) -> np.ndarray:
    """Weights with which every object weighs 1, shape (n,)."""
    _, own, counts = np.unique(sky.row, return_inverse=True, return_counts=True)
    return 1 / counts[own]


def ten_of(sky: Sky, use: np.ndarray, seed: int) -> np.ndarray:
    """Alerts of five positive and five negative objects where `use` is true, shape (n,)."""
    rng = np.random.default_rng([seed, 10])
    objects = [np.unique(sky.row[use & (sky.positive == each)]) for each in (True, False)]
    return np.isin(sky.row, np.concatenate([rng.permutation(each)[:5] for each in objects]))


def differences(sky: Sky, teaching: TeachingSet, settings: Settings) -> None:
    """Print the features that tell simulated from real alerts best, by their AUC alone."""
    features = FeatureSet.from_settings(settings.target.features)
    simulated = features.extract(light_curves(teaching.rows, settings.survey)).values
    families = settings.taxonomy.families
    told = [[families.get(str(kind)) for kind in kinds]
            for kinds in (teaching.rows["type"].to_pylist(), sky.types)]  # fmt: skip
    for family in ("SN Ia", "SN II"):
        parts = [
            values[np.array(kinds, object) == family]
            for values, kinds in zip((simulated, sky.values), told, strict=True)
        ]
        found = []
        for name, ours, real in zip(features.names, *(part.T for part in parts), strict=True):
            ours, real = (each[np.isfinite(each)] for each in (ours, real))
            if min(len(ours), len(real)) < 30:
                continue
            is_real = np.arange(len(ours) + len(real)) >= len(ours)
            value = roc_auc_score(is_real, np.concatenate([ours, real]))
            found.append((abs(value - 0.5), name, np.median(ours), np.median(real)))
        print(f"  {family}: features that differ most, simulated and real median")
        for far, name, ours, theirs in sorted(found, reverse=True)[:6]:
            print(f"    {name:16} AUC {0.5 + far:.2f}  {ours:8.3g} {theirs:8.3g}")


if __name__ == "__main__":
    main()
