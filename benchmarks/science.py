"""What the feature sets are worth on real labelled light curves, and which features earn a place.

Needs ``../shared/data/labelled/ztf_fink_tns_alerts.parquet`` beside the project, or another table
of whole light curves (``objectId type jd fid magpsf sigmapsf``). Light curves are cut into nightly
alerts with 30 days of history; half of the objects teach, half are judged; mean and error of the
mean over seeds. On the published subset learning and judging are both on alerts with both bands
fitted. Every object counts alike. Beside the calibration error stands what perfect probabilities
would show on such a sample. With --positive-share objects are left out as in a stream.

    python benchmarks/science.py [--points FILE] [--seeds 8] [--positive-share 0.07] [--check]
        [--quick]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from claims import Claim, judge
from sklearn.metrics import roc_auc_score

from fink_al.alerts.points import light_curves_of_points
from fink_al.cli.points import with_untaught_estimator
from fink_al.experiments.assessment import METRICS, assess
from fink_al.experiments.labelled_alerts import LabelledAlerts, halves, labelled_alerts
from fink_al.features.feature_set import FeatureSet
from fink_al.models.estimators.estimator import fit_estimator, predict
from fink_al.settings import FeatureSettings, Settings, load_settings

_POINTS = Path(__file__).parents[2] / "shared/data/labelled/ztf_fink_tns_alerts.parquet"
_NAMES = ("sigmoid", "early_v1")
TARGET_AUC, TARGET_CALIBRATION_ERROR = 0.92, 0.03


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=Path, default=_POINTS, help="whole light curves, Parquet")
    parser.add_argument("--seeds", type=int, default=8, help="splits of the objects")
    parser.add_argument("--positive-share", type=float, help="of the objects; default: as it is")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="two seeds, few trees")
    options = parser.parse_args()
    if not options.points.exists():
        print(f"science: no labelled light curves at {options.points}: nothing was measured")
        sys.exit(1 if options.check else 0)
    settings = with_untaught_estimator(load_settings(starting_set=None, test_set=None))
    if options.quick:
        model = settings.target.model.model_copy(update={"n_estimators": 50})
        target = settings.target.model_copy(update={"model": model})
        settings, options.seeds = settings.model_copy(update={"target": target}), 2
    data = {name: load(options.points, settings, name) for name in _NAMES}
    found = {}
    for subset in ("all", "published"):
        for name in _NAMES:
            made = assess(
                data[name], settings.target, seeds=options.seeds, subset=subset,
                positive_share=options.positive_share,
            ).to_dict()  # fmt: skip
            found[subset, name] = made["metrics"]
            told = "  ".join(
                f"{metric} {made['metrics'][metric]['mean']:.3f}"
                f"±{made['metrics'][metric]['error_of_mean']:.3f}"
                for metric in METRICS[:6]
            )
            print(f"{subset:>9} {name:>8} {made['alerts']:6d} alerts  {told}", flush=True)
    importance(data["early_v1"], settings, options.seeds)
    best = found["all", "early_v1"]
    auc, error = (best[name]["mean"] for name in ("auc", "calibration_error"))
    chance = best["calibration_error_by_chance"]["mean"]
    claims = [
        Claim("science_auc", auc, "area under the curve", TARGET_AUC, auc >= TARGET_AUC),
        Claim(
            "science_calibration_error",
            error,
            f"expected calibration error, by chance {chance:.3f}",
            TARGET_CALIBRATION_ERROR,
            error <= TARGET_CALIBRATION_ERROR,
        ),
    ]
    judge(claims, options.check)


def load(file: Path, settings: Settings, name: str) -> LabelledAlerts:
    """Pre-peak alerts of the objects in `file`, with the features of set `name`."""
    whole = light_curves_of_points(pd.read_parquet(file), settings.survey, by="objectId")
    return labelled_alerts(whole, chosen(settings, name), settings.target)


def chosen(settings: Settings, name: str) -> FeatureSettings:
    """Feature set `name` with the target's parameters."""
    return settings.target.features.model_copy(update={"name": name})


def importance(data: LabelledAlerts, settings: Settings, seeds: int) -> None:
    """Loss of AUC when the columns of one feature are exchanged between objects of the test half.

    All alerts of an object get the values of another object's alerts, so that an object's own
    alerts cannot stand in for each other.
    """
    features = FeatureSet.from_settings(chosen(settings, "early_v1")).features
    ends = np.cumsum([len(feature.names) for feature in features])
    columns = [slice(end - len(f.names), end) for f, end in zip(features, ends, strict=True)]
    loss = np.zeros((seeds, len(features)))
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        learner, test = halves(data, rng)
        model = settings.target.model.model_copy(update={"seed": seed})
        forest = fit_estimator(model, learner.values, learner.positive, learner.row)
        weights = test.by_object
        whole = roc_auc_score(test.positive, predict(forest, test.values), sample_weight=weights)
        donors = other_objects(test.row, rng)
        for i, where in enumerate(columns):
            mixed = test.values.copy()
            mixed[:, where] = test.values[donors, where]
            p = predict(forest, mixed)
            p[np.isnan(p)] = learner.positive.mean()
            loss[seed, i] = whole - roc_auc_score(test.positive, p, sample_weight=weights)
    mean, error = loss.mean(axis=0), loss.std(axis=0, ddof=1) / np.sqrt(seeds)
    print("loss of AUC without a feature (exchanged between objects), mean ± error over seeds")
    for i in np.argsort(-mean):
        feature = features[i]
        print(f"  {feature.reason_name.removeprefix('reason_'):>12} {type(feature).__name__:<10} "
              f"{mean[i]:+.4f} ± {error[i]:.4f}")  # fmt: skip


def other_objects(row: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each alert an alert of the object that its own object is exchanged with."""
    names, own = np.unique(row, return_inverse=True)
    partner = rng.permutation(len(names))
    by_object = np.argsort(own, kind="stable")
    counts = np.bincount(own)
    starts = np.cumsum(counts) - counts
    at = (rng.random(len(row)) * counts[partner[own]]).astype(int)
    return by_object[starts[partner[own]] + at]


if __name__ == "__main__":
    main()
