"""Registered models as they were made: their own features and settings, and their examples."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import ValidationError

from fink_al.errors import ModelError
from fink_al.features.feature_set import FeatureSet
from fink_al.models.examples import TrainingSet
from fink_al.models.model import Model, fit, read_manifest
from fink_al.models.registry import Registry
from fink_al.settings import FeatureSettings, ModelSettings, Settings, Target
from fink_al.training.examples import light_curves
from fink_al.training.teacher import prior_of
from fink_al.training.teaching_set import read_teaching_set
from fink_al.training.test_set import reserved_objects

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Made:
    """A registered model, to be judged beside another one.

    Parameters
    ----------
    number : str
        Its version.
    model : Model
        Loaded, or fitted again to its examples if it cannot be loaded, as when its bundle is
        damaged.
    target : Target
        With the features and the estimator of then.
    """

    number: str
    model: Model
    target: Target

    def predict(self, settings: Settings, rows: pa.Table) -> npt.NDArray[np.float64]:
        """Probability of each row of light curves, by the features of then; NaN without any."""
        features = FeatureSet.from_settings(self.target.features)
        return self.model.predict(features.extract(light_curves(settings, rows)).values)


def load(settings: Settings, registry: Registry, number: str) -> Made:
    """Version `number`, with whatever features it was made for.

    Raises
    ------
    ModelError
        If there is no such version, or it can neither be loaded nor be made again.
    """
    bundle = registry.load(number)
    try:
        return as_stored(settings, number, bundle)
    except ModelError as error:
        target = _target(settings, read_manifest(bundle))
        log.warning("Version %s is fitted again to its examples, to compare: %s", number, error)
        return _fitted(settings, registry, number, target, None)


def as_stored(settings: Settings, number: str, bundle: bytes) -> Made:
    """Version `number`, whose bundle this is, and nothing in its stead.

    Raises
    ------
    ModelError
        If it cannot be loaded here.
    """
    target = _target(settings, read_manifest(bundle))
    return Made(number, Model.from_bytes(bundle, _features(target).hash), target)


def make_again(settings: Settings, registry: Registry, number: str) -> Made:
    """Version `number` fitted again to the examples that are stored with it.

    Raises
    ------
    ModelError
        If there is no such version, its features or estimator are unknown to this version of
        fink-al, or its estimator needs a teaching set and the settings name none.
    """
    manifest = read_manifest(registry.load(number))
    target = _target(settings, manifest)
    return _fitted(settings, registry, number, target, manifest["parent"])


def stored_examples(
    settings: Settings, registry: Registry, number: str, target: Target
) -> TrainingSet:
    """What version `number` learned from, as its light curves give it today."""
    rows = registry.examples(number)
    extracted = _features(target).extract(light_curves(settings, rows))
    return TrainingSet(
        object_id=rows["object_id"].to_numpy(),
        alert_id=rows["alert_id"].to_numpy(),
        positive=rows["positive"].to_numpy(),
        values=extracted.values,
        selected_by=np.array(rows["selected_by"].to_pylist(), object),
    )


def _fitted(
    settings: Settings, registry: Registry, number: str, target: Target, parent: str | None
) -> Made:
    teaching = None
    if target.model.is_taught:
        teaching = read_teaching_set(settings.teaching_set, target, reserved_objects(settings))
    prior = prior_of(target, target.features, teaching)
    training = stored_examples(settings, registry, number, target)
    return Made(number, fit(training, target, parent, prior=prior), target)


def _target(settings: Settings, manifest: dict[str, Any]) -> Target:
    own = {k: v for k, v in manifest["feature_set"].items() if k in FeatureSettings.model_fields}
    try:
        features = FeatureSettings(**own)
        estimator = ModelSettings(**_without_simulation(manifest["estimator"]))
    except (ValidationError, KeyError, TypeError) as error:
        raise ModelError(
            "The manifest names features or an estimator that this version of fink-al does not "
            f"have: install the one that made it ({manifest['versions'].get('fink-al')}). {error}"
        ) from None
    return settings.target.model_copy(update={"features": features, "model": estimator})


def _without_simulation(estimator: dict[str, Any]) -> dict[str, Any]:
    """Settings of an estimator without those of 0.1 that simulated its teacher."""
    if "prior" not in estimator:
        return estimator
    prior = {k: v for k, v in estimator["prior"].items() if k not in ("skies", "alerts")}
    return estimator | {"prior": prior}


def _features(target: Target) -> FeatureSet:
    return FeatureSet.from_settings(target.features)
