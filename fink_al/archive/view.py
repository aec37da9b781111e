"""Columns of the archive as one target sees them.

The archive holds each alert once, with the scores of all targets of its stream. A target's own
columns are called ``TARGET__NAME``. Features are stored once for all targets that have the same
feature set, as ``features_HASH__NAME``. Other columns belong to the alert.

Files of versions before 0.2 have one target's columns under their plain names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

_WORDS = pa.list_(pa.string())

#: Columns of an alert that each target has of its own, with their Arrow types.
OF_TARGET = {
    "list": pa.int32(),
    "p": pa.float64(),
    "p_reason": pa.string(),
    "informativeness": pa.float64(),
    "pi": pa.float64(),
    "u": pa.float64(),
    "priority": pa.float64(),
    "t": pa.float64(),
    "strategy": pa.string(),
    "strategy_parameters": pa.string(),
    "tags": _WORDS,
    "reasons": _WORDS,
    "is_candidate": pa.bool_(),
    "model_version": pa.string(),
    "feature_set_hash": pa.string(),
}

#: Column of versions before 0.2: the target of a row.
TARGET = "target"

_BETWEEN, _FEATURES = "__", "features_"


class Stored(NamedTuple):
    """A stored column, and of which rows it has the values.

    Parameters
    ----------
    column : str
        Its name in the files.
    key, value : str or None
        Only rows whose column `key` is `value`; None: all rows.
    """

    column: str
    key: str | None = None
    value: str | None = None


def own(target: str, name: str) -> str:
    """Return the stored name of a column of `target`."""
    return f"{target}{_BETWEEN}{name}"


def of_features(feature_set_hash: str, name: str) -> str:
    """Return the stored name of a feature, or of the reason why it is missing."""
    return f"{_FEATURES}{feature_set_hash}{_BETWEEN}{name}"


def stored(columns: Iterable[str], target: str | None) -> dict[str, list[Stored]]:
    """Return the columns that `target` sees, each with the stored ones that have its values.

    Parameters
    ----------
    columns : iterable of str
        Stored columns.
    target : str or None
        Its name; None: the columns of the alerts alone, and those of versions before 0.2.
    """
    columns = list(columns)
    owned = {own(target, name): name for name in OF_TARGET} if target else {}
    has_hash = target is not None and own(target, "feature_set_hash") in columns
    is_old = target is not None and TARGET in columns
    features = {c.partition(_BETWEEN)[2] for c in columns if c.startswith(_FEATURES)}
    found: dict[str, list[Stored]] = {}
    last: dict[str, list[Stored]] = {}
    for column in columns:
        if name := owned.get(column):
            found.setdefault(name, []).append(Stored(column))
        elif column.startswith(_FEATURES) and _BETWEEN in column:
            hash_, _, name = column.removeprefix(_FEATURES).partition(_BETWEEN)
            if target and has_hash:
                key = own(target, "feature_set_hash")
                found.setdefault(name, []).append(Stored(column, key, hash_))
        elif is_old and (column in OF_TARGET or column in features):
            last.setdefault(column, []).append(Stored(column, TARGET, target))
        elif _BETWEEN not in column and not (target and column == TARGET):
            last.setdefault(column, []).append(Stored(column))
    for name, old in last.items():
        found.setdefault(name, []).extend(old)
    return found
