"""An ordered list of features with their parameters: one for training, replay and stream."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fink_al.features.sigmoid import REASONS, Sigmoid
from fink_al.lightcurve import LightCurves
from fink_al.settings import FeatureSettings


@dataclass(frozen=True)
class Features:
    """Features of `n` alerts.

    Parameters
    ----------
    values : float64 array, shape (n, k)
        In the order of :attr:`FeatureSet.names`; NaN where missing.
    reasons : dict of str to object array, shape (n,)
        Why a feature's values are missing, by :attr:`FeatureSet.reason_names`; "" where they exist.
    reason : object array, shape (n,)
        Why an alert has no features at all; "" where it has any.
    """

    values: npt.NDArray[np.float64]
    reasons: dict[str, npt.NDArray[np.object_]]
    reason: npt.NDArray[np.object_]


@dataclass(frozen=True)
class FeatureSet:
    """Features in the order of the matrix columns."""

    features: tuple[Sigmoid, ...]

    @classmethod
    def from_settings(cls, settings: FeatureSettings) -> FeatureSet:
        """The feature set that the settings describe."""
        return cls(
            tuple(
                Sigmoid(
                    band,
                    settings.criterion,
                    settings.min_data_points,
                    settings.min_rising_points,
                )
                for band in settings.bands
            )
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the matrix columns."""
        return tuple(name for feature in self.features for name in feature.names)

    @cached_property
    def reason_names(self) -> tuple[str, ...]:
        """Names of the columns that say why features are missing."""
        return tuple(feature.reason_name for feature in self.features)

    @cached_property
    def hash(self) -> str:
        """Identity of the features and their parameters; it travels with every model."""
        described = [[type(f).__name__, asdict(f)] for f in self.features]
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]

    def extract(self, light_curves: LightCurves) -> Features:
        """Features of `light_curves`."""
        found = [feature.extract(light_curves) for feature in self.features]
        codes = np.stack([reasons for _, reasons in found], axis=1)
        words = np.array(REASONS, object)
        # Code 0 is "fitted"; among the others the band that got furthest speaks for the alert.
        best = np.where((codes == 0).any(axis=1), 0, codes.max(axis=1))
        return Features(
            values=np.hstack([values for values, _ in found]),
            reasons=dict(zip(self.reason_names, words[codes.T], strict=True)),
            reason=words[best],
        )
