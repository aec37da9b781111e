"""Strategies of scikit-activeml for our pool (`pip install fink-al[campaign]`).

Sources: query by committee, Seung et al. 1992, McCallum & Nigam 1998; Falcun, Gilhuber et al. 2023;
TypiClust, Hacohen et al. 2022; core set, Sener & Savarese 2018; expected error, Roy & McCallum
2001.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from skactiveml.base import SkactivemlClassifier
from skactiveml.classifier import ParzenWindowClassifier
from skactiveml.pool import (
    CoreSet,
    Falcun,
    MonteCarloEER,
    TypiClust,
    average_kl_divergence,
    vote_entropy,
)

from fink_al.strategies.pool import Floats, Pool
from fink_al.strategies.space import places
from fink_al.strategies.uncertainty import uncertainty

_CANDIDATES = 50  # of the expected error: each costs a fit
_WIDTH = 0.2  # of the kernel, as a share of all ranks of a feature


def committee(pool: Pool) -> Floats:
    """Mean Kullback-Leibler divergence of the model's members from their mean [bit], shape (n,)."""
    p = pool.members
    scores = np.full(len(pool), np.nan)
    scored = ~np.isnan(p).any(axis=0)
    of_classes = np.stack([1 - p[:, scored], p[:, scored]], axis=-1)
    scores[scored] = np.clip(average_kl_divergence(of_classes) / np.log(2), 0, 1)
    return scores


def disagreement(pool: Pool) -> Floats:
    """Entropy of the members' votes [bit], shape (n,)."""
    p = pool.members
    scores = np.full(len(pool), np.nan)
    scored = ~np.isnan(p).any(axis=0)
    votes = (p[:, scored] > 0.5).T.astype(int)
    scores[scored] = vote_entropy(votes, [0, 1]) / np.log(2)
    return scores


def falcun(pool: Pool) -> Floats:
    """Scores of uncertain alerts whose probabilities differ, for all slots (Falcun)."""
    return _ask(pool, Falcun, clf=_StoredProbabilities(), fit_clf=False)


def typical(pool: Pool) -> Floats:
    """Scores of the most typical alert of each group without a label (TypiClust)."""
    return _ask(pool, TypiClust)


def coreset(pool: Pool) -> Floats:
    """Scores of alerts that are far from all labelled ones and from each other (core set)."""
    return _ask(pool, CoreSet)


def expected_error(pool: Pool) -> Floats:
    """Expected decrease of a model's error by the label, shape (n,).

    Computed for the 50 most uncertain alerts, by kernel density classifiers, and given from the
    smallest decrease among them to the largest; 0 for the others.
    """
    first = np.argsort(-np.nan_to_num(uncertainty(pool), nan=-1.0), kind="stable")[:_CANDIDATES]
    first = first[~np.isnan(pool.p[first])]
    of_pool, of_labelled = places(pool)
    width = 1 / (2 * _WIDTH**2 * of_pool.shape[1])
    model = ParzenWindowClassifier(classes=[0, 1], metric_dict={"gamma": width})
    scores = np.where(np.isnan(pool.p), np.nan, 0.0)
    if not len(first):
        return scores
    x, y = _rows(of_pool[first], of_labelled, pool)
    query = MonteCarloEER(random_state=_seed(pool)).query
    _, utilities = query(
        x, y, clf=model, candidates=np.arange(len(first)), X_eval=of_pool, return_utilities=True
    )
    decrease = utilities[0][: len(first)]
    span = decrease.max() - decrease.min()
    scores[first] = (decrease - decrease.min()) / span if span > 0 else 1.0
    return scores


class _StoredProbabilities(SkactivemlClassifier):
    """Classifier that returns the model's probabilities, the last column of each row."""

    def __init__(self, classes=(0, 1), missing_label=np.nan, cost_matrix=None, random_state=None):
        super().__init__(classes, missing_label, cost_matrix, random_state)

    def fit(self, X, y, sample_weight=None):
        """Check the data only: the probabilities are in them."""
        self._validate_data(X, y, sample_weight)
        return self

    def predict_proba(self, X):
        """Probabilities of both classes."""
        return np.stack([1 - X[:, -1], X[:, -1]], axis=-1)


def _ask(pool: Pool, kind: type, **options: Any) -> Floats:
    """Score alerts by the order in which a strategy of the library takes them for the slots."""
    scored = np.flatnonzero(~np.isnan(pool.p))
    scores = np.full(len(pool), np.nan)
    scores[scored] = 0.0
    if not len(scored):
        return scores
    of_pool, of_labelled = places(pool)
    if "clf" in options:
        of_pool = np.column_stack([of_pool, pool.p])
        of_labelled = np.column_stack([of_labelled, np.where(pool.positive, 1.0, 0.0)])
        options["clf"] = options["clf"].fit(of_pool[scored], np.full(len(scored), np.nan))
    x, y = _rows(of_pool[scored], of_labelled, pool)
    # More than the slots: of an object's alerts only one is asked for.
    slots = min(2 * pool.slots if pool.slots > 1 else 1, len(scored))
    query = kind(random_state=_seed(pool)).query
    taken = query(x, y, candidates=np.arange(len(scored)), batch_size=slots, **options)
    scores[scored[taken]] = np.linspace(1, 0.5, slots)
    return scores


def _rows(candidates: Floats, of_labelled: Floats, pool: Pool) -> tuple[Floats, Floats]:
    unlabelled = np.full(len(candidates), np.nan)
    labels = pool.positive.astype(float)
    return np.concatenate([candidates, of_labelled]), np.concatenate([unlabelled, labels])


def _seed(pool: Pool) -> int:
    return int(pool.uniform[0] * 2**31)
