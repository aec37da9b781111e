"""A fitted classifier and everything that must be known before it may score an alert.

A bundle is one immutable file that may come from anywhere: sizes, checksum, content, feature set,
node indices of every tree and calibration are checked before the first prediction.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from fink_al.errors import ModelError
from fink_al.evaluation.effective import effective_number
from fink_al.evaluation.metrics import Metrics
from fink_al.evaluation.threshold import NO_THRESHOLD, best_threshold
from fink_al.features.feature_set import FeatureSet
from fink_al.models.bundle import pack, read_arrays, unpack
from fink_al.models.calibration import (
    NO_CALIBRATION,
    Calibration,
    calibrate,
    may_be_calibrated,
    out_of_fold,
    with_earlier,
)
from fink_al.models.estimators.background import Background, Beside
from fink_al.models.estimators.estimator import (
    Estimator,
    check_name,
    fit_estimator,
    of_arrays,
    predict,
    to_arrays,
    unseen_probabilities,
)
from fink_al.models.examples import TrainingSet
from fink_al.models.stream_calibration import calibrate_to_stream, calibrated_by_others
from fink_al.settings import Target

_NOT_DRAWN = "not chosen: no label was drawn with known odds"


@dataclass(frozen=True)
class Model:
    """A classifier of one target.

    Parameters
    ----------
    estimator : Estimator
        Fitted; takes missing features as they are, and selects those that it looks at.
    manifest : dict
        Target, fingerprint, feature set, settings of the estimator, identity of its teaching set,
        calibration, examples and their snapshot, metrics with intervals on the frozen test set and
        on labels that were selected at random, library versions, parent version.
    calibration : Calibration
        Applied to the estimator's probabilities.  Default: none.
    to_stream : Calibration
        Applied after it: the curve by labels drawn with known odds.  Default: none.
    out_of_fold : float64 array, shape (n,), optional
        Probability of each training example by models that did not see its object, calibrated by
        the other examples; None where no such models were fitted. A bundle does not keep it.
    """

    estimator: Estimator
    manifest: dict[str, Any]
    calibration: Calibration = NO_CALIBRATION
    to_stream: Calibration = NO_CALIBRATION
    out_of_fold: npt.NDArray[np.float64] | None = None

    def predict(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Probability of the target's class, shape (n,); NaN where an alert has no feature."""
        return self.to_stream.apply(self.calibration.apply(predict(self.estimator, values)))

    @property
    def threshold(self) -> float:
        """Probability above which an alert is called positive."""
        return threshold_of(self.manifest)

    def to_bytes(self) -> bytes:
        """Bundle of the model."""
        return pack(to_arrays(self.estimator), self.manifest)

    @classmethod
    def from_bytes(cls, data: bytes, feature_set_hash: str) -> Model:
        """Load the model of a bundle.

        Raises
        ------
        ModelError
            If the bundle is torn or altered, holds anything but numbers that can be trusted, or was
            made for other features or by an estimator that does not exist.
        """
        model, manifest = unpack(data)
        check_name(manifest["estimator"]["estimator"])
        if manifest["feature_set"]["hash"] != feature_set_hash:
            raise ModelError(
                f"The model needs feature set {manifest['feature_set']['hash']}, this job computes "
                f"{feature_set_hash}: set the target's features back or run fink-al train to make "
                "a new one."
            )
        n_features = len(manifest["feature_set"]["names"])
        estimator = of_arrays(manifest["estimator"]["estimator"], read_arrays(model), n_features)
        # Models of 0.1 have no such curve.
        key = "stream_calibration"
        to_stream = Calibration.of_manifest(manifest, key) if key in manifest else NO_CALIBRATION
        threshold_of(manifest)
        return cls(estimator, manifest, Calibration.of_manifest(manifest), to_stream)


def fit(
    training: TrainingSet,
    target: Target,
    parent: str | None,
    until: datetime | None = None,
    inputs: Mapping[str, str] | None = None,
    prior: Beside | None = None,
) -> Model:
    """Fit a model of `target` to `training`.

    Labels that were selected at random stand for the stream: where there are enough, they alone
    decide about calibration. Labels drawn with known odds stand for it by their weights: they
    correct probabilities for the stream, and choose the threshold above which an alert is called
    positive.

    Parameters
    ----------
    training : TrainingSet
        Examples.
    target : Target
        Features, those of them that the model looks at, estimator, and number of labels from which
        its probabilities are calibrated.
    parent : str or None
        Version of the champion, which the model may replace.
    until : datetime, optional
        Time up to which labels were read; the manifest keeps it.
    inputs : mapping of str to str, optional
        Digests of all that the examples were made of (:mod:`fink_al.training.inputs`); the manifest
        keeps them.
    prior : Prior or Background, optional
        Teacher, needed by an informed forest, or background of an isolation forest, which needs no
        label then (:func:`fink_al.training.background.beside_of`).

    Raises
    ------
    ModelError
        If the examples are all of one class, or an informed forest has no teacher.
    """
    if len(set(training.positive.tolist())) < 2 and not isinstance(prior, Background):
        raise ModelError(f"A model needs examples of both classes; found {len(training)} of one.")
    features = FeatureSet.from_settings(target.features)
    values, positive, objects = training.values, training.positive, training.object_id
    taught_by = prior.identity if prior else None
    examples = with_earlier(values, positive, objects, training.earlier)
    columns = features.columns(target.model.without_features)
    estimator = fit_estimator(target.model, *examples, prior, columns=columns)
    random, unseen = training.is_random, None
    drawn = training.drawn
    if random.any() or may_be_calibrated(target.model, positive):
        unseen = out_of_fold(
            target.model, values, positive, objects, prior, training.earlier, columns
        )
    elif (drawn > 0).any():
        # Five more fits would take longer than the rest of the job.
        unseen = unseen_probabilities(estimator, examples[0], examples[2])[: len(positive)]
    calibration, unseen = calibrate(target.model, unseen, positive, random)
    to_stream, threshold, origin = NO_CALIBRATION, NO_THRESHOLD, _NOT_DRAWN
    if unseen is not None and (use := (drawn > 0) & ~np.isnan(unseen)).any():
        to_stream = calibrate_to_stream(unseen, positive, drawn)
        unseen = calibrated_by_others(unseen, positive, drawn, target.model.seed)
        threshold = best_threshold(unseen[use], positive[use], drawn[use])
        origin = (
            f"largest figure of merit, by {int(use.sum())} labels drawn with known odds, worth "
            f"{effective_number(drawn[use & positive]):.1f} equal positives, and by p"
        )
    manifest = {
        "target": target.name,
        "survey": target.survey,
        "fingerprint": fingerprint(training, target, taught_by),
        "created": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "parent": parent,
        "feature_set": {
            "hash": features.hash,
            "names": list(features.names),
            **target.features.model_dump(mode="json"),
        },
        "estimator": target.model.applied(),
        "teaching_set": taught_by,
        "calibration": calibration.to_dict(),
        "stream_calibration": to_stream.to_dict(),
        "threshold": {"value": threshold, "origin": origin},
        "labels": {
            "snapshot": training.snapshot,
            "until": until.isoformat() if until else None,
            "inputs": dict(inputs or {}),
            "positive": int(positive.sum()),
            "negative": int((~positive).sum()),
            "random": int(random.sum()),
            "examples": [
                [str(name), int(alert), bool(is_positive)]
                for name, alert, is_positive in zip(
                    objects, training.alert_id, positive, strict=True
                )
            ],
        },
        "versions": {name: version(name) for name in ("scikit-learn", "numpy", "fink-al")}
        | {"python": platform.python_version()},
    }
    return Model(estimator, manifest, calibration, to_stream, unseen)


def threshold_of(manifest: Mapping[str, Any]) -> float:
    """Return the threshold above which a model calls an alert positive; 0.5 for models of 0.1.

    Raises
    ------
    ModelError
        If it is no number of [0, 1].
    """
    try:
        value = float(manifest.get("threshold", {"value": NO_THRESHOLD})["value"])
    except (KeyError, TypeError, ValueError):
        value = np.nan
    if not 0 <= value <= 1:
        raise ModelError(
            "The model's threshold is invalid: fetch the bundle again or run fink-al train."
        )
    return value


def fingerprint(training: TrainingSet, target: Target, taught_by: str | None = None) -> str:
    """Identity of all that decides a fit: with the same one, the model is the same.

    Parameters
    ----------
    training : TrainingSet
        Examples.
    target : Target
        Features and estimator.
    taught_by : str, optional
        Identity of the teaching set, if the estimator has one.
    """
    drawn = () if training.weights is None else (repr(training.weights.round(6).tolist()),)
    return _identity(training, target, taught_by, *drawn)


def question(
    training: TrainingSet, target: Target, test_set: str | None, taught_by: str | None = None
) -> str:
    """Identity of all that decides a promotion, except the champion: fit, test set and rule."""
    rule = [] if test_set is None else [test_set, target.promotion.model_dump_json()]
    return _identity(training, target, taught_by, *_others(target), *rule)


def recipe(training: TrainingSet, target: Target, taught_by: str | None = None) -> str:
    """Identity of what a person judges a model by: examples, features, estimator, teaching set.

    Unlike :func:`fingerprint` it does not depend on the library that fits, nor on the number of
    labels that are needed.
    """
    settings = target.model.applied()
    for name in ("min_labels", "min_labels_per_class"):
        del settings[name]
    return _hash(*_parts(training, target, settings, taught_by), *_others(target))


def _others(target: Target) -> list[str]:
    """Challengers of the target, as a part of an identity; none without."""
    return [json.dumps(target.challengers, sort_keys=True)] if target.challengers else []


def _identity(training: TrainingSet, target: Target, taught_by: str | None, *others: str) -> str:
    parts = _parts(training, target, target.model.applied(), taught_by)
    return _hash(*parts, version("scikit-learn"), *others)


def _parts(
    training: TrainingSet, target: Target, settings: dict[str, Any], taught_by: str | None
) -> list[str]:
    features = FeatureSet.from_settings(target.features)
    teacher = [taught_by] if taught_by else []
    return [training.snapshot, features.hash, json.dumps(settings), *teacher]


def _hash(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def with_metrics(model: Model, metrics: Metrics, random: Metrics | None = None) -> Model:
    """Copy of `model` with its metrics in the manifest.

    Parameters
    ----------
    model : Model
        From :func:`fit`.
    metrics : Metrics
        Metrics on the frozen test set.
    random : Metrics, optional
        Metrics of its out-of-fold probabilities on labels that were selected at random, if any.
    """
    added = {"metrics": metrics.to_dict()}
    if random:
        added["metrics_random"] = random.to_dict()
    return replace(model, manifest=model.manifest | added)


def read_manifest(data: bytes) -> dict[str, Any]:
    """Manifest of a bundle, even if its model cannot be loaded here.

    Raises
    ------
    ModelError
        If the bundle is torn or altered.
    """
    return unpack(data)[1]
