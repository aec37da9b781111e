"""The nightly job: train a challenger on labels and archive, and promote it if it is as good."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.archive.upkeep import tidy
from fink_al.errors import FinkAlError, ModelError
from fink_al.evaluation.live import live_metrics
from fink_al.evaluation.metrics import evaluate
from fink_al.evaluation.promotion import (
    LOWER_IS_BETTER,
    Difference,
    compare,
    decide,
    is_enough,
    judge,
)
from fink_al.labels.counterparts import (
    counterparts_file,
    places,
    read_counterparts,
    write_counterparts,
)
from fink_al.labels.verdict import CONFLICT, verdicts
from fink_al.loop import Loop
from fink_al.models.examples import TrainingSet
from fink_al.models.model import Model, question, recipe
from fink_al.models.registry import DECISION, WHY, Registry
from fink_al.settings import PromotionSettings
from fink_al.settings.taxonomy import UNCLASSIFIED
from fink_al.storage.local import alone
from fink_al.training.background import background_identity
from fink_al.training.contest import entrants, winner
from fink_al.training.cross_fitting import compare_recipes
from fink_al.training.drawn import write_drawn
from fink_al.training.examples import (
    ArchiveReader,
    Matcher,
    collect,
    read_examples,
    rows_of,
)
from fink_al.training.inputs import read_inputs
from fink_al.training.live import champion_threshold, read_drawn_objects, with_weights
from fink_al.training.remember import remember
from fink_al.training.teacher import check_teachers
from fink_al.training.teaching_set import teaching_set_of
from fink_al.training.test_set import TestSet, read_test_set, reserved_objects
from fink_al.training.versions import Made, load, stored_examples

log = logging.getLogger(__name__)

Outcome = Literal["promoted", "kept", "nothing_new", "too_few_labels"]
Progress = Callable[[str], None]
#: Audits the last night; returns ``night``, ``adds_up`` and ``missing``.
Auditor = Callable[[Loop], dict[str, Any]]
#: Judges earlier alerts of a loop; takes lines of progress.
Filler = Callable[[Loop, Progress], None]

#: Tags of a version: digest of the question that was decided, and the champion at that time.
_QUESTION, _AGAINST = "question", "against"
#: Tag of a version: digest of what it was made of, without test set and promotion rule.
_RECIPE = "recipe"
#: Former name of the tag `question`, still read so that what a person rolled back stays so. The
#: manifest's fingerprint is another digest: of the fit alone.
_FORMER_QUESTION = "fingerprint"
#: Tag of a version: its name among the models that the job fitted.
_ENTRANT = "entrant"
#: Tag of a version: number of the last ledger record whose alerts its examples may be.
ARCHIVE = "archive"
#: Tags of a version: metric and test set, and the value of the metric.
_JUDGED_BY, _SCORE = "judged_by", "score"


class AlreadyRunning(FinkAlError):
    """Another nightly job of this installation is at work."""


@dataclass(frozen=True)
class Summary:
    """Result of a nightly job.

    Parameters
    ----------
    outcome : str
        ``promoted``: the challenger is the champion; ``kept``: it is not shown to be as good, the
        champion stays; ``nothing_new``: such a model was decided on before; ``too_few_labels``: no
        model is made.
    why : str
        Reason of the outcome, in words.
    version : str or None
        Version of the challenger.
    champion : str or None
        Version that scores from now on.
    positive, negative : int
        Numbers of examples.
    labels : dict of str to int
        Number of labelled objects that became an ``example``, and of the others by reason.
    by_position : int
        Number of objects of the label store that the archive has under other names.
    metrics, champion_metrics : dict or None
        Metrics of challenger and former champion on the fixed test set.
    differences : dict
        Difference of the challenger from each version that it was compared with on the test set.
    drawn_differences : dict
        The same on labels drawn with known odds, by cross-fitting; empty if they are too few.
    live : dict or None
        Metrics of the stream (:class:`fink_al.evaluation.live.LiveMetrics`); None if no label was
        drawn with known odds.
    challengers : dict of str to float
        Metric of the promotion of each fitted model, by name; empty if there is only one.
    audit : dict or None
        Night, whether it adds up, and number of what is missing, or why the audit failed; None if
        there was none.
    archive : int or None
        Number of the last ledger record whose alerts were read; -1 without one.
    seconds : float
        Duration [s].
    """

    outcome: Outcome
    why: str
    version: str | None
    champion: str | None
    positive: int
    negative: int
    labels: dict[str, int] = field(default_factory=dict)
    by_position: int = 0
    metrics: dict[str, Any] | None = None
    champion_metrics: dict[str, Any] | None = None
    differences: dict[str, Any] = field(default_factory=dict)
    drawn_differences: dict[str, Any] = field(default_factory=dict)
    live: dict[str, Any] | None = None
    challengers: dict[str, float] = field(default_factory=dict)
    audit: dict[str, Any] | None = None
    archive: int | None = None
    seconds: float = 0.0


def retrain(
    loop: Loop,
    archived: ArchiveReader,
    progress: Progress = log.info,
    matched: Matcher | None = None,
    audited: Auditor | None = None,
    filled: Filler | None = None,
) -> Summary:
    """Train a challenger on all labels, compare and register it, promote it if it is as good.

    Parameters
    ----------
    loop : Loop
        The target's loop.
    archived : callable
        Finds examples in the archive: :func:`fink_al.spark.nights.examples.archived_examples`.
    progress : callable, optional
        Called with a line of text at each step.
    matched : callable, optional
        Finds counterparts in the archive
        (:func:`fink_al.spark.nights.counterparts.archived_counterparts`); by default the recorded
        ones are kept.
    audited : callable, optional
        Audits the last night (:func:`fink_al.audit.proof.audit`). Whatever it finds, and if it
        fails, the job goes on.

    filled : callable, optional
        Judges alerts of before the target joined its stream, if it ``joins`` the archive
        (:func:`fink_al.spark.nights.fill.fill_since_last`). If it fails, the job goes on.

    Raises
    ------
    AlreadyRunning
        If another nightly job of this installation is running.
    SettingsError
        If a model of the target or its teacher has no features.
    """
    begin = time.monotonic()
    check_teachers(loop)
    folder = loop.settings.work_dir
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / f"training_{loop.target.name}.lock"
    with alone(lock, AlreadyRunning(f"Another nightly job holds {lock}: wait for its end.")):
        # The stream goes on meanwhile: all that follows reads the same alerts.
        loop, whole = loop.as_of(loop.archive.number()), loop
        if matched:
            _match(loop, matched, progress)
        _remember(whole, progress)
        if filled and loop.target.joins == "archive":
            try:
                filled(whole, progress)
            except Exception as error:  # whatever it is, the training does not wait for it
                log.warning("Earlier alerts are not filled in: %s", error)
        write_drawn(loop, progress)
        summary = _retrain(loop, archived, progress)
        tidy(whole.archive, loop.settings.stream.keep_replaced_hours, progress)
    if audited and loop.archive.nights():
        summary = replace(summary, audit=_audit(whole, audited, progress))
    seconds = round(time.monotonic() - begin, 1)
    summary = replace(summary, archive=loop.archive.until, seconds=seconds)
    folder = loop.settings.report_dir
    folder.mkdir(parents=True, exist_ok=True)
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    file = folder / f"training_{stamp}.json"
    file.write_text(json.dumps(asdict(summary), indent=1), "utf-8")
    progress(f"{summary.outcome}: {summary.why}")
    return summary


def _remember(loop: Loop, progress: Progress) -> None:
    """Take up in the memory the nights that alerts no longer tell of, if the target asks for it.

    If that fails, the job goes on: the next one takes up these nights.
    """
    if not loop.past:
        return
    try:
        remember(loop.archive, loop.alerts, loop.survey, loop.memory, progress)
    except Exception as error:  # whatever it is, the training does not wait for it
        log.warning("The memory of objects is not brought up to date: %s", error)


def _audit(loop: Loop, audited: Auditor, progress: Progress) -> dict[str, Any]:
    """Audit the last night; a failure is only recorded, because the training is done."""
    try:
        found = audited(loop)
    except Exception as error:  # not only ours: no fault of the audit may fail the job
        log.warning("The audit failed: %s", error, exc_info=not isinstance(error, FinkAlError))
        return {"failed": str(error)}
    if found["adds_up"]:
        progress(f"audit: night {found['night']} adds up")
    else:
        log.warning(
            "Audit: night %s does not add up, %s missing: fink-al audit --night %s names them",
            found["night"], found["missing"], found["night"],
        )  # fmt: skip
    return found


def _match(loop: Loop, matched: Matcher, progress: Progress) -> None:
    """Search the archive again for objects of the label store that have another name there."""
    positions = places(loop.labels.store.read())
    if len(positions):
        progress(f"looking for {len(positions)} labelled positions in the archive")
    matches = matched(loop, positions)
    write_counterparts(counterparts_file(loop.archive.folder), matches, datetime.now(UTC))
    if len(matches):
        progress(f"{len(matches)} labelled objects have another name in the archive, by position")


def _retrain(loop: Loop, archived: ArchiveReader, progress: Progress) -> Summary:
    target, registry, now = loop.target, loop.registry, datetime.now(UTC)
    test, inputs = read_test_set(loop), read_inputs(loop, now)
    teaching = teaching_set_of(loop)
    rows, counts = examples_until(loop, archived, now, progress)
    drawn = read_drawn_objects(loop)
    training = with_weights(read_examples(loop, rows), drawn)
    number = registry.champion()
    positive, negative = int(training.positive.sum()), int((~training.positive).sum())
    others = len(read_counterparts(counterparts_file(loop.archive.folder), now))
    done = Summary("nothing_new", "", None, number, positive, negative, counts, others)
    if len(drawn):
        live = live_metrics(drawn, champion_threshold(registry))
        done = replace(done, live=live.to_dict())
    least = target.model.min_labels_per_class
    taught_by = teaching.identity if teaching else None
    grown_on = background_identity(loop) if target.model.has_background else taught_by
    is_bare = not min(positive, negative) and grown_on is None
    if len(training) < target.model.min_labels or min(positive, negative) < least or is_bare:
        why = (
            f"{positive} positive and {negative} negative examples; a model needs "
            f"{target.model.min_labels}, {least} of each{', or archived alerts' * is_bare}"
        )
        return replace(done, outcome="too_few_labels", why=why)
    identity = question(training, target, test.identity if test else None, grown_on)
    ingredients = recipe(training, target, taught_by)
    if decided := _decided(loop, identity, ingredients, number):
        why = f"version {decided} was decided on the same examples and settings"
        return replace(done, why=why)
    progress(f"training on {positive} positive and {negative} negative examples")
    if test:
        progress(f"testing on {len(test.positive)} objects")
    made = entrants(loop, training, test, teaching, number, now, inputs, progress)
    first, chosen_because, scores = winner(made, training, target.promotion.metric)
    challenger, tags = first.model, {"examples": str(len(training)), _ENTRANT: first.name}
    if len(made) > 1:
        done = replace(done, challengers=scores)
    if test and first.metrics:
        score = getattr(first.metrics, target.promotion.metric)
        tags |= {_JUDGED_BY: _judged_by(test, target.promotion), _SCORE: repr(score)}
        done = replace(done, metrics=first.metrics.to_dict())
    if test or number:
        new = Made("", challenger, first.loop)
        better, why, done = _trial(new, training, rows_of(rows, training), test, first.p, done)
    else:
        better, why = True, "it is the first one; there is no test set to compare on"
    if chosen_because:
        why = f"{chosen_because}; {why}"
    progress("registering")
    tags |= {_QUESTION: identity, _RECIPE: ingredients, _AGAINST: number or "", WHY: why}
    tags[ARCHIVE] = str(loop.archive.until)
    version = registry.register(challenger, tags, rows_of(rows, training))
    # A person's decision made during the fit holds.
    if better and (hold := registry.held()):
        better, why = False, f"promotion is on hold ({hold}); it would have been: {why}"
    if better and (now_champion := registry.champion()) != number:
        better, why = (
            False,
            f"version {now_champion} became champion meanwhile: compared next time",
        )
        done = replace(done, champion=now_champion)
    if better:
        registry.promote(version, why)
        return replace(done, outcome="promoted", why=why, version=version, champion=version)
    registry.keep(version, why)
    return replace(done, outcome="kept", why=why, version=version)


def _decided(loop: Loop, identity: str, ingredients: str, champion: str | None) -> str | None:
    """Find a version made of the same whose decision still holds; None if there is no such version.

    The decision holds for a champion that can be loaded, and for a version that was kept for this
    champion. A version that a person rolled back stays so whatever the rule, the test set or
    scikit-learn are now. A former champion is judged again, as after a wrong label was corrected.
    So is a version without a decision, whose job was interrupted.
    """
    for version in loop.registry.versions():
        decision = version.tags.get(DECISION)
        if decision == "rolled_back" and version.tags.get(_RECIPE) == ingredients:
            return version.number
        if version.tags.get(_QUESTION, version.tags.get(_FORMER_QUESTION)) != identity:
            continue
        kept = decision == "kept" and version.tags.get(_AGAINST) == (champion or "")
        scores = version.number == champion and _is_loadable(loop, version.number)
        if kept or scores or decision == "rolled_back":
            return version.number
    return None


def _is_loadable(loop: Loop, number: str) -> bool:
    try:
        Model.from_bytes(loop.registry.load(number), loop.features.hash)
    except ModelError as error:
        log.warning("The champion, version %s, cannot be loaded: %s", number, error)
        return False
    return True


def examples_until(
    loop: Loop, archived: ArchiveReader, until: datetime, progress: Progress = log.info
) -> tuple[pa.Table, dict[str, int]]:
    """Collect the examples by the labels at a time, and count the labelled objects by reason.

    Objects of the test set are left out: what a model learned from cannot judge it.
    """
    progress("reading labels")
    by_own_name = loop.labels_until(until)
    labels = verdicts(by_own_name, loop.target, loop.taxonomy)
    reasons = labels["reason"].drop_null().to_pylist()
    if disputed := reasons.count(CONFLICT):
        progress(f"{disputed} objects are left out as sources disagree: fink-al labels conflicts")
    counts = Counter(reasons)
    # Objects that must not teach: those of the test set, and labelled ones without a verdict.
    undecided = pc.and_(pc.is_null(labels["positive"]), pc.not_equal(labels["type"], UNCLASSIFIED))
    names = by_own_name.both(reserved_objects(loop.settings.test_set))
    silent = [*names, *labels["object_id"].filter(undecided).to_pylist()]
    labels = labels.filter(pc.is_valid(labels["positive"]))
    reserved = pc.is_in(labels["object_id"], pa.array(names, pa.string()))
    counts["in_test_set"] = pc.sum(reserved).as_py() or 0
    labels = labels.filter(pc.invert(reserved))
    progress(f"looking for {len(labels)} labelled objects in the archive")
    rows = collect(loop, labels, archived, silent, by_own_name.own)
    taught = pc.is_in(labels["object_id"], rows["object_id"].combine_chunks())
    counts["example"] = pc.sum(taught).as_py() or 0
    counts["no_alert"] = len(labels) - counts["example"]
    return rows, {reason: number for reason, number in counts.items() if number}


def _trial(
    new: Made,
    training: TrainingSet,
    rows: pa.Table,
    test: TestSet | None,
    p: npt.NDArray[np.float64] | None,
    done: Summary,
) -> tuple[bool, str, Summary]:
    """Return whether the challenger is as good as the champion, and why.

    It is also compared with the best former champion. Otherwise each night could be worse by less
    than the margin, and all nights together by much. Each comparison is on the test set, `p` being
    the challenger's probabilities there, or on the drawn labels if they say more.
    """
    loop = new.loop
    rule = loop.target.promotion
    sentences = []
    for number in _rivals(loop.registry, test, rule, done.champion):
        try:
            other = load(loop, number)
        except ModelError as error:
            log.warning("Comparison with version %s failed: %s", number, error)
            sentences.append(f"version {number} cannot be loaded or made again here")
            continue
        on_test = None
        if test and p is not None:
            theirs, threshold = other.predict(test.rows), other.model.threshold
            if number == done.champion:
                champion = evaluate(theirs, test.positive, threshold=threshold)
                done = replace(done, champion_metrics=champion.to_dict())
            both = (new.model.threshold, threshold)
            on_test = compare(p, theirs, test.positive, rule.metric, rule.margin, both)
            done.differences[number] = on_test.to_dict()
        if on_drawn := _on_drawn(new, training, rows, other):
            done.drawn_differences[number] = on_drawn.to_dict()
        if (difference := judge(on_test, on_drawn)) is None:
            if rule.unjudged == "promote":
                sentences.append("nothing judges it yet, and promotion.unjudged is promote")
                continue
            return False, "there is no test set to compare on: fink-al model promote decides", done
        better, why = decide(rule, difference)
        sentences.append(f"{why} (version {number})")
        if not better:
            return False, sentences[-1], done
    return True, "; ".join(sentences) or "there is nothing to compare with", done


def _on_drawn(new: Made, training: TrainingSet, rows: pa.Table, other: Made) -> Difference | None:
    """Compare with a version on the drawn labels; None if they are too few."""
    if not is_enough(training.positive, training.drawn):
        return None
    examples = stored_examples(other.loop, other.number)
    return compare_recipes((new.loop, training), (other.loop, examples), rows, training)


def _rivals(
    registry: Registry, test: TestSet | None, rule: PromotionSettings, champion: str | None
) -> list[str]:
    """Champion, then the best former champion on this test set and by this rule."""
    if champion is None:
        return []
    if test is None:
        return [champion]
    sign = -1 if rule.metric in LOWER_IS_BETTER else 1
    scores = {
        version.number: sign * float(version.tags[_SCORE])
        for version in registry.versions()
        if version.tags.get(DECISION) == "promoted"
        and version.tags.get(_JUDGED_BY) == _judged_by(test, rule)
    }
    best = max(scores, key=scores.__getitem__, default=champion)
    return list(dict.fromkeys([champion, best]))


def _judged_by(test: TestSet, rule: PromotionSettings) -> str:
    return f"{rule.metric} on {test.identity}"
