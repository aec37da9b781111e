"""A fitted classifier and everything that must be known before it may score an alert.

A bundle is one immutable file: ``model.skops`` (no pickle) and ``manifest.json``, which holds the
checksum of the first. Loading trusts neither: sizes, checksum, types, versions and the node indices
of every tree are checked before the first prediction.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import skops.io
from sklearn.ensemble import RandomForestClassifier

from fink_al.errors import ModelError
from fink_al.features.feature_set import FeatureSet
from fink_al.learning.evaluation import Metrics
from fink_al.learning.forest import fit_forest, predict
from fink_al.learning.training_set import TrainingSet
from fink_al.settings import Target

_MODEL, _MANIFEST = "model.skops", "manifest.json"
_MAX_BYTES = 1 << 30

#: Beyond what skops trusts by itself. Its arrays are checked node by node after loading.
_TRUSTED = ["sklearn.tree._tree.Tree"]


@dataclass(frozen=True)
class Model:
    """A classifier of one target.

    Parameters
    ----------
    estimator : RandomForestClassifier
        Fitted; takes missing features as they are.
    manifest : dict
        Target, fingerprint, feature set, settings of the estimator, examples and their snapshot,
        metrics on the fixed test set with intervals, library versions, parent version.
    """

    estimator: RandomForestClassifier
    manifest: dict[str, Any]

    def predict(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Probability of the target's class, shape (n,); NaN where an alert has no feature."""
        return predict(self.estimator, values)

    def to_bytes(self) -> bytes:
        """The bundle."""
        model = skops.io.dumps(self.estimator)
        manifest = self.manifest | {"checksum": hashlib.sha256(model).hexdigest()}
        out = io.BytesIO()
        # Trees shrink to a ninth: every version travels to the registry and to every worker.
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
            bundle.writestr(_MODEL, model)
            bundle.writestr(_MANIFEST, json.dumps(manifest, indent=1))
        return out.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, feature_set_hash: str) -> Model:
        """The model of a bundle.

        Raises
        ------
        ModelError
            If the bundle is torn or altered, holds types or indices that cannot be trusted, or was
            made for other features or by another scikit-learn.
        """
        model, manifest = _open(data)
        if hashlib.sha256(model).hexdigest() != manifest["checksum"]:
            raise ModelError("The model's checksum is wrong: the bundle was altered; train again.")
        if manifest["feature_set"]["hash"] != feature_set_hash:
            raise ModelError(
                f"The model needs feature set {manifest['feature_set']['hash']}, this job computes "
                f"{feature_set_hash}: set the target's features back or train again."
            )
        if manifest["versions"]["scikit-learn"] != version("scikit-learn"):
            raise ModelError(
                f"The model was written by scikit-learn {manifest['versions']['scikit-learn']}, "
                f"installed is {version('scikit-learn')}: run fink-al train to make a new one."
            )
        return cls(_load(model, len(manifest["feature_set"]["names"])), manifest)


def fit(
    training: TrainingSet, target: Target, parent: str | None, until: datetime | None = None
) -> Model:
    """Model of `target` fitted to `training`; `parent` is the version that it may replace.

    `until` is the time as of which the label store was read; the manifest keeps it.

    Raises
    ------
    ModelError
        If the examples are all of one class.
    """
    if len(set(training.positive.tolist())) < 2:
        raise ModelError(f"A model needs examples of both classes; found {len(training)} of one.")
    features = FeatureSet.from_settings(target.features)
    estimator = fit_forest(target.model, training.values, training.positive, training.object_id)
    manifest = {
        "target": target.name,
        "fingerprint": fingerprint(training, target),
        "created": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "parent": parent,
        "feature_set": {
            "hash": features.hash,
            "names": list(features.names),
            **target.features.model_dump(mode="json"),
        },
        "estimator": target.model.model_dump(mode="json"),
        "labels": {
            "snapshot": training.snapshot,
            "until": until.isoformat() if until else None,
            "positive": int(training.positive.sum()),
            "negative": int((~training.positive).sum()),
            "examples": [
                [str(name), int(alert), bool(positive)]
                for name, alert, positive in zip(
                    training.object_id, training.alert_id, training.positive, strict=True
                )
            ],
        },
        "versions": {name: version(name) for name in ("scikit-learn", "numpy", "skops", "fink-al")}
        | {"python": platform.python_version()},
    }
    return Model(estimator, manifest)


def fingerprint(training: TrainingSet, target: Target, test_set: str | None = None) -> str:
    """Identity of all that decides a fit and, with that of the test set, a promotion.

    Where it is the same, so are the model and what becomes of it.
    """
    parts = [
        training.snapshot,
        FeatureSet.from_settings(target.features).hash,
        target.model.model_dump_json(),
        version("scikit-learn"),
    ]
    if test_set is not None:
        parts += [test_set, target.promotion.model_dump_json()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def with_metrics(model: Model, metrics: Metrics) -> Model:
    """`model` with its metrics on the fixed test set in the manifest."""
    return Model(model.estimator, model.manifest | {"metrics": metrics.to_dict()})


def read_manifest(data: bytes) -> dict[str, Any]:
    """Manifest of a bundle, whose model need not be loadable here.

    Raises
    ------
    ModelError
        If the bundle is torn.
    """
    return _open(data)[1]


def _open(data: bytes) -> tuple[bytes, dict[str, Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            _check_size(bundle)
            model, manifest = bundle.read(_MODEL), json.loads(bundle.read(_MANIFEST))
        # What loading asks for, before it does.
        features, versions = manifest["feature_set"], manifest["versions"]
        _ = manifest["checksum"], features["hash"], len(features["names"]), versions["scikit-learn"]
    except ModelError:
        raise
    except Exception as error:  # whatever a torn file makes the parsers say
        raise ModelError(
            f"The bundle is torn or no bundle ({type(error).__name__}): fetch it again or train."
        ) from None
    return model, manifest


def _load(model: bytes, n_features: int) -> RandomForestClassifier:
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as parts:
            _check_size(parts)
        strange = set(skops.io.get_untrusted_types(data=model)) - set(_TRUSTED)
        if strange:
            raise ModelError(
                f"The model holds types that are not trusted: {', '.join(sorted(strange))}; "
                f"allowed beyond skops' own: {', '.join(_TRUSTED)}. Train it again."
            )
        estimator = skops.io.loads(model, trusted=_TRUSTED)
        _check_forest(estimator, n_features)
        estimator.n_jobs = 1  # a worker has one core
        estimator.predict_proba(np.zeros((1, n_features)))
    except ModelError:
        raise
    except Exception as error:  # whatever untrusted content makes the loader say
        raise ModelError(
            f"The model cannot be loaded ({type(error).__name__}): fetch it again or train."
        ) from None
    return estimator


def _check_size(archive: zipfile.ZipFile) -> None:
    size = sum(part.file_size for part in archive.infolist())
    if size > _MAX_BYTES:
        raise ModelError(
            f"The bundle unpacks to {size} bytes, allowed are {_MAX_BYTES}: it is not loaded."
        )


def _check_forest(estimator: Any, n_features: int) -> None:
    """Refuse trees whose nodes point outside: prediction follows them without looking."""
    if type(estimator) is not RandomForestClassifier:
        raise ModelError(f"The model is a {type(estimator).__name__}, not a random forest.")
    if estimator.classes_.tolist() != [False, True] or not estimator.estimators_:
        raise ModelError("The model does not tell two classes apart; train it again.")
    for member in estimator.estimators_:
        tree = member.tree_
        if not tree.node_count or tree.value.shape[1:] != (1, 2):
            raise ModelError("A tree of the model has another shape than the model; train again.")
        nodes = np.arange(tree.node_count)
        left, right, feature = tree.children_left, tree.children_right, tree.feature
        # Children come behind their parent, so that no path is endless.
        inside = (left > nodes) & (left < len(nodes)) & (right > nodes) & (right < len(nodes))
        inside &= (feature >= 0) & (feature < n_features)
        if not (inside | ((left == -1) & (right == -1))).all():
            raise ModelError("A tree of the model points outside itself; train it again.")
