"""Probabilities made to mean what they say, where labels suffice to tell that they do not.

Platt (1999): a logistic curve over the log odds, of two numbers. It keeps the order of alerts. Both
are learned from out-of-fold probabilities, as a forest is far too sure of what it was trained on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from fink_al.errors import ModelError
from fink_al.models.estimators.estimator import fit_estimator, predict
from fink_al.models.estimators.prior import Prior
from fink_al.settings import ModelSettings

_FOLDS = 5
_KEPT = 1e-3  # that no probability is 0 or 1, whose odds are infinite: as fine as 1 000 trees tell
_LARGEST = 1e3


@dataclass(frozen=True)
class Calibration:
    """What becomes of an estimator's probabilities.

    Parameters
    ----------
    method : str or None
        ``platt``: the log odds are multiplied by `slope` and added to `intercept`; None: nothing.
    slope, intercept : float or None
        The two numbers.
    n : int
        Labels that decided.
    why : str
        In words.
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
        return np.asarray(expit(self.slope * _log_odds(p) + self.intercept))

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON's types."""
        return asdict(self)

    @classmethod
    def of_manifest(cls, manifest: dict[str, Any]) -> Calibration:
        """Calibration of a model's manifest, which may come from anywhere.

        Raises
        ------
        ModelError
            If it is missing, or none that keeps the order of probabilities.
        """
        try:
            made = cls(**manifest["calibration"])
            numbers = (made.slope, made.intercept)
            valid = made.method is None and numbers == (None, None)
            if made.method == "platt":
                slope, intercept = (float(number) for number in numbers if number is not None)
                valid = 0 < slope < _LARGEST and abs(intercept) < _LARGEST  # false for NaN, too
                made = cls("platt", slope, intercept, made.n, made.why)
        except (KeyError, TypeError, ValueError):
            valid = False
        if not valid:
            raise ModelError(
                "The model's calibration is none: fetch the bundle again or run fink-al train."
            )
        return made


NO_CALIBRATION = Calibration(None, None, None, 0, "nobody asked for it")


def may_be_calibrated(settings: ModelSettings, positive: npt.NDArray[np.bool_]) -> bool:
    """Whether labels of both classes suffice (``calibrate_from``)."""
    least = settings.calibrate_from
    return least is not None and bool(min(positive.sum(), (~positive).sum()) >= least)


def out_of_fold(
    settings: ModelSettings,
    values: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    objects: npt.NDArray[Any],
    prior: Prior | None = None,
) -> npt.NDArray[np.float64]:
    """Probability of each example by an estimator that did not see its object, shape (n,).

    Five folds, alike in their share of positives; fewer where a class has fewer objects, and NaN
    for all where one has a single object.

    Parameters
    ----------
    settings : ModelSettings
        The estimator.
    values : float64 array, shape (n, k)
        Features.
    positive : bool array, shape (n,)
        Classes.
    objects : array, shape (n,)
        Object of each example.
    prior : Prior, optional
        Of the estimator.
    """
    p = np.full(len(positive), np.nan)
    folds = min(_FOLDS, *(len(np.unique(objects[positive == each])) for each in (True, False)))
    if folds < 2:
        return p
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=settings.seed)
    for teach, test in split.split(values, positive, objects):
        estimator = fit_estimator(settings, values[teach], positive[teach], objects[teach], prior)
        p[test] = predict(estimator, values[test])
    return p


def calibrate(
    settings: ModelSettings,
    p: npt.NDArray[np.float64] | None,
    positive: npt.NDArray[np.bool_],
    random: npt.NDArray[np.bool_],
) -> tuple[Calibration, npt.NDArray[np.float64] | None]:
    """Calibration that these labels bear out, and `p` as calibrated by the others.

    The rule: at least ``calibrate_from`` labels of each class, and the log loss falls by more than
    its standard error when each fifth of the labels is calibrated by the other four. Labels
    selected at random decide alone where they suffice: only they have the stream's shares.

    Parameters
    ----------
    settings : ModelSettings
        The estimator's.
    p : float64 array, shape (n,), or None
        Out-of-fold probabilities; NaN where an example has none.
    positive : bool array, shape (n,)
        Classes.
    random : bool array, shape (n,)
        Selected at random.
    """
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
    known, truth = p[use], positive[use]
    others = np.full(len(known), np.nan)
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=settings.seed)
    for teach, test in folds.split(known, truth, np.arange(len(known))):
        others[test] = _platt(known[teach], truth[teach]).apply(known[test])
    gain = _loss(known, truth) - _loss(others, truth)
    mean, error = float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(len(gain)))
    figures = f"log loss falls by {mean:.4f} ± {error:.4f} on {len(known)} {of}"
    made = _platt(known, truth, figures)
    if not mean > error or not made.slope or not 0 < made.slope < _LARGEST:
        return _none(len(known), f"{figures}: no more than by chance"), p
    calibrated = made.apply(p)
    calibrated[use] = others
    return made, calibrated


def _none(n: int, why: str) -> Calibration:
    return Calibration(None, None, None, n, why)


def _platt(
    p: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_], why: str = ""
) -> Calibration:
    learned = LogisticRegression().fit(_log_odds(p)[:, None], positive)
    return Calibration(
        "platt", float(learned.coef_[0, 0]), float(learned.intercept_[0]), len(p), why
    )


def _log_odds(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    # Squeezed and not cut off, so that different probabilities stay different.
    return np.asarray(logit(_KEPT + (1 - 2 * _KEPT) * p))


def _loss(p: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    kept = np.clip(p, _KEPT, 1 - _KEPT)
    return -np.log(np.where(positive, kept, 1 - kept))
