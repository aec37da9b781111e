"""Promotion of a challenger by a paired comparison with the champion.

It is made on the fixed test set, and on labels that were drawn with known odds as soon as those
say more (:func:`judge`).

Both models score the same objects, so the choice of objects changes both metrics alike. The
bootstrap therefore draws objects once for both models and takes the difference. Its spread is a
fraction of the spread of either metric, so a few hundred test objects distinguish models that
differ by their last labels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fink_al.evaluation.effective import effective_number
from fink_al.evaluation.jackknife import confidence, interval, jackknife
from fink_al.evaluation.metrics import metrics, resample
from fink_al.evaluation.threshold import NO_THRESHOLD, best_threshold
from fink_al.settings import PromotionSettings

#: Drawn labels judge from these effective numbers of labels and positives on: the same that the
#: live metrics need.
LEAST_LABELS, LEAST_POSITIVES = 30.0, 5.0
TEST_SET, DRAWN_LABELS = "the test set", "labels drawn with known odds"

#: Metrics of which less is better.
LOWER_IS_BETTER = frozenset({"log_loss", "calibration_error"})


@dataclass(frozen=True)
class Difference:
    """Difference of a challenger from a champion on the same objects.

    Parameters
    ----------
    metric : str
        Name of the metric.
    challenger, champion : float
        Metric of each.
    gain : float
        Amount by which the challenger is better; below 0 it is worse.
    interval : tuple of float
        68% interval of the gain, by resampling objects.
    confidence : float
        Share of the draws in which the challenger is not worse by more than the margin.
    objects : int
        Number of objects that judge.
    error : float
        Standard error of the gain.
    judge : str
        `TEST_SET` or `DRAWN_LABELS`.
    """

    metric: str
    challenger: float
    champion: float
    gain: float
    interval: tuple[float, float]
    confidence: float
    objects: int
    error: float = float("nan")
    judge: str = TEST_SET

    def to_dict(self) -> dict[str, Any]:
        """The difference as JSON types."""
        return asdict(self)


def compare(
    challenger: npt.NDArray[np.float64],
    champion: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    metric: str,
    margin: float = 0.0,
    thresholds: tuple[float, float] = (NO_THRESHOLD, NO_THRESHOLD),
) -> Difference:
    """Compare the probabilities of two models for the same objects.

    Parameters
    ----------
    challenger, champion : float64 array, shape (n,)
        Probabilities, one an object; NaN where missing.
    positive : bool array, shape (n,)
        Class of each object.
    metric : str
        Key of :func:`fink_al.evaluation.metrics.metrics`.
    margin : float
        Loss that still counts as not worse.
    thresholds : tuple of float
        What lies above them is called positive, by the challenger and by the champion.
    """
    weights = resample(np.arange(len(positive)))
    once = np.ones((1, len(positive)), int)
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    ours, theirs = (
        float(metrics(p, positive, once, each)[metric][0])
        for p, each in zip((challenger, champion), thresholds, strict=True)
    )
    drawn = [
        metrics(p, positive, weights, each)[metric]
        for p, each in zip((challenger, champion), thresholds, strict=True)
    ]
    gains = sign * (drawn[0] - drawn[1])
    gains = gains[np.isfinite(gains)]
    low, high = np.percentile(gains, [16, 84]).tolist()
    return Difference(
        metric=metric,
        challenger=ours,
        champion=theirs,
        gain=sign * (ours - theirs),
        interval=(low, high),
        confidence=float((gains >= -margin).mean()),
        objects=len(positive),
        error=float(gains.std(ddof=1)),
    )


def is_enough(positive: npt.NDArray[np.bool_], weights: npt.NDArray[np.float64]) -> bool:
    """Return True if drawn labels are enough to compare on (`LEAST_LABELS`, `LEAST_POSITIVES`)."""
    use = weights > 0
    labels, positives = weights[use], weights[use & positive]
    is_mixed = 0 < len(positives) < len(labels)
    return (
        is_mixed
        and effective_number(labels) >= LEAST_LABELS
        and effective_number(positives) >= LEAST_POSITIVES
    )


def compare_drawn(
    challenger: npt.NDArray[np.float64],
    champion: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    metric: str,
    margin: float = 0.0,
) -> Difference | None:
    """Compare the probabilities of two models on labels drawn with known odds.

    The difference is that on the stream. Its error is by leaving out objects.

    Parameters
    ----------
    challenger, champion : float64 array, shape (n,)
        Probabilities, one an object, by models that did not learn from it; NaN where missing.
    positive : bool array, shape (n,)
        Class of each object.
    weights : float64 array, shape (n,)
        One over the odds of each; NaN where it was not drawn.
    metric : str
        Key of :func:`fink_al.evaluation.metrics.metrics`.
    margin : float
        Loss that still counts as not worse.

    Returns
    -------
    Difference or None
        None if the labels are too few (`LEAST_LABELS`, `LEAST_POSITIVES`).
    """
    if not is_enough(positive, weights):
        return None
    use = weights > 0
    pair = [p[use] for p in (challenger, champion)]
    positive, weights = positive[use], weights[use]
    # What is called positive follows the same rule for both, on the same labels.
    thresholds = [best_threshold(p, positive, weights) for p in pair]
    positives = effective_number(weights[positive])
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0

    def both(many: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
        ours, theirs = (
            metrics(p, positive, many, each)[metric]
            for p, each in zip(pair, thresholds, strict=True)
        )
        return {"ours": ours, "theirs": theirs, "gain": sign * (ours - theirs)}

    found = jackknife(both, weights, np.arange(len(weights)))
    gain = found["gain"]
    return Difference(
        metric=metric,
        challenger=found["ours"].value,
        champion=found["theirs"].value,
        gain=gain.value,
        interval=interval(gain, positives),
        confidence=confidence(gain, -margin, positives),
        objects=len(weights),
        error=gain.error,
        judge=DRAWN_LABELS,
    )


def judge(on_test: Difference | None, on_drawn: Difference | None) -> Difference | None:
    """Return the comparison that says more: the one with the smaller standard error.

    Until the drawn labels say more than the frozen test set, the test set alone decides. Drawn
    labels are of the stream itself, so they win a tie.
    """
    if on_test is None or on_drawn is None:
        return on_drawn if on_test is None else on_test
    return on_drawn if on_drawn.error <= on_test.error else on_test


def decide(rule: PromotionSettings, difference: Difference) -> tuple[bool, str]:
    """Decide about the promotion of the challenger; return True to promote, and the reason."""
    better = difference.confidence >= rule.confidence
    low, high = difference.interval
    of = f" of {difference.judge}" if difference.judge != TEST_SET else ""
    verdict = "not worse" if better else "not shown to be as good"
    return better, (
        f"{verdict}: {difference.metric} {difference.challenger:.3f} against "
        f"{difference.champion:.3f} on {difference.objects} objects{of}, better by "
        f"{difference.gain:+.3f} ({low:+.3f} to {high:+.3f}); "
        f"{difference.confidence:.1%} sure that it is not worse by more than {rule.margin:g}, "
        f"{rule.confidence:.0%} needed"
    )
