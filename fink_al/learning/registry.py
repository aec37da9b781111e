"""Model versions in MLflow; the alias ``champion`` names the one that scores."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fink_al.errors import ModelError, ServiceError
from fink_al.learning.model import Model
from fink_al.settings import Settings

# Read when MLflow is imported: nothing leaves this machine but what the tracking URI asks for, and
# a server out of reach is given up after seconds, as the stream asks between two micro-batches.
# Each time it opens the database anew, as a connection that is kept reads a file that was replaced.
for _name, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
}.items():
    os.environ.setdefault(_name, _value)

_CHAMPION = "champion"
_BUNDLE = "bundle.zip"

#: Tag of a version about which it is decided: ``promoted`` once, or ``kept`` the champion instead.
DECISION = "decision"


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
        What it was made of and how it did.
    """

    number: str
    created: int
    is_champion: bool
    tags: dict[str, str]


class Registry:
    """Models of one target.

    Parameters
    ----------
    settings : Settings
        Tracking URI and target.

    Raises
    ------
    ServiceError
        By every method, if the registry does not answer.
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self._name = f"fink_al_{settings.target.name}"
        self._client: Any = None

    def champion(self) -> str | None:
        """Version that scores, or None if there is none yet."""
        with self._clear():
            found = self._registered()
            return str(found.aliases[_CHAMPION]) if found and _CHAMPION in found.aliases else None

    def register(self, model: Model, tags: dict[str, str]) -> str:
        """Store a new version of the model, which does not score yet; its number."""
        with self._clear():
            client = self._mlflow()
            if self._registered() is None:
                client.create_registered_model(self._name)
            run = client.create_run(self._experiment())
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / _BUNDLE
                file.write_bytes(model.to_bytes())
                client.log_artifact(run.info.run_id, str(file))
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
            If there is no such version.
        """
        with self._clear():
            self._check(version)
            client = self._mlflow()
            made = client.get_model_version(self._name, version)
            with tempfile.TemporaryDirectory() as folder:
                file = client.download_artifacts(made.run_id, _BUNDLE, folder)
                return Path(file).read_bytes()

    def promote(self, version: str) -> None:
        """Make `version` the champion; running streams follow with their next micro-batch.

        Raises
        ------
        ModelError
            If there is no such version.
        """
        with self._clear():
            self._check(version)
            self._mlflow().set_registered_model_alias(self._name, _CHAMPION, version)
            self._mlflow().set_model_version_tag(self._name, version, DECISION, "promoted")

    def versions(self) -> list[Version]:
        """All versions, oldest first."""
        with self._clear():
            found = self._registered()
            if found is None:
                return []
            champion = str(found.aliases.get(_CHAMPION))
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

    def _check(self, version: str) -> None:
        known = [v.number for v in self.versions()]
        if version not in known:
            raise ModelError(f"No model version {version}; known: {', '.join(known) or 'none'}.")

    def _registered(self) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            return self._mlflow().get_registered_model(self._name)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def _experiment(self) -> str:
        found = self._mlflow().get_experiment_by_name(self._name)
        if found:
            return str(found.experiment_id)
        location = None
        if self._settings.tracking_uri.startswith("sqlite:"):
            folder = self._settings.work_dir.resolve() / "models"
            folder.mkdir(parents=True, exist_ok=True)
            location = folder.as_uri()
        return str(self._mlflow().create_experiment(self._name, location))

    def _mlflow(self) -> Any:
        if self._client is None:
            for name in ("mlflow", "alembic"):
                logging.getLogger(name).setLevel(logging.WARNING)
            uri = self._settings.tracking_uri
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
        except Exception as error:  # MLflow passes on what its many stores raise
            reason = str(error).splitlines()[0] if str(error) else ""
            raise ServiceError(
                _without_login(
                    f"The model registry at {self._settings.tracking_uri} does not do its part: "
                    f"{type(error).__name__}: {reason}"
                )
            ) from error


def _without_login(text: str) -> str:
    # Databases take user and password in their address, and messages end up in logs.
    return re.sub(r"//\S*@", "//", text)
