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
from fink_al.loop import Loop
from fink_al.models.examples import TrainingSet
from fink_al.models.model import Model, fit, read_manifest
from fink_al.settings import FeatureSettings, ModelSettings
from fink_al.training.examples import feature_values
from fink_al.training.teacher import prior_of
from fink_al.training.teaching_set import teaching_set_of

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
    loop : Loop
        With the features and the estimator of that version.
    """

    number: str
    model: Model
    loop: Loop

    def predict(self, rows: pa.Table) -> npt.NDArray[np.float64]:
        """Probability of each row of light curves, by the version's features; NaN without any."""
        return self.model.predict(feature_values(self.loop, rows))


def load(loop: Loop, number: str) -> Made:
    """Version `number`, with whatever features it was made for.

    Raises
    ------
    ModelError
        If there is no such version, or it can neither be loaded nor be made again.
    """
    bundle = loop.registry.load(number)
    try:
        return as_stored(loop, number, bundle)
    except ModelError as error:
        own = _own(loop, read_manifest(bundle))
        log.warning("Version %s is fitted again to its examples, to compare: %s", number, error)
        return _fitted(own, number, None)


def as_stored(loop: Loop, number: str, bundle: bytes) -> Made:
    """Version `number`, whose bundle this is, and nothing in its stead.

    Raises
    ------
    ModelError
        If it cannot be loaded here.
    """
    own = _own(loop, read_manifest(bundle))
    return Made(number, Model.from_bytes(bundle, own.features.hash), own)


def make_again(loop: Loop, number: str) -> Made:
    """Version `number` fitted again to the examples that are stored with it.

    Raises
    ------
    ModelError
        If there is no such version, its features or estimator are unknown to this version of
        fink-al, or its estimator needs a teaching set and the settings name none.
    """
    manifest = read_manifest(loop.registry.load(number))
    return _fitted(_own(loop, manifest), number, manifest["parent"])


def stored_examples(loop: Loop, number: str) -> TrainingSet:
    """Examples of version `number`, as its light curves give them today."""
    rows = loop.registry.examples(number)
    return TrainingSet(
        object_id=rows["object_id"].to_numpy(),
        alert_id=rows["alert_id"].to_numpy(),
        positive=rows["positive"].to_numpy(),
        values=feature_values(loop, rows),
        selected_by=np.array(rows["selected_by"].to_pylist(), object),
    )


def _fitted(loop: Loop, number: str, parent: str | None) -> Made:
    teaching = teaching_set_of(loop)
    prior = prior_of(loop.target, loop.target.features, teaching)
    model = fit(stored_examples(loop, number), loop.target, parent, prior=prior)
    return Made(number, model, loop)


def _own(loop: Loop, manifest: dict[str, Any]) -> Loop:
    """The loop with the features and the estimator of a manifest."""
    own = {k: v for k, v in manifest["feature_set"].items() if k in FeatureSettings.model_fields}
    try:
        features = FeatureSettings(**own)
        estimator = ModelSettings(**_without_simulation(manifest["estimator"]))
    except (ValidationError, KeyError, TypeError) as error:
        raise ModelError(
            "The manifest names features or an estimator that this version of fink-al does not "
            f"have: install the one that made it ({manifest['versions'].get('fink-al')}). {error}"
        ) from None
    target = loop.target.model_copy(update={"features": features, "model": estimator})
    return loop.with_target(target)


def _without_simulation(estimator: dict[str, Any]) -> dict[str, Any]:
    """Settings of an estimator without those of 0.1 that simulated its teacher."""
    if "prior" not in estimator:
        return estimator
    prior = {k: v for k, v in estimator["prior"].items() if k not in ("skies", "alerts")}
    return estimator | {"prior": prior}
