"""A world in which the class of an alert is plain to see."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from fink_al.alerts.ztf import LIGHT_CURVE, MJD_OF_JD0
from fink_al.features.feature_set import FeatureSet
from fink_al.models.bundle import pack
from fink_al.models.estimators.prior import Prior
from fink_al.models.estimators.trees import Trees
from fink_al.models.model import read_manifest
from fink_al.settings import Settings, Target, find_resource, load_settings
from fink_al.training.nightly import Summary
from fink_al.training.teacher import prior_of
from fink_al.training.teaching_set import TeachingSet, read_teaching_set

#: 2026-01-10 00:00 UTC.
MJD = 61050.0

#: When the types of its objects were seen.
OBSERVED = datetime(2026, 1, 10, 10, tzinfo=UTC)

#: Of the default target.
N_FEATURES = len(FeatureSet.from_settings(load_settings(environment={}).target.features).names)

#: SN Ia are bright in this world, and AGN faint.
MAGNITUDES = {"SN Ia": 17.0, "AGN": 19.0}
_COLUMNS = {
    "object_id": pa.string(),
    "alert_id": pa.int64(),
    "mjd": pa.float64(),
    "is_candidate": pa.bool_(),
    "reasons": pa.list_(pa.string()),
    "type": pa.string(),
}


def alert(
    object_id: str,
    alert_id: int,
    *,
    mjd: float = MJD,
    peak_mag: float = 18.0,
    is_detected: bool = True,
    is_candidate: bool = False,
    reasons: Sequence[str] | None = None,
    type: str | None = None,
) -> dict:
    """A ZTF alert of six nights in g and r, ending at `mjd`, with the columns of an archive.

    Without detections it has no features.
    """
    days = np.arange(-5.0, 1.0)
    flux = 1 / (1 + np.exp(-0.8 * (days + 3)))
    mag = peak_mag - 2.5 * np.log10(flux) if is_detected else [None] * 6
    return {
        "object_id": object_id,
        "alert_id": alert_id,
        "mjd": mjd,
        "is_candidate": is_candidate,
        "reasons": reasons,
        "type": type,
        "cjd": [*(mjd + days + MJD_OF_JD0), *(mjd + days + MJD_OF_JD0)],
        "cfid": [1] * 6 + [2] * 6,
        "cmagpsf": [*mag, *mag],
        "csigmapsf": [0.05] * 12,
        "cdiffmaglim": [20.5] * 12,
    }


def table(alerts: Sequence[dict]) -> pa.Table:
    """`alerts` as Arrow."""
    return pa.Table.from_pylist(list(alerts), pa.schema([*_COLUMNS.items(), *LIGHT_CURVE.items()]))


def sky(prefix: str, n: int) -> list[dict]:
    """`n` alerts of each class, a little different, with what they truly are."""
    return [
        alert(f"{prefix}{name}{i}", i, peak_mag=mag + 0.03 * i, type=name)
        for name, mag in MAGNITUDES.items()
        for i in range(n)
    ]


def decided(summary: Summary) -> tuple[str, str | None, str | None]:
    """What became of a nightly training: outcome, version that it made, champion."""
    return summary.outcome, summary.version, summary.champion


def informed(target: Target, kind: str = "informed_forest", **changes: object) -> Target:
    """`target` with an informed estimator."""
    prior = target.model.prior.model_copy(update=changes)
    update = {"estimator": kind, "prior": prior}
    return target.model_copy(update={"model": target.model.model_copy(update=update)})


#: The package's.
TAXONOMY = load_settings(environment={}).taxonomy


def teaching_set(target: Target, alerts: int = 1500) -> TeachingSet:
    """So many alerts of the package's teaching set, as `target` reads it."""
    file = find_resource("data/early_snia/teaching_set.parquet")
    whole = read_teaching_set(file, target, TAXONOMY)
    assert whole
    return replace(
        whole,
        rows=whole.rows[:alerts],
        positive=whole.positive[:alerts],
        identity=f"{whole.identity} {alerts}",
    )


def teacher(target: Target) -> Prior | None:
    """Teacher of `target`, quickly made."""
    return prior_of(target, target.features, teaching_set(target))


def smallest_leaf(trees: Trees, values: np.ndarray) -> int:
    """Smallest number of different examples in a leaf of the trees that they were grown on."""
    least, first = len(values), 0
    single = values.astype(np.float32)
    for size, rows in zip(trees.sizes, trees.samples, strict=True):
        nodes = trees.nodes[first : first + size]
        at = np.zeros(len(values), int)
        while (is_inner := nodes["left"][at] >= 0).any():
            value = single[np.arange(len(values)), nodes["feature"][at]]
            missing = np.isnan(value) & (nodes["missing_goes_left"][at] != 0)
            goes_left = (value <= nodes["threshold"][at]) | missing
            child = np.where(goes_left, nodes["left"][at], nodes["right"][at])
            at = np.where(is_inner, child, at)
        _, counts = np.unique(at[np.unique(rows)], return_counts=True)
        least, first = min(least, counts.min()), first + size
    return int(least)


def without_trees(settings: Settings, **estimator: str) -> None:
    """Take the trees out of the only registered bundle, and change settings of its estimator."""
    (file,) = (settings.work_dir / "models").rglob("bundle.zip")
    manifest = read_manifest(file.read_bytes())
    file.write_bytes(pack({}, manifest | {"estimator": manifest["estimator"] | estimator}))
