"""Background of a target's isolation forest: alerts of the last nights, whatever they are."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fink_al.archive.reading import Archive
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

    The draw is by the mixed bits of the alert's number: it depends on no random number, and each
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
    files, drawn = _drawn(archive, nights, alerts)
    if not len(drawn):
        return None
    schema = archive.schema()
    columns = [name for name in ("alert_id", *loop.columns) if name in schema.names]
    # Light curves are read of the drawn alerts alone.
    is_drawn = archive.field("alert_id").isin(drawn)
    kept = pa.concat_tables(archive.batches(files, schema, columns, is_drawn))
    values = feature_values(loop, kept.sort_by("alert_id").combine_chunks())
    seen = ~np.isnan(values).all(axis=1)
    return (
        Background(looked_at(loop.target, values[seen]), _identity(drawn)) if seen.any() else None
    )


def background_identity(loop: Loop) -> str | None:
    """Identity of :func:`archived_background`, without its features; None if there are no alerts.

    Parameters
    ----------
    loop : Loop
        The target's loop.
    """
    _, drawn = _drawn(loop.archive, NIGHTS, ALERTS)
    return _identity(drawn) if len(drawn) else None


def _drawn(archive: Archive, nights: int, alerts: int) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Files of the last nights, and the numbers of the alerts drawn of them."""
    last, drawn = archive.nights()[-nights:], np.empty(0, np.int64)
    files = archive.whole_files(*last) if last else []
    if not files:
        return files, drawn
    for batch in archive.batches(files, archive.schema(), ["alert_id"]):
        drawn = np.union1d(drawn, batch["alert_id"].drop_null().to_numpy())
        drawn = drawn[np.argsort(_mixed(drawn), kind="stable")[:alerts]]
    return files, drawn


def _identity(drawn: npt.NDArray[np.int64]) -> str:
    names = sorted(map(str, drawn.tolist()))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def _mixed(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Return the bits of `numbers`, shape (n,), mixed by splitmix64 (Steele et al. 2014)."""
    mixed = numbers.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def looked_at(target: Target, values: np.ndarray) -> np.ndarray:
    """Features of `values` that the target's model looks at."""
    from fink_al.features.feature_set import FeatureSet

    features = FeatureSet.from_settings(target.features)
    return values[:, features.columns(target.model.without_features)]
