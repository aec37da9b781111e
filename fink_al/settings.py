"""Frozen, typed settings: YAML files, then environment variables; an unknown key is an error.

``conf/fink_al.yml`` explains every key on its line. A key ``stream.trigger_seconds`` is overridden
by the variable ``FINK_AL_STREAM__TRIGGER_SECONDS``. Credentials are read from the environment only.
"""

from __future__ import annotations

import os
import sys
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from fink_al.errors import SettingsError

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]

#: Context columns that a feature set may be asked for.
ContextName = Literal[
    "real_bogus", "deep_real_bogus", "classtar", "star_score", "star_distance_arcsec",
    "asteroid_distance_arcsec", "n_detections", "is_positive", "galactic_latitude",
]  # fmt: skip

#: Kafka options that carry a secret come from these variables and from nowhere else.
KAFKA_USER, KAFKA_PASSWORD = "FINK_AL_KAFKA_USERNAME", "FINK_AL_KAFKA_PASSWORD"
MJD_EPOCH = date(1858, 11, 17)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Site(_Section):
    """Where a telescope stands."""

    name: str
    latitude_deg: Annotated[float, Field(ge=-90, le=90)]
    longitude_deg: Annotated[float, Field(ge=-180, le=180)]
    height_m: float


class Survey(_Section):
    """What is particular to a survey and is not code (``conf/surveys/NAME.yml``)."""

    name: str
    bands: tuple[str, ...]
    wavelengths_nm: dict[str, Positive]
    topics: str
    day_start: Annotated[float, Field(ge=0, lt=1)]
    site: Site

    def night_of(self, mjd: float) -> int:
        """Night that holds `mjd`, as the integer YYYYMMDD of the UT date on which it begins."""
        day = MJD_EPOCH + timedelta(days=int((mjd - self.day_start) // 1))
        return int(f"{day:%Y%m%d}")


class FeatureSettings(_Section):
    """Feature set by name, and its parameters: docs/features.md explains both."""

    name: Literal["sigmoid", "early_v1"]
    bands: tuple[str, ...]
    criterion: Literal["ewma", "diff"]
    min_data_points: Annotated[int, Field(ge=3)]
    min_rising_points: Count
    last_limit: bool = False
    context: tuple[ContextName, ...] = ()
    forced: bool = False


class ModelSettings(_Section):
    """Classifier and the conditions under which one exists at all."""

    estimator: Literal["random_forest"]
    n_estimators: Count
    min_samples_leaf: Literal["auto"] | Count = "auto"
    min_labels: Annotated[int, Field(ge=2)]
    min_labels_per_class: Count
    seed: int


class PromotionSettings(_Section):
    """When a challenger replaces the champion."""

    metric: Literal["figure_of_merit", "accuracy", "efficiency", "purity"]
    tolerance: Fraction


class Cuts(_Section):
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


class FollowUp(_Section):
    """What the spectrograph can do, and what it is sent."""

    max_magnitude: float
    uncertainty_width: Annotated[float, Field(gt=0, le=0.5)]
    bootstrap_fraction: Fraction
    max_per_night: Count
    seed: int
    site: Site


class Target(_Section):
    """One turn of the loop (``conf/targets/NAME.yml``)."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    survey: str
    positive: tuple[str, ...]
    excluded: tuple[str, ...]
    features: FeatureSettings
    strategy: str
    model: ModelSettings
    promotion: PromotionSettings
    cuts: Cuts
    follow_up: FollowUp
    candidates_topic: str
    dead_letter_topic: str
    ledger_topic: str


class Kafka(_Section):
    """A Kafka cluster. User and password come from the environment."""

    servers: str
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"

    def client_options(self) -> dict[str, str]:
        """Options of librdkafka (``confluent_kafka``), with credentials where they are needed."""
        options = {
            "bootstrap.servers": self.servers,
            "security.protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL"):
            user, password = self._credentials()
            options |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": user,
                "sasl.password": password.get_secret_value(),
            }
        return options

    def java_options(self) -> dict[str, str]:
        """Options of the Java client, as Spark's ``kafka.*`` options without that prefix."""
        options = {
            "bootstrap.servers": self.servers,
            "security.protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL"):
            user, password = self._credentials()
            module = (
                "scram.ScramLoginModule"
                if "SCRAM" in self.sasl_mechanism
                else ("plain.PlainLoginModule")
            )
            quoted = [
                value.replace("\\", "\\\\").replace('"', '\\"')
                for value in (user, password.get_secret_value())
            ]
            options |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.jaas.config": f"org.apache.kafka.common.security.{module} required "
                f'username="{quoted[0]}" password="{quoted[1]}";',
            }
        return options

    def _credentials(self) -> tuple[str, SecretStr]:
        user, password = os.environ.get(KAFKA_USER), os.environ.get(KAFKA_PASSWORD)
        if not user or not password:
            raise SettingsError(
                f"security_protocol is {self.security_protocol} but the environment lacks "
                f"{KAFKA_USER} or {KAFKA_PASSWORD}; export both, or use PLAINTEXT or SSL."
            )
        return user, SecretStr(password)


class Stream(_Section):
    """The streaming job."""

    topics: str | None
    starting: Literal["earliest", "latest"]
    trigger_seconds: Annotated[float, Field(ge=0)]
    max_offsets_per_trigger: Count
    partitions: Count
    max_packet_bytes: Annotated[int, Field(ge=10_000)]


class Registry(_Section):
    """Where models live: any MLflow tracking URI; null keeps a SQLite file in `work_dir`."""

    tracking_uri: str | None


class Settings(BaseSettings):
    """All settings of one installation, ready to use.

    Use :func:`load_settings`; building this class by hand is for tests.
    """

    model_config = SettingsConfigDict(
        env_prefix="FINK_AL_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    work_dir: Path
    target: Target
    survey: Survey
    source: Kafka
    sink: Kafka
    stream: Stream
    registry: Registry
    starting_set: Path | None
    test_set: Path | None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before YAML (which arrives as init arguments); no other source."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _fit_together(self) -> Settings:
        used = {*self.target.features.bands, *self.target.cuts.bands}
        unknown = used - set(self.survey.bands)
        if unknown:
            raise ValueError(
                f"target '{self.target.name}' uses bands {sorted(unknown)}; "
                f"survey '{self.survey.name}' has {list(self.survey.bands)}."
            )
        topics = self.target.candidates_topic, self.target.dead_letter_topic
        if len({*topics, self.target.ledger_topic}) < 3:
            raise ValueError("candidates, dead letters and ledger need three different topics.")
        return self

    @property
    def topics(self) -> str:
        """Pattern of the alert topics: the stream's own, or else the survey's."""
        return self.stream.topics or self.survey.topics

    @cached_property
    def archive_dir(self) -> Path:
        """Scored alerts, Parquet by night; only committed parts stand here."""
        return self.work_dir / "archive" / self.target.name

    @cached_property
    def staging_dir(self) -> Path:
        """Parts of micro-batches that are not committed yet."""
        return self.work_dir / "staging" / self.target.name

    @cached_property
    def checkpoint_dir(self) -> Path:
        """Spark's checkpoint of the stream."""
        return self.work_dir / "checkpoint" / self.target.name

    @cached_property
    def labels_dir(self) -> Path:
        """The label store, shared by all targets."""
        return self.work_dir / "labels"

    @cached_property
    def report_dir(self) -> Path:
        """Reports and summaries for people."""
        return self.work_dir / "report"

    @property
    def tracking_uri(self) -> str:
        """MLflow tracking URI of the registry."""
        return self.registry.tracking_uri or f"sqlite:///{self.work_dir.resolve()}/registry.db"


def find_resource(name: str) -> Path:
    """Path of ``conf/...`` or ``data/...``: working directory, source tree, then installation.

    Raises
    ------
    SettingsError
        If no such file or folder exists in any of the three.
    """
    roots = [Path.cwd(), Path(__file__).parents[1], Path(sys.prefix) / "share" / "fink-al"]
    for root in roots:
        if (root / name).exists():
            return root / name
    raise SettingsError(f"'{name}' not found; looked in {', '.join(map(str, roots))}.")


def load_settings(path: str | Path | None = None, **overrides: Any) -> Settings:
    """Settings of the YAML file `path`, overridden by the environment, then by `overrides`.

    Parameters
    ----------
    path : path, optional
        Default: the variable ``FINK_AL_CONFIG``, else ``conf/fink_al.yml``.
    **overrides
        Sections or values with the highest priority (``source={"servers": ...}``), merged in.

    Raises
    ------
    SettingsError
        With one sentence that names every wrong key, what was found and what is allowed.
    """
    file = Path(path or os.environ.get("FINK_AL_CONFIG") or find_resource("conf/fink_al.yml"))
    values = _merge(read_yaml(file), overrides)
    target = os.environ.get("FINK_AL_TARGET") or values.get("target")
    if isinstance(target, str):
        values["target"] = _named("targets", target, file.parent)
    survey = values["target"].get("survey") if isinstance(values.get("target"), dict) else None
    if isinstance(survey, str):
        values["survey"] = _merge(
            _named("surveys", survey, file.parent), values.get("survey") or {}
        )
    for name in ("starting_set", "test_set"):
        if isinstance(values.get(name), str):
            values[name] = _resource_or_path(values[name])
    environment = {k: v for k, v in os.environ.items() if k.startswith("FINK_AL_")}
    try:
        return _build(values, environment)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']} (found {_short(e['input'])})"
            for e in error.errors()
        )
        raise SettingsError(f"{file}: {problems}.") from None


def _build(values: dict[str, Any], environment: dict[str, str]) -> Settings:
    hidden = {"FINK_AL_TARGET", "FINK_AL_CONFIG", "FINK_AL_CACHE", "FINK_AL_IVY_SETTINGS"}
    hidden |= {KAFKA_USER, KAFKA_PASSWORD}
    known = {name.upper() for name in Settings.model_fields}
    for name in environment.keys() - hidden:
        section = name.removeprefix("FINK_AL_").split("__")[0]
        if section not in known:
            raise SettingsError(
                f"The variable {name} overrides no setting; sections are {sorted(known)}."
            )
    saved = os.environ.pop("FINK_AL_TARGET", None)  # a name here, a section for pydantic
    try:
        return Settings(**values)
    finally:
        if saved is not None:
            os.environ["FINK_AL_TARGET"] = saved


def _named(kind: str, name: str, beside: Path) -> dict[str, Any]:
    file = beside / kind / f"{name}.yml"
    if not file.exists():
        file = find_resource(f"conf/{kind}") / f"{name}.yml"
    if not file.exists():
        known = sorted(p.stem for p in file.parent.glob("*.yml"))
        raise SettingsError(f"No {kind[:-1]} '{name}'; known: {', '.join(known)} in {file.parent}.")
    return read_yaml(file)


def read_yaml(file: Path) -> dict[str, Any]:
    """Keys and values of a settings file."""
    try:
        values = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"Cannot read the settings file {file}: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is no valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{file} must hold keys and values; found {_short(values)}.")
    return values


def _merge(base: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def _resource_or_path(name: str) -> Path:
    return Path(name) if Path(name).exists() else find_resource(name)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:57]}..."
