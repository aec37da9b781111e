"""Light curves and memories for tests."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from fink_al.lightcurve import LightCurves
from fink_al.memory.spans import mjd_of, shifted

BANDS = ("g", "r")
FIRST = 20260101


def curves(alerts: Sequence[Sequence[tuple]]) -> LightCurves:
    """Light curves of points ``(mjd, band, flux, error)``; a limit has None as error."""
    points = [point for alert in alerts for point in alert]
    mjd, band, flux, error = (list(column) for column in zip(*points, strict=True))
    limits = np.array([e is None for e in error], bool)
    return LightCurves(
        offsets=np.cumsum([0, *map(len, alerts)]),
        mjd=np.array(mjd, float),
        band=np.array(band),
        flux=np.array(flux, float),
        flux_err=np.array([1.0 if e is None else e for e in error]),
        is_upper_limit=limits,
        is_forced=np.zeros(len(points), bool),
        bands=BANDS,
        context=pa.table({}),
    )


def night(day: int) -> int:
    """Night so many days after the first one."""
    return shifted(FIRST, day)


class Sky:
    """Objects that are seen in both bands every other night, and alert on some nights.

    A packet has the epochs of `window` days.
    """

    def __init__(self, objects: int = 40, days: int = 60, window: int = 10, seed: int = 1):
        self.rng = np.random.default_rng(seed)
        self.keys = self.rng.integers(-(1 << 62), 1 << 62, objects)
        self.window = window
        self.begin = mjd_of(FIRST)
        self.points = [
            [
                (self.begin + day + 0.3 + 0.01 * b, b, f, 10.0)
                for day in range(days)
                for b, f in enumerate(self.rng.normal(100 * i, 40, 2))
                if self.rng.random() < 0.5
            ]
            for i in range(objects)
        ]
        self.alerts = self.rng.random((days, objects)) < 0.3
        self.alerts[3:6] = False  # nights without any

    def of(self, day: int) -> list[tuple[np.ndarray, LightCurves]]:
        """Keys and packets of a night, in two batches."""
        chosen = np.flatnonzero(self.alerts[day])
        return [
            (self.keys[part], curves([self.packet(i, day) for i in part]))
            for part in np.array_split(chosen, 2)
            if len(part)
        ]

    def packet(self, i: int, day: int) -> list[tuple]:
        """History of an object at an alert."""
        end = self.begin + day + 1
        history = [p for p in self.points[i] if end - self.window <= p[0] < end]
        return history or [(end - 0.5, 0, 1.0, 10.0)]

    def epochs(self, i: int, day: int) -> list[tuple]:
        """Epochs of an object in any packet up to a night."""
        days = np.flatnonzero(self.alerts[: day + 1, i])
        return sorted({point for d in days for point in self.packet(i, d)})
