"""How well a feature set tells alerts apart, on whole light curves with known types.

Light curves are cut into nightly alerts, objects are split in two halves, a classifier learns from
the one and is judged on the other; again for each seed. No object is ever in both halves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fink_al.errors import LightCurveError
from fink_al.features.feature_set import FeatureSet
from fink_al.labels.taxonomy import Taxonomy
from fink_al.learning.estimator import fit_estimator, predict
from fink_al.learning.evaluation import calibration_error_by_chance, metrics
from fink_al.learning.nightly_alerts import cut_into_alerts
from fink_al.lightcurve import LightCurves
from fink_al.settings import FeatureSettings, Target

Phase = Literal["pre-peak", "all"]
Subset = Literal["all", "published"]

#: Metrics in the order of reports.
METRICS = (
    "auc", "log_loss", "calibration_error", "calibration_error_by_chance", "figure_of_merit",
    "figure_of_merit_of_all", "efficiency", "purity", "accuracy",
)  # fmt: skip
_OF_PROBABILITIES = ("auc", "log_loss", "calibration_error")
_LEAST_OBJECTS = 20


@dataclass(frozen=True)
class Examples:
    """Alerts with known types, ready to be split.

    Parameters
    ----------
    values : float64 array, shape (n, k)
        Features.
    positive : bool array, shape (n,)
        Whether the object is what the target looks for.
    row : int64 array, shape (n,)
        Object of each alert.
    published : bool array, shape (n,)
        Whether the alert passes the published cuts: every band of the feature set can be fitted.
    types : object array, shape (n,)
        Type of the object.
    names : tuple of str
        Of the features.
    """

    values: npt.NDArray[np.float64]
    positive: npt.NDArray[np.bool_]
    row: npt.NDArray[np.int64]
    published: npt.NDArray[np.bool_]
    types: npt.NDArray[np.object_]
    names: tuple[str, ...]

    @property
    def have_features(self) -> npt.NDArray[np.bool_]:
        """Whether an alert has any feature, shape (n,)."""
        return np.asarray(~np.isnan(self.values).all(axis=1))

    def where(self, mask: npt.NDArray[np.bool_]) -> Examples:
        """Examples where `mask`, shape (n,), holds."""
        return Examples(
            self.values[mask], self.positive[mask], self.row[mask], self.published[mask],
            self.types[mask], self.names,
        )  # fmt: skip


@dataclass
class Assessment:
    """Metrics of several seeds.

    Parameters
    ----------
    alerts, objects : int
        Of both halves together.
    positive_share : float
        Of these alerts.
    by_seed : dict of str to list of float
        Each of `METRICS`.
    """

    alerts: int = 0
    objects: int = 0
    positive_share: float = 0.0
    by_seed: dict[str, list[float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Mean, error of the mean and 68% interval over seeds of each metric, as JSON's types."""
        found: dict[str, Any] = {}
        for name, values in self.by_seed.items():
            low, high = np.percentile(values, [16, 84])
            error = (
                float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
            )
            found[name] = {
                "mean": float(np.mean(values)),
                "error_of_mean": error,
                "interval": [float(low), float(high)],
                "by_seed": values,
            }
        return {
            "alerts": self.alerts,
            "objects": self.objects,
            "positive_share": self.positive_share,
            "metrics": found,
        }


def examples(
    whole: LightCurves, features: FeatureSettings, target: Target, phase: Phase = "pre-peak"
) -> Examples:
    """Nightly alerts of `whole` light curves whose context has the column ``type``.

    Parameters
    ----------
    whole : LightCurves
        One an object.
    features : FeatureSettings
        Feature set.
    target : Target
        Which types are positive, and which are no examples.
    phase : {"pre-peak", "all"}
        Alerts up to the night of the object's brightest detection, or all.

    Raises
    ------
    LightCurveError
        If too few objects of both classes are left.
    """
    kinds = np.array(whole.context["type"].to_pylist(), object)
    known = Taxonomy.load().classify([str(kind) for kind in kinds], target)
    alerts = cut_into_alerts(whole)
    use = np.array([k is not None for k in known], bool)[alerts.row]
    if phase == "pre-peak":
        use &= alerts.is_pre_peak
    curves, row = alerts.light_curves.select(use), alerts.row[use]
    positive = np.array([k is True for k in known], bool)
    published = features.model_copy(update={"name": "sigmoid"})
    fits = FeatureSet.from_settings(published).extract(curves)
    chosen = FeatureSet.from_settings(features)
    made = Examples(
        values=chosen.extract(curves).values,
        positive=positive[row],
        row=row,
        published=np.asarray((fits.codes == 0).all(axis=1)),
        types=kinds[row],
        names=chosen.names,
    )
    _check_objects(made, target)
    return made


def _check_objects(data: Examples, target: Target) -> None:
    data = data.where(data.have_features)
    _, first = np.unique(data.row, return_index=True)
    counts = Counter(data.positive[first].tolist())
    if min(counts[True], counts[False]) < _LEAST_OBJECTS:
        types = Counter(map(str, data.types[first])).most_common(5)
        raise LightCurveError(
            f"{counts[True]} objects are what target '{target.name}' looks for and "
            f"{counts[False]} are not, of those with features; {_LEAST_OBJECTS} of each are "
            "needed. Types found: "
            f"{', '.join(f'{kind} ({n})' for kind, n in types) or 'none'}."
        )


def assess(
    data: Examples,
    target: Target,
    *,
    seeds: int,
    subset: Subset = "all",
    alerts_per_object: int | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Assessment:
    """Metrics on one half of the objects of an estimator that learned from the other.

    For the metrics of probabilities an alert without any feature has the share of positives among
    the learner's alerts; it is not called positive.

    Parameters
    ----------
    data : Examples
        From :func:`examples`.
    target : Target
        Settings of the estimator.
    seeds : int
        Splits; each also seeds its estimator.
    subset : {"all", "published"}
        Every alert, or those that pass the published cuts, in both halves.
    alerts_per_object : int, optional
        So many of each object, drawn by the seed; all by default.
    progress : callable, optional
        Told after each seed.

    Raises
    ------
    LightCurveError
        If too few objects of both classes are in the subset, or have features.
    """
    if subset == "published":
        data = data.where(data.published)
        _check_objects(data, target)
    done = Assessment(by_seed={name: [] for name in METRICS})
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        used = data.where(_some(data.row, alerts_per_object, rng)) if alerts_per_object else data
        done.alerts, done.objects = len(used.row), len(np.unique(used.row))
        done.positive_share = float(used.positive.mean())
        learner, test = halves(used, rng)
        p = _learned(learner, test, target, seed)
        known = np.where(np.isnan(p), learner.positive.mean(), p)
        once = np.ones((1, len(p)))
        found, filled = (metrics(values, test.positive, once) for values in (p, known))
        found |= {name: filled[name] for name in _OF_PROBABILITIES}
        of_all = metrics(np.ones(len(p)), test.positive, once)["figure_of_merit"]
        chance = np.array([calibration_error_by_chance(known, test.row)])
        found |= {"figure_of_merit_of_all": of_all, "calibration_error_by_chance": chance}
        for name in METRICS:
            done.by_seed[name].append(float(found[name][0]))
        progress(f"seed {seed + 1} of {seeds}: AUC {found['auc'][0]:.3f}")
    return done


def _learned(
    learner: Examples, test: Examples, target: Target, seed: int
) -> npt.NDArray[np.float64]:
    """Probabilities of the test half by an estimator of the other; NaN without features."""
    learner = learner.where(learner.have_features)
    if len(np.unique(learner.positive)) < 2:
        raise LightCurveError(
            "The half that teaches has features for objects of one class only: more objects, more "
            "alerts of each or another feature set are needed."
        )
    settings = target.model.model_copy(update={"seed": seed})
    model = fit_estimator(settings, learner.values, learner.positive, learner.row)
    return predict(model, test.values)


def halves(data: Examples, rng: np.random.Generator) -> tuple[Examples, Examples]:
    """Alerts of one half of the objects, drawn by `rng`, and those of the other."""
    objects = rng.permutation(np.unique(data.row))
    first = np.isin(data.row, objects[: len(objects) // 2])
    return data.where(first), data.where(~first)


def _some(row: npt.NDArray[np.int64], most: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    order = np.lexsort((rng.random(len(row)), row))
    _, first = np.unique(row[order], return_index=True)
    rank = np.arange(len(row)) - np.repeat(first, np.diff([*first, len(row)]))
    chosen = np.zeros(len(row), bool)
    chosen[order[rank < most]] = True
    return chosen
