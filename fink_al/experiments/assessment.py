"""Assessment of a feature set on whole light curves with known types.

Light curves are cut into nightly alerts and objects are split in two halves. A classifier learns
from one half and is judged on the other, once for each seed. No object is ever in both halves, and
every object counts alike, however many alerts it has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fink_al.errors import LightCurveError
from fink_al.evaluation.metrics import calibration_error_by_chance, metrics
from fink_al.experiments.fast_growing import grow
from fink_al.experiments.labelled_alerts import (
    LabelledAlerts,
    Subset,
    check_objects,
    halves,
    some_of_each,
    thinned,
)
from fink_al.features.feature_set import FeatureSet
from fink_al.models.estimators.estimator import fit_estimator, predict
from fink_al.settings import Target

#: Metrics in the order of reports.
METRICS = (
    "auc", "average_precision", "log_loss", "calibration_error", "calibration_error_by_chance",
    "figure_of_merit", "figure_of_merit_of_all", "efficiency", "purity", "accuracy",
)  # fmt: skip
_OF_PROBABILITIES = ("auc", "average_precision", "log_loss", "calibration_error")


@dataclass
class Assessment:
    """Metrics of several seeds.

    Parameters
    ----------
    alerts, objects : int
        Number in both halves together.
    positive_share : float
        Share of positives among these objects.
    by_seed : dict of str to list of float
        Values of each of `METRICS`.
    """

    alerts: int = 0
    objects: int = 0
    positive_share: float = 0.0
    by_seed: dict[str, list[float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Mean, error of the mean and 68% interval over seeds of each metric, as JSON types."""
        summary: dict[str, Any] = {}
        for name, values in self.by_seed.items():
            low, high = np.percentile(values, [16, 84])
            error = (
                float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
            )
            summary[name] = {
                "mean": float(np.mean(values)),
                "error_of_mean": error,
                "interval": [float(low), float(high)],
                "by_seed": values,
            }
        return {
            "alerts": self.alerts,
            "objects": self.objects,
            "positive_share": self.positive_share,
            "metrics": summary,
        }


def assess(
    data: LabelledAlerts,
    target: Target,
    *,
    seeds: int,
    subset: Subset = "all",
    alerts_per_object: int | None = None,
    positive_share: float | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Assessment:
    """Judge on one half of the objects an estimator that learned from the other half.

    In the metrics of probabilities an alert without any feature has the share of positives among
    the objects that teach; it is not called positive.

    Parameters
    ----------
    data : LabelledAlerts
        From :func:`fink_al.experiments.labelled_alerts.labelled_alerts`.
    target : Target
        Settings of the estimator, which must not be a taught one.
    seeds : int
        Number of splits; each seed also seeds the estimator.
    subset : {"all", "published"}
        Every alert, or only those that pass the published cuts, in both halves.
    alerts_per_object : int, optional
        Largest number of alerts of an object, drawn by the seed; default: all.
    positive_share : float, optional
        Share of positives among the objects, reached by leaving positives out by the seed.
    progress : callable, optional
        Called with a line of text after each seed.

    Raises
    ------
    LightCurveError
        If too few objects of both classes are in the subset, or have features, or there are too few
        positives for their share.
    """
    if subset == "published":
        data = data.take(data.published)
        check_objects(data, target)
    done = Assessment(by_seed={name: [] for name in METRICS})
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        used = data if positive_share is None else thinned(data, positive_share, rng)
        if alerts_per_object:
            used = used.take(some_of_each(used.row, alerts_per_object, rng))
        done.alerts, done.objects = len(used.row), len(np.unique(used.row))
        done.positive_share = float(np.average(used.positive, weights=used.by_object))
        learner, test = halves(used, rng, same_share=positive_share is not None)
        p = _learned(learner, test, target, seed)
        share = np.average(learner.positive, weights=learner.by_object)
        filled = np.where(np.isnan(p), share, p)
        once = test.by_object[None]
        values, of_filled = (metrics(each, test.positive, once) for each in (p, filled))
        values |= {name: of_filled[name] for name in _OF_PROBABILITIES}
        of_all = metrics(np.ones(len(p)), test.positive, once)["figure_of_merit"]
        chance = calibration_error_by_chance(filled, test.row, weights=test.by_object)
        values |= {"figure_of_merit_of_all": of_all}
        values |= {"calibration_error_by_chance": np.array([chance])}
        for name in METRICS:
            done.by_seed[name].append(float(values[name][0]))
        progress(f"seed {seed + 1} of {seeds}: AUC {values['auc'][0]:.3f}")
    return done


def _learned(
    learner: LabelledAlerts, test: LabelledAlerts, target: Target, seed: int
) -> npt.NDArray[np.float64]:
    """Probabilities of the test half by an estimator fitted to the other; NaN without features."""
    learner = learner.take(learner.have_features)
    if len(np.unique(learner.positive)) < 2:
        raise LightCurveError(
            "The half that teaches has features for objects of one class only: more objects, more "
            "alerts of each or another feature set are needed."
        )
    settings = target.model.model_copy(update={"seed": seed})
    columns = FeatureSet.from_settings(learner.features).columns(settings.without_features)
    model = fit_estimator(
        settings, learner.values, learner.positive, learner.row, grow=grow, columns=columns
    )
    return predict(model, test.values)
