"""The models and the intervals of benchmarks/microlensing.py."""

from __future__ import annotations

import numpy as np
from scipy.stats import beta

from fink_al.models.estimators.boosted import Boosted, fit_boosted
from fink_al.models.estimators.forest import Forest, fit_forest
from fink_al.settings import FeatureSettings, ModelSettings

FEATURES = FeatureSettings(
    name="microlensing_v1",
    bands=("g", "r"),
    criterion="ewma",
    min_data_points=3,
    min_rising_points=1,
    forced=True,
    past=True,
    context=(
        "reference_mag",
        "reference_distance_arcsec",
        "star_score",
        "host_mag",
        "host_colour_g_r",
    ),
)

#: What a model looks at, by what it does not look at (:meth:`FeatureSet.columns`).
WAYS: dict[str, tuple[str, ...]] = {
    "light curve alone": ("before", "counted", "context", "baseline", "lens_colour", "lens_blend"),
    "with the star": ("before", "counted"),
    "star and count": ("before",),
    "star and memory": ("counted",),
    "star, count, memory": (),
}


def boosted(
    values: np.ndarray,
    positive: np.ndarray,
    objects: np.ndarray,
    weights: np.ndarray,
    trees: int,
    seed: int,
    against: float,
) -> Boosted:
    """Boosted trees of the package, fitted; negatives weigh `against` times the positives."""
    settings = ModelSettings(
        estimator="boosted_trees", n_estimators=trees, min_labels=2, min_labels_per_class=1,
        seed=seed,
    )  # fmt: skip
    of_class = (weights[~positive].sum(), weights[positive].sum())
    share = np.where(positive, 1 / of_class[1], against / of_class[0]) / (1 + against)
    number = objects.max() + 1
    return fit_boosted(settings, values, positive, weights * share * number, -1, objects)


def learned(
    values: np.ndarray,
    positive: np.ndarray,
    trees: int,
    seed: int,
    weights: np.ndarray | None = None,
    against: float = 1.0,
) -> Forest:
    """Forest of the package, fitted; the negative class weighs `against` times the positive."""
    settings = ModelSettings(
        estimator="random_forest", n_estimators=trees, min_samples_leaf=1, min_labels=2,
        min_labels_per_class=1, seed=seed,
    )  # fmt: skip
    weights = np.ones(len(values)) if weights is None else weights
    of_class = (weights[~positive].sum(), weights[positive].sum())
    weights = weights * np.where(positive, 1 / of_class[1], against / of_class[0])
    return fit_forest(settings, values, positive, weights, threads=1)


def share(hits: int, n: int, form: str = ".1%") -> str:
    """Share with its 95% interval of Clopper and Pearson, as text."""
    if n == 0:
        return "none"
    low = beta.ppf(0.025, hits, n - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, n - hits) if hits < n else 1.0
    return f"{hits / n:{form}} [{low:{form}}, {high:{form}}]"
