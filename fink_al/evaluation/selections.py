"""Whether one selection did better than another, told on a test set that both share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fink_al.evaluation.metrics import metrics, resample


@dataclass(frozen=True)
class Comparison:
    """Figures of merit and what their difference may owe to chance.

    Parameters
    ----------
    ours : float
        Of the one campaign.
    theirs : float
        Mean of `campaigns` others with seeds of their own.
    error : float
        One sigma of the difference.
    campaigns : int
        How many others.
    """

    ours: float
    theirs: float
    error: float
    campaigns: int

    @property
    def sigmas(self) -> float:
        """The difference in units of its error; positive where ours is better."""
        return (self.ours - self.theirs) / max(self.error, 1e-12)


def compare(
    positive: npt.NDArray[np.bool_],
    ours: npt.NDArray[np.float64],
    theirs: Sequence[npt.NDArray[np.float64]],
) -> Comparison:
    """One campaign against at least two others, by their probabilities on one test set.

    The error has two parts. The test objects, drawn anew (bootstrap) for all models alike: what is
    hard for all of them cancels. And the luck of a campaign, told by the spread `s` of the others:
    ours has no spread of its own, so theirs stands for it, which makes ``s**2 (1 + 1/n)``.

    Parameters
    ----------
    positive : bool array, shape (n,)
        What the test objects are.
    ours : float array, shape (n,)
        Probabilities; above 0.5 is called positive, NaN is not.
    theirs : sequence of float array, shape (n,)
        The same of each other campaign.
    """
    once, again = np.ones((1, len(positive))), resample(np.arange(len(positive)))
    merits, drawn = (
        np.array([metrics(p, positive, weights)["figure_of_merit"] for p in (ours, *theirs)])
        for weights in (once, again)
    )
    of_objects = (drawn[0] - drawn[1:].mean(axis=0)).std()
    of_luck = merits[1:, 0].std(ddof=1) * np.sqrt(1 + 1 / len(theirs))
    return Comparison(
        float(merits[0, 0]),
        float(merits[1:].mean()),
        float(np.hypot(of_objects, of_luck)),
        len(theirs),
    )
