"""Frozen, typed settings: YAML files, then environment variables; an unknown key is an error.

``conf/fink_al.yml`` explains every key on its line. A key ``stream.trigger_seconds`` is overridden
by the variable ``FINK_AL_STREAM__TRIGGER_SECONDS``. Credentials are read from the environment only.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from fink_al.errors import SettingsError


def _servers(text: str) -> str:
    hosts = [host.strip() for host in text.split(",")]
    if not all(re.fullmatch(r"([\w.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5}", host) for host in hosts):
        raise ValueError("write host:port, several with commas between them")
    return text


def _topic(text: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", text) or text in (".", ".."):
        raise ValueError("Kafka's topic names have 1 to 249 of the letters a-z A-Z 0-9 . _ -")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"this is no regular expression: {error}") from None
    return text


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write an address that begins with https:// or http://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(f"leave only scheme, host and path; {REGISTRY_USER} names the user")
    return text


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("name each only once")
    return names


def _file(path: Path) -> Path:
    if path.is_file() or _TARGET in str(path):  # of which target, only all settings tell
        return path
    try:
        found = find_resource(str(path))
    except SettingsError as error:
        raise ValueError(f"{error} Name a file, or null for none") from None
    if not found.is_file():
        raise ValueError(f"{found} is no file: name one, or null for none")
    return found


Servers = Annotated[str, AfterValidator(_servers)]
TopicName = Annotated[str, AfterValidator(_topic)]
Address = Annotated[str, AfterValidator(_address)]
Pattern = Annotated[str, AfterValidator(_pattern)]
DataFile = Annotated[Path, AfterValidator(_file)]
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
#: User and password of a schema registry that asks for them.
_REGISTRY = "FINK_AL_SCHEMA_REGISTRY"
REGISTRY_USER, REGISTRY_PASSWORD = f"{_REGISTRY}_USERNAME", f"{_REGISTRY}_PASSWORD"
#: What TNS wants of a bot: its key, and a marker as user agent.
TNS_API_KEY, TNS_USER_AGENT = "FINK_AL_TNS_API_KEY", "FINK_AL_TNS_USER_AGENT"
MJD_EPOCH = date(1858, 11, 17)

_PREFIX = "FINK_AL_"
#: Stands for the target's name in the path of a data set.
_TARGET = "{target}"
#: The target whose file has all that another one's does not say.
_LIKE = "like"
#: What two targets must not share.
_OWN_KEYS = ("name", "candidates_topic", "dead_letter_topic", "ledger_topic")
_SECRET = re.compile("password|passwd|secret|token|key|credential", re.IGNORECASE)
#: Variables that are read elsewhere and override no key.
_NO_KEYS = {
    "FINK_AL_CONFIG", "FINK_AL_CACHE", "FINK_AL_IVY_SETTINGS",
    KAFKA_USER, KAFKA_PASSWORD, REGISTRY_USER, REGISTRY_PASSWORD, TNS_API_KEY, TNS_USER_AGENT,
}  # fmt: skip


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Site(_Section):
    """Where a telescope stands."""

    name: str
    latitude_deg: Annotated[float, Field(ge=-90, le=90)]
    longitude_deg: Annotated[float, Field(ge=-180, le=180)]
    height_m: float


class SchemaSource(_Section):
    """Where schemas are that packets name by number: files of this machine first, then a registry.

    Parameters
    ----------
    name : str
        Full name of the alert's record, with ``{major}`` and ``{minor}`` for the version, which the
        number tells: 100 times the major one plus the minor one.
    registry : str or None
        Address of a Schema Registry.
    folder : Path or None
        Folder of schema files, each called by its record's full name, with the ending ``avsc``.
    package, package_folder : str or None, str
        An installed package that has such files, and where they are below its modules.
    """

    name: str
    registry: Address | None = None
    folder: Path | None = None
    package: str | None = None
    package_folder: str = "."

    def name_of(self, number: int) -> str:
        """Full name of the alert's record in schema `number`."""
        major, minor = divmod(number, 100)
        return self.name.replace("{major}", str(major)).replace("{minor}", str(minor))


class Survey(_Section):
    """What is particular to a survey and is not code (``conf/surveys/NAME.yml``)."""

    name: str
    bands: tuple[str, ...]
    wavelengths_nm: dict[str, Positive]
    topics: Pattern
    framing: Literal["container", "confluent"] = "container"
    schemas: SchemaSource | None = None
    object_name: Pattern | None = None
    day_start: Annotated[float, Field(ge=0, lt=1)]
    site: Site

    @model_validator(mode="after")
    def _has_schemas(self) -> Survey:
        if self.framing == "confluent" and self.schemas is None:
            raise ValueError("framing confluent needs schemas: packets name theirs by number")
        return self

    def night_of(self, mjd: float) -> int:
        """Night that holds `mjd`, as the integer YYYYMMDD of the UT date on which it begins."""
        day = MJD_EPOCH + timedelta(days=int((mjd - self.day_start) // 1))
        return int(f"{day:%Y%m%d}")


class FeatureSettings(_Section):
    """Feature set by name, and its parameters: docs/features.md explains both."""

    name: Literal["sigmoid", "early_v1"]
    bands: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_distinct)]
    criterion: Literal["ewma", "diff"]
    min_data_points: Annotated[int, Field(ge=3)]
    min_rising_points: Count
    last_limit: bool = False
    context: tuple[ContextName, ...] = ()
    forced: bool = False
    rainbow: bool = False
    wavelengths_nm: dict[str, Positive] = {}

    @model_validator(mode="after")
    def _has_colours(self) -> FeatureSettings:
        if self.rainbow and self.name == "sigmoid":
            raise ValueError("rainbow is no feature of the set sigmoid: choose early_v1")
        if self.rainbow and len(self.bands) < 2:
            raise ValueError("rainbow needs two bands at least: one tells no temperature")
        return self

    def of_survey(self, survey: Survey) -> FeatureSettings:
        """These settings with the survey's effective wavelengths, if `rainbow` needs them.

        They are settings so that a model keeps those which it was trained with.

        Raises
        ------
        ValueError
            If others are set, or the survey has none of a band.
        """
        if not self.rainbow:
            return self
        missing = [band for band in self.bands if band not in survey.wavelengths_nm]
        if missing:
            raise ValueError(
                f"rainbow needs the effective wavelengths of bands {missing}; survey "
                f"'{survey.name}' knows {list(survey.wavelengths_nm)}: add them to its file"
            )
        known = {band: survey.wavelengths_nm[band] for band in self.bands}
        if self.wavelengths_nm not in ({}, known):
            raise ValueError(
                f"wavelengths_nm are {self.wavelengths_nm}, those of survey '{survey.name}' are "
                f"{known}: leave them out, they come from the survey's file"
            )
        return self.model_copy(update={"wavelengths_nm": known})


class BoostingSettings(_Section):
    """What gradient boosting needs beside the settings that it shares with the forest."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.005
    max_leaf_nodes: Annotated[int, Field(ge=2)] = 4
    l2_regularization: Annotated[float, Field(ge=0)] = 1.0
    max_features: Annotated[float, Field(gt=0, le=1)] = 0.2
    early_stopping_from: Count | None = 500


class PriorSettings(_Section):
    """What simulated objects teach an informed forest."""

    skies: Count = 3
    alerts: Annotated[int, Field(ge=100)] = 9000
    worth_labels: Positive = 40.0
    few_features: Annotated[tuple[str, ...], AfterValidator(_distinct)] = ()
    all_features_from: Count = 500


class ModelSettings(_Section):
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


class PromotionSettings(_Section):
    """When a challenger replaces the champion (:mod:`fink_al.learning.promotion`)."""

    metric: Literal[
        "log_loss", "auc", "calibration_error",
        "figure_of_merit", "accuracy", "efficiency", "purity",
    ]  # fmt: skip
    margin: Annotated[float, Field(ge=0)]
    confidence: Annotated[float, Field(ge=0.5, lt=1)]


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


class Exposure(_Section):
    """How long a spectrum takes, and how often it shows a type."""

    minutes: Positive = 20.0
    at_magnitude: float = 18.5
    sky_magnitude: float = 18.5
    overhead_min: Annotated[float, Field(ge=0)] = 5.0
    half_typed_magnitude: float = 19.75


class FollowUp(_Section):
    """What the spectrograph can do, and what it is sent."""

    max_magnitude: float
    uncertainty_width: Annotated[float, Field(gt=0, le=0.5)]
    bootstrap_fraction: Fraction
    max_per_night: Count
    seed: int
    exposure: Exposure = Exposure()
    site: Site


class StreamMix(_Section):
    """What the stream holds, where a labelled sample holds something else."""

    positive_share: Annotated[float, Field(gt=0, lt=1)] = 0.067
    bright_magnitude: float = 19.0
    bright_share: Annotated[float, Field(gt=0, lt=1)] = 0.25


class Target(_Section):
    """One turn of the loop (``conf/targets/NAME.yml``)."""

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


class Kafka(_Section):
    """A Kafka cluster. User and password come from the environment."""

    servers: Servers
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

    source: Literal["kafka", "fink_science"] = "kafka"
    science_path: str | None = None
    topics: Pattern | None
    starting: Literal["earliest", "latest"]
    trigger_seconds: Annotated[float, Field(ge=0)]
    max_offsets_per_trigger: Count
    partitions: Count
    max_packet_bytes: Annotated[int, Field(ge=10_000)]
    metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = None

    @model_validator(mode="after")
    def _has_a_path(self) -> Stream:
        if self.source == "fink_science" and not self.science_path:
            raise ValueError(
                "source fink_science needs science_path, the folder that holds a folder of science "
                "files for each night."
            )
        return self


class Registry(_Section):
    """Where models live: any MLflow tracking URI; null keeps a SQLite file in `work_dir`."""

    tracking_uri: str | None


class Settings(_Section):
    """All settings of one installation, ready to use; :func:`load_settings` makes them."""

    work_dir: Path
    labels_path: str | None = None
    target: Target
    survey: Survey
    source: Kafka
    sink: Kafka
    stream: Stream
    registry: Registry
    starting_set: DataFile | None
    test_set: DataFile | None

    @model_validator(mode="after")
    def _fit_together(self) -> Settings:
        used = {*self.target.features.bands, *self.target.cuts.bands}
        unknown = used - set(self.survey.bands)
        if unknown:
            raise ValueError(
                f"target '{self.target.name}' uses bands {sorted(unknown)}; "
                f"survey '{self.survey.name}' has {list(self.survey.bands)}."
            )
        features = self.target.features.of_survey(self.survey)
        target = self.target.model_copy(update={"features": features})
        object.__setattr__(self, "target", target)  # frozen, but not ready before this
        for key in ("starting_set", "test_set"):
            path = str(getattr(self, key))
            if _TARGET in path:
                try:
                    file = _file(Path(path.replace(_TARGET, target.name)))
                except ValueError as error:
                    raise ValueError(f"{key}: {error}") from None
                object.__setattr__(self, key, file)
        topics = self.target.candidates_topic, self.target.dead_letter_topic
        if len({*topics, self.target.ledger_topic}) < 3:
            raise ValueError("candidates, dead letters and ledger need three different topics.")
        # Late, as these rooms import this module. They raise errors of the family themselves.
        from fink_al.alerts import adapter
        from fink_al.labels.taxonomy import Taxonomy
        from fink_al.strategies import strategy

        sources = adapter(self.survey).SOURCES
        if self.stream.source not in sources:
            raise ValueError(
                f"stream.source is '{self.stream.source}'; survey '{self.survey.name}' has "
                f"{list(sources)}."
            )
        strategy(self.target.strategy, in_stream=True)
        Taxonomy.load().check(self.target)
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
    def champion_dir(self) -> Path:
        """The model that scored last, for a start without the registry."""
        return self.work_dir / "champion" / self.target.name

    @property
    def labels_dir(self) -> str:
        """Folder or URI of the label store, shared by all targets."""
        return self.labels_path or str(self.work_dir / "labels")

    @cached_property
    def tns_dir(self) -> Path:
        """Files fetched from the Transient Name Server."""
        return self.work_dir / "tns"

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


def load_settings(
    path: str | Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    **overrides: Any,
) -> Settings:
    """Settings of the YAML file `path`, overridden by the environment, then by `overrides`.

    Parameters
    ----------
    path : path, optional
        Default: the variable ``FINK_AL_CONFIG``, else ``conf/fink_al.yml``.
    environment : mapping of str to str, optional
        Variables.  Default: those of the process; ``{}`` leaves them out.
    **overrides
        Sections or values with the highest priority (``source={"servers": ...}``), merged in.

    Raises
    ------
    SettingsError
        With one sentence that names every wrong key or variable, what was found and what is
        allowed.
    """
    variables = os.environ if environment is None else environment
    file = Path(path or variables.get("FINK_AL_CONFIG") or find_resource("conf/fink_al.yml"))
    # From the weakest to the strongest, each with what is to blame for its values.
    layers = [(str(file), read_yaml(file)), *_variables(variables), ("", overrides)]
    layers = _with_target(layers, file.parent)
    target = _merged(layers).get("target")
    if not isinstance(target, dict):
        raise SettingsError(f"{file}: target is missing: name a file of conf/targets.")
    if isinstance(target.get("survey"), str):
        origin, survey = _named("surveys", target["survey"], file.parent)
        layers.insert(0, (origin, {"survey": survey}))
    try:
        return Settings(**_merged(layers))
    except ValidationError as error:
        raise SettingsError(_sentence(error, layers, str(file))) from None


def load_survey(name: str) -> Survey:
    """Survey of ``conf/surveys/NAME.yml``.

    Raises
    ------
    SettingsError
        If there is no such file, or it is wrong.
    """
    file = find_resource(f"conf/surveys/{name}.yml")
    try:
        return Survey(**read_yaml(file))
    except ValidationError as error:
        raise SettingsError(f"{file}: {error.errors()[0]['msg']}.") from None


#: What is to blame (a file, a variable, or nothing for an argument), and its values in sections.
_Layer = tuple[str, dict[str, Any]]


def _variables(variables: Mapping[str, str]) -> Iterable[_Layer]:
    for name in sorted(variables.keys() - _NO_KEYS):  # FINK_AL_TARGET before its sections
        if name.startswith(_PREFIX):
            value = _value(variables[name])
            for key in reversed(name.removeprefix(_PREFIX).lower().split("__")):
                value = {key: value}
            yield name, value


def _value(text: str) -> Any:
    """Value of a variable: null, a list or section in JSON, or text for pydantic to read."""
    if text[:1] in ("[", "{"):
        with suppress(ValueError):  # a regular expression may begin so, too
            return json.loads(text)
    return None if text == "null" else text


def _with_target(layers: list[_Layer], beside: Path) -> list[_Layer]:
    """`layers` with the file of a target that is named, in place of what stood below its name."""
    named = [i for i, (_, layer) in enumerate(layers) if isinstance(layer.get("target"), str)]
    if not named:
        return layers
    last = named[-1]
    files = _target_files(layers[last][1]["target"], beside, layers[last][0])
    below = [
        (source, {key: value for key, value in layer.items() if key != "target"})
        for source, layer in layers[: last + 1]
    ]
    return [*files, *below, *layers[last + 1 :]]


def _target_files(name: str, beside: Path, blamed: str) -> list[_Layer]:
    """The file of a target, after those of the targets that it is `like`."""
    files: list[_Layer] = []
    while name:
        blamed, values = _named("targets", name, beside, blamed)
        if blamed in (file for file, _ in files):
            raise SettingsError(f"{blamed}: {_LIKE}: targets cannot be like each other.")
        inherited = {k: v for k, v in values.items() if not files or k not in _OWN_KEYS}
        name = inherited.pop(_LIKE, None)
        files.insert(0, (blamed, {"target": inherited}))
    return files


def _sentence(error: ValidationError, layers: list[_Layer], file: str) -> str:
    """What is wrong where; never the value of a key that is unknown or may hold a secret."""
    problems: list[str] = []
    missing: dict[str, list[str]] = {}
    for problem in error.errors():
        where = [str(part) for part in problem["loc"]]
        key = ".".join(where)
        if problem["type"] == "missing":
            # A section is to be completed in the last file that has it.
            files = [
                (origin, layer) for origin, layer in layers if origin[: len(_PREFIX)] != _PREFIX
            ]
            parts = [
                name for name, layer in files if where[:-1] and _has(layer, where[:-1]) and name
            ]
            missing.setdefault(parts[-1] if parts else file, []).append(key)
            continue
        origin = next((name for name, layer in reversed(layers) if _has(layer, where)), "")
        if not origin.startswith(_PREFIX):
            origin = f"{origin}: {key}" if origin and key else origin or key
        if problem["type"] == "extra_forbidden":
            text = _unknown(where)
        else:
            text = problem["msg"].removeprefix("Value error, ").removesuffix(".")
            if key and not isinstance(problem["input"], dict) and not _SECRET.search(key):
                text += f" (found {_short(problem['input'])})"
        problems.append(f"{origin}: {text}" if origin else text)
    lacking = [f"{name}: missing: {', '.join(keys)}" for name, keys in missing.items()]
    return f"{'; '.join(lacking + problems)}."


def _unknown(where: list[str]) -> str:
    section: Any = Settings
    for part in where[:-1]:
        section = section.model_fields[part].annotation
    known = list(section.model_fields)
    near = difflib.get_close_matches(where[-1], known, 1)
    text = f"no such key; {'.'.join(where[:-1]) or 'the file'} has: {', '.join(known)}"
    if near:
        text += f"; nearest: {near[0]}"
    if _SECRET.search(where[-1]):
        text += f"; credentials come from {KAFKA_USER} and {KAFKA_PASSWORD} only"
    return text


def _has(layer: Any, where: Sequence[str]) -> bool:
    for part in where:
        if not isinstance(layer, dict):
            return True  # inside a list
        if part not in layer:
            return False
        layer = layer[part]
    return True


def _named(kind: str, name: str, beside: Path, blamed: str = "") -> _Layer:
    """The file of a target or survey, `beside` the settings file or else the package's."""
    file = beside / kind / f"{name}.yml"
    if not file.exists():
        file = find_resource(f"conf/{kind}") / f"{name}.yml"
    if not file.exists():
        known = ", ".join(sorted(p.stem for p in file.parent.glob("*.yml")))
        raise SettingsError(
            f"{f'{blamed}: ' if blamed else ''}No {kind[:-1]} '{name}'; known: {known} in "
            f"{file.parent}."
        )
    return str(file), read_yaml(file)


def read_yaml(file: Path) -> dict[str, Any]:
    """Keys and values of a settings file."""
    try:
        values = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"Cannot read the settings file {file}: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        # Not the whole message: it quotes the line, which may hold a secret.
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        raise SettingsError(f"{file} is no valid YAML{where}: {why}.") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{file} must hold keys and values; found {type(values).__name__}.")
    return values


def _merged(layers: list[_Layer]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for _, layer in layers:
        values = _merge(values, layer)
    return values


def _merge(base: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def _short(value: Any) -> str:
    text = re.sub(r"[^\s/@,'\"]+@", "***@", repr(value))  # user:password@host
    return text if len(text) < 60 else f"{text[:57]}..."
