"""Strategies of scikit-activeml, handed our pool (`pip install fink-al[campaign]`).

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

_CANDIDATES = 50  # for which the error of a model that knew them is worked out: each costs a fit
_WIDTH = 0.2  # of the kernel, as a share of all ranks of a feature


def committee(pool: Pool) -> Floats:
    """How far the model's members are from their mean (Kullback-Leibler), shape (n,)."""
    p = pool.members
    found = np.full(len(pool), np.nan)
    known = ~np.isnan(p).any(axis=0)
    found[known] = average_kl_divergence(np.stack([1 - p[:, known], p[:, known]], axis=-1))
    return found


def disagreement(pool: Pool) -> Floats:
    """Entropy of the members' votes, shape (n,)."""
    p = pool.members
    found = np.full(len(pool), np.nan)
    known = ~np.isnan(p).any(axis=0)
    found[known] = vote_entropy((p[:, known] > 0.5).T.astype(int), [0, 1])
    return found


def diverse(pool: Pool) -> Floats:
    """Uncertain alerts whose probabilities differ from each other, for all slots (Falcun)."""
    return _ask(pool, Falcun, clf=_Known(), fit_clf=False)


def typical(pool: Pool) -> Floats:
    """The most typical alert of each group that has no label (TypiClust)."""
    return _ask(pool, TypiClust)


def coreset(pool: Pool) -> Floats:
    """Alerts that are far from all labelled ones and from each other (core set)."""
    return _ask(pool, CoreSet)


def expected_error(pool: Pool) -> Floats:
    """How much smaller a model's error is expected to be with the label, shape (n,).

    Worked out for the 50 most uncertain alerts, by kernel density classifiers.
    """
    first = np.argsort(-np.nan_to_num(uncertainty(pool), nan=-1.0), kind="stable")[:_CANDIDATES]
    here, there = places(pool)
    width = 1 / (2 * _WIDTH**2 * here.shape[1])
    model = ParzenWindowClassifier(classes=[0, 1], metric_dict={"gamma": width})
    found = np.full(len(pool), np.nan)
    x, y = _rows(here[first], there, pool)
    query = MonteCarloEER(random_state=_seed(pool)).query
    _, utilities = query(
        x, y, clf=model, candidates=np.arange(len(first)), X_eval=here, return_utilities=True
    )
    found[first] = utilities[0][: len(first)]
    return found


class _Known(SkactivemlClassifier):
    """The model's probabilities, which stand in the last column of each row."""

    def __init__(self, classes=(0, 1), missing_label=np.nan, cost_matrix=None, random_state=None):
        super().__init__(classes, missing_label, cost_matrix, random_state)

    def fit(self, X, y, sample_weight=None):
        """Nothing: it is known."""
        self._validate_data(X, y, sample_weight)
        return self

    def predict_proba(self, X):
        """Probabilities of both classes."""
        return np.stack([1 - X[:, -1], X[:, -1]], axis=-1)


def _ask(pool: Pool, kind: type, **options: Any) -> Floats:
    """Scores by the order in which a strategy of the library takes alerts for the slots."""
    known = np.flatnonzero(~np.isnan(pool.p))
    found = np.full(len(pool), np.nan)
    found[known] = 0.0
    if not len(known):
        return found
    here, there = places(pool)
    if "clf" in options:
        here = np.column_stack([here, pool.p])
        there = np.column_stack([there, np.where(pool.positive, 1.0, 0.0)])
        options["clf"] = options["clf"].fit(here[known], np.full(len(known), np.nan))
    x, y = _rows(here[known], there, pool)
    # More than the slots, as of an object's alerts one alone is asked for.
    slots = min(2 * pool.slots if pool.slots > 1 else 1, len(known))
    query = kind(random_state=_seed(pool)).query
    taken = query(x, y, candidates=np.arange(len(known)), batch_size=slots, **options)
    found[known[taken]] = np.linspace(1, 0.5, slots)
    return found


def _rows(here: Floats, there: Floats, pool: Pool) -> tuple[Floats, Floats]:
    labels = pool.positive.astype(float)
    return np.concatenate([here, there]), np.concatenate([np.full(len(here), np.nan), labels])


def _seed(pool: Pool) -> int:
    return int(pool.uniform[0] * 2**31)
