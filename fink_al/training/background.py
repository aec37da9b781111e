"""Background of a target's isolation forest: alerts of the last nights, whatever they are."""

from __future__ import annotations

import hashlib
import zlib

import numpy as np
import pyarrow as pa

from fink_al.loop import Loop
from fink_al.models.estimators.background import Background, Beside
from fink_al.settings import Target
from fink_al.training.examples import feature_values
from fink_al.training.teacher import prior_of
from fink_al.training.teaching_set import TeachingSet

#: Nights that are read, and alerts that are kept of them.
NIGHTS, ALERTS = 7, 5000


def beside_of(loop: Loop, teaching: TeachingSet | None) -> Beside | None:
    """Return what the model of a loop's target learns from beside labels; None if nothing.

    Parameters
    ----------
    loop : Loop
        The target's loop.
    teaching : TeachingSet or None
        Teaching set of the target.

    Raises
    ------
    ModelError, SettingsError
        As :func:`fink_al.training.teacher.prior_of`.
    """
    if loop.target.model.has_background:
        return archived_background(loop)
    return prior_of(loop.target, loop.target.features, teaching)


def archived_background(
    loop: Loop, nights: int = NIGHTS, alerts: int = ALERTS
) -> Background | None:
    """Draw alerts of the archive's last nights, the same ones each time; None if there are none.

    The draw is by a checksum of the alert's number, so it depends on no random number and each
    alert has the same odds.

    Parameters
    ----------
    loop : Loop
        The target's loop.
    nights : int
        Number of nights.
    alerts : int
        Largest number of alerts.
    """
    archive = loop.archive
    if not (files := archive.whole_files(*last) if (last := archive.nights()[-nights:]) else []):
        return None
    kept: pa.Table | None = None
    schema = archive.schema()
    columns = [name for name in ("alert_id", *loop.columns) if name in schema.names]
    for batch in archive.batches(files, schema, columns):
        kept = batch if kept is None else pa.concat_tables([kept, batch])
        order = np.array([zlib.crc32(str(name).encode()) for name in kept["alert_id"].to_pylist()])
        kept = kept.take(pa.array(np.sort(np.argsort(order, kind="stable")[:alerts])))
    if kept is None or not len(kept):
        return None
    names = sorted(map(str, kept["alert_id"].to_pylist()))
    values = feature_values(loop, kept)
    seen = ~np.isnan(values).all(axis=1)
    identity = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    return Background(looked_at(loop.target, values[seen]), identity) if seen.any() else None


def looked_at(target: Target, values: np.ndarray) -> np.ndarray:
    """Features of `values` that the target's model looks at."""
    from fink_al.features.feature_set import FeatureSet

    features = FeatureSet.from_settings(target.features)
    return values[:, features.columns(target.model.without_features)]
