"""Random selection on the same nights, computed from the archive."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fink_al.demo.oracle import Oracle
from fink_al.evaluation.metrics import Metrics, evaluate
from fink_al.loop import Loop
from fink_al.models.examples import TrainingSet
from fink_al.models.model import fit
from fink_al.settings.taxonomy import UNCLASSIFIED
from fink_al.training.examples import read_examples, read_file

#: Reasons that the stream's own choice adds to the cuts; the cuts hold for any selection.
_CHOICE_REASONS = {
    "not_drawn",
    "already_labelled",
    "already_published",
}


class RandomSelection:
    """A telescope that observes random objects within the same cuts, and the model it trains.

    Parameters
    ----------
    loop : Loop
        Provides archive, starting set and test set.
    oracle : Oracle
        The same random spectra as for the stream's candidates.
    seed : int
        Seed of the selection.
    """

    def __init__(self, loop: Loop, oracle: Oracle, seed: int):
        settings = loop.settings
        self._loop = loop
        self._oracle = oracle
        self._rng = np.random.default_rng(seed)
        self._names = list(loop.features.names)
        assert settings.starting_set
        assert settings.test_set
        self._examples = read_examples(loop, read_file(settings.starting_set))
        self.test = read_examples(loop, read_file(settings.test_set))
        self.p = np.full(len(self.test), np.nan)  # of the test set, after the last night
        self._typed: set[str] = set()

    def night(self, night: int, spectra: int) -> Metrics:
        """Take `spectra` spectra in `night`, retrain, evaluate on the fixed test set."""
        pool = self._pool(night)
        chosen = self._rng.permutation(len(pool))[:spectra]
        observed = pool.iloc[chosen]
        types = [
            self._oracle.observe(name, mag)
            for name, mag in zip(observed["object_id"], observed["mag"], strict=True)
        ]
        self._typed |= {
            name
            for name, kind in zip(observed["object_id"], types, strict=True)
            if kind != UNCLASSIFIED
        }
        self._learn(observed, self._loop.taxonomy.classify(types, self._loop.target))
        model = fit(self._examples, self._loop.target, None)
        self.p = model.predict(self.test.values)
        return evaluate(self.p, self.test.positive)

    def _pool(self, night: int) -> pd.DataFrame:
        columns = ["object_id", "alert_id", "mjd", "mag", "reasons", *self._names]
        rows = self._loop.archive.frame(night, columns)
        within = rows["reasons"].map(lambda reasons: set(reasons) <= _CHOICE_REASONS)
        within &= rows["object_id"].isin(self._oracle.objects)  # not a user's packets
        rows = rows[within & ~rows["object_id"].isin(self._typed)].sort_values(["mjd", "alert_id"])
        return rows.drop_duplicates("object_id", keep="last")

    def _learn(self, observed: pd.DataFrame, positive: list[bool | None]) -> None:
        use = np.array([label is not None for label in positive], bool)
        rows, old = observed[use], self._examples
        self._examples = TrainingSet(
            np.concatenate([old.object_id, rows["object_id"].to_numpy(object)]),
            np.concatenate([old.alert_id, rows["alert_id"].to_numpy(np.int64)]),
            np.concatenate([old.positive, np.array([k for k in positive if k is not None], bool)]),
            np.concatenate([old.values, rows[self._names].to_numpy(np.float64)]),
        )
