"""Judgement of alerts for one target, in Spark's Python workers: scores, draw and reasons.

Nothing here knows of Spark's columns, which :mod:`fink_al.spark.science` makes of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fink_al.draws import Floats, closing_fraction, closing_mjd
from fink_al.features.feature_set import Features
from fink_al.followup.dark import is_observable
from fink_al.followup.exposure import chance_of_a_type, minutes
from fink_al.loop import Loop
from fink_al.selection import RANDOM, Draws, inputs, score, scored_by, select
from fink_al.settings import Survey, Target
from fink_al.thresholds import Thresholds

log = logging.getLogger(__name__)

Keys = npt.NDArray[np.int64]

#: A column that a target's cuts read, and the words that they look for in it; None for numbers and
#: flags.
Read = tuple[str, tuple[str, ...] | None]


@dataclass(frozen=True)
class Champion:
    """The model that scores a batch.

    Parameters
    ----------
    version : str
        Its version in the registry.
    checksum : str
        Name by which Python workers keep the loaded model.
    bundle : Broadcast of bytes
        Bytes of the model.
    """

    version: str
    checksum: str
    bundle: Any


@dataclass(frozen=True)
class Known:
    """Objects that have a type or were published when a batch begins.

    Parameters
    ----------
    labelled, reserved : Broadcast of sorted int64 array
        Keys of the objects that have a type, and of those of the test set.
    published : Broadcast of dict
        Sorted keys of the objects published, by list YYYYMMDD.
    """

    labelled: Any = None
    reserved: Any = None
    published: Any = None


@dataclass(frozen=True)
class Science:
    """Settings, model and state by which Spark's workers judge a batch of alerts."""

    loop: Loop
    champion: Champion | None = None
    known: Known = field(default_factory=Known)
    thresholds: Thresholds = field(default_factory=Thresholds)

    @property
    def strategy(self) -> str:
        """Strategy that scores the batch; without a model all weights are equal."""
        target = self.loop.target
        return scored_by(target.strategy, target.draw) if self.champion else RANDOM


#: What a target's judge returns of each alert, with Spark's kinds.
JUDGED = dict.fromkeys(("p", "informativeness", "pi", "priority", "t", "mean"), "double")
JUDGED |= {"rejected": "long"}


#: Why there is no p where the judge of one of several targets failed; nothing else is said then.
JUDGE_FAILED = "judge_failed"


class State(NamedTuple):
    """List of each alert, its random number, and what it had before, which is filled where NaN."""

    lists: Keys
    u: Floats
    t: Floats
    mean: Floats


@dataclass(frozen=True)
class Judge:
    """Judgement of alerts for one target, in Spark's workers."""

    target: Target
    survey: Survey
    features_hash: str
    champion: Champion | None
    known: Known
    strategy: str
    thresholds: Thresholds

    @classmethod
    def of(cls, science: Science) -> Judge:
        """The judge of a target, without its loop, which does not go to the workers."""
        loop = science.loop
        return cls(
            loop.target,
            loop.survey,
            loop.features.hash,
            science.champion,
            science.known,
            science.strategy,
            science.thresholds,
        )

    def __call__(
        self,
        object_key: Keys,
        state: State,
        context: Mapping[Read, Floats],
        begun: Floats,
        extracted: Features,
    ) -> dict[str, Any]:
        """Columns `JUDGED` of `n` alerts."""
        lists, u, t, mean = state
        target, known, champion = self.target, self.known, self.champion
        draw, follow_up = target.draw, target.follow_up
        closes = closing_fraction(draw, self.survey)
        own_context = {one[0]: context[one] for one in inputs(target.cuts).items()}
        if champion:
            model = _model(target.name, champion, self.features_hash)
            p = model.predict(extracted.values)
        else:
            p = np.full(len(lists), np.nan)
        published, observable = np.zeros((2, len(p)), bool)
        for list_ in np.unique(lists).tolist():
            here = lists == list_
            published[here] = _contains(_published(known, list_), object_key[here])
            ra, dec = own_context["ra"][here], own_context["dec"][here]
            observable[here] = is_observable(ra, dec, follow_up.site, closing_mjd(list_, closes))
            for values, of_list in (
                (t, self.thresholds.t(list_, self.strategy, draw, follow_up)),
                (mean, self.thresholds.mean(list_, self.strategy, draw)),
            ):
                values[here & np.isnan(values)] = of_list
        mag, exposure = own_context["mag"], follow_up.exposure
        chance, cost = chance_of_a_type(mag, exposure), minutes(mag, exposure)
        chosen = select(
            own_context,
            target=target,
            score=score(self.strategy, p, chance, cost, draw),
            draws=Draws(u, t, mean),
            history_start_mjd=begun,
            has_features=extracted.exist,
            is_observable=observable,
            is_labelled=_contains(known.labelled.value if known.labelled else None, object_key),
            is_reserved=_contains(known.reserved.value if known.reserved else None, object_key),
            is_published=published,
        )
        return {
            "p": p,
            "informativeness": chosen.score,
            "pi": chosen.pi,
            "priority": chosen.priority,
            "t": t,
            "mean": mean,
            "rejected": pd.Series(chosen.rejected, dtype="Int64"),
        }


def judge_each(
    judges: Sequence[Judge], judged: Callable[[int], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return what each judge says of a batch; where one fails, nulls, so that the others go on.

    Parameters
    ----------
    judges : sequence of Judge
        Judges of the targets.
    judged : callable
        Columns `JUDGED` by the judge of this number.

    Raises
    ------
    Exception
        What the first one raised, if all fail.
    """
    done: list[dict[str, Any]] = []
    errors: list[Exception] = []
    for number, judge in enumerate(judges):
        try:
            done.append(judged(number))
        except Exception as error:  # whatever a model does, it does to its own target alone
            errors.append(error)
            log.exception("The judge of target '%s' failed", judge.target.name)
            done.append(dict.fromkeys(JUDGED))
    if len(errors) == len(judges):
        raise errors[0]
    return done


def _published(known: Known, list_: int) -> np.ndarray | None:
    return known.published.value.get(list_) if known.published else None


def _contains(ordered: np.ndarray | None, keys: np.ndarray) -> np.ndarray:
    if ordered is None or len(ordered) == 0:
        return np.zeros(len(keys), bool)
    positions = np.searchsorted(ordered, keys)
    return ordered[np.minimum(positions, len(ordered) - 1)] == keys


_MODELS: dict[str, tuple[str, Any]] = {}


def _model(target: str, champion: Champion, feature_set_hash: str) -> Any:
    """The loaded model, one a target in a worker process; a new version replaces the old one."""
    from fink_al.models.model import Model

    kept = _MODELS.get(target)
    if kept is None or kept[0] != champion.checksum:
        kept = champion.checksum, Model.from_bytes(champion.bundle.value, feature_set_hash)
        _MODELS[target] = kept
    return kept[1]
