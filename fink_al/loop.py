"""One target's loop, opened once at the start of a command or job.

Everything that a target needs is looked up and checked here: its survey's adapter, its features,
the taxonomy, the archive, the labels and the registry. Training, follow-up and streaming take a
:class:`Loop`, or the part of it that they use; none of them looks anything up again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from fink_al.alerts import Adapter, adapter
from fink_al.archive.reading import Archive, light_curve_columns
from fink_al.errors import SettingsError
from fink_al.features.past_columns import past_columns
from fink_al.lightcurve import LightCurves
from fink_al.settings import Settings, Survey, Target
from fink_al.settings.taxonomy import Taxonomy
from fink_al.strategies import strategy

if TYPE_CHECKING:
    from fink_al.features.feature_set import FeatureSet
    from fink_al.labels.own_names import OwnNames
    from fink_al.memory.memory import Memory
    from fink_al.models.registry import Registry
    from fink_al.requests.store import RequestStore


@dataclass(frozen=True)
class Loop:
    """One target's loop; :meth:`open` creates it.

    Parameters
    ----------
    settings : Settings
        All settings of the installation.
    alerts : Adapter
        Adapter of the survey's packets.
    taxonomy : Taxonomy
        Families of types.
    archive : Archive
        Scored alerts.
    """

    settings: Settings
    alerts: Adapter
    taxonomy: Taxonomy
    archive: Archive

    @classmethod
    def open(cls, settings: Settings) -> Loop:
        """The loop of the target in `settings`.

        Raises
        ------
        SettingsError
            If the survey has no adapter, is not the target's or lacks this source of alerts, the
            stream cannot use the query strategy, a model or a flag names features that the target
            lacks, or the target names families that the taxonomy lacks.
        """
        alerts = adapter(settings.survey)
        if settings.survey.name != settings.target.survey:
            raise SettingsError(
                f"Target '{settings.target.name}' is of survey '{settings.target.survey}', but "
                f"survey.name is '{settings.survey.name}': set target.survey alone."
            )
        if settings.stream.source not in alerts.SOURCES:
            raise SettingsError(
                f"stream.source is '{settings.stream.source}'; survey '{settings.survey.name}' has "
                f"{list(alerts.SOURCES)}."
            )
        strategy(settings.target.strategy, in_stream=True)
        if any(model.without_features for model in settings.target.recipes.values()):
            from fink_al.features.feature_set import check_models  # takes a second

            check_models(settings.target)
        if settings.target.flags:
            from fink_al.features.feature_set import check_flags

            check_flags(settings.target)
        taxonomy = settings.taxonomy
        taxonomy.check(settings.target)
        return cls(
            settings,
            alerts,
            taxonomy,
            Archive(
                settings.archive_dir,
                alerts.LIGHT_CURVE | alerts.FORCED | dict.fromkeys(past_of(settings), pa.float64()),
                target=settings.target.name,
            ),
        )

    @property
    def target(self) -> Target:
        """Settings of the target."""
        return self.settings.target

    @property
    def survey(self) -> Survey:
        """Settings of the survey."""
        return self.settings.survey

    def with_target(self, target: Target) -> Loop:
        """The same loop for a target that differs in its features or its model."""
        return replace(self, settings=self.settings.model_copy(update={"target": target}))

    def as_of(self, number: int | None) -> Loop:
        """The same loop with the archive as it was at a record of the ledger; None: as it is."""
        return self if number is None else replace(self, archive=self.archive.as_of(number))

    def check_name(self, target: str) -> None:
        """Refuse to begin anew beside the archive of an earlier version, which `target` named.

        Raises
        ------
        SettingsError
            If there is one, and the stream has another name and no alerts.
        """
        settings, former = self.settings, self.settings.archive_dir.parent / target
        if settings.stream_name != target and not self.archive.nights() and former.files():
            raise SettingsError(
                f"{former} is the archive of an earlier version: set stream.name: {target} to go "
                "on with it and its ledger, or move it away to begin anew."
            )

    # The rest is imported on first use: compiled features, scikit-learn and MLflow take
    # seconds to import, and tonight's list needs none of them.

    @cached_property
    def features(self) -> FeatureSet:
        """Features of the target, the same in stream, replay and training."""
        from fink_al.features.feature_set import FeatureSet

        return FeatureSet.from_settings(self.target.features)

    @cached_property
    def columns(self) -> dict[str, pa.DataType]:
        """Archived columns that the features are computed from, with their Arrow types."""
        return light_curve_columns(self.alerts, self.features)

    def light_curves(self, rows: pa.Table) -> LightCurves:
        """Light curves of rows of the archive or of a labelled set.

        Context columns that the rows lack are missing in the light curves.
        """
        names = [name for name in self.columns if name in rows.column_names]
        return self.alerts.light_curves(rows.select(names), self.survey)

    @property
    def past(self) -> tuple[str, ...]:
        """Columns of the memory that the archive holds for the target; none if it asks for none."""
        return past_of(self.settings)

    @cached_property
    def memory(self) -> Memory:
        """Memory of what the survey's objects did before the windows of their alerts."""
        from fink_al.memory.memory import Memory

        survey = self.survey
        # A history begins at the alert's hour: a night more, and no epoch is in both.
        window = survey.history_days + 1
        return Memory(self.settings.memory_dir, survey.bands, window, day_start=survey.day_start)

    @cached_property
    def labels(self) -> OwnNames:
        """Labels by the archive's names of the objects."""
        return self.labels_until(None)

    def labels_until(self, until: datetime | None) -> OwnNames:
        """Labels as they were at `until`, a time with time zone; None for all."""
        from fink_al.labels.counterparts import counterparts_file
        from fink_al.labels.own_names import OwnNames
        from fink_al.labels.store import LabelStore

        settings = self.settings
        store = LabelStore.open(settings.shared_dir, settings.labels_path, until)
        return OwnNames(store, counterparts_file(self.archive.folder), until)

    @cached_property
    def requests(self) -> RequestStore:
        """Requests for spectra, those of all targets."""
        from fink_al.requests.store import RequestStore

        return RequestStore(self.settings.shared_dir / "requests")

    @cached_property
    def registry(self) -> Registry:
        """Versions of the target's model."""
        from fink_al.models.registry import Registry

        settings = self.settings
        return Registry(self.target.name, settings.tracking_uri, settings.models_dir)


def past_of(settings: Settings) -> tuple[str, ...]:
    """Columns of the memory that an archive has for the target of `settings`."""
    return past_columns(settings.survey.bands) if settings.target.features.past else ()
