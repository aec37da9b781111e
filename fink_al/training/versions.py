"""Registered models with the features, settings and examples that they were made with."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import ValidationError

from fink_al.errors import ModelError
from fink_al.loop import Loop
from fink_al.models.examples import TrainingSet
from fink_al.models.model import Model, fit, read_manifest
from fink_al.settings import FeatureSettings, ModelSettings
from fink_al.training.background import beside_of
from fink_al.training.examples import earlier_alerts, feature_values
from fink_al.training.teaching_set import teaching_set_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Made:
    """Registered model with the loop that it was made for.

    Parameters
    ----------
    number : str
        Number of the version.
    model : Model
        Loaded model. If its bundle cannot be loaded, as when it is damaged, the model is fitted
        again to its examples.
    loop : Loop
        Loop with the features and the estimator of that version.
    """

    number: str
    model: Model
    loop: Loop

    def predict(self, rows: pa.Table) -> npt.NDArray[np.float64]:
        """Score each row of light curves by the version's features; NaN without features."""
        return self.model.predict(feature_values(self.loop, rows))


def load(loop: Loop, number: str) -> Made:
    """Load version `number`, or fit it again if it cannot be loaded.

    Raises
    ------
    ModelError
        If there is no such version, or it can neither be loaded nor fitted again.
    """
    bundle = loop.registry.load(number)
    try:
        return as_stored(loop, number, bundle)
    except ModelError as error:
        original = _loop_of(loop, read_manifest(bundle))
        log.warning("Version %s is fitted again to its examples, to compare: %s", number, error)
        return _fitted(original, number, None)


def as_stored(loop: Loop, number: str, bundle: bytes) -> Made:
    """Load version `number` from its bundle; do not fit it again.

    Raises
    ------
    ModelError
        If it cannot be loaded here.
    """
    original = _loop_of(loop, read_manifest(bundle))
    return Made(number, Model.from_bytes(bundle, original.features.hash), original)


def make_again(loop: Loop, number: str) -> Made:
    """Fit version `number` again to the examples that are stored with it.

    Raises
    ------
    ModelError
        If there is no such version, its features or estimator are unknown to this version of
        fink-al, or its estimator needs a teaching set and the settings name none.
    """
    manifest = read_manifest(loop.registry.load(number))
    return _fitted(_loop_of(loop, manifest), number, manifest["parent"])


def stored_examples(loop: Loop, number: str) -> TrainingSet:
    """Read the examples of version `number`; features are computed from its light curves."""
    rows = loop.registry.examples(number)
    return TrainingSet(
        object_id=rows["object_id"].to_numpy(),
        alert_id=rows["alert_id"].to_numpy(),
        positive=rows["positive"].to_numpy(),
        values=feature_values(loop, rows),
        selected_by=np.array(rows["selected_by"].to_pylist(), object),
        weights=rows["weight"].to_numpy() if "weight" in rows.column_names else None,
        earlier=earlier_alerts(loop, loop.light_curves(rows)),
    )


def _fitted(loop: Loop, number: str, parent: str | None) -> Made:
    teaching = teaching_set_of(loop)
    prior = beside_of(loop, teaching)
    model = fit(stored_examples(loop, number), loop.target, parent, prior=prior)
    return Made(number, model, loop)


def _loop_of(loop: Loop, manifest: dict[str, Any]) -> Loop:
    """Return the loop with the features and the estimator of a manifest."""
    feature_set = {
        k: v for k, v in manifest["feature_set"].items() if k in FeatureSettings.model_fields
    }
    try:
        features = FeatureSettings(**feature_set)
        estimator = ModelSettings(**_without_simulation(manifest["estimator"]))
    except (ValidationError, KeyError, TypeError) as error:
        raise ModelError(
            "The manifest names features or an estimator that this version of fink-al does not "
            f"know: install the one that made it ({manifest['versions'].get('fink-al')}). {error}"
        ) from None
    target = loop.target.model_copy(update={"features": features, "model": estimator})
    return loop.with_target(target)


def _without_simulation(estimator: dict[str, Any]) -> dict[str, Any]:
    """Drop the settings of 0.1 that simulated an estimator's teacher."""
    if "prior" not in estimator:
        return estimator
    prior = {k: v for k, v in estimator["prior"].items() if k not in ("skies", "alerts")}
    return estimator | {"prior": prior}
