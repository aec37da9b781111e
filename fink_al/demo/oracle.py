"""The spectrograph of a simulation: gives the type of an object, or none."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fink_al.followup.exposure import chance_of_a_type
from fink_al.settings import Exposure
from fink_al.settings.taxonomy import UNCLASSIFIED


class Oracle:
    """A spectrograph that fails more often the fainter the object is.

    A spectrum shows a type with the chance of
    :func:`fink_al.followup.exposure.chance_of_a_type`. Bogus never shows one.

    Parameters
    ----------
    truth : pandas.DataFrame
        ``object_id`` and ``type`` of the objects, type null for bogus.
    exposure : Exposure
        Exposure of the telescope.
    seed : int
        Seed of the chance.
    """

    def __init__(self, truth: pd.DataFrame, exposure: Exposure, seed: int):
        types = truth["type"].fillna(UNCLASSIFIED)
        self._types = dict(zip(truth["object_id"], types, strict=True))
        self._exposure = exposure
        self._seed = seed

    @property
    def objects(self) -> frozenset[str]:
        """Names of the objects of the simulation; it can observe no others."""
        return frozenset(self._types)

    def observe(self, object_id: str, magnitude: float, attempt: int = 1) -> str:
        """Return the type of the object, or "unclassified".

        The result is the same for the same object, seed and `attempt`, which counts the spectra of
        the object including this one.

        Raises
        ------
        KeyError
            If no such object exists.
        """
        true_type = self._types[object_id]
        draw = np.random.default_rng([self._seed, attempt, *object_id.encode()]).random()
        return (
            true_type if draw >= 1 - chance_of_a_type(magnitude, self._exposure) else UNCLASSIFIED
        )
