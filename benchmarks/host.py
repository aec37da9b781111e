"""What the host in ZTF's packet is worth for an early classification, on a simulated sky.

No table of real light curves at hand has host columns, so this is a simulated sky: hosts follow
published rates of supernovae by mass and star formation (``fink_al/simulation/hosts.py``), with
fewer ways to differ than real galaxies have. The figures say what a challenger with host columns
can gain if the sky is like that, and that it works. They are no measurement of the sky.

One simulated season teaches, two others of other fields and weather judge. Alerts are those up to
the night of the brightest detection, *few* those with one to three detections. Every object weighs
the same. Both models are of one target, one of them without what the packet tells of the nearest
source (``without_features``). A forest learns from all labels, and an informed forest, whose
teacher knows no hosts, from a hundred objects, as a challenger would.

    python benchmarks/host.py [--alerts 600] [--trees 300] [--check] [--quick]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from claims import Claim, judge

from fink_al.alerts import light_curves
from fink_al.evaluation.metrics import metrics, resample
from fink_al.features.feature_set import FeatureSet
from fink_al.models.estimators.estimator import fit_estimator, predict
from fink_al.settings import Settings, load_settings
from fink_al.settings.kinds import HOST
from fink_al.simulation.nights import simulate
from fink_al.simulation.objects import CLASSIFIED_MIX
from fink_al.training.teacher import prior_of
from fink_al.training.teaching_set import read_teaching_set

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))  # the package holds no data makers
from make import is_late

_NIGHTS, _TEACHES, _JUDGE = 40, 7201, (7202, 7203)
_FEW_DETECTIONS = 3
_CONTEXT = (*HOST, "star_score", "star_distance_arcsec")
_LABELS = 100
Floats = npt.NDArray[np.float64]


class Season(NamedTuple):
    """Alerts of a simulated season; arrays of n alerts."""

    values: Floats
    positive: npt.NDArray[np.bool_]
    objects: npt.NDArray[np.object_]
    few: npt.NDArray[np.bool_]
    is_supernova: npt.NDArray[np.bool_]


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=600, help="alerts a night")
    parser.add_argument("--trees", type=int, default=300, help="trees of a forest")
    parser.add_argument("--check", action="store_true", help="exit 1 if the host gains nothing")
    parser.add_argument("--quick", action="store_true", help="few alerts and trees")
    options = parser.parse_args()
    alerts, trees, draws = (100, 50, 50) if options.quick else (options.alerts, options.trees, 300)
    changes = {"features": {"context": _CONTEXT}, "model": {"n_estimators": trees}}
    settings = load_settings(environment={}, target=changes, starting_set=None, test_set=None)
    taught, *others = (season(settings, seed, alerts) for seed in (_TEACHES, *_JUDGE))
    sky = Season(*(np.concatenate(parts) for parts in zip(*others, strict=True)))
    print(
        f"simulated ZTF: {len(taught.positive)} alerts of {len(set(taught.objects))} objects "
        f"teach; {len(sky.positive)} alerts of {len(set(sky.objects))} objects of other seasons "
        f"judge, {sky.few.sum()} with one to three detections, {sky.positive.mean():.0%} positive"
    )
    every, gains = np.ones(len(sky.few), bool), []
    for way, both in ways(settings, taught, sky).items():
        print(way)
        for judged, use in {
            "supernovae": sky.is_supernova,
            "supernovae, few": sky.is_supernova & sky.few,
            "with contaminants": every,
            "with contaminants, few": sky.few,
        }.items():
            (before, least), (after, most) = (auc(sky, p, use, draws) for p in both)
            gains.append(after - before)
            gain = f"{gains[-1]:+.3f} ({_interval(most - least)})"
            print(
                f"  {judged:23} without host {before:.3f} ({_interval(least)})   with host "
                f"{after:.3f} ({_interval(most)})   gain {gain}"
            )
    judge([Claim("host_gain", min(gains), "least gain of AUC", 0.0, min(gains) > 0)], options.check)


def ways(settings: Settings, taught: Season, sky: Season) -> dict[str, list[Floats]]:
    """Probabilities of alerts by models without and with the host, by the way that they learn."""
    target, features = settings.target, FeatureSet.from_settings(settings.target.features)
    teaching = read_teaching_set(settings.teaching_set, target, settings.taxonomy)
    objects = np.unique(taught.objects)
    labelled = np.isin(taught.objects, np.random.default_rng(1).permutation(objects)[:_LABELS])
    found: dict[str, list[Floats]] = {}
    for way, estimator, use in (
        ("forest, all labels", "random_forest", np.ones_like(labelled)),
        (f"informed forest, {_LABELS} labels", "informed_forest", labelled),
    ):
        for without in (("context",), ()):
            seen = [name for name in features.names if name.startswith("context") and not without]
            few = (*target.model.prior.few_features, *seen)
            model = target.model.model_copy(
                update={
                    "estimator": estimator,
                    "without_features": without,
                    "prior": target.model.prior.model_copy(update={"few_features": few}),
                }
            )
            own = target.model_copy(update={"model": model})
            fitted = fit_estimator(
                model,
                taught.values[use],
                taught.positive[use],
                taught.objects[use],
                prior_of(own, own.features, teaching),
                columns=features.columns(without),
            )
            found.setdefault(way, []).append(predict(fitted, sky.values))
    return found


def season(settings: Settings, seed: int, alerts: int) -> Season:
    """Alerts up to the peak, with features and known classes, of one simulated season."""
    sky = simulate(_NIGHTS, alerts, seed, mix=CLASSIFIED_MIX)
    truth = sky.truth.set_index("object_id").loc[sky.alerts["object_id"]]
    classes = settings.taxonomy.classify(truth["type"].tolist(), settings.target)
    curves = light_curves(sky.columns(), settings.survey)
    values = FeatureSet.from_settings(settings.target.features).extract(curves).values
    use = np.array([each is not None for each in classes], bool) & ~is_late(sky)
    seen = np.bincount(curves.alert_of_point()[curves.is_detection], minlength=len(curves))
    return Season(
        values[use],
        np.array([each is True for each in classes], bool)[use],
        truth.index.to_numpy(object)[use],
        (seen <= _FEW_DETECTIONS)[use],
        truth["type"].str.startswith("SN").to_numpy(bool)[use],
    )


def auc(sky: Season, p: Floats, use: npt.NDArray[np.bool_], draws: int) -> tuple[float, Floats]:
    """AUC where `use` is true, every object alike, and that of resampled objects."""
    _, own, counts = np.unique(sky.objects[use], return_inverse=True, return_counts=True)
    weights = np.concatenate([np.ones((1, use.sum())), resample(sky.objects[use], draws)])
    found = metrics(p[use], sky.positive[use], weights / counts[own])["auc"]
    return float(found[0]), found[1:]


def _interval(values: Floats) -> str:
    return "{:.3f} to {:.3f}".format(*np.nanpercentile(values, [16, 84]))


if __name__ == "__main__":
    main()
