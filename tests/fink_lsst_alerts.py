"""LSST alerts as Fink's jobs hold them, made up and real, and what they are without Spark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from fink_utils.spark.utils import concat_col
from pyspark.sql import DataFrame, SparkSession

from fink_al.alerts import light_curves
from fink_al.alerts.lsst import FIELDS, FORCED, LIGHT_CURVE
from fink_al.features.feature_set import Features, FeatureSet
from fink_al.loop import Loop
from fink_al.models.model import Model, fit
from fink_al.settings import Settings, load_settings
from fink_al.training.examples import read_examples

#: The published features, and ours with numbers of the alert itself and forced photometry.
FEATURE_SETS: dict[str, dict[str, Any]] = {
    "sigmoid": {"name": "sigmoid"},
    "early_v1": {
        "name": "early_v1",
        "bands": ("g", "r", "i"),
        "context": (
            "real_bogus", "classtar", "n_detections", "is_positive", "asteroid_distance_arcsec",
            "galactic_latitude",
        ),
        "forced": True,
        "rainbow": True,
    },
}  # fmt: skip

_BANDS = "ugrizy"
_SPARK = {"long": "bigint"}
#: What is no double in a packet, nor in Fink's rows.
_FLOATS = ("psfFlux", "psfFluxErr", "templateFlux", "reliability", "extendedness", "ephOffset")


def settings_with(features: dict[str, Any]) -> Settings:
    """Settings of a target on LSST with other features and 20 trees."""
    target = {
        "survey": "lsst",
        "features": features,
        "model": {"estimator": "random_forest", "n_estimators": 20},
    }
    return load_settings(target=target, starting_set=None, test_set=None)


def made_up(count: int, last_mjd: float, seed: int = 1) -> list[dict[str, Any]]:
    """Alerts with the fields of a packet that are read: every second object rises fast.

    The last ones are of a solar-system object, of an object without history, and of one with a
    source that could not be fitted, a band without a name and an exposure with two sources.
    """
    rng = np.random.default_rng(seed)
    alerts = [_made_up(i, last_mjd + 0.0005 * i, rng) for i in range(count)]
    moving, new, odd = alerts[-3:]
    moving |= {"diaObject": None, "prvDiaSources": None, "prvDiaForcedSources": None}
    moving["diaSource"] |= {"diaObjectId": 0, "ssObjectId": 77}
    moving["ssSource"] = {"ssObjectId": 77, "ephOffset": _float(0.1)}
    new |= {"prvDiaSources": None, "prvDiaForcedSources": None}
    history = odd["prvDiaSources"]
    history[0] |= {"psfFlux": -1e5, "psfFlux_flag": True}
    history[1] |= {"band": None}
    history.insert(3, history[2] | {"psfFlux": 2 * history[2]["psfFlux"]})
    return alerts


def _made_up(i: int, last_mjd: float, rng: np.random.Generator) -> dict[str, Any]:
    rate = rng.uniform(0.2, 0.3) if i % 2 else rng.uniform(0.02, 0.06)
    ra, dec = rng.uniform(0, 360), rng.uniform(-60, 10)
    days = [*sorted((rng.choice(np.arange(1, 20), 9, replace=False) / 2).tolist())[::-1], 0.0]

    def points(band: str, ago: float) -> dict[str, Any]:
        flux = 10 ** (0.4 * (31.4 - 20.5 - rate * ago + 0.3 * (band == "g")))
        return {
            "midpointMjdTai": last_mjd - ago,
            "band": band,
            "psfFlux": _float(flux * rng.normal(1, 0.02)),
            "psfFluxErr": _float(0.02 * flux),
        }

    sources = [
        points("griz"[k % 4], ago)
        | {
            "psfFlux_flag": False,
            "diaObjectId": 1000 + i,
            "ssObjectId": None,
            "ra": ra,
            "dec": dec,
            "isNegative": False,
            "reliability": _float(rng.uniform(0.6, 1)),
            "extendedness": _float(rng.uniform(0, 0.5)),
            "templateFlux": _float((-1) ** k * 1e4),
        }
        for k, ago in enumerate(days)
    ]
    around = [points("gr"[k % 2], ago) for k, ago in enumerate((30.0, 29.0, 25.0, days[1]))]
    return {
        "diaSourceId": 10**17 + i,
        "diaSource": sources[-1],
        "prvDiaSources": sources[:-1],
        "prvDiaForcedSources": around,
        "diaObject": {
            "diaObjectId": 1000 + i,
            "nDiaSources": len(sources),
            "firstDiaSourceMjdTai": last_mjd - days[0] if i % 3 else None,
        },
        "ssSource": None,
    }


def _float(value: float) -> float:
    return float(np.float32(value))


def archived(alerts: Sequence[dict[str, Any]]) -> pa.Table:
    """Columns in which `alerts` are archived, and every second one called a SN Ia."""
    return pa.table(
        {
            name: pa.array([row[name] for row in map(_archived, alerts)], kind)
            for name, kind in (LIGHT_CURVE | FORCED | _CONTEXT).items()
        }
    ).append_column(
        "type", pa.array(["SN II", "SN Ia"] * (len(alerts) // 2) + ["SN II"])[: len(alerts)]
    )


_CONTEXT = {"object_id": pa.string(), "alert_id": pa.int64()} | dict.fromkeys(
    (
        "ra", "dec", "real_bogus", "classtar", "n_detections", "is_positive",
        "asteroid_distance_arcsec", "first_detection_mjd",
    ),
    pa.float64(),
)  # fmt: skip


def _archived(alert: dict[str, Any]) -> dict[str, Any]:
    source, known = alert["diaSource"], alert["diaObject"] or {}
    own = [*(alert["prvDiaSources"] or []), source]
    around = alert["prvDiaForcedSources"] or []
    ids = source["diaObjectId"] or known.get("diaObjectId"), source["ssObjectId"]
    offset = (alert["ssSource"] or {}).get("ephOffset")
    row = {
        "object_id": str(ids[0]) if ids[0] else f"ss{ids[1]}",
        "alert_id": alert["diaSourceId"],
        "ra": source["ra"],
        "dec": source["dec"],
        "real_bogus": source["reliability"],
        "classtar": 1 - _number(source["extendedness"]),
        "n_detections": known.get("nDiaSources"),
        "is_positive": float(source["psfFlux"] > 0 and not source["isNegative"]),
        "asteroid_distance_arcsec": offset if ids[0] else 0.0,
        "first_detection_mjd": known.get("firstDiaSourceMjdTai"),
        "cflag": [int(bool(point["psfFlux_flag"])) for point in own],
    }
    for prefix, points in (("c", own), ("f", around)):
        row[f"{prefix}band"] = [_BANDS.index(p["band"]) if p["band"] else None for p in points]
        for name in ("midpointMjdTai", "psfFlux", "psfFluxErr"):
            row[prefix + name] = [point[name] for point in points]
    return row


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def trained(settings: Settings) -> Model:
    """A model of made-up alerts."""
    return fit(
        read_examples(Loop.open(settings), archived(made_up(80, 61000.3, 7))), settings.target, None
    )


def without_spark(alerts: Sequence[dict[str, Any]], settings: Settings) -> Features:
    """Features of `alerts`, in their order."""
    columns = archived(alerts).drop_columns(["object_id", "alert_id", "type"])
    curves = light_curves(columns, settings.survey)
    return FeatureSet.from_settings(settings.target.features).extract(curves)


def fink_rows(spark: SparkSession, alerts: Sequence[dict[str, Any]]) -> DataFrame:
    """`alerts` as rows with the columns that Fink's job adds before its science modules."""
    return concatenated(spark.createDataFrame(list(alerts), _spark_type(FIELDS)[7:-1]))


def real_fink_rows(spark: SparkSession, shared_data: Path) -> DataFrame:
    """Alerts that Fink distributed, with the columns that it had dropped before."""
    file = shared_data / "lsst_packets" / "fink_lsst_20260306.avro"
    return concatenated(spark.read.format("avro").load(str(file)))


def concatenated(rows: DataFrame) -> DataFrame:
    """`rows` with ``cmidpointMjdTai cband cpsfFlux cpsfFluxErr``."""
    for name in ("midpointMjdTai", "band", "psfFlux", "psfFluxErr"):
        rows = concat_col(rows, name, current="diaSource", history="prvDiaSources")
    return rows


def _spark_type(kind: Any) -> str:
    if isinstance(kind, list):
        return f"array<{_spark_type(kind[0])}>"
    if isinstance(kind, dict):
        fields = (f"{n}: {'float' if n in _FLOATS else _spark_type(k)}" for n, k in kind.items())
        return f"struct<{', '.join(fields)}>"
    return _SPARK.get(kind, kind)
