"""Stopping rule: labels no longer change what a model calls positive.

Bloodgood & Vijay-Shanker (2009). The calls of a model are compared with those of a model with fewer
labels, on alerts whose types need not be known, so the rule can also be used at night. The paper
asks for an agreement of 0.99 between successive models of a text classifier; models of few
supernovae never reach that, hence the wider step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

#: Labels between the two models that are compared.
STEP = 20
#: Cohen's kappa from which a model counts as settled.
SETTLED = 0.95


@dataclass(frozen=True)
class Stop:
    """Effect of the rule on an arm.

    Parameters
    ----------
    labels : int64 array, shape (k,)
        Number of labels at which the arm stops, for the seeds in which it stops.
    left : float64 array, shape (k,)
        Gain of the metric from there to the end, for the same seeds.
    seeds : int
        Number of all seeds.
    """

    labels: npt.NDArray[np.int64]
    left: npt.NDArray[np.float64]
    seeds: int


def agreement(calls: npt.NDArray[np.bool_], before: npt.NDArray[np.bool_]) -> float:
    """Cohen's kappa of two models' calls: 1 if they are the same, 0 if they agree by chance.

    Parameters
    ----------
    calls, before : bool array, shape (n,)
        Whether each alert is called positive.
    """
    # Kappa is undefined where both models call all alerts alike: they agree.
    if np.array_equal(calls, before):
        return 1.0
    from sklearn.metrics import cohen_kappa_score  # takes a second, and only campaigns need it

    return float(cohen_kappa_score(calls, before))


def stops(table: pd.DataFrame, metric: str) -> dict[str, Stop]:
    """Labels with which each arm would have stopped, and the gain that it would have missed.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of ``curves.parquet``.
    metric : str
        Name of a metric of which more is better.
    """
    result = {}
    for arm, rows in table.groupby("strategy", sort=False):
        labels, left = [], []
        for _, run in rows.sort_values("n_labels").groupby("seed"):
            settled = run[run["agreement"].astype(np.float64) >= SETTLED]
            if len(settled):
                labels.append(settled["n_labels"].iloc[0])
                left.append(run[metric].iloc[-1] - settled[metric].iloc[0])
        result[str(arm)] = Stop(np.array(labels, np.int64), np.array(left), rows["seed"].nunique())
    return result
