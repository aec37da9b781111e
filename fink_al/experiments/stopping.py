"""When labels no longer change what a model calls positive (Bloodgood & Vijay-Shanker 2009).

A model's calls are compared with those of a model of some labels before, on alerts whose types
nobody has to know; so the same can be done at night. Their rule is an agreement of 0.99 between
successive models of a text classifier; few supernovae never come to that, hence the wider step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

#: Labels between the two models that are compared.
STEP = 20
#: Cohen's kappa from which on a model has settled.
SETTLED = 0.95


@dataclass(frozen=True)
class Stop:
    """What the rule would have done to an arm.

    Parameters
    ----------
    labels : int64 array, shape (k,)
        Where it stops, of the seeds in which it does.
    left : float64 array, shape (k,)
        How much better the metric is at the end of these seeds.
    seeds : int
        All seeds.
    """

    labels: npt.NDArray[np.int64]
    left: npt.NDArray[np.float64]
    seeds: int


def agreement(calls: npt.NDArray[np.bool_], before: npt.NDArray[np.bool_]) -> float:
    """Cohen's kappa of two models' calls: 1 where they are the same, 0 as if by chance.

    Parameters
    ----------
    calls, before : bool array, shape (n,)
        Whether each alert is called positive.
    """
    same = float((calls == before).mean())
    p, q = calls.mean(), before.mean()
    by_chance = float(p * q + (1 - p) * (1 - q))
    return 1.0 if by_chance == 1 else (same - by_chance) / (1 - by_chance)


def stops(table: pd.DataFrame, metric: str) -> dict[str, Stop]:
    """Where each arm would have stopped, and what of a metric it would have left behind.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of ``curves.parquet``.
    metric : str
        Of which more is better.
    """
    found = {}
    for arm, rows in table.groupby("strategy", sort=False):
        labels, left = [], []
        for _, run in rows.sort_values("n_labels").groupby("seed"):
            settled = run[run["agreement"].astype(np.float64) >= SETTLED]
            if len(settled):
                labels.append(settled["n_labels"].iloc[0])
                left.append(run[metric].iloc[-1] - settled[metric].iloc[0])
        found[str(arm)] = Stop(np.array(labels, np.int64), np.array(left), rows["seed"].nunique())
    return found
