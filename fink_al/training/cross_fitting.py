"""Comparison of two recipes by cross-fitting: what judges a model is never what it learned from.

A champion and a challenger that both learned from the drawn labels cannot be judged by them. So
both are fitted again without a fifth of the objects, and score that fifth. Each keeps its own
features, estimator and examples. A challenger that only memorises its examples gains nothing.

Sources: Stone 1974 (cross-validation); Chernozhukov et al. 2018 (cross-fitting).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fink_al.evaluation.promotion import Difference, compare_drawn
from fink_al.loop import Loop
from fink_al.models.calibration import with_earlier
from fink_al.models.estimators.estimator import fit_estimator, predict
from fink_al.models.examples import TrainingSet
from fink_al.models.stream_calibration import calibrated_by_others
from fink_al.training.background import beside_of
from fink_al.training.examples import feature_values
from fink_al.training.teaching_set import teaching_set_of

Floats = npt.NDArray[np.float64]

FOLDS = 5

#: Fits a model to some rows of its examples; returns what scores the judged objects.
Recipe = Callable[[npt.NDArray[np.bool_]], Callable[[npt.NDArray[np.bool_]], Floats]]


def fold_of(objects: Iterable[str]) -> npt.NDArray[np.int64]:
    """Return the fold of each object, the same in all examples and at all times."""
    return np.array([zlib.crc32(name.encode()) % FOLDS for name in objects], np.int64)


def cross_fitted(recipe: Recipe, learns: Iterable[str], judged: Iterable[str]) -> Floats:
    """Score each judged object by a model that did not learn from it, shape (n,).

    Parameters
    ----------
    recipe : callable
        Fits to a mask of the examples; returns a function of a mask of the judged objects.
    learns : iterable of str
        Object of each example.
    judged : iterable of str
        The objects to score.
    """
    of_example, of_judged = fold_of(learns), fold_of(judged)
    p = np.full(len(of_judged), np.nan)
    for fold in range(FOLDS):
        if (test := of_judged == fold).any():
            p[test] = recipe(of_example != fold)(test)
    return p


def recipe_of(loop: Loop, examples: TrainingSet, judged: pa.Table) -> Recipe:
    """Return the recipe of a model: features and estimator of `loop`, with its examples.

    All scores are NaN where a fold leaves examples of one class.
    """
    target = loop.target
    prior = beside_of(loop, teaching_set_of(loop))
    columns = loop.features.columns(target.model.without_features)
    values = feature_values(loop, judged)

    def fit(use: npt.NDArray[np.bool_]) -> Callable[[npt.NDArray[np.bool_]], Floats]:
        positive = examples.positive[use]
        if len(set(positive.tolist())) < 2:
            return lambda test: np.full(int(test.sum()), np.nan)
        earlier = examples.earlier.of(use) if examples.earlier else None
        learned = with_earlier(examples.values[use], positive, examples.object_id[use], earlier)
        estimator = fit_estimator(target.model, *learned, prior, columns=columns)
        return lambda test: predict(estimator, values[test])

    return fit


def compare_recipes(
    challenger: tuple[Loop, TrainingSet],
    champion: tuple[Loop, TrainingSet],
    rows: pa.Table,
    judged: TrainingSet,
) -> Difference | None:
    """Compare two recipes on the drawn labels, by the metric of the challenger's rule.

    Both are calibrated to the stream in the same way, each label by the others.

    Parameters
    ----------
    challenger, champion : tuple of Loop and TrainingSet
        Features, estimator and examples of each.
    rows : pyarrow.Table
        Light curves of the labels in `judged`, in its order.
    judged : TrainingSet
        Labels that were drawn with known odds, with their weights.

    Returns
    -------
    Difference or None
        None if the labels are too few.
    """
    loop = challenger[0]
    p = []
    for own, examples in (challenger, champion):
        recipe = recipe_of(own, examples, rows)
        scores = cross_fitted(recipe, examples.object_id, judged.object_id)
        seed = loop.target.model.seed
        p.append(calibrated_by_others(scores, judged.positive, judged.drawn, seed))
    rule = loop.target.promotion
    return compare_drawn(p[0], p[1], judged.positive, judged.drawn, rule.metric, rule.margin)
