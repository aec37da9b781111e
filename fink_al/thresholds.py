"""Threshold and mean score of a list, from the scores of earlier alerts alone.

The stream's ledger has a record of scores for each micro-batch. What they say is the same while
the stream runs, after a restart, and for a batch that is computed twice: counts are integers, and
nothing depends on what was drawn, on the random numbers, or on types. Objects that have a type
are counted, too: they were drawn once.

Source: Ting 2017 (adaptive thresholds, arXiv 1708.04970). A threshold that falls while a list
fills publishes more than the budget; the list is cut by rank.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fink_al.draws import MOST_T, Floats, threshold, weights
from fink_al.settings import DrawSettings, FollowUp

Counts = npt.NDArray[np.int64]

#: Number of complete lists from which a new list's threshold and mean are taken.
LISTS = 5

#: Number of lists that are kept, the latest by name: more than alert topics keep, and 100 kB.
KEPT = 100

_DECADES, _PER_DECADE = 8, 12
#: Number of bins: of 0, of each twelfth of a decade, of 1.
BINS = _DECADES * _PER_DECADE + 2

_EDGES = 10.0 ** (np.arange(_DECADES * _PER_DECADE + 1) / _PER_DECADE - _DECADES)
#: Score of each bin: the mean of scores whose logarithms are uniform in it.
_SCORES = np.concatenate([[0.0], np.diff(_EDGES) / np.diff(np.log(_EDGES)), [1.0]])


def bins(score: Floats, exponent: float) -> Counts:
    """Return the bin of ``score**exponent`` of each object.

    Parameters
    ----------
    score : float64 array, shape (n,)
        Scores of the query strategy, from 0; above 1 counts as 1.
    exponent : float
        Exponent of the draw.
    """
    return np.searchsorted(_EDGES, score**exponent, side="right").astype(np.int64)


class LargestBins:
    """Bin of the largest score of each object of a list, in nine bytes an object.

    An object counts once a list. Of its largest score, its bin is enough: larger scores have the
    same bin, or a higher one.

    Parameters
    ----------
    exponent : float
        Exponent of the draw.
    """

    def __init__(self, exponent: float):
        self._exponent = exponent
        self._keys = np.array([], np.int64)  # sorted
        self._bins = np.array([], np.uint8)

    def __len__(self) -> int:
        """Number of objects."""
        return len(self._keys)

    @property
    def nbytes(self) -> int:
        """Number of bytes of all objects."""
        return self._keys.nbytes + self._bins.nbytes

    def changes(self, scores: Mapping[int, float]) -> list[int]:
        """Return the change of the number of objects in each bin that :meth:`add` would make.

        Parameters
        ----------
        scores : mapping of int to float
            Largest score of each object in a micro-batch, by its key.
        """
        batch = self._placed(scores)
        former = self._bins[batch.place[batch.is_known]]
        largest = batch.bins.copy()
        largest[batch.is_known] = np.maximum(largest[batch.is_known], former)
        counts = [np.bincount(each, minlength=BINS) for each in (largest, former)]
        return (counts[0] - counts[1]).tolist()

    def add(self, scores: Mapping[int, float]) -> None:
        """Add the objects of a micro-batch, as for :meth:`changes`."""
        batch = self._placed(scores)
        known, new = batch.place[batch.is_known], batch.place[~batch.is_known]
        self._bins[known] = np.maximum(self._bins[known], batch.bins[batch.is_known])
        self._keys = np.insert(self._keys, new, batch.keys[~batch.is_known])
        self._bins = np.insert(self._bins, new, batch.bins[~batch.is_known])

    def _placed(self, scores: Mapping[int, float]) -> _Placed:
        keys = np.fromiter(scores, np.int64, len(scores))
        order = np.argsort(keys)
        keys = keys[order]
        values = np.fromiter(scores.values(), np.float64, len(scores))[order]
        place = np.searchsorted(self._keys, keys)
        is_known = np.zeros(len(keys), bool)
        inside = place < len(self._keys)
        is_known[inside] = self._keys[place[inside]] == keys[inside]
        return _Placed(keys, bins(values, self._exponent).astype(np.uint8), place, is_known)


class _Placed(NamedTuple):
    """Objects of a micro-batch in the order of their keys, and their places among those kept."""

    keys: npt.NDArray[np.int64]
    bins: npt.NDArray[np.uint8]
    place: npt.NDArray[np.int64]
    is_known: npt.NDArray[np.bool_]


class Thresholds:
    """Scores of the objects of the last lists, by strategy and exponent.

    The last `KEPT` lists are kept, however long the ledger: a list among them was among them ever
    since it began, so what is known of it is complete. Of an older list nothing is known, and its
    next alerts are drawn as those of a first list.

    Parameters
    ----------
    records : iterable of mapping
        The ledger's records of draws, oldest first; each is added by :meth:`add`.
    """

    def __init__(self, records: Iterable[Mapping[str, Any]] = ()):
        self._counts: dict[int, dict[str, Counts]] = defaultdict(dict)
        self._least_t: dict[int, float] = {}
        for record in records:
            self.add(record)

    def add(self, record: Mapping[str, Any]) -> None:
        """Add the scores of one more micro-batch.

        Parameters
        ----------
        record : mapping
            ``strategy`` and ``exponent``; ``lists``: change of the number of objects in each bin,
            by list; ``t``: the threshold that was used, by list.
        """
        kind = _kind(record["strategy"], record["exponent"])
        for name, counts in record["lists"].items():
            of_list = self._counts[int(name)]
            # A new array: workers may have the old one.
            of_list[kind] = of_list.get(kind, 0) + np.array(counts, np.int64)
        for name, t in record["t"].items():
            self._least_t[int(name)] = min(t, self._least_t.get(int(name), math.inf))
        for kept in (self._counts, self._least_t):
            if len(kept) > KEPT:
                for oldest in sorted(kept)[:-KEPT]:
                    del kept[oldest]

    def to_dict(self) -> dict[str, Any]:
        """Return what is known, for JSON and :meth:`from_dict`."""
        counts = {
            str(name): {kind: counts.tolist() for kind, counts in by_kind.items()}
            for name, by_kind in self._counts.items()
        }
        return {"counts": counts, "t": {str(name): t for name, t in self._least_t.items()}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Thresholds:
        """Return the thresholds of which :meth:`to_dict` made `values`."""
        made = cls()
        for name, by_kind in values["counts"].items():
            made._counts[int(name)] = {k: np.array(c, np.int64) for k, c in by_kind.items()}
        made._least_t = {int(name): t for name, t in values["t"].items()}
        return made

    def mean(self, list_: int, strategy: str, draw: DrawSettings) -> float:
        """Return the mean of ``score**exponent`` by which weights of `list_` are divided.

        It is that of the last complete lists; without one, of the list itself so far. Before any
        score it is 1, the largest one, so that too few objects are published and not too many.
        """
        kind = _kind(strategy, draw.exponent)
        earlier = [by_kind for by_kind in self._earlier(list_) if kind in by_kind]
        for lists in (earlier, [self._counts.get(list_, {})]):
            mean = _mean(_sum(by_kind[kind] for by_kind in lists if kind in by_kind))
            if mean > 0:
                return mean
        return 1.0

    def t(self, list_: int, strategy: str, draw: DrawSettings, follow_up: FollowUp) -> float:
        """Return the threshold for the next alerts of `list_`.

        The smallest of three: the one that would have published ``max_per_night`` objects of the
        last complete lists on average (``bootstrap_fraction`` before there is any), the one that
        publishes them of the objects seen in the list, and the list's last one.
        """
        kind, mean = _kind(strategy, draw.exponent), self.mean(list_, strategy, draw)
        earlier, budget = self._earlier(list_), float(follow_up.max_per_night)
        already_raised = draw.model_copy(update={"exponent": 1.0})

        def of(lists: list[dict[str, Counts]]) -> float:
            pi, objects = [], []
            for name in sorted({name for by_kind in lists for name in by_kind}):
                counts = _sum(by_kind[name] for by_kind in lists if name in by_kind)
                # Scores of another strategy have a mean of their own.
                of_kind = mean if name == kind else _mean(counts) or 1.0
                some = counts > 0
                pi.append(weights(_SCORES[some], of_kind, already_raised))
                objects.append(counts[some] / len(lists))
            return threshold(np.concatenate(pi), np.concatenate(objects), budget) if pi else MOST_T

        past = of(earlier) if earlier else follow_up.bootstrap_fraction
        seen = of([self._counts[list_]]) if list_ in self._counts else MOST_T
        return min(past, seen, self._least_t.get(list_, math.inf))

    def _earlier(self, list_: int) -> list[dict[str, Counts]]:
        names = sorted(name for name in self._counts if name < list_)
        return [self._counts[name] for name in names[-LISTS:]]


def _kind(strategy: str, exponent: float) -> str:
    return f"{strategy}**{float(exponent)}"


def _sum(counts: Iterable[Counts]) -> Counts:
    return sum(counts, np.zeros(BINS, np.int64))


def _mean(counts: Counts) -> float:
    objects = counts.sum()
    return float((counts * _SCORES).sum() / objects) if objects > 0 else 0.0
