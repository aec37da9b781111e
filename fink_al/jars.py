"""Java archives by Maven coordinate, fetched once with the Ivy that pyspark carries.

``python -m fink_al.jars`` fetches all that stream and embedded broker need; afterwards no network
is needed. ``FINK_AL_IVY_SETTINGS`` names an Ivy settings file for sites with a mirror.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from fink_al.cache import cache_dir
from fink_al.errors import FinkAlError, ServiceError, SettingsError
from fink_al.storage.local import in_turn

#: The embedded broker. Kafka 4.1.1: KRaft only, Java 17.
KAFKA_BROKER = "org.apache.kafka:kafka_2.13:4.1.1"
#: Binds the broker's log to log4j; Kafka's own packages carry it, its Maven artifact does not.
_KAFKA_LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3"

#: Spark's connectors; pyspark itself has all else that they ask for.
SPARK_CONNECTORS = ("spark-sql-kafka-0-10_2.12", "spark-avro_2.12")
_CONNECTOR_PARTS = (
    "spark-sql-kafka",
    "spark-avro",
    "spark-token",
    "kafka-clients",
    "commons-pool2",
)
_NO_PYSPARK = "pyspark is not installed; install the extra: pip install 'fink-al[all]'."


def spark_jars() -> list[Path]:
    """Connectors for Kafka and Avro of the installed pyspark's version."""
    try:
        spark = version("pyspark")
    except PackageNotFoundError:
        raise ServiceError(_NO_PYSPARK) from None
    coordinates = [f"org.apache.spark:{name}:{spark}" for name in SPARK_CONNECTORS]
    jars = fetch(f"spark-{spark}", coordinates)
    return [jar for jar in jars if jar.name.startswith(_CONNECTOR_PARTS)]


def kafka_jars() -> list[Path]:
    """The broker and everything it needs."""
    return fetch(f"kafka-{KAFKA_BROKER.rpartition(':')[2]}", [KAFKA_BROKER, _KAFKA_LOGGING])


def fetch(name: str, coordinates: Sequence[str]) -> list[Path]:
    """Jars of `coordinates` and of what they depend on, from the cache where they are there.

    Parameters
    ----------
    name : str
        Folder in the cache; it exists only when it is complete.
    coordinates : sequence of str
        ``group:artifact:version``. Ivy checks the checksum of each file.

    Raises
    ------
    ServiceError
        If Java or the Maven repository cannot be had.
    SettingsError
        If nothing can be written to the cache.
    """
    folder = cache_dir() / "jars" / name
    try:
        if not folder.exists():
            folder.parent.mkdir(exist_ok=True)
            # Two processes at once would collide in Ivy's own cache.
            with in_turn(folder.parent / ".lock"):
                _fetch(folder, coordinates)
    except OSError as error:
        raise SettingsError(
            f"Cannot use the cache folder {folder.parent.parent}: {error.strerror}. Set "
            "FINK_AL_CACHE to a folder that you can write."
        ) from None
    return sorted(folder.glob("*.jar"))


def _fetch(folder: Path, coordinates: Sequence[str]) -> None:
    """Fill `folder`, unless another process has."""
    if folder.exists():
        return
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        for coordinate in coordinates:
            _resolve(coordinate, partial)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def java() -> str:
    """Path of the Java that is used: that of ``JAVA_HOME``, else the first on the path.

    Raises
    ------
    ServiceError
        If Java is missing.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if not java:
        raise ServiceError(
            f"No Java{f' in JAVA_HOME={home}' if home else ''}; install Java 17 "
            "(Debian: openjdk-17-jre-headless, macOS: brew install openjdk@17, conda: openjdk=17)."
        )
    return java


def _resolve(coordinate: str, folder: Path) -> None:
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise ServiceError(_NO_PYSPARK)
    ivy = next((Path(spec.origin).parent / "jars").glob("ivy-*.jar"))
    command = [java(), "-jar", str(ivy), "-cache", str(cache_dir() / "ivy"), "-confs", "default"]
    if settings := os.environ.get("FINK_AL_IVY_SETTINGS"):
        command += ["-settings", settings]
    command += ["-dependency", *coordinate.split(":")]
    command += ["-retrieve", f"{folder}/[artifact]-[revision](-[classifier]).[ext]"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    artifact = coordinate.split(":")[1]
    if done.returncode or not any(folder.glob(f"{artifact}-*.jar")):
        lines = [x.strip() for x in (done.stdout + done.stderr).splitlines() if x.strip()]
        why = next((x for x in lines if "not found" in x or "Exception" in x), lines[-1])
        raise ServiceError(
            f"Cannot fetch {coordinate} from the Maven repository: {why[:200]}. "
            "The first start needs a network, or FINK_AL_IVY_SETTINGS with a mirror."
        )


if __name__ == "__main__":
    try:
        spark_jars()
        kafka_jars()
    except FinkAlError as fault:
        print(f"Error: {fault}", file=sys.stderr)
        sys.exit(2)
