"""Promotion of a challenger by a paired comparison with the champion on the fixed test set.

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

from fink_al.evaluation.metrics import metrics, resample
from fink_al.settings import PromotionSettings

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
        Number of objects of the test set.
    """

    metric: str
    challenger: float
    champion: float
    gain: float
    interval: tuple[float, float]
    confidence: float
    objects: int

    def to_dict(self) -> dict[str, Any]:
        """The difference as JSON types."""
        return asdict(self)


def compare(
    challenger: npt.NDArray[np.float64],
    champion: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    metric: str,
    margin: float = 0.0,
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
    """
    weights = resample(np.arange(len(positive)))
    once = np.ones((1, len(positive)), int)
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    ours, theirs = (
        float(metrics(p, positive, once)[metric][0]) for p in (challenger, champion)
    )  # fmt: skip
    drawn = [metrics(p, positive, weights)[metric] for p in (challenger, champion)]
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
    )


def decide(rule: PromotionSettings, difference: Difference) -> tuple[bool, str]:
    """Decide about the promotion of the challenger; return True to promote, and the reason."""
    better = difference.confidence >= rule.confidence
    low, high = difference.interval
    verdict = "not worse" if better else "not shown to be as good"
    return better, (
        f"{verdict}: {difference.metric} {difference.challenger:.3f} against "
        f"{difference.champion:.3f} on {difference.objects} objects, better by "
        f"{difference.gain:+.3f} ({low:+.3f} to {high:+.3f}); "
        f"{difference.confidence:.1%} sure that it is not worse by more than {rule.margin:g}, "
        f"{rule.confidence:.0%} needed"
    )
