"""Decoded alerts to scored alerts: one pandas UDF for features, probability and cuts.

Stream and replay both call :func:`with_science`. It does not depend on the alerts' source.
Only numbers enter the Python worker: a string with broken encoding would stop the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from fink_al.alerts.series import curves_of
from fink_al.loop import Loop
from fink_al.selection import inputs, reasons, select
from fink_al.spark import expressions as exp


@dataclass(frozen=True)
class Champion:
    """The model that scores a batch.

    Parameters
    ----------
    version : str
        Its version in the registry.
    checksum : str
        Name by which Python workers keep the loaded model.
    bundle : Broadcast of bytes
        Bytes of the model.
    """

    version: str
    checksum: str
    bundle: Any


@dataclass(frozen=True)
class Known:
    """Objects that have a type or were published when a batch begins.

    Parameters
    ----------
    labelled : Broadcast of sorted int64 array
        Keys of the objects that have a type.
    published : Broadcast of dict
        Sorted keys of the objects published, by night YYYYMMDD.
    """

    labelled: Any = None
    published: Any = None


@dataclass(frozen=True)
class Science:
    """Settings, model and state by which Spark's workers judge a batch of alerts."""

    loop: Loop
    champion: Champion | None = None
    known: Known = field(default_factory=Known)


def with_science(alerts: DataFrame, science: Science) -> DataFrame:
    """`alerts` with night, features, probability, reasons and whether they are candidates.

    Parameters
    ----------
    alerts : DataFrame
        Columns of the survey's adapter; other columns pass through. Rows whose ``object_id`` is
        null pass through with nulls.
    science : Science
        Settings, model and state.

    Returns
    -------
    DataFrame
        The documented columns of a scored alert (``docs/messages.md``). Of several alerts of one
        object in one night, at most one is a candidate.
    """
    loop = science.loop
    target, features, survey = loop.target, loop.features, loop.alerts
    rows = alerts.withColumns(
        {
            "night": exp.night(F.col("mjd"), loop.survey.day_start),
            # A packet that could not be read has no object: its offset spreads it over the tasks.
            "object_key": F.when(F.col("object_id").isNotNull(), F.xxhash64("object_id")).otherwise(
                F.col("offset")
            ),
        }
    )
    columns = [
        F.col("object_key"),
        F.col("night"),
        exp.uniform(F.col("object_id"), F.col("night"), target.follow_up.seed),
        *(exp.numbers(F.col(name), words) for name, words in inputs(target.cuts).items()),
        *(F.col(name) for name in survey.LIGHT_CURVE | survey.FORCED),
        *(F.col(name).cast("double") for name in features.context_columns),
    ]
    rows = rows.withColumn("science", _udf(science)(*columns))
    # An object's alerts meet in one task, where one of them is chosen.
    rows = rows.repartition(loop.settings.stream.partitions, "object_key")
    rejected = F.col("science.rejected")
    first = F.row_number().over(
        Window.partitionBy("object_key", "night", rejected == 0).orderBy(
            F.desc("science.informativeness"), "alert_id", *_SOURCE_ORDER
        )
    )
    bits = reasons(target.cuts)
    repeated = 1 << bits.index("already_published")
    rows = rows.withColumn("first", first).withColumn(
        "rejected", F.when((rejected == 0) & (F.col("first") > 1), repeated).otherwise(rejected)
    )
    scored = F.col("object_id").isNotNull()
    codes = [
        (F.col(f"science.{name}"), words)
        for name, words in zip(features.reason_names, features.reason_words, strict=True)
    ]
    version = science.champion.version if science.champion else None
    by_class = F.when(F.col("host_class").isNotNull(), "host_from_catalogue").otherwise(
        "host_from_star_score"
    )
    unmodelled = F.lit("no_model") if not science.champion else F.lit(None).cast("string")
    return rows.select(
        F.lit(target.name).alias("target"),
        F.lit(target.survey).alias("survey"),
        "night",
        *survey.COLUMNS,
        *(F.col(f"science.{name}") for name in features.names),
        *(
            exp.word(*code).alias(name)
            for name, code in zip(features.reason_names, codes, strict=True)
        ),
        "science.p",
        F.when(scored & F.col("science.p").isNull(), F.coalesce(unmodelled, exp.furthest(codes)))
        .alias("p_reason"),
        "science.informativeness",
        F.lit(target.strategy if science.champion else "random").alias("strategy"),
        F.when(scored, F.array(by_class)).alias("tags"),
        F.when(scored, exp.words(F.col("rejected"), bits)).alias("reasons"),
        (F.col("rejected") == 0).alias("is_candidate"),
        F.lit(version).cast("string").alias("model_version"),
        F.lit(features.hash).alias("feature_set_hash"),
        *(name for name in alerts.columns if name not in survey.COLUMNS),
        F.current_timestamp().alias("processed"),
    )  # fmt: skip


_SOURCE_ORDER = ("topic", "partition", "offset")


def _udf(science: Science):
    # The function goes to the workers with all that it names: so it must not name the whole loop.
    loop, champion, known = science.loop, science.champion, science.known
    target, survey, features, kinds = loop.target, loop.survey, loop.features, loop.columns
    read = tuple(inputs(target.cuts))
    fields = [f"{name} double" for name in features.names]
    fields += [f"{name} int" for name in features.reason_names]
    fields += ["p double", "informativeness double", "rejected long"]

    @pandas_udf(", ".join(fields))  # type: ignore[call-overload]
    def score(*columns: pd.Series) -> pd.DataFrame:
        exists = columns[1].notna().to_numpy()  # a packet that could not be read has no night
        rows = [column[exists] for column in columns]
        object_key, night = rows[0].to_numpy(np.int64), rows[1].to_numpy(np.int64)
        context = {
            name: column.to_numpy(np.float64, na_value=np.nan)
            for name, column in zip(read, rows[3:], strict=False)
        }
        curves = curves_of(rows[3 + len(read) :], kinds, survey)
        extracted = features.extract(curves)
        if champion:
            model = _model(champion.checksum, champion.bundle, features.hash)
            p = model.predict(extracted.values)
        else:
            p = np.full(len(curves), np.nan)
        published, full = _published(known, object_key, night, target.follow_up.max_per_night)
        chosen = select(
            context,
            cuts=target.cuts,
            follow_up=target.follow_up,
            strategy=target.strategy if champion else None,
            history_start_mjd=curves.first_detection_mjd(),
            p=p,
            has_features=extracted.exist,
            uniform=rows[2].to_numpy(np.float64),
            is_labelled=_contains(known.labelled.value if known.labelled else None, object_key),
            is_published=published,
            is_night_full=full,
        )
        out = pd.DataFrame(extracted.values, columns=list(features.names))
        codes = pd.DataFrame(extracted.codes, columns=list(features.reason_names), dtype="Int32")
        out = pd.concat([out, codes], axis=1)
        out["p"] = p
        out["informativeness"] = chosen.informativeness
        out["rejected"] = pd.Series(chosen.rejected, dtype="Int64")
        return out.set_axis(np.flatnonzero(exists)).reindex(range(len(exists)))

    return score


def _contains(ordered: np.ndarray | None, keys: np.ndarray) -> np.ndarray:
    if ordered is None or len(ordered) == 0:
        return np.zeros(len(keys), bool)
    positions = np.searchsorted(ordered, keys)
    return ordered[np.minimum(positions, len(ordered) - 1)] == keys


def _published(
    known: Known, keys: np.ndarray, nights: np.ndarray, max_per_night: int
) -> tuple[np.ndarray, np.ndarray]:
    by_night = known.published.value if known.published else {}
    published, full = np.zeros(len(keys), bool), np.zeros(len(keys), bool)
    for night in np.unique(nights):
        if (done := by_night.get(int(night))) is not None:
            in_night = nights == night
            published[in_night] = _contains(done, keys[in_night])
            full[in_night] = len(done) >= max_per_night
    return published, full


_MODELS: dict[str, Any] = {}


def _model(checksum: str, bundle: Any, feature_set_hash: str) -> Any:
    """The loaded model, one a worker process; a new version replaces the old one."""
    from fink_al.models.model import Model

    if checksum not in _MODELS:
        model = Model.from_bytes(bundle.value, feature_set_hash)
        _MODELS.clear()
        _MODELS[checksum] = model
    return _MODELS[checksum]
