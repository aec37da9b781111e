"""The telescope of a simulation: takes a spectrum of an object and tells its type."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fink_al.followup.exposure import chance_of_a_type
from fink_al.settings import Exposure
from fink_al.settings.taxonomy import UNCLASSIFIED


class Oracle:
    """A spectrograph that fails more often the fainter the object is.

    It shows a type with :func:`fink_al.followup.exposure.chance_of_a_type`. What is not there
    gives none at any magnitude.

    Parameters
    ----------
    truth : pandas.DataFrame
        ``object_id`` and ``type`` of the objects, type null where nothing is there.
    exposure : Exposure
        Of the telescope.
    seed : int
        Of the luck.
    """

    def __init__(self, truth: pd.DataFrame, exposure: Exposure, seed: int):
        types = truth["type"].fillna(UNCLASSIFIED)
        self._types = dict(zip(truth["object_id"], types, strict=True))
        self._exposure = exposure
        self._seed = seed

    @property
    def objects(self) -> frozenset[str]:
        """Names of the objects of the simulation, which are all that it can observe."""
        return frozenset(self._types)

    def observe(self, object_id: str, magnitude: float, attempt: int = 1) -> str:
        """Type of the object, or "unclassified".

        The same for the same object, seed and `attempt`, the number of spectra with this one.

        Raises
        ------
        KeyError
            If no such object exists.
        """
        true_type = self._types[object_id]
        luck = np.random.default_rng([self._seed, attempt, *object_id.encode()]).random()
        return (
            true_type if luck >= 1 - chance_of_a_type(magnitude, self._exposure) else UNCLASSIFIED
        )
