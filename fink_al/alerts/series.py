"""Light curves from the columns that Spark passes to pandas functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from fink_al.alerts import light_curves
from fink_al.lightcurve import LightCurves
from fink_al.settings import Survey


def curves_of(
    columns: Sequence[pd.Series], kinds: Mapping[str, pa.DataType], survey: Survey
) -> LightCurves:
    """Return the light curve of each row.

    Parameters
    ----------
    columns : sequence of pandas.Series
        One for each of `kinds`, in their order. It holds arrays or None where the kind is a list,
        else numbers. None stays a null list, not an empty one.
    kinds : mapping of str to pyarrow.DataType
        Names and types of the columns that carry alerts of `survey`.
    survey : Survey
        Survey of the alerts.
    """
    arrays = [
        _lists(column, kind) if pa.types.is_list(kind) else pa.array(column, kind, from_pandas=True)
        for column, kind in zip(columns, kinds.values(), strict=True)
    ]
    return light_curves(pa.table(arrays, list(kinds)), survey)


def _lists(column: pd.Series, kind: pa.ListType) -> pa.ListArray:
    is_null = np.array([v is None for v in column], bool)
    values = [() if v is None else v for v in column]
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(v) for v in values], out=offsets[1:])
    flat = np.concatenate(values) if len(values) and offsets[-1] else np.array([])
    inner = pa.array(flat.astype(np.float64), pa.float64(), from_pandas=True)
    return pa.ListArray.from_arrays(
        offsets, inner.cast(kind.value_type), mask=pa.array(is_null) if is_null.any() else None
    )
