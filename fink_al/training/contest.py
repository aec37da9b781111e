"""Contest of the models that one nightly job fits: which of them is tried against the champion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from fink_al.evaluation.metrics import Metrics, evaluate, metrics
from fink_al.evaluation.promotion import LOWER_IS_BETTER, is_enough
from fink_al.loop import Loop
from fink_al.models.examples import TrainingSet
from fink_al.models.model import Model, fit, with_metrics
from fink_al.settings.target import OWN, ModelSettings
from fink_al.training.background import beside_of
from fink_al.training.examples import feature_values
from fink_al.training.teaching_set import TeachingSet
from fink_al.training.test_set import TestSet


@dataclass(frozen=True)
class Entrant:
    """A fitted model and what judges it.

    Parameters
    ----------
    name : str
        ``model``, or its name among the target's challengers.
    loop : Loop
        Loop with its settings.
    model : Model
        The model, with its metrics on the test set in the manifest.
    p : float64 array, shape (t,), or None
        Its probabilities on the test set; None without one.
    metrics : Metrics or None
        Its metrics there.
    """

    name: str
    loop: Loop
    model: Model
    p: npt.NDArray[np.float64] | None
    metrics: Metrics | None


def entrants(
    loop: Loop,
    training: TrainingSet,
    test: TestSet | None,
    teaching: TeachingSet | None,
    parent: str | None,
    until: datetime,
    inputs: dict[str, str],
    progress: Callable[[str], None],
) -> list[Entrant]:
    """Fit the target's model and its challengers to the same examples.

    Parameters
    ----------
    loop : Loop
        The target's loop.
    training : TrainingSet
        Examples.
    test : TestSet or None
        Judges each, if there is one.
    teaching : TeachingSet or None
        Teaches those that need it.
    parent : str or None
        Version of the champion.
    until : datetime
        Time up to which labels were read.
    inputs : dict of str to str
        Digests of what the examples were made of.
    progress : callable
        Takes a line at each step.
    """
    values = feature_values(loop, test.rows) if test else None
    made = []
    for name, settings in loop.target.recipes.items():
        if name != OWN and not _has_enough(training, settings):
            progress(f"{name} is not fitted: it needs more labels")
            continue
        own = loop.with_target(loop.target.model_copy(update={"model": settings}))
        if len(loop.target.recipes) > 1:
            progress(f"fitting {name}: {settings.estimator}")
        prior = beside_of(own, teaching)
        model, p, judged = fit(training, own.target, parent, until, inputs, prior), None, None
        if test and values is not None:
            p = model.predict(values)
            judged = evaluate(p, test.positive, threshold=model.threshold)
            model = with_metrics(model, judged, _on_random(model, training))
        made.append(Entrant(name, own, model, p, judged))
    return made


def _has_enough(training: TrainingSet, settings: ModelSettings) -> bool:
    """Tell whether there are as many labels as a model asks for."""
    positive = int(training.positive.sum())
    least = min(positive, len(training) - positive)
    return len(training) >= settings.min_labels and least >= settings.min_labels_per_class


def winner(
    made: list[Entrant], training: TrainingSet, metric: str
) -> tuple[Entrant, str | None, dict[str, float]]:
    """Choose the model that is tried against the champion.

    The drawn labels decide, by out-of-fold probabilities and inverse odds, once there are enough of
    them for a promotion, else the test set. Without either the target's own model wins. Of equals
    the first wins.

    Parameters
    ----------
    made : list of Entrant
        At least one.
    training : TrainingSet
        Examples, with the weights of those that were drawn.
    metric : str
        Metric of the promotion.

    Returns
    -------
    Entrant
        The winner.
    str or None
        Reason, in words; None if there is no other.
    dict of str to float
        Metric of each by name; empty where nothing judges.
    """
    if is_enough(training.positive, training.drawn):
        judge, scores = "drawn labels", {m.name: _on_drawn(m.model, training, metric) for m in made}
    else:
        judge = "the test set"
        scores = {m.name: float(getattr(m.metrics, metric)) for m in made if m.metrics}
    scores = {name: score for name, score in scores.items() if np.isfinite(score)}
    if len(made) == 1:
        return made[0], None, scores
    if not scores:
        return made[0], f"{made[0].name} of {len(made)} fitted models: nothing judges them", {}
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    best = max(scores, key=lambda name: sign * scores[name])
    told = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
    why = f"{best} is best of {len(made)} fitted models by {metric} on {judge}: {told}"
    return next(m for m in made if m.name == best), why, scores


def _on_drawn(model: Model, training: TrainingSet, metric: str) -> float:
    use = training.drawn > 0
    if model.out_of_fold is None:
        return float("nan")
    judged = metrics(
        model.out_of_fold[use], training.positive[use], training.drawn[None, use],
        threshold=model.threshold,
    )  # fmt: skip
    return float(judged[metric][0])


def _on_random(model: Model, training: TrainingSet) -> Metrics | None:
    """Evaluate on the labels that were asked for at random, by models that did not see them."""
    use, p = training.is_random, model.out_of_fold
    if p is None or not use.any():
        return None
    return evaluate(p[use], training.positive[use])
