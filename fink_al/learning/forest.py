"""The classifier: a random forest that takes missing features as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier

from fink_al.settings import ModelSettings

#: Trees compare in single precision: a runaway fit must not become infinite there.
_LARGEST = float(np.finfo(np.float32).max)


def fit_forest(
    settings: ModelSettings,
    values: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    objects: npt.NDArray[Any],
) -> RandomForestClassifier:
    """Forest fitted to labelled examples, in which every object weighs the same.

    With many examples a leaf holds more than one, so that the share of positives in it means
    something; with few, every one counts (``min_samples_leaf: auto``).

    Parameters
    ----------
    settings : ModelSettings
        Parameters of the forest.
    values : float64 array, shape (n, k)
        Features, NaN where missing.
    positive : bool array, shape (n,)
        Class of each example.
    objects : array, shape (n,)
        Object of each example. Alerts of one object are no independent examples: counted singly
        they make trees sure of what is one object's history.
    """
    _, own, counts = np.unique(objects, return_inverse=True, return_counts=True)
    leaf = settings.min_samples_leaf
    if leaf == "auto":
        leaf = max(1, round(np.sqrt(len(own)) / 8))
    forest = RandomForestClassifier(
        n_estimators=settings.n_estimators,
        min_samples_leaf=leaf,
        random_state=settings.seed,
        n_jobs=-1,
    )
    return forest.fit(_bounded(values), positive, 1.0 / counts[own])


def predict(
    forest: RandomForestClassifier, values: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Probability of the positive class, shape (n,); NaN where an alert has no feature at all."""
    p = np.full(len(values), np.nan)
    known = ~np.isnan(values).all(axis=1)
    if known.any():
        p[known] = forest.predict_proba(_bounded(values[known]))[:, 1]  # classes are False, True
    return p


def _bounded(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.clip(values, -_LARGEST, _LARGEST)
