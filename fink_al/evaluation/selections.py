"""Comparison of one selection of objects with others, on a test set that all share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fink_al.evaluation.metrics import metrics, resample


@dataclass(frozen=True)
class Comparison:
    """Figures of merit and the error of their difference.

    Parameters
    ----------
    ours : float
        Figure of merit of the campaign that is judged.
    theirs : float
        Mean of the other campaigns, each with its own seed.
    error : float
        One sigma of the difference.
    campaigns : int
        Number of other campaigns.
    """

    ours: float
    theirs: float
    error: float
    campaigns: int

    @property
    def sigmas(self) -> float:
        """Difference in units of its error; positive if ours is better."""
        return (self.ours - self.theirs) / max(self.error, 1e-12)


def compare(
    positive: npt.NDArray[np.bool_],
    ours: npt.NDArray[np.float64],
    theirs: Sequence[npt.NDArray[np.float64]],
) -> Comparison:
    """Compare one campaign with at least two others, by their probabilities on one test set.

    The error has two parts. The first is the choice of test objects. They are resampled for all
    models together, so that objects that are hard for all of them cancel. The second is the chance
    in a campaign. One campaign has no spread, so the spread `s` of the others stands for it: the
    variance is ``s**2 (1 + 1/n)``.

    Parameters
    ----------
    positive : bool array, shape (n,)
        Class of each test object.
    ours : float array, shape (n,)
        Probabilities; above 0.5 is called positive, NaN negative.
    theirs : sequence of float array, shape (n,)
        Probabilities of each other campaign.
    """
    once, resampled = np.ones((1, len(positive))), resample(np.arange(len(positive)))
    merits, drawn = (
        np.array([metrics(p, positive, weights)["figure_of_merit"] for p in (ours, *theirs)])
        for weights in (once, resampled)
    )
    of_objects = (drawn[0] - drawn[1:].mean(axis=0)).std()
    of_campaigns = merits[1:, 0].std(ddof=1) * np.sqrt(1 + 1 / len(theirs))
    return Comparison(
        float(merits[0, 0]),
        float(merits[1:].mean()),
        float(np.hypot(of_objects, of_campaigns)),
        len(theirs),
    )
