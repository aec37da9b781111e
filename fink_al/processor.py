"""The science module for Fink: probability, reason and features as columns of Fink's Spark jobs.

Fink calls typed pandas functions on the columns that its ``concat_col`` builds. The functions of
this module run the stream's code with a model bundle. The bundle alone decides the features, the
settings the survey. ``docs/fink.md`` says how to install them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import ValidationError
from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import DoubleType, StringType, StructField, StructType

from fink_al.alerts import adapter
from fink_al.alerts.series import curves_of
from fink_al.draws import closing_fraction, weights
from fink_al.errors import ModelError
from fink_al.features.feature_set import Features, FeatureSet
from fink_al.followup.exposure import chance_of_a_type, minutes
from fink_al.loop import Loop
from fink_al.models.model import Model, read_manifest
from fink_al.selection import score as score_of
from fink_al.selection import scored_by
from fink_al.settings import FeatureSettings, Settings, Survey, load_settings, load_survey
from fink_al.spark import expressions as exp

#: Models that a Python worker keeps: one a target, and the one before a new version.
_KEPT_MODELS = 4


@dataclass(frozen=True)
class Bundle:
    """A model on its way to Spark's workers.

    Parameters
    ----------
    checksum : str
        SHA-256 of `data`, the key by which workers keep the loaded model.
    data : bytes
        The bundle; it travels inside the function, so no file need be on the executors.
    survey : Survey
        Survey of the alerts, from the settings with which the bundle is read.
    """

    checksum: str
    data: bytes = field(repr=False, compare=False)
    survey: Survey = field(repr=False, compare=False)

    @classmethod
    def from_bytes(cls, data: bytes, settings: Settings | None = None) -> Bundle:
        """The bundle `data`, after a check that it can be loaded.

        It names the survey that it was trained on. `settings` may describe that survey differently
        from the package's file.

        Raises
        ------
        ModelError
            If this version cannot use it.
        """
        trained_on = read_manifest(data)["survey"]
        survey = settings.survey if settings else load_survey(trained_on)
        if survey.name != trained_on:
            raise ModelError(
                f"The model was trained on alerts of {trained_on}, the settings are for "
                f"{survey.name}: take another target, or leave the settings out."
            )
        bundle = cls(hashlib.sha256(data).hexdigest(), data, survey)
        _loaded(bundle)
        return bundle

    @classmethod
    def from_file(cls, path: str | Path, settings: Settings | None = None) -> Bundle:
        """The bundle in the file `path`.

        Raises
        ------
        ModelError
            If it cannot be read or used, so that a job ends before it starts.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise ModelError(
                f"Cannot read the model bundle {path}: {error.strerror}; give the path of a file "
                "that Model.to_bytes wrote."
            ) from None
        return cls.from_bytes(data, settings)

    @classmethod
    def from_registry(cls, version: str | None = None, settings: Settings | None = None) -> Bundle:
        """Version `version` of the target's model; default: the champion, which scores.

        Raises
        ------
        ModelError
            If there is no such version, or it cannot be used.
        ServiceError
            If the registry does not answer.
        """
        settings = settings or load_settings()
        registry = Loop.open(settings).registry
        version = version or registry.champion()
        if version is None:
            raise ModelError(
                f"No model of '{settings.target.name}' scores yet; run fink-al train, or name a "
                "version."
            )
        return cls.from_bytes(registry.load(version), settings)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Manifest of the bundle: origin and metrics of the model."""
        return read_manifest(self.data)

    @cached_property
    def features(self) -> FeatureSet:
        """Features that the model was trained on, so that serving cannot differ from training."""
        return FeatureSet.from_settings(self._feature_settings)

    @property
    def lists(self) -> dict[str, pa.DataType]:
        """Light-curve columns that the functions take, and their Arrow types."""
        survey = adapter(self.survey)
        forced = survey.FORCED if self._feature_settings.forced else {}
        return dict(survey.LIGHT_CURVE | forced)

    @property
    def columns(self) -> list[Column]:
        """Arguments for the functions below, from an alert of Fink after ``concat_col``.

        First the light curve, of ZTF ``cjd cfid cmagpsf csigmapsf cdiffmaglim`` and the packet's
        signs, of LSST ``cmidpointMjdTai cband cpsfFlux cpsfFluxErr`` and the packet's flags; then,
        only where the model reads such features, forced photometry and numbers of the alert itself.
        Bands by letter and signs become numbers here: no text enters a Python worker.
        """
        sql = adapter(self.survey).FINK_COLUMNS
        return [
            *(F.expr(sql[name]) for name in self.lists),
            # Fink's jobs have no memory of earlier alerts: such columns are null.
            *(
                F.expr(sql.get(name, "NULL")).cast("double")
                for name in self.features.context_columns
            ),
        ]

    @cached_property
    def _feature_settings(self) -> FeatureSettings:
        keys = FeatureSettings.model_fields
        feature_set = self.manifest["feature_set"]
        try:
            return FeatureSettings(**{key: feature_set[key] for key in feature_set if key in keys})
        except ValidationError as error:
            first = error.errors()[0]
            raise ModelError(
                f"This version of fink-al lacks features of the model: {first['msg']} (found "
                f"{first['input']}); install fink-al {self.manifest['versions'].get('fink-al')}, "
                "which trained it, or train again."
            ) from None


def probability(bundle: Bundle) -> Any:
    """Pandas function that gives the probability of the target's class, Fink's number if missing.

    For columns of topics that must hold a number, as Fink's `rf_snia_vs_nonia` and
    `earlySNIa_score` do. A missing probability is 0.0 for ZTF and -1.0 for LSST there; `score` says
    why it is missing. Departures from Fink's module (fink-science, ``random_forest_snia``): an
    alert with features in one band only has a probability. Neither the catalogue class nor the
    number of detections makes it 0.0: those are cuts of the filter.

    Parameters
    ----------
    bundle : Bundle
        Model.

    Returns
    -------
    user-defined function
        Of `Bundle.columns`, to double.

    Examples
    --------
    `bundle_path` is the file of a model, `spark` a session. Light curves of the package's test set
    stand in for alerts after ``concat_col``, with a packet that says nothing of its own.

    >>> from pyspark.sql import functions as F
    >>> from fink_al.processor import Bundle, probability, score
    >>> from fink_al.settings import find_resource
    >>> alerts = spark.read.parquet(str(find_resource("data/early_snia/test_set.parquet")))
    >>> packet = "candidate struct<jd: double, isdiffpos: string, jdstarthist: double>, "
    >>> packet += "prv_candidates array<struct<jd: double, isdiffpos: string>>"
    >>> alerts = alerts.select("*", F.from_json(F.lit("{}"), packet).alias("q")).select("*", "q.*")
    >>> bundle = Bundle.from_file(bundle_path)
    >>> alerts = alerts.withColumn("fink_al_p", probability(bundle)(*bundle.columns))
    >>> alerts = alerts.withColumn("fink_al", score(bundle)(*bundle.columns))
    >>> alerts.filter("fink_al_p = 0.0 and fink_al.p is null and fink_al.reason is null").count()
    0
    >>> alerts.filter("fink_al_p between 0 and 1").count()
    600
    """

    no_score = adapter(bundle.survey).FINK_NO_SCORE

    @pandas_udf(DoubleType())  # type: ignore[call-overload]
    def fink_al_p(*columns: pd.Series) -> pd.Series:
        p, _ = _score(bundle, columns)
        return pd.Series(np.nan_to_num(p, nan=no_score))

    return fink_al_p


def score(bundle: Bundle) -> Any:
    """Pandas function that gives the probability, or the reason why it is missing.

    Parameters
    ----------
    bundle : Bundle
        Model.

    Returns
    -------
    user-defined function
        Of `Bundle.columns`, to a record. ``p`` is null where the alert has no feature; ``reason``
        is then the word that the stream archives as ``p_reason``.
    """

    @pandas_udf(_record(["p"], ["reason"]))  # type: ignore[call-overload]
    def fink_al(*columns: pd.Series) -> pd.DataFrame:
        p, reason = _score(bundle, columns)
        return pd.DataFrame({"p": p, "reason": pd.Series(reason, dtype=object)})

    return fink_al


def weight(settings: Settings | None = None, *, mean: float = 1.0) -> Any:
    """Pandas function that gives the weight ``pi`` of the draw (:func:`fink_al.draws.weights`).

    Parameters
    ----------
    settings : Settings, optional
        Target; default: that of the package.
    mean : float
        Mean of ``score**exponent`` on earlier nights; it must not depend on what was drawn. By
        default weights are 1 at most.

    Returns
    -------
    user-defined function
        Of the probability, null where missing, and the alert's magnitude, to double.

    Examples
    --------
    ``alerts.withColumn("fink_al_pi", weight()("fink_al.p", "candidate.magpsf"))``
    """
    target = (settings or load_settings()).target
    exposure = target.follow_up.exposure

    @pandas_udf(DoubleType())  # type: ignore[call-overload]
    def fink_al_pi(p: pd.Series, mag: pd.Series) -> pd.Series:
        values = p.to_numpy(np.float64, na_value=np.nan)
        magnitude = mag.to_numpy(np.float64, na_value=np.nan)
        scores = score_of(
            scored_by(target.strategy, target.draw),
            values,
            chance_of_a_type(magnitude, exposure),
            minutes(magnitude, exposure),
            target.draw,
        )
        return pd.Series(np.where(np.isnan(values), np.nan, weights(scores, mean, target.draw)))

    return fink_al_pi


def random_number(settings: Settings | None = None) -> Column:
    """Column ``u`` of an alert of Fink: the stream's random number of object and list.

    Parameters
    ----------
    settings : Settings, optional
        Target and survey; default: those of the package.
    """
    settings = settings or load_settings()
    target, sql = settings.target, adapter(settings.survey).FINK_COLUMNS
    closes = closing_fraction(target.draw, settings.survey)
    of_list = exp.night(F.expr(sql["mjd"]), closes)
    return exp.uniform(F.expr(sql["object_id"]), of_list, target.follow_up.seed)


def features(bundle: Bundle) -> Any:
    """Pandas function that gives the features of the model.

    Parameters
    ----------
    bundle : Bundle
        Model.

    Returns
    -------
    user-defined function
        Of `Bundle.columns`, to a record: each of :attr:`FeatureSet.names`, null where missing, and
        each of :attr:`FeatureSet.reason_names`, its reason, null where the features exist.
    """
    names, reason_names = bundle.features.names, bundle.features.reason_names

    @pandas_udf(_record(names, reason_names))  # type: ignore[call-overload]
    def fink_al_features(*columns: pd.Series) -> pd.DataFrame:
        _, feature_set = _loaded(bundle)
        extracted = _extract(bundle, feature_set, columns)
        out = pd.DataFrame(extracted.values, columns=list(names))
        reasons = zip(reason_names, feature_set.reason_words, extracted.codes.T, strict=True)
        for name, words, codes in reasons:
            out[name] = pd.Series(_words(words, codes), dtype=object)
        return out

    return fink_al_features


def _record(numbers: Sequence[str], words: Sequence[str]) -> StructType:
    # Type objects, because Spark parses types in text only when it has a session.
    return StructType(
        [StructField(name, DoubleType()) for name in numbers]
        + [StructField(name, StringType()) for name in words]
    )


def _score(bundle: Bundle, columns: tuple[pd.Series, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Probability, NaN where missing, and the reason, None where p exists."""
    model, feature_set = _loaded(bundle)
    extracted = _extract(bundle, feature_set, columns)
    p = model.predict(extracted.values)
    # As in the stream: of the first kind of feature, from the band that got furthest.
    words = feature_set.reason_words[0]
    same = [i for i, others in enumerate(feature_set.reason_words) if others == words]
    reason = _words(words, extracted.codes[:, same].max(axis=1))
    reason[~np.isnan(p)] = None
    return p, reason


def _extract(bundle: Bundle, feature_set: FeatureSet, columns: tuple[pd.Series, ...]) -> Features:
    kinds = bundle.lists | dict.fromkeys(feature_set.context_columns, pa.float64())
    if len(columns) != len(kinds):
        raise ModelError(
            f"The model reads {len(kinds)} columns ({', '.join(kinds)}), found "
            f"{len(columns)}: call the function with *bundle.columns."
        )
    return feature_set.extract(curves_of(columns, kinds, bundle.survey))


def _words(words: tuple[str, ...], codes: np.ndarray) -> np.ndarray:
    return np.array([None, *words[1:]], object)[codes]


@lru_cache(maxsize=_KEPT_MODELS)
def _loaded(bundle: Bundle) -> tuple[Model, FeatureSet]:
    """The model and its features, loaded once a worker process for each checksum."""
    features = bundle.features
    return Model.from_bytes(bundle.data, features.hash), features
