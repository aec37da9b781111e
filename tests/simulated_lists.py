"""A night's list of simulated objects."""

import numpy as np
import pyarrow as pa

from fink_al.simulation.nights import simulate


def simulated_list():
    """Return date and archived rows of a list: one alert an object, bright, all published."""
    campaign = simulate(1, 40, seed=3)
    night = campaign.nights[0]
    rows = campaign.columns(night)
    _, first = np.unique(rows["object_id"].to_numpy(zero_copy_only=False), return_index=True)
    rows = rows.take(pa.array(np.sort(first)))
    n = len(rows)
    u, pi = np.random.default_rng(1).random(n), np.linspace(0.5, 1.5, n)
    columns = {
        "p": np.full(n, 0.5), "p_reason": np.full(n, None), "informativeness": np.ones(n),
        "strategy": ["entropy"] * n, "model_version": ["3"] * n, "is_candidate": [True] * n,
        "u": u, "pi": pi, "priority": u / pi, "t": np.full(n, 100.0),
        "list": np.full(n, night, np.int32),
    }  # fmt: skip
    for name, values in columns.items():
        rows = rows.append_column(
            name, values if isinstance(values, pa.Array) else pa.array(values)
        )
    mag = rows.column_names.index("mag")
    return night, rows.set_column(mag, "mag", pa.array(np.linspace(17.5, 19.3, n)))
