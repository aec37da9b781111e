"""Plan of a campaign: arms, seeds, labels and nights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from fink_al.errors import SettingsError
from fink_al.models.estimators.estimator import ESTIMATORS
from fink_al.settings import FeatureSettings, Target
from fink_al.strategies import strategy

Mode = Literal["pool", "stream"]


@dataclass(frozen=True)
class Arm:
    """A way of choosing and learning, one of those that a campaign compares.

    Parameters
    ----------
    strategy : str
        Query strategy.
    feature_set : str or None
        Name of a feature set; None for that of the campaign.
    estimator : str or None
        Name of an estimator; None for the target's, and with ``sigmoid`` for the published forest.
    """

    strategy: str
    feature_set: str | None = None
    estimator: str | None = None

    @classmethod
    def parse(cls, text: str) -> Arm:
        """Parse ``STRATEGY[@FEATURE_SET][/ESTIMATOR]``.

        Raises
        ------
        SettingsError
            If there is no such strategy or estimator.
        """
        rest, _, estimator = text.strip().rpartition("/")
        if estimator not in ESTIMATORS:
            if rest and "@" not in rest:  # else it may be the file of a feature set
                raise SettingsError(f"No estimator '{estimator}'; known: {', '.join(ESTIMATORS)}.")
            rest, estimator = text.strip(), ""
        name, _, features = rest.partition("@")
        strategy(name)
        return cls(name, features or None, estimator or None)

    def estimator_of(self, target: Target, features: FeatureSettings) -> str:
        """Name of the estimator that learns: the arm's own, else the target's.

        The feature set `sigmoid` brings the published forest.
        """
        published = "random_forest" if features.name == "sigmoid" else None
        return self.estimator or published or target.model.estimator

    def __str__(self) -> str:
        features = f"@{self.feature_set}" if self.feature_set else ""
        return self.strategy + features + (f"/{self.estimator}" if self.estimator else "")


@dataclass(frozen=True)
class Plan:
    """Settings of a campaign that all of its arms share.

    Parameters
    ----------
    arms : tuple of Arm
        Arms that are compared.
    seeds : int
        Number of splits of the objects into the pool that can be asked and the test half.
    mode : {"pool", "stream"}
        Ask for any alert of the pool, or only for those of the night, night after night.
    initial : int
        Number of labelled objects at the start, drawn from the pool, some of each class.
    labels : int
        Number of labelled objects at the end, including the initial ones.
    per_night : int
        Number of spectra between two trainings.
    alerts_per_object : int or None
        Largest number of alerts of an object; None: all.
    subset : {"all", "published"}
        Every alert, or only those that pass the published cuts.
    delay : int
        Number of nights until a label arrives (stream).
    budget : float or None
        Telescope time [min] of a night (stream) or of the campaign (pool); None: no limit.
    """

    arms: tuple[Arm, ...]
    seeds: int = 8
    mode: Mode = "pool"
    initial: int = 10
    labels: int = 310
    per_night: int = 1
    alerts_per_object: int | None = None
    subset: Literal["all", "published"] = "all"
    delay: int = 1
    budget: float | None = None

    def __post_init__(self) -> None:
        names = [str(arm) for arm in self.arms]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise SettingsError(f"--strategy names {', '.join(twice)} more than once.")
        if self.labels <= self.initial:
            raise SettingsError(
                f"--labels {self.labels} must be more than --initial {self.initial}, which it "
                "includes: give more --labels."
            )
        if self.budget is not None and not 0 < self.budget < math.inf:
            raise SettingsError(
                f"--budget {self.budget:g} is not a time: give minutes above 0, or leave it out "
                "for no limit."
            )
