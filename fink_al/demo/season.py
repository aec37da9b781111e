"""A season fast forward: how many spectra the target's strategy saves against random choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fink_al.alerts import light_curves
from fink_al.experiments.labelled_alerts import LabelledAlerts, some_of_each, with_features
from fink_al.experiments.outcome import Crossing, crossing, curves_of
from fink_al.experiments.plan import Arm, Plan
from fink_al.experiments.side_by_side import run_all
from fink_al.loop import Loop
from fink_al.settings import FeatureSettings
from fink_al.simulation.nights import simulate
from fink_al.simulation.objects import CLASSIFIED_MIX, KINDS

RANDOM = "random"
_NIGHTS, _ALERTS_PER_NIGHT, _ALERTS_PER_OBJECT = 60, 2000, 4
_LABELS, _PER_NIGHT, _TREES = 150, 5, 200
_METRIC = "average_precision"


@dataclass(frozen=True)
class Season:
    """Outcome of a season.

    Parameters
    ----------
    curves : pandas.DataFrame
        Rows of ``curves.parquet`` of both arms.
    strategy : str
        Arm of the target's strategy.
    objects : int
        Number of objects.
    positive_share : float
        Share of positives among them.
    """

    curves: pd.DataFrame
    strategy: str
    objects: int
    positive_share: float

    @property
    def seeds(self) -> int:
        """Number of splits of the objects."""
        return int(self.curves["seed"].nunique())

    @property
    def spectra(self) -> int:
        """Number of labels at the end."""
        return int(self.curves["n_labels"].max())

    def needed(self) -> Crossing:
        """Labels that the strategy needs for the average precision of all random ones."""
        return crossing(curves_of(self.curves, _METRIC), self.strategy, RANDOM)


def fast_forward(
    loop: Loop,
    folder: Path,
    seed: int,
    seeds: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Season:
    """Run the target's strategy and random choice over one simulated season.

    Parameters
    ----------
    loop : Loop
        Target, survey and taxonomy.
    folder : path
        Folder of the campaign's runs.
    seed : int
        Seed of the season's sky.
    seeds : int
        Number of splits of its objects into a pool and a test half.
    progress : callable, optional
        Called with the labels used so far and the labels of all runs.
    """
    target = loop.target
    model = target.model.model_copy(update={"estimator": "random_forest", "n_estimators": _TREES})
    target = target.model_copy(update={"model": model})
    alerts = season(loop, seed)
    arm = target.strategy
    plan = Plan(arms=(Arm(arm), Arm(RANDOM)), seeds=seeds, labels=_LABELS, per_night=_PER_NIGHT)
    done = run_all({None: alerts}, plan, target, folder, progress=progress)
    _, first = np.unique(alerts.row, return_index=True)
    return Season(done.curves.to_pandas(), arm, len(first), float(alerts.positive[first].mean()))


def season(loop: Loop, seed: int, features: FeatureSettings | None = None) -> LabelledAlerts:
    """Return alerts up to maximum of a sky with a stream's share of positives.

    The share is the target's (``stream_mix``). All other types have the shares that surveys with
    spectra find (:data:`fink_al.simulation.objects.CLASSIFIED_MIX`). An object has at most four
    alerts.

    Parameters
    ----------
    loop : Loop
        Target, survey and taxonomy.
    seed : int
        Seed of the sky.
    features : FeatureSettings, optional
        Feature set; default: the target's.
    """
    survey, target = loop.survey, loop.target
    types = [str(KINDS[name].type) for name in CLASSIFIED_MIX]
    classes = loop.taxonomy.classify(types, target)
    sky = simulate(
        _NIGHTS, _ALERTS_PER_NIGHT, seed, mix=_mix(classes, target.stream_mix.positive_share),
        survey=survey.name,
    )  # fmt: skip
    truth = sky.truth.set_index("object_id").loc[sky.alerts["object_id"]]
    of_alert = loop.taxonomy.classify(truth["type"].tolist(), target)
    is_late = sky.alerts["mjd"].to_numpy() > truth["peak_mjd"].to_numpy()
    use = np.array([each is not None for each in of_alert]) & ~is_late
    rows = np.flatnonzero(use & sky.alerts["is_positive"].to_numpy(bool))
    _, number = np.unique(truth.index.to_numpy(str)[rows], return_inverse=True)
    chosen = some_of_each(number, _ALERTS_PER_OBJECT, np.random.default_rng(seed))
    rows, number = rows[chosen], number[chosen]
    alerts = sky.alerts.iloc[rows]
    return with_features(
        light_curves(sky.columns().take(rows), survey),
        features or target.features,
        positive=np.array(of_alert, object)[rows].astype(bool),
        row=number.astype(np.int64),
        object_id=alerts["object_id"].to_numpy(object),
        types=truth["type"].to_numpy(object)[rows],
        night=np.floor(alerts["mjd"].to_numpy() - survey.day_start).astype(np.int64),
        mag=alerts["mag"].to_numpy(np.float64),
    )


def _mix(classes: list[bool | None], positive_share: float) -> dict[str, float]:
    """Shares of the kinds, of which those of `classes` that are positive have `positive_share`."""
    shares = np.array(list(CLASSIFIED_MIX.values()))
    positive = np.array([each is True for each in classes])
    shares[positive] *= positive_share / shares[positive].sum()
    shares[~positive] *= (1 - positive_share) / shares[~positive].sum()
    return dict(zip(CLASSIFIED_MIX, shares.tolist(), strict=True))
