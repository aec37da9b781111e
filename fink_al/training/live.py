"""Drawn objects of a target, with what the versions that scored them had learned from."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from fink_al.errors import ModelError
from fink_al.evaluation.drawn import DrawnObjects
from fink_al.evaluation.live import LiveMetrics, live_metrics
from fink_al.evaluation.threshold import NO_THRESHOLD
from fink_al.loop import Loop
from fink_al.models.examples import TrainingSet
from fink_al.models.model import read_manifest, threshold_of
from fink_al.models.registry import Registry
from fink_al.training.drawn import read_drawn

log = logging.getLogger(__name__)


def read_drawn_objects(loop: Loop) -> DrawnObjects:
    """Read the drawn objects that the last nightly job wrote; none without a table.

    Raises
    ------
    ServiceError
        If the table cannot be read.
    """
    rows = read_drawn(loop.archive)
    objects, positive = rows["object_id"].to_numpy(), rows["positive"]
    return DrawnObjects(
        object_id=objects,
        list=rows["list"].to_numpy(),
        odds=rows["odds"].to_numpy(),
        lists=rows["lists"].to_numpy(),
        p=rows["p"].to_numpy(),
        is_typed=positive.is_valid().to_numpy(),
        positive=positive.fill_null(False).to_numpy(),
        mag=rows["mag"].to_numpy(),
        airmass=np.full(len(rows), np.nan),  # what a spectrum had is not reported
        seen=_seen(loop.registry, objects, rows["model_version"].to_numpy()),
    )


def live_now(loop: Loop, since: int | None = None) -> LiveMetrics:
    """Estimate the metrics of the stream by the champion's threshold.

    Parameters
    ----------
    loop : Loop
        Archive and registry.
    since : int, optional
        First list that counts, YYYYMMDD.
    """
    return live_metrics(read_drawn_objects(loop), champion_threshold(loop.registry), since)


def champion_threshold(registry: Registry) -> float:
    """Return the champion's threshold; `NO_THRESHOLD` without a champion that can be read."""
    champion = registry.champion()
    try:
        return threshold_of(read_manifest(registry.load(champion))) if champion else NO_THRESHOLD
    except ModelError as error:
        log.warning("The threshold of version %s is unknown: %s", champion, error)
        return NO_THRESHOLD


def with_weights(training: TrainingSet, drawn: DrawnObjects) -> TrainingSet:
    """Return the examples with the weights of those that were drawn with known odds."""
    if not len(drawn):
        return training
    names, of_row = np.unique(drawn.object_id.astype(str), return_inverse=True)
    total = dict(zip(names.tolist(), np.bincount(of_row, drawn.weights()).tolist(), strict=True))
    weights = np.array([total.get(name, 0.0) for name in training.object_id])
    return replace(training, weights=np.where(weights > 0, weights, np.nan))


def _seen(registry: Registry, objects: np.ndarray, versions: np.ndarray) -> np.ndarray:
    """Tell whether the version of each row had learned from its object.

    A version that cannot be read judges nothing: its rows count as seen.
    """
    seen = np.zeros(len(objects), bool)
    for version in {each for each in versions if each is not None}:
        of = versions == version
        try:
            examples = read_manifest(registry.load(version))["labels"]["examples"]
        except ModelError as error:
            log.warning("Scores of version %s are not judged: %s", version, error)
            seen[of] = True
            continue
        learned = {name for name, *_ in examples}
        seen[of] = [name in learned for name in objects[of]]
    return seen
