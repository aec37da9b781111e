"""Lists of a night by query strategy, for benchmarks/microlensing.py."""

from __future__ import annotations

import numpy as np

from fink_al.draws import odds, threshold, weights
from fink_al.settings import DrawSettings
from fink_al.strategies import strategy
from fink_al.strategies.pool import Pool

#: Objects of a list that events are, objects of a list, and those of them that it publishes.
EVENTS, OBJECTS, BUDGET = 0.003, 3000, 30
_DRAWS = (("entropy", 3.0), ("anomaly", 1.0), ("anomaly", 3.0))


def report(others: np.ndarray, events: np.ndarray) -> None:
    """Print how much of a list is events, and how many events it has, by strategy and exponent.

    Parameters
    ----------
    others : float64 array, shape (n,)
        Probabilities of non-events, one alert each.
    events : float64 array, shape (m,)
        Those of events, up to the peak.
    """
    p = np.concatenate([events, others])
    is_event = np.arange(len(p)) < len(events)
    # Objects of the list that each probability stands for.
    number = OBJECTS * np.where(is_event, EVENTS / len(events), (1 - EVENTS) / len(others))
    print(f"\nlists of {BUDGET} of {OBJECTS} objects, {EVENTS:.1%} of them events, by the first "
          "model: events in the list, events that it has, mean p of the others in it")  # fmt: skip
    for name, exponent in _DRAWS:
        draw = DrawSettings(exponent=exponent)
        score = strategy(name)(Pool(p, np.zeros(len(p))))
        mean = np.average(score**exponent, weights=number)
        pi = weights(score, mean, draw)
        drawn = number * odds(pi, threshold(pi, number, BUDGET))
        found, rest = drawn[is_event].sum(), drawn[~is_event]
        has = found / number[is_event].sum()
        print(f"  {name}, exponent {exponent:g}: {found / drawn.sum():.1%}, {has:.1%}, "
              f"{rest @ others / rest.sum():.2f}")  # fmt: skip
