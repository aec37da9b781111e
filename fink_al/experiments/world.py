"""World of a seed: the pool that can be asked, the test half and the initial labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fink_al.errors import LightCurveError
from fink_al.experiments.labelled_alerts import LabelledAlerts, halves, some_of_each, thinned
from fink_al.experiments.plan import Plan

_TRIES = 1000


@dataclass(frozen=True)
class World:
    """A pool and a test half, which share no object.

    Parameters
    ----------
    pool : LabelledAlerts
        Alerts that may be asked for.
    test : LabelledAlerts
        Alerts on which each model is judged.
    initial : int64 array, shape (m,)
        Rows of the pool that are labelled at the start, one an object.
    """

    pool: LabelledAlerts
    test: LabelledAlerts
    initial: npt.NDArray[np.int64]

    @property
    def objects(self) -> int:
        """Number of objects of the pool."""
        return len(np.unique(self.pool.row))


def draw(alerts: LabelledAlerts, plan: Plan, seed: int, least: int) -> World:
    """Draw the world of a seed, the same for all arms: their alerts differ in features only.

    Parameters
    ----------
    alerts : LabelledAlerts
        All alerts.
    plan : Plan
        Subset, share of positives, alerts an object and number of initial labels.
    seed : int
        Seed of the draw.
    least : int
        Smallest number of objects of each class among the initial ones. Draws are repeated until
        they have it: a model needs both classes.

    Raises
    ------
    LightCurveError
        If the pool has too few objects, or too few positives for their share.
    """
    rng = np.random.default_rng(seed)
    if plan.subset == "published":
        alerts = alerts.take(alerts.published)
    if plan.positive_share is not None:
        alerts = thinned(alerts, plan.positive_share, rng)
    if plan.alerts_per_object:
        alerts = alerts.take(some_of_each(alerts.row, plan.alerts_per_object, rng))
    pool, test = halves(alerts, rng, same_share=plan.positive_share is not None)
    objects = len(np.unique(pool.row))
    if objects <= plan.initial:
        raise LightCurveError(
            f"The pool has {objects} objects and the campaign starts with {plan.initial} labels: "
            "give more light curves, or a smaller --initial."
        )
    for _ in range(_TRIES):
        rows = rng.permutation(len(pool))
        _, first = np.unique(pool.row[rows], return_index=True)
        rows = rows[np.sort(first)][: plan.initial]
        positive = int(pool.positive[rows].sum())
        if min(positive, len(rows) - positive) >= least:
            return World(pool, test, rows)
    raise LightCurveError(
        f"{_TRIES} draws of {plan.initial} objects never had {least} of each class: give a larger "
        "--initial."
    )
