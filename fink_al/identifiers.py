"""Identifiers of alerts and objects in tables: exact, or refused.

Surveys number alerts with 19 digits. A 64-bit float holds 16, so it makes one number of several.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from fink_al.errors import LightCurveError

if TYPE_CHECKING:  # labels need no pandas, whose import takes half a second
    import pandas as pd

_FLOAT_TEXT = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?|[+-]?\d+[eE]\+\d+")
_INTEGER_TEXT = r"[+-]?\d+"
_SIGNED, _UNSIGNED = np.iinfo(np.int64), np.iinfo(np.uint64)


def identifiers(values: pd.Series | pa.ChunkedArray, name: str) -> pd.Series:
    """Identifiers of a table's column as exact integers or text, null where missing.

    Parameters
    ----------
    values : pandas.Series or pyarrow.ChunkedArray
        The column. Integers with nulls come from Arrow as pandas' nullable integers, not as floats.
    name : str
        Its name.

    Raises
    ------
    LightCurveError
        If the column holds anything but integers of 64 bits or text; if some of its text is a
        number in floating point, as tables have it that were written from one.
    """
    import pandas as pd

    if isinstance(values, pa.ChunkedArray):
        return _of_arrow(values, name)
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if pd.api.types.is_integer_dtype(values.dtype):
        return values
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind == "empty" or values.isna().all():
        return values
    if kind == "integer":
        return _bounded(values, name)
    if kind != "string":
        plain = values.dtype == object
        raise _refusal(name, f"Python objects ({kind})" if plain else str(values.dtype))
    rounded = values[values.map(reads_as_float, na_action="ignore").fillna(False).astype(bool)]
    if len(rounded):
        raise _refusal(name, f"text of floating-point numbers such as '{rounded.iloc[0]}'")
    return values


def reads_as_float(text: str) -> bool:
    """Tell whether `text` is a number as programs write floats: ``2.69e+18``, ``12.0``."""
    return _FLOAT_TEXT.fullmatch(text.strip()) is not None


def of_text(values: pd.Series) -> pd.Series:
    """`values` of a CSV, read as text, as integers where all of them are such; null stays null."""
    text = values.dropna().astype(str).str.strip()
    if not len(text) or not text.str.fullmatch(_INTEGER_TEXT).all():
        return values
    import pandas as pd

    # Python's integers all the way: with a null among them pandas would make floats.
    numbers = pd.Series([int(t) for t in text], text.index, dtype=object)
    if _width(numbers) is None:
        return values  # longer than any integer: exact as text
    return _as_integers(numbers.reindex(values.index))


def _of_arrow(values: pa.ChunkedArray, name: str) -> pd.Series:
    import pandas as pd

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    if pa.types.is_integer(kind):
        whole = values.cast(pa.uint64() if kind == pa.uint64() else pa.int64())
        mapper: Any = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}.get
        return values.to_pandas() if not values.null_count else whole.to_pandas(types_mapper=mapper)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return identifiers(values.to_pandas(), name)
    raise _refusal(name, str(kind))


def _bounded(values: pd.Series, name: str) -> pd.Series:
    if _width(values.dropna()) is None:
        raise _refusal(name, "integers of more than 64 bits")
    return _as_integers(values)


def _as_integers(values: pd.Series) -> pd.Series:
    """Python integers of `values` in 64 bits, nullable where one is missing."""
    import pandas as pd

    width = _width(values.dropna())
    assert width
    if not values.isna().any():
        return values.astype(width)
    exact = pa.array([None if pd.isna(v) else v for v in values], getattr(pa, width)())
    return pd.Series(_of_arrow(pa.chunked_array([exact]), "").array, index=values.index)


def _width(numbers: pd.Series) -> Literal["int64", "uint64"] | None:
    """Type of 64 bits that holds all `numbers`; None if neither does."""
    least, most = numbers.min(), numbers.max()
    if least >= _SIGNED.min and most <= _SIGNED.max:
        return "int64"
    return "uint64" if least >= 0 and most <= _UNSIGNED.max else None


def _refusal(name: str, found: str) -> LightCurveError:
    return LightCurveError(
        f"Column '{name}' holds {found}; identifiers must be integers of 64 bits or text, because "
        "floating point rounds long ones and makes one of several. Write the column as int64 or as "
        "text from its source: pandas makes floats of integers where a value is missing, so read "
        "it there as 'Int64' or str."
    )
