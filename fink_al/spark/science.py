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
from fink_al.draws import closing_fraction, closing_mjd
from fink_al.followup.dark import is_observable
from fink_al.followup.exposure import chance_of_a_type, minutes
from fink_al.loop import Loop
from fink_al.selection import RANDOM, Draws, inputs, reasons, score, scored_by, select
from fink_al.spark import expressions as exp
from fink_al.thresholds import Thresholds

#: Columns of an alert that is drawn again: threshold and mean score that it had, and the time of
#: its micro-batch, null where these are not known.
DRAWN_BEFORE = {"former_t": "double", "former_mean": "double", "former_batch": "timestamp"}


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
    labelled, reserved : Broadcast of sorted int64 array
        Keys of the objects that have a type, and of those of the test set.
    published : Broadcast of dict
        Sorted keys of the objects published, by list YYYYMMDD.
    """

    labelled: Any = None
    reserved: Any = None
    published: Any = None


@dataclass(frozen=True)
class Science:
    """Settings, model and state by which Spark's workers judge a batch of alerts."""

    loop: Loop
    champion: Champion | None = None
    known: Known = field(default_factory=Known)
    thresholds: Thresholds = field(default_factory=Thresholds)

    @property
    def strategy(self) -> str:
        """What the batch is scored by; without a model all weights are equal."""
        target = self.loop.target
        return scored_by(target.strategy, target.draw) if self.champion else RANDOM


def with_science(alerts: DataFrame, science: Science) -> DataFrame:
    """`alerts` with night, list, features, probability, draw, reasons, whether they are candidates.

    Parameters
    ----------
    alerts : DataFrame
        Columns of the survey's adapter, perhaps `DRAWN_BEFORE`; other columns pass through. Rows
        whose ``object_id`` is null pass through with nulls.
    science : Science
        Settings, model and state.

    Returns
    -------
    DataFrame
        The documented columns of a scored alert (``docs/messages.md``). Of several alerts of one
        object in one list, at most one is a candidate: of those drawn together, the last one.
    """
    loop = science.loop
    target, features, survey = loop.target, loop.features, loop.alerts
    passed_on = [n for n in alerts.columns if n not in survey.COLUMNS and n not in DRAWN_BEFORE]
    closes = closing_fraction(target.draw, loop.survey)
    rows = alerts.withColumns(
        {
            name: F.lit(None).cast(kind)
            for name, kind in DRAWN_BEFORE.items()
            if name not in alerts.columns
        }
        | {
            "night": exp.night(F.col("mjd"), loop.survey.day_start),
            "list": exp.night(F.col("mjd"), closes),
            # A packet that could not be read has no object: its offset spreads it over the tasks.
            "object_key": F.when(F.col("object_id").isNotNull(), F.xxhash64("object_id")).otherwise(
                F.col("offset")
            ),
        }
    )
    rows = rows.withColumn(
        "u", exp.uniform(F.col("object_id"), F.col("list"), target.follow_up.seed)
    )
    columns = [
        *(F.col(name) for name in ("object_key", "list", "u", "former_t", "former_mean")),
        *(exp.numbers(F.col(name), words) for name, words in inputs(target.cuts).items()),
        *(F.col(name) for name in survey.LIGHT_CURVE | survey.FORCED),
        *(F.col(name).cast("double") for name in features.context_columns),
    ]
    rows = rows.withColumn("science", _udf(science)(*columns))
    # An object's alerts meet in one task, where one of them is chosen.
    rows = rows.repartition(loop.settings.stream.partitions, "object_key")
    rejected = F.col("science.rejected")
    first = F.row_number().over(
        Window.partitionBy("object_key", "list", rejected == 0).orderBy(
            "former_batch", F.desc("mjd"), F.desc("alert_id"), *_SOURCE_ORDER
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
    parameters = F.struct(
        F.lit(target.draw.exponent).alias("exponent"),
        F.lit(target.draw.uniform_share).alias("uniform_share"),
        F.col("science.mean").alias("mean"),
    )
    unmodelled = F.lit("no_model") if not science.champion else F.lit(None).cast("string")
    return rows.select(
        F.lit(target.name).alias("target"),
        F.lit(target.survey).alias("survey"),
        "night",
        "list",
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
        "science.pi",
        F.when(F.col("science.pi").isNotNull(), F.col("u")).alias("u"),
        "science.priority",
        "science.t",
        F.lit(science.strategy).alias("strategy"),
        F.when(scored, F.to_json(parameters)).alias("strategy_parameters"),
        F.when(scored, F.array(by_class)).alias("tags"),
        F.when(scored, exp.words(F.col("rejected"), bits)).alias("reasons"),
        (F.col("rejected") == 0).alias("is_candidate"),
        F.lit(version).cast("string").alias("model_version"),
        F.lit(features.hash).alias("feature_set_hash"),
        *passed_on,
        F.current_timestamp().alias("processed"),
    )  # fmt: skip


_SOURCE_ORDER = ("topic", "partition", "offset")


def _udf(science: Science):
    # The function goes to the workers with all that it names: so it must not name the whole loop.
    loop, champion, known = science.loop, science.champion, science.known
    target, survey, features, kinds = loop.target, loop.survey, loop.features, loop.columns
    strategy, thresholds = science.strategy, science.thresholds
    draw, follow_up, closes = target.draw, target.follow_up, closing_fraction(target.draw, survey)
    read = tuple(inputs(target.cuts))
    fields = [f"{name} double" for name in features.names]
    fields += [f"{name} int" for name in features.reason_names]
    fields += [f"{name} double" for name in ("p", "informativeness", "pi", "priority", "t", "mean")]
    fields += ["rejected long"]

    @pandas_udf(", ".join(fields))  # type: ignore[call-overload]
    def judge(*columns: pd.Series) -> pd.DataFrame:
        exists = columns[1].notna().to_numpy()  # a packet that could not be read has no list
        rows = [column[exists] for column in columns]
        object_key, lists = rows[0].to_numpy(np.int64), rows[1].to_numpy(np.int64)
        u, t, mean = (
            column.to_numpy(np.float64, copy=True, na_value=np.nan) for column in rows[2:5]
        )
        context = {
            name: column.to_numpy(np.float64, na_value=np.nan)
            for name, column in zip(read, rows[5:], strict=False)
        }
        curves = curves_of(rows[5 + len(read) :], kinds, survey)
        extracted = features.extract(curves)
        if champion:
            model = _model(champion.checksum, champion.bundle, features.hash)
            p = model.predict(extracted.values)
        else:
            p = np.full(len(curves), np.nan)
        published, observable = np.zeros((2, len(p)), bool)
        for list_ in np.unique(lists).tolist():
            here = lists == list_
            published[here] = _contains(_published(known, list_), object_key[here])
            ra, dec, end = context["ra"][here], context["dec"][here], closing_mjd(list_, closes)
            observable[here] = is_observable(ra, dec, follow_up.site, end)
            for values, of_list in (
                (t, thresholds.t(list_, strategy, draw, follow_up)),
                (mean, thresholds.mean(list_, strategy, draw)),
            ):
                values[here & np.isnan(values)] = of_list
        mag, exposure = context["mag"], follow_up.exposure
        chosen = select(
            context,
            target=target,
            score=score(strategy, p, chance_of_a_type(mag, exposure), minutes(mag, exposure), draw),
            draws=Draws(u, t, mean),
            history_start_mjd=curves.first_detection_mjd(),
            has_features=extracted.exist,
            is_observable=observable,
            is_labelled=_contains(known.labelled.value if known.labelled else None, object_key),
            is_reserved=_contains(known.reserved.value if known.reserved else None, object_key),
            is_published=published,
        )
        out = pd.DataFrame(extracted.values, columns=list(features.names))
        codes = pd.DataFrame(extracted.codes, columns=list(features.reason_names), dtype="Int32")
        out = pd.concat([out, codes], axis=1)
        out["p"] = p
        out["informativeness"] = chosen.score
        out["pi"], out["priority"] = chosen.pi, chosen.priority
        out["t"], out["mean"] = t, mean
        out["rejected"] = pd.Series(chosen.rejected, dtype="Int64")
        return out.set_axis(np.flatnonzero(exists)).reindex(range(len(exists)))

    return judge


def _published(known: Known, list_: int) -> np.ndarray | None:
    return known.published.value.get(list_) if known.published else None


def _contains(ordered: np.ndarray | None, keys: np.ndarray) -> np.ndarray:
    if ordered is None or len(ordered) == 0:
        return np.zeros(len(keys), bool)
    positions = np.searchsorted(ordered, keys)
    return ordered[np.minimum(positions, len(ordered) - 1)] == keys


_MODELS: dict[str, Any] = {}


def _model(checksum: str, bundle: Any, feature_set_hash: str) -> Any:
    """The loaded model, one a worker process; a new version replaces the old one."""
    from fink_al.models.model import Model

    if checksum not in _MODELS:
        model = Model.from_bytes(bundle.value, feature_set_hash)
        _MODELS.clear()
        _MODELS[checksum] = model
    return _MODELS[checksum]
