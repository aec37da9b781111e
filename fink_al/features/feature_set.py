"""An ordered list of features with their parameters: one for training, replay and stream."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fink_al.errors import SettingsError
from fink_al.features.colour import Colour
from fink_al.features.context import Context
from fink_al.features.counted import Counted
from fink_al.features.forced import Forced
from fink_al.features.history import History
from fink_al.features.limit import Limit
from fink_al.features.magnitude import Magnitude
from fink_al.features.microlensing.baseline import REFERENCE, Baseline
from fink_al.features.microlensing.lens import STAR_COLOUR, PointLens
from fink_al.features.microlensing.peak import Peak
from fink_al.features.microlensing.rise import Rise
from fink_al.features.noise import Noise
from fink_al.features.past import Past
from fink_al.features.rainbow.feature import Rainbow
from fink_al.features.rate import Rate
from fink_al.features.sigmoid import Sigmoid
from fink_al.lightcurve import LightCurves
from fink_al.settings import FeatureSettings, Target
from fink_al.settings.target import OWN

#: All kinds of features, in the order of the documentation.
FEATURES = (
    Sigmoid, Magnitude, Rate, Noise, Limit, Colour, History, Context, Forced, Past, Counted,
    Rainbow, Rise, Peak, PointLens, Baseline,
)  # fmt: skip


#: Values, shape (n, k), NaN where missing, and reason codes, shape (n,).
Extracted = tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]


class Feature(Protocol):
    """A function of light curves and its parameters: a frozen dataclass."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of `extract`."""

    @property
    def reason_name(self) -> str:
        """Name of the column that says why there are no features."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Words for the codes of `extract`; the first is empty and means that values exist."""

    @property
    def context_columns(self) -> tuple[str, ...]:
        """Columns of the light curves' context that `extract` reads."""

    def extract(self, light_curves: LightCurves) -> Extracted:
        """Values and reason codes of `n` alerts."""


@dataclass(frozen=True)
class Features:
    """Features of `n` alerts.

    Parameters
    ----------
    values : float64 array, shape (n, k)
        In the order of :attr:`FeatureSet.names`; NaN where missing.
    codes : int8 array, shape (n, j)
        Reasons for missing values, in the order of :attr:`FeatureSet.reason_names`: an index into
        the feature's :attr:`Feature.reasons`, 0 where values exist.
    """

    values: npt.NDArray[np.float64]
    codes: npt.NDArray[np.int8]

    @property
    def exist(self) -> npt.NDArray[np.bool_]:
        """Alerts that have any feature, shape (n,)."""
        return np.asarray(~np.isnan(self.values).all(axis=1))


@dataclass(frozen=True)
class FeatureSet:
    """Features in the order of the matrix columns."""

    features: tuple[Feature, ...]

    @classmethod
    def from_settings(cls, settings: FeatureSettings) -> FeatureSet:
        """Return the feature set that the settings describe."""
        return cls(tuple(_SETS[settings.name](settings)))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the matrix columns."""
        return tuple(name for feature in self.features for name in feature.names)

    @cached_property
    def reason_names(self) -> tuple[str, ...]:
        """Names of the columns that say why features are missing."""
        return tuple(feature.reason_name for feature in self.features)

    @cached_property
    def reason_words(self) -> tuple[tuple[str, ...], ...]:
        """Words for the codes of each of these columns."""
        return tuple(feature.reasons for feature in self.features)

    @cached_property
    def context_columns(self) -> tuple[str, ...]:
        """Context columns of a scored alert that the features read."""
        return tuple(sorted({name for one in self.features for name in one.context_columns}))

    @cached_property
    def hash(self) -> str:
        """Identity of the features and their parameters; every model carries it."""
        described = [[type(f).__name__, asdict(f)] for f in self.features]  # type: ignore[call-overload]
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]

    def columns(self, without: Sequence[str] = ()) -> npt.NDArray[np.int64]:
        """Return the columns that a model looks at, in ascending order.

        Parameters
        ----------
        without : sequence of str
            Features that it does not look at: a name, or the first words of several (``colour`` is
            ``colour_g_r`` and ``colour_rate_g_r``, not ``c_g``). What this set lacks has no effect.

        Raises
        ------
        SettingsError
            If no feature is left.
        """
        left = [i for i, name in enumerate(self.names) if not any(_is(name, w) for w in without)]
        if not left:
            raise SettingsError(
                f"model.without_features {list(without)} leaves none of {', '.join(self.names)}: "
                "name fewer."
            )
        return np.array(left, np.int64)

    def extract(self, light_curves: LightCurves) -> Features:
        """Return the features of `light_curves`."""
        return self.join({feature: feature.extract(light_curves) for feature in self.features})

    def join(self, extracted: Mapping[Feature, Extracted]) -> Features:
        """Return the features of which each kind was extracted already, perhaps with others."""
        parts = [extracted[feature] for feature in self.features]
        return Features(
            values=np.hstack([values for values, _ in parts]),
            codes=np.stack([codes for _, codes in parts], axis=1),
        )


def _is(name: str, words: str) -> bool:
    return f"{name}_".startswith(f"{words}_")


def check_models(target: Target) -> None:
    """Refuse a target with a model that is left without features, or without unknown ones.

    Raises
    ------
    SettingsError
        If ``without_features`` of the model or a challenger names no feature of the target, or
        leaves none.
    """
    features = FeatureSet.from_settings(target.features)
    for model, settings in target.recipes.items():
        without = settings.without_features
        unknown = [w for w in without if not any(_is(name, w) for name in features.names)]
        if unknown:
            key = model if model == OWN else f"challengers.{model}"
            allowed = sorted({name.split("_")[0] for name in features.names})
            raise SettingsError(
                f"{key}.without_features: the features of target '{target.name}' have no "
                f"{', '.join(unknown)}; allowed are {', '.join(allowed)}, or more words of a name "
                "in docs/features.md."
            )
        features.columns(without)


def check_flags(target: Target) -> None:
    """Refuse a target with a flag of a feature that it does not have.

    Raises
    ------
    SettingsError
        If there is one.
    """
    names = FeatureSet.from_settings(target.features).names
    for name, flag in target.flags.items():
        if flag.feature not in names:
            raise SettingsError(
                f"flags.{name}.feature: target '{target.name}' has no feature '{flag.feature}'; it "
                f"has {', '.join(names)}."
            )


def extract(light_curves: LightCurves, features: FeatureSet) -> pa.Table:
    """Return features of `light_curves` and reasons for missing ones, as a readable table.

    Returns
    -------
    pyarrow.Table
        One row an alert: the columns :attr:`FeatureSet.names` as doubles, null where missing, and
        :attr:`FeatureSet.reason_names` as words, null where the feature exists.
    """
    extracted = features.extract(light_curves)
    columns: dict[str, Any] = {
        name: pa.array(values, from_pandas=True)
        for name, values in zip(features.names, extracted.values.T, strict=True)
    }
    named = zip(features.reason_names, features.reason_words, extracted.codes.T, strict=True)
    for name, words, codes in named:
        columns[name] = pa.array(np.array([None, *words[1:]], object)[codes], pa.string())
    return pa.table(columns)


def _sigmoid(settings: FeatureSettings) -> list[Feature]:
    return [
        Sigmoid(
            band,
            settings.criterion,
            settings.min_data_points,
            settings.min_rising_points,
            settings.last_limit,
        )
        for band in settings.bands
    ]


def _rainbow(settings: FeatureSettings) -> Feature:
    bands, wavelengths = settings.bands, settings.wavelengths_nm
    if missing := [band for band in bands if band not in wavelengths]:
        raise SettingsError(
            f"rainbow needs the effective wavelengths of bands {missing}; known: {wavelengths}. "
            "FeatureSettings.of_survey takes them from a survey."
        )
    return Rainbow(bands, tuple(wavelengths[band] for band in bands), settings.forced)


def _general(settings: FeatureSettings) -> list[Feature]:
    bands = settings.bands
    features: list[Feature] = []
    for kind in (Magnitude, Rate, Noise, Limit):
        features += [kind(band) for band in bands]
    features += [Colour(blue, red) for blue, red in pairwise(bands)]
    features.append(History(bands))
    if settings.context:
        features.append(Context(settings.context))
    if settings.forced:
        features += [Forced(band) for band in bands]
    if settings.past:
        features += [Past(band, settings.forced) for band in bands]
    if settings.rainbow:
        features.append(_rainbow(settings))
    return features


def _early_v1(settings: FeatureSettings) -> list[Feature]:
    return _sigmoid(settings) + _general(settings)


def _microlensing_v1(settings: FeatureSettings) -> list[Feature]:
    """The general features, without a supernova's sigmoid, and those of a lens."""
    features = [*_general(settings), Counted()]
    features += [Rise(band, settings.forced) for band in settings.bands]
    features += [Peak(band, settings.forced) for band in settings.bands]
    has_star = STAR_COLOUR in settings.context
    features.append(PointLens(settings.bands, settings.forced, has_star))
    if REFERENCE in settings.context:
        features.append(Baseline())
    return features


_SETS = {"sigmoid": _sigmoid, "early_v1": _early_v1, "microlensing_v1": _microlensing_v1}
