"""All settings of one installation, and whether they fit together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from fink_al.settings.cuts import words_of
from fink_al.settings.kafka import Kafka
from fink_al.settings.kinds import (
    TARGET,
    DataFile,
    LocalFolder,
    PlaceName,
    Positive,
    Section,
    data_file,
)
from fink_al.settings.services import Registry, Stream
from fink_al.settings.survey import Survey
from fink_al.settings.target import Target
from fink_al.settings.taxonomy import Family, Taxonomy

if TYPE_CHECKING:  # pyarrow takes a while to load
    from fink_al.storage.place import Place


class Settings(Section):
    """All settings of one installation, ready to use; :func:`load_settings` makes them."""

    work_dir: LocalFolder
    storage: PlaceName | None = None
    labels_path: PlaceName | None = None
    targets: tuple[str, ...] | None = None
    shares: dict[str, Positive] = Field(default_factory=dict)
    target: Target
    survey: Survey
    families: dict[str, Family]
    source: Kafka
    sink: Kafka
    stream: Stream
    registry: Registry
    starting_set: DataFile | None
    test_set: DataFile | None
    teaching_set: DataFile | None

    @model_validator(mode="after")
    def _fit_together(self) -> Settings:
        used = {*self.target.features.bands, *words_of(self.target.cuts, "band")}
        unknown = used - set(self.survey.bands)
        if unknown:
            raise ValueError(
                f"target '{self.target.name}' uses bands {sorted(unknown)}; "
                f"survey '{self.survey.name}' has {list(self.survey.bands)}."
            )
        features = self.target.features.of_survey(self.survey)
        target = self.target.model_copy(update={"features": features})
        object.__setattr__(self, "target", target)  # frozen, but not ready before this
        for key in ("starting_set", "test_set", "teaching_set"):
            path = str(getattr(self, key))
            if TARGET in path:
                try:
                    file = data_file(Path(path.replace(TARGET, target.name)))
                except ValueError as error:
                    raise ValueError(f"{key} of target '{target.name}': {error}") from None
                object.__setattr__(self, key, file)
        for model in self.target.recipes.values():
            if model.is_taught and self.teaching_set is None:
                raise ValueError(
                    f"teaching_set is null, and the estimator {model.estimator} needs one: "
                    "name a file, or choose random_forest as target.model.estimator."
                )
        if len({self.target.candidates_topic, self.dead_letter_topic, self.ledger_topic}) < 3:
            raise ValueError("candidates, dead letters and ledger need three different topics.")
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other values, and folders of its own."""
        copy = super().model_copy(update=update, deep=deep)
        for name, value in vars(type(self)).items():
            if isinstance(value, cached_property):
                copy.__dict__.pop(name, None)
        return copy

    @property
    def taxonomy(self) -> Taxonomy:
        """Families of types."""
        return Taxonomy.of(self.families)

    @property
    def topics(self) -> str:
        """Pattern of the alert topics: the stream's own, or else the survey's."""
        return self.stream.topics or self.survey.topics

    @property
    def stream_name(self) -> str:
        """Name of the stream, by which archive, ledger and checkpoint are called."""
        return self.stream.name or self.survey.name

    @property
    def dead_letter_topic(self) -> str:
        """Topic of packets that could not be used."""
        return self.stream.dead_letter_topic or f"fink_al_{self.stream_name}_dead_letters"

    @property
    def ledger_topic(self) -> str:
        """Topic of what the stream has done."""
        return self.stream.ledger_topic or f"fink_al_{self.stream_name}_ledger"

    @cached_property
    def shared_dir(self) -> Place:
        """Folder that every machine of the installation sees: `storage`, or the working folder."""
        from fink_al.storage.place import Place

        return Place(self.storage or self.work_dir)

    @cached_property
    def archive_dir(self) -> Place:
        """Scored alerts, Parquet by night, with the log that says which files count."""
        return self.shared_dir / "archive" / self.stream_name

    @cached_property
    def memory_dir(self) -> Place:
        """Memory of the stream's objects before their alerts' windows, sorted by object."""
        return self.shared_dir / "memory" / self.stream_name

    @cached_property
    def staging_dir(self) -> Place:
        """Parts of micro-batches that are not in the archive yet."""
        return self.shared_dir / "staging" / self.stream_name

    @cached_property
    def ledger_dir(self) -> Place:
        """Snapshots of the streams' ledgers, for a start that reads the records behind it only."""
        return self.shared_dir / "ledger"

    @cached_property
    def champion_dir(self) -> Place:
        """The model that scored last, for a start without the registry."""
        return self.shared_dir / "champion" / self.target.name

    @cached_property
    def audit_dir(self) -> Place:
        """Proofs that nothing was lost and nothing published twice, a file a night."""
        return self.shared_dir / "audit" / self.target.name

    @cached_property
    def checkpoint_dir(self) -> Path:
        """Spark's checkpoint of the stream, of the driver alone."""
        return self.work_dir / "checkpoint" / self.stream_name

    @cached_property
    def labels_dir(self) -> Place:
        """Folder of the label store, shared by all targets."""
        from fink_al.storage.place import Place

        return Place(self.labels_path) if self.labels_path else self.shared_dir / "labels"

    @cached_property
    def report_dir(self) -> Path:
        """Reports and summaries for people."""
        return self.work_dir / "report"

    @property
    def models_dir(self) -> Path | None:
        """Folder of the models' files, where the registry is a SQLite file; else it has its own."""
        is_file = self.tracking_uri.startswith("sqlite:")
        return self.work_dir.resolve() / "models" if is_file else None

    @property
    def tracking_uri(self) -> str:
        """MLflow tracking URI of the registry."""
        return self.registry.tracking_uri or f"sqlite:///{self.work_dir.resolve()}/registry.db"
