"""The nightly job: labels and archive in, a challenger out, promoted if it is not worse."""

from __future__ import annotations

import fcntl
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from fink_al.errors import FinkAlError, ModelError
from fink_al.features.feature_set import FeatureSet
from fink_al.learning.evaluation import Metrics, evaluate
from fink_al.learning.model import Model, fingerprint, fit, with_metrics
from fink_al.learning.registry import DECISION, Registry
from fink_al.learning.training_set import TrainingSet, collect, read_examples, read_file
from fink_al.settings import Settings

log = logging.getLogger(__name__)

Outcome = Literal["promoted", "kept", "nothing_new", "too_few_labels"]


@dataclass(frozen=True)
class Summary:
    """What a nightly job did.

    Parameters
    ----------
    outcome : str
        ``promoted``: the challenger is the champion; ``kept``: it is worse, the champion stays;
        ``nothing_new``: it was decided about such a model before; ``too_few_labels``: no model is
        made.
    why : str
        In words.
    version : str or None
        Version of the challenger.
    champion : str or None
        Version that scores from now on.
    positive, negative : int
        Examples.
    metrics, champion_metrics : dict or None
        Of challenger and former champion on the fixed test set.
    """

    outcome: Outcome
    why: str
    version: str | None
    champion: str | None
    positive: int
    negative: int
    metrics: dict[str, Any] | None = None
    champion_metrics: dict[str, Any] | None = None


def retrain(settings: Settings, progress: Callable[[str], None] = log.info) -> Summary:
    """Train a challenger on all labels, compare, register, promote if it is not worse.

    Parameters
    ----------
    settings : Settings
        All settings.
    progress : callable, optional
        Told what happens.

    Raises
    ------
    FinkAlError
        If another nightly job of this installation is running.
    """
    with _alone(settings):
        summary = _retrain(settings, progress)
    settings.report_dir.mkdir(parents=True, exist_ok=True)
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    file = settings.report_dir / f"training_{stamp}.json"
    file.write_text(json.dumps(asdict(summary), indent=1), "utf-8")
    progress(f"{summary.outcome}: {summary.why}")
    return summary


def _retrain(settings: Settings, progress: Callable[[str], None]) -> Summary:
    target, registry = settings.target, Registry(settings)
    progress("collecting examples")
    training = collect(settings)
    positive, negative = int(training.positive.sum()), int((~training.positive).sum())
    number = registry.champion()
    least = target.model.min_labels_per_class
    if len(training) < target.model.min_labels or min(positive, negative) < least:
        why = (
            f"{positive} positive and {negative} negative examples; a model needs "
            f"{target.model.min_labels}, {least} of each"
        )
        return Summary("too_few_labels", why, None, number, positive, negative)
    test = _test_set(settings, training) if settings.test_set else None
    identity = fingerprint(training, target, test)
    for made in registry.versions():
        # Without a decision the job ended before its end: it is done again.
        if made.tags.get("fingerprint") == identity and DECISION in made.tags:
            why = f"version {made.number} was decided on the same examples and settings"
            return Summary("nothing_new", why, None, number, positive, negative)
    champion = _champion(settings, registry, number)
    progress(f"training on {positive} positive and {negative} negative examples")
    challenger = fit(training, target, number)
    metrics = theirs = None
    if test:
        progress("testing")
        metrics = evaluate(challenger.predict(test.values), test.positive)
        challenger = with_metrics(challenger, metrics)
        theirs = evaluate(champion.predict(test.values), test.positive) if champion else None
    better, why = _is_not_worse(settings, metrics, theirs)
    if number and not champion:
        why += f"; version {number} cannot be loaded here"
    progress("registering")
    tags = {"fingerprint": identity, "examples": str(len(training)), "why": why}
    version = registry.register(challenger, tags if better else tags | {DECISION: "kept"})
    if better:
        registry.promote(version)
    return Summary(
        "promoted" if better else "kept",
        why,
        version,
        version if better else number,
        positive,
        negative,
        metrics.to_dict() if metrics else None,
        theirs.to_dict() if theirs else None,
    )


def _champion(settings: Settings, registry: Registry, number: str | None) -> Model | None:
    if number is None:
        return None
    features = FeatureSet.from_settings(settings.target.features)
    try:
        return Model.from_bytes(registry.load(number), features.hash)
    except ModelError as error:
        log.warning("The champion, version %s, cannot be used any more: %s", number, error)
        return None


def _test_set(settings: Settings, training: TrainingSet) -> TrainingSet:
    assert settings.test_set
    test = read_examples(settings, read_file(settings.test_set))
    if len(set(test.positive.tolist())) < 2:
        raise FinkAlError(
            f"The test set {settings.test_set} has {len(test)} usable examples, which are not of "
            "both classes: take another, or set test_set to null to promote without a test."
        )
    shared = set(test.object_id) & set(training.object_id)
    if shared:
        raise FinkAlError(
            f"{len(shared)} objects of the test set {settings.test_set} are training examples, "
            f"{min(shared)} among them: remove their labels or take another test set."
        )
    return test


def _is_not_worse(
    settings: Settings, ours: Metrics | None, theirs: Metrics | None
) -> tuple[bool, str]:
    rule = settings.target.promotion
    if ours is None:
        return True, "there is no test set to compare on"
    mine = getattr(ours, rule.metric)
    if theirs is None:
        return True, f"nothing to compare with, {rule.metric} {mine:.3f}"
    other = getattr(theirs, rule.metric)
    words = f"{rule.metric} {mine:.3f} against {other:.3f}, tolerance {rule.tolerance}"
    return mine >= other - rule.tolerance, words


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    settings.work_dir.mkdir(parents=True, exist_ok=True)
    with (settings.work_dir / f"training_{settings.target.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FinkAlError(f"Another nightly job holds {lock.name}; wait for its end.") from None
        yield
