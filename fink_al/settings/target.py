"""One turn of the loop."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from fink_al.settings.features import FeatureSettings
from fink_al.settings.kinds import Count, Fraction, Positive, Section, TopicName, distinct
from fink_al.settings.survey import Site


class BoostingSettings(Section):
    """What gradient boosting needs beside the settings that it shares with the forest."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.005
    max_leaf_nodes: Annotated[int, Field(ge=2)] = 4
    l2_regularization: Annotated[float, Field(ge=0)] = 1.0
    max_features: Annotated[float, Field(gt=0, le=1)] = 0.2
    early_stopping_from: Count | None = 500


class PriorSettings(Section):
    """What simulated objects teach an informed forest."""

    skies: Count = 3
    alerts: Annotated[int, Field(ge=100)] = 9000
    worth_labels: Positive = 40.0
    few_features: Annotated[tuple[str, ...], AfterValidator(distinct)] = ()
    all_features_from: Count = 500


class ModelSettings(Section):
    """Classifier and the conditions under which one exists at all."""

    estimator: Literal["informed_forest", "random_forest", "gradient_boosting"]
    n_estimators: Count
    min_samples_leaf: Literal["auto"] | Count = "auto"
    boosting: BoostingSettings = BoostingSettings()
    prior: PriorSettings = PriorSettings()
    calibrate_from: Count | None = 50
    min_labels: Annotated[int, Field(ge=2)]
    min_labels_per_class: Count
    seed: Annotated[int, Field(ge=0, lt=2**32)]

    @model_validator(mode="after")
    def _applies(self) -> ModelSettings:
        if self.estimator != "gradient_boosting" and self.boosting != BoostingSettings():
            raise ValueError(
                f"boosting has settings, but the estimator is {self.estimator}: choose "
                "gradient_boosting or leave them out"
            )
        return self

    def applied(self) -> dict[str, Any]:
        """Settings of the estimator that is chosen, as JSON's types."""
        own = {"gradient_boosting": "boosting", "informed_forest": "prior"}
        unused = set(own.values()) - {own.get(self.estimator)}
        return self.model_dump(mode="json", exclude=unused)


class PromotionSettings(Section):
    """When a challenger replaces the champion (:mod:`fink_al.learning.promotion`)."""

    metric: Literal[
        "log_loss", "auc", "calibration_error",
        "figure_of_merit", "accuracy", "efficiency", "purity",
    ]  # fmt: skip
    margin: Annotated[float, Field(ge=0)]
    confidence: Annotated[float, Field(ge=0.5, lt=1)]


class Cuts(Section):
    """Quality and sky cuts of the target; an alert that fails one keeps its name as reason."""

    min_real_bogus: Fraction
    min_drb: Fraction
    max_bad_pixels: Annotated[int, Field(ge=0)]
    min_classtar: Fraction
    max_declination_deg: Annotated[float, Field(ge=-90, le=90)]
    max_age_days: Positive
    max_detections: Count
    bands: tuple[str, ...]
    max_star_score: Fraction
    min_star_distance_arcsec: Annotated[float, Field(ge=0)]
    min_asteroid_distance_arcsec: Annotated[float, Field(ge=0)]
    host_classes: Literal["extragalactic", "any"]


class Exposure(Section):
    """How long a spectrum takes, and how often it shows a type."""

    minutes: Positive = 20.0
    at_magnitude: float = 18.5
    sky_magnitude: float = 18.5
    overhead_min: Annotated[float, Field(ge=0)] = 5.0
    half_typed_magnitude: float = 19.75


class FollowUp(Section):
    """What the spectrograph can do, and what it is sent."""

    max_magnitude: float
    uncertainty_width: Annotated[float, Field(gt=0, le=0.5)]
    bootstrap_fraction: Fraction
    max_per_night: Count
    seed: int
    exposure: Exposure = Exposure()
    site: Site


class StreamMix(Section):
    """What the stream holds, where a labelled sample holds something else."""

    positive_share: Annotated[float, Field(gt=0, lt=1)] = 0.067
    bright_magnitude: float = 19.0
    bright_share: Annotated[float, Field(gt=0, lt=1)] = 0.25


class Target(Section):
    """One turn of the loop (``conf/targets/NAME.yml``).

    Topics that it does not name are called after it: ``fink_uncertain_NAME_SURVEY``, without the
    survey where the name ends with that, ``fink_al_NAME_dead_letters`` and ``fink_al_NAME_ledger``.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    survey: str
    positive: tuple[str, ...]
    excluded: dict[str, str]
    features: FeatureSettings
    strategy: str
    model: ModelSettings
    promotion: PromotionSettings
    cuts: Cuts
    follow_up: FollowUp
    stream_mix: StreamMix = StreamMix()
    candidates_topic: TopicName
    dead_letter_topic: TopicName
    ledger_topic: TopicName

    @model_validator(mode="before")
    @classmethod
    def _named_topics(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        name, survey = values.get("name"), values.get("survey")
        full_name = name if str(name).endswith(f"_{survey}") else f"{name}_{survey}"
        return {
            "candidates_topic": f"fink_uncertain_{full_name}",
            "dead_letter_topic": f"fink_al_{name}_dead_letters",
            "ledger_topic": f"fink_al_{name}_ledger",
        } | values
