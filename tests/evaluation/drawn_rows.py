"""Rows of drawn objects for tests."""

import numpy as np

from fink_al.evaluation.drawn import DrawnObjects


def drawn(**columns: list) -> DrawnObjects:
    """Return rows with these columns; the others have usual values."""
    n = len(columns["object_id"])
    default = {
        "list": [20260101] * n,
        "odds": [0.5] * n,
        "lists": [1] * n,
        "p": [0.3] * n,
        "is_typed": [True] * n,
        "positive": [False] * n,
        "mag": [19.0] * n,
        "airmass": [np.nan] * n,
        "seen": [False] * n,
    } | columns
    kinds = {
        "object_id": object,
        "is_typed": bool,
        "positive": bool,
        "seen": bool,
        "list": int,
        "lists": int,
    }
    return DrawnObjects(
        **{name: np.array(values, kinds.get(name, float)) for name, values in default.items()}
    )
