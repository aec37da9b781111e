"""Model versions in MLflow; the alias ``champion`` names the one that scores.

Each version is stored with its examples. Nothing is ever removed: tags say whether a version was
promoted, kept or rolled back.
"""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from fink_al.errors import ModelError, ServiceError

if TYPE_CHECKING:  # a list of versions needs no estimator
    from fink_al.models.model import Model

# MLflow reads these when it is imported. Nothing leaves this machine except to the tracking URI. A
# server out of reach is given up after seconds, as the stream asks between two micro-batches. The
# database is opened each time: a connection that stays open would read a file that was replaced.
for _name, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
    "MLFLOW_LOGGING_LEVEL": "WARNING",  # its import sets the levels of its loggers
}.items():
    os.environ.setdefault(_name, _value)

_CHAMPION = "champion"
_BUNDLE, _EXAMPLES = "bundle.zip", "examples.parquet"
#: Columns of every version's examples, beside those of light curves.
_COLUMNS = {"object_id", "alert_id", "positive", "selected_by"}
#: Largest size of a version's file, equal to that of an unpacked bundle. A registry may hold
#: anything, and the stream's driver reads the file into its memory.
_MAX_BYTES = 1 << 30

#: Tag of a version with the decision about it: ``promoted``, ``kept`` (the champion stayed) or
#: ``rolled_back``.
DECISION = "decision"
#: Tags with the reason of the decision, and the time at which a version last became champion.
WHY, PROMOTED = "why", "promoted"
_HOLD = "hold"


@dataclass(frozen=True)
class Version:
    """One registered model.

    Parameters
    ----------
    number : str
        Version in the registry.
    created : int
        Milliseconds since 1970.
    is_champion : bool
        Whether it scores.
    tags : dict
        Decision, reason, and what training noted.
    """

    number: str
    created: int
    is_champion: bool
    tags: dict[str, str]


class Registry:
    """Models of one target.

    Parameters
    ----------
    target : str
        Name of the target.
    tracking_uri : str
        MLflow tracking URI.
    models_dir : Path or None
        Folder of the models' files; None leaves them where the tracking server puts them.

    Raises
    ------
    ServiceError
        By every method, if a request to the registry fails.
    """

    def __init__(self, target: str, tracking_uri: str, models_dir: Path | None = None):
        self._uri, self._models_dir = tracking_uri, models_dir
        self._name = f"fink_al_{target}"
        self._client: Any = None

    def champion(self) -> str | None:
        """Version that scores; None before the first promotion."""
        with self._clear():
            model = self._registered()
            return str(model.aliases[_CHAMPION]) if model and _CHAMPION in model.aliases else None

    def register(self, model: Model, tags: dict[str, str], examples: pa.Table) -> str:
        """Store a new version of the model, which does not score yet; return its number.

        Parameters
        ----------
        model : Model
            Fitted.
        tags : dict of str to str
            Tags of the version.
        examples : pyarrow.Table
            Examples that it learned from.
        """
        with self._clear():
            client = self._mlflow()
            if self._registered() is None:
                client.create_registered_model(self._name)
            run = client.create_run(self._experiment())
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / _BUNDLE).write_bytes(model.to_bytes())
                pq.write_table(examples, Path(folder) / _EXAMPLES, compression="zstd")
                client.log_artifacts(run.info.run_id, folder)
            for name, value in (model.manifest.get("metrics") or {}).items():
                if isinstance(value, (int, float)):
                    client.log_metric(run.info.run_id, name, value)
            client.set_terminated(run.info.run_id)
            source = f"{run.info.artifact_uri}/{_BUNDLE}"
            made = client.create_model_version(
                self._name, source, run_id=run.info.run_id, tags=tags
            )
            return str(made.version)

    def load(self, version: str) -> bytes:
        """Bundle of `version`.

        Raises
        ------
        ModelError
            If there is no such version, or it is too large.
        """
        return self._download(version, _BUNDLE)

    def examples(self, version: str) -> pa.Table:
        """Examples that `version` learned from.

        Raises
        ------
        ModelError
            If there is no such version, or its file is too large, damaged or lacks a column.
        """
        file = self._download(version, _EXAMPLES)
        try:
            examples = pq.read_table(pa.BufferReader(file))
        except pa.ArrowException:
            raise ModelError(
                f"{_EXAMPLES} of model version {version} is damaged: restore it from a copy of the "
                "registry's files."
            ) from None
        if missing := _COLUMNS - set(examples.column_names):
            raise ModelError(
                f"{_EXAMPLES} of model version {version} lacks the columns {sorted(missing)}: "
                "restore it from a copy of the registry's files."
            )
        return examples

    def keep(self, version: str, why: str) -> None:
        """Note that the champion stays instead of `version`, and why."""
        self._decide(version, "kept", why)

    def promote(self, version: str, why: str) -> None:
        """Make `version` the champion; running streams follow with their next micro-batch.

        Raises
        ------
        ModelError
            If there is no such version.
        """
        with self._clear():
            self._check(version)
            client = self._mlflow()
            client.set_registered_model_alias(self._name, _CHAMPION, version)
            now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
            client.set_model_version_tag(self._name, version, PROMOTED, now)
        self._decide(version, "promoted", why)

    def roll_back(self, why: str, to: str | None = None) -> tuple[str, str]:
        """Replace the champion by an earlier version; return the numbers of both.

        With an older version, all champions since then are rolled back: no later rollback returns
        to them, and no challenger is compared with them. The nightly job does not promote a version
        that was rolled back: it does not decide again about the same examples and settings.

        Parameters
        ----------
        why : str
            Reason, kept with the version.
        to : str, optional
            Default: the last champion before this one that was not rolled back.

        Raises
        ------
        ModelError
            If there is no champion, or no earlier one.
        """
        versions = self.versions()
        current = next((v for v in versions if v.is_champion), None)
        if current is None:
            raise ModelError("There is no champion to roll back: train first.")
        earlier = [v for v in versions if v.tags.get(DECISION) == "promoted" and v != current]
        if to is None and not earlier:
            raise ModelError(
                f"Version {current.number} is the only one that was champion and stands: name the "
                "one to go back to, or train another."
            )
        chosen = to
        if chosen is None:
            chosen = max(earlier, key=lambda v: v.tags.get(PROMOTED, "")).number
        if chosen == current.number:
            raise ModelError(f"Version {chosen} is the champion already: name another one.")
        if chosen not in [v.number for v in versions]:
            self._check(chosen)
        # In this order, so that a version that is rolled back never counts as an earlier champion.
        for since in earlier:
            if int(chosen) < int(since.number) < int(current.number):
                self._decide(since.number, "rolled_back", why)
        self._decide(current.number, "rolled_back", why)
        self.promote(chosen, f"instead of version {current.number}: {why}")
        return current.number, chosen

    def hold(self, why: str | None) -> None:
        """Forbid the nightly job to promote anything, or allow it again with None."""
        with self._clear():
            if why is None:
                if self._held():
                    self._mlflow().delete_registered_model_tag(self._name, _HOLD)
            else:
                self._mlflow().set_registered_model_tag(self._name, _HOLD, why)

    def held(self) -> str | None:
        """Reason why the nightly job must not promote anything; None if it may."""
        with self._clear():
            return self._held()

    def versions(self) -> list[Version]:
        """All versions, oldest first."""
        with self._clear():
            model = self._registered()
            if model is None:
                return []
            champion = str(model.aliases.get(_CHAMPION))
            made = self._mlflow().search_model_versions(f"name='{self._name}'")
            return sorted(
                (
                    Version(
                        str(v.version), v.creation_timestamp, str(v.version) == champion, v.tags
                    )
                    for v in made
                ),
                key=lambda v: int(v.number),
            )

    def _decide(self, version: str, decision: str, why: str) -> None:
        with self._clear():
            for name, value in ((WHY, why), (DECISION, decision)):
                self._mlflow().set_model_version_tag(self._name, version, name, value)

    def _download(self, version: str, name: str) -> bytes:
        with self._clear():
            self._check(version)
            client = self._mlflow()
            run = client.get_model_version(self._name, version).run_id
            for artifact in client.list_artifacts(run):
                if artifact.path == name:
                    _check_size(version, name, artifact.file_size or 0)
            with tempfile.TemporaryDirectory() as folder:
                file = Path(client.download_artifacts(run, name, folder))
                _check_size(version, name, file.stat().st_size)  # the registry may be wrong
                return file.read_bytes()

    def _held(self) -> str | None:
        model = self._registered()
        return model.tags.get(_HOLD) if model else None

    def _check(self, version: str) -> None:
        numbers = [v.number for v in self.versions()]
        if version not in numbers:
            raise ModelError(f"No model version {version}; known: {', '.join(numbers) or 'none'}.")

    def _registered(self) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            return self._mlflow().get_registered_model(self._name)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def _experiment(self) -> str:
        experiment = self._mlflow().get_experiment_by_name(self._name)
        if experiment:
            return str(experiment.experiment_id)
        location = None
        if self._models_dir:
            self._models_dir.mkdir(parents=True, exist_ok=True)
            location = self._models_dir.as_uri()
        return str(self._mlflow().create_experiment(self._name, location))

    def _mlflow(self) -> Any:
        if self._client is None:
            uri = self._uri
            if uri.startswith("sqlite:///"):
                Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
            with warnings.catch_warnings():  # MLflow's own, about what it uses of SQLAlchemy
                warnings.simplefilter("ignore", DeprecationWarning)
                from mlflow import MlflowClient

                self._client = MlflowClient(uri, uri)
        return self._client

    @contextmanager
    def _clear(self) -> Iterator[None]:
        try:
            yield
        except (ModelError, ServiceError):
            raise
        except Exception as error:  # MLflow passes on whatever its stores raise
            reason = str(error).splitlines()[0] if str(error) else ""
            raise ServiceError(
                _without_login(
                    f"Request to the model registry at {self._uri} failed: "
                    f"{type(error).__name__}: {reason}"
                )
            ) from error


def _check_size(version: str, name: str, size: int) -> None:
    if size > _MAX_BYTES:
        raise ModelError(
            f"{name} of model version {version} has {size} bytes in the registry, allowed are "
            f"{_MAX_BYTES}: it is not read. Train again, with fewer trees if it is a model's size."
        )


def _without_login(text: str) -> str:
    # Databases take user and password in their address, and messages end up in logs.
    return re.sub(r"//\S*@", "//", text)
