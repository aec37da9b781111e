"""The model that scores: looked up before each micro-batch, kept until a better one can be loaded.

Once a model has scored, no outage of the registry and no broken bundle takes it away. The last good
bundle is also kept in the stream's own folder, so a restart during an outage does not lose it.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from fink_al import metrics
from fink_al.errors import FinkAlError, ModelError, ServiceError
from fink_al.loop import Loop
from fink_al.models.model import Model
from fink_al.spark.judge import Champion

log = logging.getLogger(__name__)

_BUNDLE = ".zip"
#: Pause after a failed request to the registry, in units of the time that the request took.
_REST = 5.0
#: Libraries below the registry, which log each failure again.
_LOUD = ("mlflow.store.db.utils", "urllib3.connectionpool")


class ChampionWatch:
    """The champion of one target, looked up again before each micro-batch.

    Parameters
    ----------
    spark : SparkSession
        Distributes its bundle.
    loop : Loop
        Registry and features of the target.

    Raises
    ------
    ServiceError
        If the registry does not answer, and no model is kept from an earlier run.
    ModelError
        If the champion cannot be loaded, and no model is kept from an earlier run.
    """

    def __init__(self, spark: SparkSession, loop: Loop):
        self._spark = spark
        self._registry, self._target = loop.registry, loop.target.name
        self._features_hash = loop.features.hash
        self._kept_dir = loop.settings.champion_dir
        self._champion: Champion | None = None
        #: Version that the alias last named, loaded or refused.
        self._seen: str | None = None
        self._out_since: float | None = None
        self._asks_again = 0.0
        metrics.champion.labels(self._target).info({"version": "none"})
        problem = self._ask()
        if self._champion is None and not self._take_kept() and problem:
            raise problem

    def current(self) -> Champion | None:
        """The model for the next batch; None if there never was one."""
        if time.monotonic() >= self._asks_again:
            self._ask()
        return self._champion

    def _ask(self) -> FinkAlError | None:
        """Load the champion if it is a new one; return the error if that failed."""
        begun = time.monotonic()
        try:
            with _without_echo():
                version = self._registry.champion()
                if version is None and self._champion:
                    self._seen = None
                    raise ServiceError("The registry no longer names a champion")
                problem = self._load(version) if version and version != self._seen else None
        except ServiceError as error:
            now = time.monotonic()
            self._asks_again = now + _REST * (now - begun)
            if self._out_since is None:
                self._out_since = begun
                log.warning("Registry out of reach, the loaded model goes on: %s", error)
            metrics.registry_reachable.labels(self._target).set(0)
            return error
        if self._out_since is not None:
            log.info("The registry answers again after %.0f s", begun - self._out_since)
            self._out_since = None
        metrics.registry_reachable.labels(self._target).set(1)
        return problem

    def _load(self, version: str) -> ModelError | None:
        try:
            bundle = self._registry.load(version)
            Model.from_bytes(bundle, self._features_hash)
        except ModelError as error:
            self._seen = version
            metrics.models_refused.labels(self._target).inc()
            in_use = self._champion
            goes_on = f"version {in_use.version} goes on scoring" if in_use else "no model scores"
            log.error(
                "Model version %s of %s refused, %s: %s", version, self._target, goes_on, error
            )
            return error
        self._seen = version
        self._take(version, bundle)
        self._keep(version, bundle)
        return None

    def _take(self, version: str, bundle: bytes) -> None:
        old, checksum = self._champion, hashlib.sha256(bundle).hexdigest()
        self._champion = Champion(version, checksum, self._spark.sparkContext.broadcast(bundle))
        metrics.champion.labels(self._target).info({"version": version})
        log.info("Model version %s of %s is loaded", version, self._target)
        if old:
            old.bundle.unpersist()

    def _keep(self, version: str, bundle: bytes) -> None:
        """Write the bundle under its version and checksum, then remove the former one."""
        name = f"{version}-{hashlib.sha256(bundle).hexdigest()}{_BUNDLE}"
        try:
            self._kept_dir.write(name, bundle)
            others = set(self._kept_dir.names()) - {name}
            self._kept_dir.remove(*(other for other in others if other.endswith(_BUNDLE)))
        except ServiceError as error:
            log.warning("Model version %s cannot be kept for a restart: %s", version, error)

    def _take_kept(self) -> bool:
        """Load the last good model of an earlier run; return whether there was one."""
        kept = [name for name in self._kept_dir.names() if name.endswith(_BUNDLE)]
        # Versions are numbered; more than one is there after a crash only.
        for name in sorted(kept, key=lambda name: (len(name), name), reverse=True):
            version, _, checksum = name.removesuffix(_BUNDLE).rpartition("-")
            try:
                bundle = self._kept_dir.read(name)
                if hashlib.sha256(bundle).hexdigest() != checksum:
                    raise ModelError("its checksum is wrong")
                Model.from_bytes(bundle, self._features_hash)
            except (OSError, ServiceError, ModelError) as error:
                at = self._kept_dir / name
                log.warning("%s, kept from an earlier run, cannot be used: %s", at, error)
                continue
            log.warning("Model version %s, which scored last, goes on for now", version)
            self._take(version, bundle)
            return True
        return False


@contextmanager
def _without_echo() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _LOUD]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
