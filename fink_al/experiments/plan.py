"""Plan of a campaign: arms, seeds, labels and nights."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from fink_al.errors import SettingsError
from fink_al.models.estimators.estimator import ESTIMATORS
from fink_al.models.examples import RANDOM
from fink_al.settings import DrawSettings, FeatureSettings, Target
from fink_al.strategies import strategy

Mode = Literal["pool", "stream"]

_GREEDY = "greedy:"
_NUMBER = r"\d+\.?\d*|\.\d+"
#: A strategy, the exponent of its scores, and the share of the draws that are uniform.
_CHOICE = re.compile(rf"([^^+]*)(?:\^({_NUMBER}))?(?:\+({_NUMBER}))?")


@dataclass(frozen=True)
class Arm:
    """A way of choosing and learning, one of those that a campaign compares.

    Parameters
    ----------
    strategy : str
        Query strategy, from whose scores alerts are drawn with known odds.
    feature_set : str or None
        Name of a feature set; None for that of the campaign.
    estimator : str or None
        Name of an estimator; None for the target's, and with ``sigmoid`` for the published forest.
    is_greedy : bool
        Take the best scores instead.
    exponent, uniform_share : float or None
        Of the draw (:func:`fink_al.draws.weights`); None for the target's.
    """

    strategy: str
    feature_set: str | None = None
    estimator: str | None = None
    is_greedy: bool = False
    exponent: float | None = None
    uniform_share: float | None = None

    @classmethod
    def parse(cls, text: str) -> Arm:
        """Parse ``[greedy:]STRATEGY[^EXPONENT][+UNIFORM_SHARE][@FEATURE_SET][/ESTIMATOR]``.

        Raises
        ------
        SettingsError
            If there is no such strategy or estimator, or a draw has no such numbers.
        """
        rest, _, estimator = text.strip().rpartition("/")
        if estimator not in ESTIMATORS:
            if rest and "@" not in rest:  # else it may be the file of a feature set
                raise SettingsError(f"No estimator '{estimator}'; known: {', '.join(ESTIMATORS)}.")
            rest, estimator = text.strip(), ""
        choice, _, features = rest.partition("@")
        name = choice.removeprefix(_GREEDY)
        is_greedy = name != choice
        if not (parts := _CHOICE.fullmatch(name)):
            raise SettingsError(
                f"--strategy {choice}: its numbers cannot be read. Give NAME^EXPONENT+SHARE, such "
                "as entropy^2 or entropy^2+0.2."
            )
        strategy(parts[1])
        exponent, share = (None if part is None else float(part) for part in parts.groups()[1:])
        if (is_greedy or parts[1] == RANDOM) and (exponent, share) != (None, None):
            raise SettingsError(
                f"--strategy {choice}: exponent and uniform share change the odds of a draw by "
                f"scores, which {_GREEDY if is_greedy else RANDOM} has not. Leave them out."
            )
        if exponent == 0 or not 0 < (1 if share is None else share) <= 1:
            raise SettingsError(
                f"--strategy {choice}: the exponent must be above 0, and the uniform share above 0 "
                "and at most 1, as odds of 0 cannot be corrected for."
            )
        return cls(parts[1], features or None, estimator or None, is_greedy, exponent, share)

    def draw_of(self, target: Target) -> DrawSettings:
        """Settings of the draw: the arm's own, else the target's."""
        own = {"exponent": self.exponent, "uniform_share": self.uniform_share}
        changes = {name: value for name, value in own.items() if value is not None}
        return target.draw.model_copy(update=changes)

    def estimator_of(self, target: Target, features: FeatureSettings) -> str:
        """Name of the estimator that learns: the arm's own, else the target's.

        The feature set `sigmoid` brings the published forest.
        """
        published = "random_forest" if features.name == "sigmoid" else None
        return self.estimator or published or target.model.estimator

    def __str__(self) -> str:
        text = (_GREEDY if self.is_greedy else "") + self.strategy
        text += "" if self.exponent is None else f"^{self.exponent:g}"
        text += "" if self.uniform_share is None else f"+{self.uniform_share:g}"
        text += f"@{self.feature_set}" if self.feature_set else ""
        return text + (f"/{self.estimator}" if self.estimator else "")


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
    positive_share : float or None
        Share of positives among the objects, reached by leaving positives out; None: as they are.
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
    positive_share: float | None = None

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
