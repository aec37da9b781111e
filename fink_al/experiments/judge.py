"""Judge of a campaign's models: metrics on the test half, also weighted to a stream's mix.

Every object counts alike, however many alerts it has: a few with hundreds of them would decide
otherwise.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from fink_al.evaluation.metrics import figure_of_merit_at, metrics
from fink_al.experiments.labelled_alerts import LabelledAlerts
from fink_al.settings import StreamMix

#: Metrics of each row of the curves, on the whole test half.
METRICS = (
    "accuracy", "efficiency", "purity", "figure_of_merit", "auc", "average_precision", "log_loss",
    "calibration_error",
)  # fmt: skip
#: Samples of the test half, by the suffix of their metrics.
SAMPLES = ("", "_stream_like", "_bright", "_faint")
_ROUNDS = 50


class Judge:
    """Metrics on one test half.

    Parameters
    ----------
    test : LabelledAlerts
        Alerts on which models are judged.
    mix : StreamMix
        Shares of classes and magnitudes in the stream.
    faintest : float
        Faintest magnitude of the stream-like sample.
    """

    def __init__(self, test: LabelledAlerts, mix: StreamMix, faintest: float):
        self._test, self._mix, self._faintest = test, mix, faintest

    @property
    def effective(self) -> float:
        """Effective number of alerts when they are weighted to the stream (Kish 1965)."""
        weights = self._weights[SAMPLES.index("_stream_like")]
        total = float((weights**2).sum())
        return float(weights.sum()) ** 2 / total if total else 0.0

    def metrics(self, p: npt.NDArray[np.float64]) -> dict[str, float]:
        """Each of `METRICS` of each of `SAMPLES`; NaN where a sample is of one class.

        Parameters
        ----------
        p : float64 array, shape (n,)
            Probabilities of the test alerts, NaN where missing.
        """
        values = metrics(p, self._test.positive, self._weights)
        return {
            name + sample: float(values[name][i])
            for i, sample in enumerate(SAMPLES)
            for name in METRICS
        }

    def figure_of_merit_at(self, threshold: float, p: npt.NDArray[np.float64]) -> float:
        """Figure of merit on the whole test half if p above `threshold` is called positive."""
        return figure_of_merit_at(threshold, p, self._test.positive, self._weights[0])

    @cached_property
    def _weights(self) -> npt.NDArray[np.float64]:
        bright = self._test.mag < self._mix.bright_magnitude
        within = self._test.mag <= self._faintest
        by_object = self._test.by_object
        stream_like = within * by_object
        for _ in range(_ROUNDS):  # raking: each share in turn, until both are right
            stream_like *= _to_share(stream_like, self._test.positive, self._mix.positive_share)
            stream_like *= _to_share(stream_like, bright, self._mix.bright_share)
        return np.stack([by_object, stream_like, by_object * bright, by_object * ~bright])


def _to_share(
    weights: npt.NDArray[np.float64], is_one: npt.NDArray[np.bool_], share: float
) -> npt.NDArray[np.float64]:
    """Factors that give the rows of one kind their `share` of the weights, shape (n,)."""
    current = weights[is_one].sum() / max(weights.sum(), 1e-300)
    if not 0 < current < 1:  # all rows are of one kind
        return np.ones(len(is_one))
    return np.where(is_one, share / current, (1 - share) / (1 - current))
