"""Calibration of probabilities, where there are enough labels to show that it helps.

Platt (1999): a logistic curve over the log odds, of two numbers. It keeps the order of alerts. Both
numbers are learned from out-of-fold probabilities, as a forest is far too sure of its own examples.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from fink_al.errors import ModelError
from fink_al.models.estimators.background import Beside
from fink_al.models.estimators.estimator import fit_estimator, predict
from fink_al.models.examples import Earlier
from fink_al.settings import ModelSettings

_FOLDS = 5
#: Distance of probabilities from 0 and 1, whose odds are infinite: the resolution of 1 000 trees.
_LEAST_P = 1e-3
_CURVES = ("platt", "stream")
#: Largest slope, and largest intercept.
MOST = 1e3


@dataclass(frozen=True)
class Calibration:
    """A curve over an estimator's probabilities, or none.

    Parameters
    ----------
    method : str or None
        ``platt`` and ``stream``: the log odds are multiplied by `slope`, then `intercept` is added.
        ``stream`` is of labels drawn with known odds (:mod:`fink_al.models.stream_calibration`).
        None: probabilities stay.
    slope, intercept : float or None
        The two numbers.
    n : int
        Number of labels that decided.
    why : str
        Reason, in words.
    """

    method: str | None
    slope: float | None
    intercept: float | None
    n: int
    why: str

    def apply(self, p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Calibrated probabilities, shape (n,), in the order of `p`; NaN stays."""
        if self.slope is None or self.intercept is None:
            return p
        return np.asarray(expit(self.slope * log_odds(p) + self.intercept))

    def to_dict(self) -> dict[str, Any]:
        """The calibration as JSON types."""
        return asdict(self)

    @classmethod
    def of_manifest(cls, manifest: dict[str, Any], key: str = "calibration") -> Calibration:
        """Calibration of a model's manifest, which may come from anywhere.

        Parameters
        ----------
        manifest : dict
            Manifest of a bundle.
        key : str
            Entry that holds it.

        Raises
        ------
        ModelError
            If it is missing, or would not keep the order of probabilities.
        """
        try:
            calibration = cls(**manifest[key])
            numbers = (calibration.slope, calibration.intercept)
            valid = calibration.method is None and numbers == (None, None)
            if calibration.method in _CURVES:
                slope, intercept = (float(number) for number in numbers if number is not None)
                valid = 0 < slope < MOST and abs(intercept) < MOST  # false for NaN, too
                calibration = replace(calibration, slope=slope, intercept=intercept)
        except (KeyError, TypeError, ValueError):
            valid = False
        if not valid:
            raise ModelError(
                "The model's calibration is invalid: fetch the bundle again or run fink-al train."
            )
        return calibration


NO_CALIBRATION = Calibration(None, None, None, 0, "not requested")


def may_be_calibrated(settings: ModelSettings, positive: npt.NDArray[np.bool_]) -> bool:
    """Return True if there are enough labels of both classes (``calibrate_from``)."""
    least = settings.calibrate_from
    return least is not None and bool(min(positive.sum(), (~positive).sum()) >= least)


def with_earlier(
    values: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    objects: npt.NDArray[Any],
    earlier: Earlier | None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[Any]]:
    """Return values, classes and objects of examples, followed by those of earlier alerts."""
    if earlier is None:
        return values, positive, objects
    of = earlier.example
    return (
        np.concatenate([values, earlier.values]),
        np.concatenate([positive, positive[of]]),
        np.concatenate([objects, objects[of]]),
    )


def out_of_fold(
    settings: ModelSettings,
    values: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    objects: npt.NDArray[Any],
    prior: Beside | None = None,
    earlier: Earlier | None = None,
    columns: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.float64]:
    """Probability of each example by an estimator that did not see its object, shape (n,).

    There are five folds with about the same share of positives; fewer if a class has fewer objects.
    All probabilities are NaN if a class has a single object.

    Parameters
    ----------
    settings : ModelSettings
        Settings of the estimator.
    values : float64 array, shape (n, k)
        Features.
    positive : bool array, shape (n,)
        Classes.
    objects : array, shape (n,)
        Object of each example.
    prior : Prior or Background, optional
        The estimator's teacher or background.
    earlier : Earlier, optional
        Earlier alerts of the objects, which teach, too.
    columns : int64 array, optional
        Features that the estimator looks at; default: all.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # takes a second, for training only

    p = np.full(len(positive), np.nan)
    folds = min(_FOLDS, *(len(np.unique(objects[positive == each])) for each in (True, False)))
    if folds < 2:
        return p
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=settings.seed)
    for teach, test in split.split(values, positive, objects):
        use = np.isin(np.arange(len(positive)), teach)
        estimator = fit_estimator(
            settings,
            *with_earlier(values[use], positive[use], objects[use], earlier and earlier.of(use)),
            prior,
            columns=columns,
        )
        p[test] = predict(estimator, values[test])
    return p


def calibrate(
    settings: ModelSettings,
    p: npt.NDArray[np.float64] | None,
    positive: npt.NDArray[np.bool_],
    random: npt.NDArray[np.bool_],
) -> tuple[Calibration, npt.NDArray[np.float64] | None]:
    """Calibration that these labels support, and `p` with each label calibrated by the others.

    The rule: there are at least ``calibrate_from`` labels of each class, and the log loss falls by
    more than its standard error when each fifth of the labels is calibrated by the other four. If
    enough labels were selected at random, they alone decide: only they have the stream's shares.

    Parameters
    ----------
    settings : ModelSettings
        Settings of the estimator.
    p : float64 array, shape (n,), or None
        Out-of-fold probabilities; NaN where an example has none.
    positive : bool array, shape (n,)
        Classes.
    random : bool array, shape (n,)
        Whether a label was selected at random.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # takes a second, for training only

    least = settings.calibrate_from
    if least is None:
        return _none(0, "calibrate_from is null"), p
    few = f"fewer than {least} labels of each class (calibrate_from)"
    if p is None or not may_be_calibrated(settings, positive):
        return _none(len(positive), few), p
    use = ~np.isnan(p)
    of = "labels"
    if may_be_calibrated(settings, positive[use & random]):
        use, of = use & random, "labels selected at random"
    if not may_be_calibrated(settings, positive[use]):
        return _none(int(use.sum()), few), p
    used, truth = p[use], positive[use]
    by_others = np.full(len(used), np.nan)
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=settings.seed)
    for teach, test in folds.split(used, truth, np.arange(len(used))):
        by_others[test] = _platt(used[teach], truth[teach]).apply(used[test])
    gain = _loss(used, truth) - _loss(by_others, truth)
    mean, error = float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(len(gain)))
    figures = f"log loss falls by {mean:.4f} ± {error:.4f} on {len(used)} {of}"
    fitted = _platt(used, truth, figures)
    if not mean > error or not fitted.slope or not 0 < fitted.slope < MOST:
        return _none(len(used), f"{figures}: no more than by chance"), p
    calibrated = fitted.apply(p)
    calibrated[use] = by_others
    return fitted, calibrated


def _none(n: int, why: str) -> Calibration:
    return Calibration(None, None, None, n, why)


def _platt(
    p: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_], why: str = ""
) -> Calibration:
    from sklearn.linear_model import LogisticRegression

    learned = LogisticRegression().fit(log_odds(p)[:, None], positive)
    return Calibration(
        "platt", float(learned.coef_[0, 0]), float(learned.intercept_[0]), len(p), why
    )


def log_odds(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Logarithm of p / (1 - p), finite for 0 and 1, too."""
    # Squeezed and not cut off, so that different probabilities stay different.
    return np.asarray(logit(_LEAST_P + (1 - 2 * _LEAST_P) * p))


def _loss(p: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    clipped = np.clip(p, _LEAST_P, 1 - _LEAST_P)
    return -np.log(np.where(positive, clipped, 1 - clipped))
