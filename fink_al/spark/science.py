"""Decoded alerts to scored alerts: one pandas UDF for the features and judgements of all targets.

An alert's light curve is made once, and each feature is computed once for all targets that have it.
Stream and replay both call :func:`with_science`. It does not depend on the alerts' source.
Only numbers enter the Python worker: a string with broken encoding would stop the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from fink_al.alerts.series import curves_of
from fink_al.archive.view import OF_TARGET, of_features, own
from fink_al.draws import closing_fraction
from fink_al.features.feature_set import FeatureSet
from fink_al.loop import Loop
from fink_al.memory.recall import remembered
from fink_al.selection import inputs, reasons
from fink_al.spark import expressions as exp
from fink_al.spark.judge import JUDGE_FAILED, JUDGED, Judge, Read, Science, State, judge_each


def with_science(alerts: DataFrame, sciences: Sequence[Science]) -> DataFrame:
    """`alerts` with night, features, and the scores, draw and reasons of each target.

    Parameters
    ----------
    alerts : DataFrame
        Columns of the survey's adapter, perhaps those of :func:`drawn_before`, and of
        :mod:`fink_al.features.past_columns`, without which the memory is asked; other columns pass
        through. Rows whose ``object_id`` is null pass through with nulls.
    sciences : sequence of Science
        Settings, model and state of each target, all of one survey.

    Returns
    -------
    DataFrame
        The columns of a scored alert as the archive stores them (:mod:`fink_al.archive.view`). Of
        several alerts of one object in one list, at most one is a candidate of a target: of those
        drawn together, the last one.
    """
    loops = [science.loop for science in sciences]
    survey, settings, adapter = loops[0].survey, loops[0].settings, loops[0].alerts
    past = _past(loops)
    given = bool(past) and past[0] in alerts.columns
    before = {name: kind for loop in loops for name, kind in drawn_before(loop.target.name).items()}
    computed = {*adapter.COLUMNS, *before, *past}
    passed_on = [n for n in alerts.columns if n not in computed]
    rows = alerts.withColumns(
        {
            name: F.lit(None).cast(kind)
            for name, kind in before.items()
            if name not in alerts.columns
        }
        | {
            "night": exp.night(F.col("mjd"), survey.day_start),
            # A packet that could not be read has no object: its offset spreads it over the tasks.
            "object_key": F.when(F.col("object_id").isNotNull(), F.xxhash64("object_id")).otherwise(
                F.col("offset")
            ),
        }
        # Targets whose lists close at the same hour have one column, and are sorted once.
        | {_list_of(loop): exp.night(F.col("mjd"), _closes(loop)) for loop in loops}
    )
    rows = rows.withColumns(
        {
            own(loop.target.name, "u"): exp.uniform(
                F.col("object_id"), F.col(_list_of(loop)), loop.target.follow_up.seed
            )
            for loop in loops
        }
    )
    rows = rows.withColumn("science", _udf(sciences, given)(*_inputs(rows, loops, given)))
    # An object's alerts meet in one task, where one of them is chosen.
    rows = rows.repartition(settings.stream.partitions, "object_key")
    rows = rows.withColumns({f"{loop.target.name}__rejected": _rejected(loop) for loop in loops})
    sets = {loop.features.hash: loop.features for loop in loops}
    return rows.select(
        F.lit(survey.name).alias("survey"),
        "night",
        *adapter.COLUMNS,
        *(F.col(f"science.{name}").alias(name) for name in past),
        *(column for features in sets.values() for column in _feature_columns(features)),
        *(column for science in sciences for column in _columns(science)),
        *passed_on,
        F.current_timestamp().alias("processed"),
    )


def drawn_before(target: str) -> dict[str, str]:
    """Columns of an alert that `target` draws again, with their kinds.

    Threshold and mean score that it had, and the time of its micro-batch; null where unknown.
    """
    return {
        own(target, "former_t"): "double",
        own(target, "former_mean"): "double",
        "former_batch": "timestamp",
    }


def _closes(loop: Loop) -> float:
    return closing_fraction(loop.target.draw, loop.survey)


def _list_of(loop: Loop) -> str:
    """Column of an alert's list, which depends on the hour at which lists close."""
    return f"list_{_closes(loop)}".replace(".", "_")


def _rejected(loop: Loop) -> Column:
    """Bits of a target's reasons: of several alerts that passed, all but the first get one."""
    target = loop.target
    rejected = F.col(f"science.{own(target.name, 'rejected')}")
    order = ("former_batch", F.desc("mjd"), F.desc("alert_id"), *_SOURCE_ORDER)
    so_far = Window.partitionBy("object_key", _list_of(loop)).orderBy(*order)
    so_far = so_far.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    number = F.count(F.when(rejected == 0, True)).over(so_far)
    repeated = 1 << reasons(target.cuts).index("already_published")
    return F.when((rejected == 0) & (number > 1), repeated).otherwise(rejected)


def _feature_columns(features: FeatureSet) -> list[Column]:
    values = [
        _feature(features, name).alias(of_features(features.hash, name)) for name in features.names
    ]
    codes = zip(features.reason_names, _codes(features), strict=True)
    return values + [
        exp.word(*code).alias(of_features(features.hash, name)) for name, code in codes
    ]


def _feature(features: FeatureSet, name: str) -> Column:
    """Value of a feature, null where it is missing."""
    return F.col(f"science.{of_features(features.hash, name)}")


def _codes(features: FeatureSet) -> list[exp.Codes]:
    """Columns of a feature set's reason codes, with their words."""
    return [
        (F.col(f"science.{of_features(features.hash, name)}"), words)
        for name, words in zip(features.reason_names, features.reason_words, strict=True)
    ]


def _columns(science: Science) -> list[Column]:
    """Columns of a target, in the order of `OF_TARGET`."""
    loop, champion = science.loop, science.champion
    target = loop.target
    scored = F.col("object_id").isNotNull()

    def of(name: str) -> Column:
        return F.col(f"science.{own(target.name, name)}")

    rejected = F.col(f"{target.name}__rejected")
    unmodelled = F.lit("no_model") if not champion else F.lit(None).cast("string")
    missing = F.coalesce(unmodelled, exp.furthest(_codes(loop.features)))
    by_class = F.when(F.col("host_class").isNotNull(), "host_from_catalogue").otherwise(
        "host_from_star_score"
    )
    flags = [
        F.when(_feature(loop.features, flag.feature) > flag.above, name)
        for name, flag in target.flags.items()
    ]
    parameters = F.struct(
        F.lit(target.draw.exponent).alias("exponent"),
        F.lit(target.draw.uniform_share).alias("uniform_share"),
        of("mean").alias("mean"),
    )
    values = {
        "list": F.col(_list_of(loop)),
        "p": of("p"),
        "p_reason": F.when(scored & rejected.isNull(), JUDGE_FAILED).when(
            scored & of("p").isNull(), missing
        ),
        "informativeness": of("informativeness"),
        "pi": of("pi"),
        "u": F.when(of("pi").isNotNull(), F.col(own(target.name, "u"))),
        "priority": of("priority"),
        "t": of("t"),
        "strategy": F.lit(science.strategy),
        "strategy_parameters": F.when(scored, F.to_json(parameters)),
        "tags": F.when(scored, F.array_compact(F.array(by_class, *flags))),
        "reasons": F.when(scored & rejected.isNotNull(), exp.words(rejected, reasons(target.cuts))),
        "is_candidate": rejected == 0,
        "model_version": F.lit(champion.version if champion else None).cast("string"),
        "feature_set_hash": F.lit(loop.features.hash),
    }
    return [values[name].alias(own(target.name, name)) for name in OF_TARGET]


_SOURCE_ORDER = ("topic", "partition", "offset")


def _reads(loops: Sequence[Loop]) -> list[Read]:
    """Columns that cuts read, each once for all targets that look for the same words."""
    return list(dict.fromkeys(one for loop in loops for one in inputs(loop.target.cuts).items()))


def _context(loops: Sequence[Loop]) -> list[str]:
    """Context columns that features read, but for those of the memory."""
    names = (name for loop in loops for name in loop.features.context_columns)
    return [name for name in dict.fromkeys(names) if name not in _past(loops)]


def _past(loops: Sequence[Loop]) -> tuple[str, ...]:
    """Columns of the memory, if a target asks for it."""
    return next((loop.past for loop in loops if loop.past), ())


def _inputs(rows: DataFrame, loops: Sequence[Loop], given: bool) -> list[Column]:
    """Columns of `rows` that enter the Python workers, in the order in which `_udf` takes them."""
    adapter, past = loops[0].alerts, _past(loops)
    return [
        F.col("object_key"),
        *(
            F.col(name)
            for loop in loops
            for name in (
                _list_of(loop),
                *(own(loop.target.name, name) for name in ("u", "former_t", "former_mean")),
            )
        ),
        *(exp.numbers(F.col(name), words) for name, words in _reads(loops)),
        *(F.col(name) for name in adapter.LIGHT_CURVE | adapter.FORCED),
        *(F.col(name).cast("double") for name in _context(loops)),
        *([F.col("night")] if past else []),
        *(F.col(name) for name in past if given),
    ]


def _udf(sciences: Sequence[Science], given: bool):
    # The function goes to the workers with all that it names: so it must not name a whole loop.
    loops = [science.loop for science in sciences]
    survey, adapter = loops[0].survey, loops[0].alerts
    reads = _reads(loops)
    kinds = adapter.LIGHT_CURVE | adapter.FORCED | dict.fromkeys(_context(loops), pa.float64())
    past, memory = _past(loops), loops[0].memory
    sets = {loop.features.hash: loop.features for loop in loops}
    every = list(dict.fromkeys(one for features in sets.values() for one in features.features))
    judges = [Judge.of(science) for science in sciences]
    fields = [f"`{name}` double" for name in past]
    fields += [
        f"`{of_features(hash_, name)}` {kind}"
        for hash_, features in sets.items()
        for kind, names in (("double", features.names), ("int", features.reason_names))
        for name in names
    ]
    fields += [
        f"`{own(judge.target.name, name)}` {kind}"
        for judge in judges
        for name, kind in JUDGED.items()
    ]

    @pandas_udf(", ".join(fields))  # type: ignore[call-overload]
    def judge_all(*columns: pd.Series) -> pd.DataFrame:
        exists = columns[1].notna().to_numpy()  # a packet that could not be read has no list
        rows = iter([column[exists] for column in columns])
        object_key = next(rows).to_numpy(np.int64)
        states = [
            State(
                next(rows).to_numpy(np.int64),
                *(next(rows).to_numpy(np.float64, copy=True, na_value=np.nan) for _ in range(3)),
            )
            for _ in judges
        ]
        context = {one: next(rows).to_numpy(np.float64, na_value=np.nan) for one in reads}
        curves = curves_of(list(islice(rows, len(kinds))), kinds, survey)
        out: dict[str, Any] = {}
        if past:
            nights = next(rows).to_numpy(np.int64)
            out |= (
                {name: next(rows).to_numpy(np.float64) for name in past}
                if given
                else remembered(memory, object_key, nights)
            )
            curves = curves.with_context(out)
        computed = {feature: feature.extract(curves) for feature in every}
        extracted = {hash_: features.join(computed) for hash_, features in sets.items()}
        for hash_, features in sets.items():
            of_set = extracted[hash_]
            for name, values in zip(features.names, of_set.values.T, strict=True):
                out[of_features(hash_, name)] = values
            for name, codes in zip(features.reason_names, of_set.codes.T, strict=True):
                out[of_features(hash_, name)] = pd.Series(codes, dtype="Int32")
        begun = curves.first_detection_mjd()
        said = judge_each(
            judges,
            lambda i: judges[i](
                object_key, states[i], context, begun, extracted[judges[i].features_hash]
            ),
        )
        for judge, judged in zip(judges, said, strict=True):
            out |= {own(judge.target.name, name): values for name, values in judged.items()}
        table = pd.DataFrame(out, index=range(len(object_key)))
        if exists.all():
            return table
        return table.set_axis(np.flatnonzero(exists)).reindex(range(len(exists)))

    return judge_all
