"""One turn of the loop."""

from __future__ import annotations

import zlib
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from fink_al.settings.cuts import Cuts
from fink_al.settings.features import FeatureSettings
from fink_al.settings.kinds import Count, Fraction, Positive, Section, TopicName, distinct
from fink_al.settings.survey import Site

#: Estimators of earlier versions, each with the sentence that refuses it.
REMOVED_ESTIMATORS = {
    "gradient_boosting": (
        "gradient_boosting was removed in 0.2: choose informed_forest or random_forest"
    )
}


def _not_removed(name: Any) -> Any:
    if isinstance(name, str) and name in REMOVED_ESTIMATORS:
        raise ValueError(REMOVED_ESTIMATORS[name])
    return name


class PriorSettings(Section):
    """Weight of an informed forest's teacher, and the features learned beside it."""

    worth_labels: Positive = 40.0
    few_features: Annotated[tuple[str, ...], AfterValidator(distinct)] = ()
    all_features_from: Count = 500
    survey_features: Annotated[tuple[str, ...], AfterValidator(distinct)] = ()


class ModelSettings(Section):
    """Classifier, and the labels that are needed for one."""

    estimator: Annotated[
        Literal[
            "informed_process",
            "informed_forest",
            "random_forest",
            "boosted_trees",
            "pine_forest",
            "aad_forest",
            "isolation_forest",
        ],
        BeforeValidator(_not_removed),
    ]
    n_estimators: Count
    min_samples_leaf: Literal["auto"] | Count = "auto"
    without_features: Annotated[tuple[str, ...], AfterValidator(distinct)] = ()
    prior: PriorSettings = PriorSettings()
    earlier_alerts: bool = True
    calibrate_from: Count | None = 50
    min_labels: Annotated[int, Field(ge=0)]
    min_labels_per_class: Annotated[int, Field(ge=0)]
    seed: Annotated[int, Field(ge=0, lt=2**32)]

    @model_validator(mode="before")
    @classmethod
    def _has_no_boosting(cls, values: Any) -> Any:
        if isinstance(values, dict) and "boosting" in values:
            raise ValueError(f"remove boosting: {REMOVED_ESTIMATORS['gradient_boosting']}")
        return values

    @model_validator(mode="after")
    def _has_labels(self) -> ModelSettings:
        if not self.has_background and (self.min_labels < 2 or self.min_labels_per_class < 1):
            raise ValueError(
                f"{self.estimator} learns from labels alone: min_labels is at least 2, and "
                "min_labels_per_class 1. pine_forest, aad_forest and isolation_forest need none"
            )
        return self

    @property
    def is_taught(self) -> bool:
        """True if the estimator learns from a teaching set before it has labels."""
        return self.estimator.startswith("informed_")

    @property
    def has_background(self) -> bool:
        """True if the estimator learns from alerts without a label, too."""
        return self.estimator in ("pine_forest", "aad_forest", "isolation_forest")

    @property
    def learns_earlier_alerts(self) -> bool:
        """True if a label teaches by the object's earlier alerts, too."""
        return self.is_taught and self.earlier_alerts

    def applied(self) -> dict[str, Any]:
        """Settings that apply to the chosen estimator, as JSON types."""
        unused = set() if self.is_taught else {"prior", "earlier_alerts"}
        if self.has_background or self.estimator == "boosted_trees":
            unused.add("min_samples_leaf")
        if not self.without_features:  # identities of models that look at all features stay
            unused.add("without_features")
        return self.model_dump(mode="json", exclude=unused)


class PromotionSettings(Section):
    """Rule by which a challenger replaces the champion (:mod:`fink_al.evaluation.promotion`)."""

    metric: Literal[
        "log_loss", "auc", "calibration_error",
        "figure_of_merit", "accuracy", "efficiency", "purity",
    ]  # fmt: skip
    margin: Annotated[float, Field(ge=0)]
    unjudged: Literal["keep", "promote"] = "keep"
    confidence: Annotated[float, Field(ge=0.5, lt=1)]


class Exposure(Section):
    """Duration of a spectrum, and how often it shows a type."""

    minutes: Positive = 20.0
    at_magnitude: float = 18.5
    sky_magnitude: float = 18.5
    overhead_min: Annotated[float, Field(ge=0)] = 5.0
    half_typed_magnitude: float = 19.75


class DrawSettings(Section):
    """Draw of candidates with known odds (:mod:`fink_al.draws`).

    A list closes at the hour `closes_utc`; null: with the survey's night. Weights go with the
    telescope time of a spectrum to the power of -`cost`.
    """

    exponent: Positive = 3.0
    cost: Annotated[float, Field(ge=0, le=3)] = 0.0
    uniform_share: Annotated[float, Field(gt=0, le=1)] = 0.1
    closes_utc: Annotated[float, Field(ge=0, lt=24)] | None = None


class FollowUp(Section):
    """Limits of the spectrograph, and of the requests that it gets.

    `bootstrap_fraction` is the threshold of the first lists, before any is known: with mean weights
    of 1, the share of the objects that is published. `max_per_night` is the expected number of
    objects that a list publishes. Two targets must not have the same `seed`: the odds of a plan for
    both rest on draws that do not know each other (:mod:`fink_al.followup.plan.turns`).
    """

    max_magnitude: float
    bootstrap_fraction: Fraction
    max_per_night: Count
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    exposure: Exposure = Exposure()
    site: Site

    @model_validator(mode="before")
    @classmethod
    def _has_no_width(cls, values: Any) -> Any:
        if isinstance(values, dict) and "uncertainty_width" in values:
            raise ValueError(
                "remove uncertainty_width: it was replaced in 0.2 by a draw whose odds follow the "
                "strategy's score; draw.exponent sets how closely"
            )
        return values


class StreamMix(Section):
    """Mix of the stream, to which a labelled sample that differs is re-weighted."""

    positive_share: Annotated[float, Field(gt=0, lt=1)] = 0.067
    bright_magnitude: float = 19.0
    bright_share: Annotated[float, Field(gt=0, lt=1)] = 0.25


class Flag(Section):
    """A tag of the alerts in which a feature is above a number; a missing feature gives none."""

    feature: str
    above: float


_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
#: Name of the target's own model among those that the nightly job fits.
OWN = "model"


def _over(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Values with `changes`, section by section."""
    changed = {
        key: _over(values[key], value) if isinstance(values.get(key), dict) else value
        for key, value in changes.items()
    }
    return values | changed


def seed_of(name: str) -> int:
    """Seed of the draws of a target without one of its own."""
    return zlib.crc32(name.encode())


class Target(Section):
    """One turn of the loop (``conf/targets/NAME.yml``).

    Without a `candidates_topic` that is called after it: ``fink_uncertain_NAME_SURVEY``, without
    the survey where the name ends with that. Without a `follow_up.seed` that is made of its name.
    """

    name: _Name
    survey: str
    positive: Annotated[tuple[str, ...], Field(min_length=1)]
    excluded: dict[str, str]
    features: FeatureSettings
    strategy: str
    draw: DrawSettings = DrawSettings()
    model: ModelSettings
    challengers: Annotated[dict[_Name, dict[str, Any]], Field(default_factory=dict)]
    promotion: PromotionSettings
    cuts: Cuts
    flags: Annotated[dict[_Name, Flag], Field(default_factory=dict)]
    follow_up: FollowUp
    stream_mix: StreamMix = StreamMix()
    joins: Literal["latest", "archive"] = "latest"
    candidates_topic: TopicName

    @property
    def recipes(self) -> dict[str, ModelSettings]:
        """Models that the nightly job fits, by name: ``model``, then the challengers."""
        own = self.model.model_dump()
        others = {name: _over(own, changes) for name, changes in self.challengers.items()}
        return {OWN: self.model} | {
            name: ModelSettings.model_validate(settings) for name, settings in others.items()
        }

    @model_validator(mode="after")
    def _is_no_feature_set(self) -> Target:
        if f"{self.name}_".startswith("features_"):  # as the archive's columns of features
            raise ValueError(f"name: {self.name}: choose one that does not begin with features")
        return self

    @model_validator(mode="after")
    def _has_challengers(self) -> Target:
        if OWN in self.challengers:
            raise ValueError(f"challengers: {OWN} is the target's own model; choose another name")
        for name, changes in self.challengers.items():
            try:
                ModelSettings.model_validate(_over(self.model.model_dump(), changes))
            except ValidationError as error:
                first = error.errors()[0]
                key = ".".join(map(str, (name, *first["loc"])))
                raise ValueError(f"challengers.{key}: {first['msg']}") from None
        return self

    @model_validator(mode="before")
    @classmethod
    def _own_seed(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("follow_up"), dict):
            return values
        seed = {"seed": seed_of(str(values.get("name")))}
        return values | {"follow_up": seed | values["follow_up"]}

    @model_validator(mode="before")
    @classmethod
    def _named_topic(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        name, survey = values.get("name"), values.get("survey")
        full_name = name if str(name).endswith(f"_{survey}") else f"{name}_{survey}"
        return {"candidates_topic": f"fink_uncertain_{full_name}"} | values
