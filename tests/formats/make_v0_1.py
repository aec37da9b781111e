"""Make the files of ``tests/formats/v0_1``: what fink-al 0.1.0 leaves on disk and in Kafka.

They were made once, by fink-al 0.1.0 at commit be135ee (Python 3.11, Java 17, the versions of
``constraints.txt``), and are never made again: they stand for the files that installations have.
Later code reads them or refuses them with a sentence that says what to do. This script need not run
on later code; it is kept to show where each file comes from. At that commit::

    PYTHONPATH=.:tests/spark:tests/labels python tests/formats/make_v0_1.py FOLDER

All alerts are simulated, Kafka is the embedded one, the stream is real. Two empty lock files
were removed:

``ztf/``
    Working folder of target ``early_snia`` after two nights. The first was scored without a model,
    the second by version 1. Archive, labels, counterparts, TNS files, the champion that the stream
    kept; MLflow's artifacts in ``models/``, and its database as SQL, in which ``@WORK_DIR@`` stands
    for the absolute path of the folder.
``lsst/``
    Working folder of target ``early_snia_lsst`` after one night without a model, by a stream that
    began at the latest offsets: the archive alone.
``kafka/``
    What was published: the ledger's records as they are, a line each; of the candidates the key,
    which is the schema, and some values; dead letters with their headers. Bytes are base64.
``bundles/``
    A model of each estimator, and what it gives for ``inputs.parquet``: the column of its name.
``campaign/``
    A campaign's folder with two arms, and ``alerts.npz``, of which it was made.
"""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import sqlite3
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fink_al.campaign.plan import Arm, Plan
from fink_al.campaign.side_by_side import run_all
from fink_al.labels.tns_client import TnsClient
from fink_al.labels.tns_folder import TnsFolder
from fink_al.learning.labelled_alerts import LabelledAlerts
from fink_al.learning.model import fit
from fink_al.learning.nightly import retrain
from fink_al.learning.training_set import TrainingSet
from fink_al.simulation.embedded_kafka import EmbeddedKafka
from fink_al.spark.counterparts import archived_counterparts
from fink_al.spark.examples import archived_examples
from streaming import drain
from tns_server import ENVIRONMENT, TnsServer, zipped

import fink_al.labels.store
from fink_al.features.feature_set import FeatureSet
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.publisher import produce
from fink_al.kafka.reading import read
from fink_al.labels.intake import import_file
from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore
from fink_al.settings import Settings, load_settings
from fink_al.simulation import lsst_packets, packets
from fink_al.simulation.nights import Campaign, simulate
from fink_al.spark.session import spark_session

_CANDIDATES = 4  # of each stream whose messages are kept
_KEPT = ("archive", "champion", "counterparts", "labels", "models", "tns", ".labels-made")
_TABLE = '"objid","name_prefix","name","ra","declination","type","internal_names","lastmodified"'


def main(folder: Path) -> None:
    """Write all into `folder`, which must not exist."""
    folder.mkdir()
    _bundles(folder / "bundles")
    _campaign(folder / "campaign")
    spark = spark_session("formats", "local[2]")
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        with EmbeddedKafka(work / "kafka") as broker:
            for make in (_ztf, _lsst):
                settings = make(spark, work, broker.servers)
                name = settings.survey.name
                _keep(settings.work_dir, folder / name, _KEPT if name == "ztf" else ("archive",))
                _messages(settings, folder / "kafka" / name)
    spark.stop()


def _ztf(spark: Any, work: Path, servers: str) -> Settings:
    kafka = {"servers": servers}
    settings = load_settings(
        environment={},
        work_dir=work / "ztf",
        source=kafka,
        sink=kafka,
        stream={"partitions": 1, "trigger_seconds": 0},
        target={
            "model": {"estimator": "random_forest", "n_estimators": 8},
            # So that few alerts have many candidates.
            "cuts": {"max_declination_deg": 90, "max_detections": 60, "max_age_days": 60},
            "follow_up": {
                "bootstrap_fraction": 0.7,
                "max_magnitude": 20.5,
                "uncertainty_width": 0.45,
            },
        },
    )
    mix = {"SN Ia": 0.5, "SN II": 0.3, "SN Ib": 0.1, "bogus": 0.1}
    sky = simulate(2, 50, seed=15, mix=mix)
    first, second = sky.nights
    _send(settings, f"ztf_{first}_programid1", [*packets.packets(sky, first), b"no packet"])
    drain(spark, settings)
    _label(settings, sky, first)
    _fetch(settings, sky, first)
    print(retrain(settings, archived_examples, matched=archived_counterparts))
    _send(settings, f"ztf_{second}_programid1", packets.packets(sky, second))
    drain(spark, settings)
    objects = _objects(sky, second, without=first)
    evening = _day(second) + timedelta(hours=15)
    LabelStore.of(settings).add(
        Label(row.object_id, row.type, "spectrum", evening, evening + timedelta(hours=9), "night 2")
        for row in objects.itertuples()
    )
    # Another forest, as so few labels more need not make other examples.
    model = settings.target.model.model_copy(update={"n_estimators": 9})
    target = settings.target.model_copy(update={"model": model})
    changed = settings.model_copy(update={"target": target})
    print(retrain(changed, archived_examples, matched=archived_counterparts))
    return settings


def _lsst(spark: Any, work: Path, servers: str) -> Settings:
    kafka = {"servers": servers}
    lsst_packets.write_schema(work / "schemas")
    schemas = {"folder": str(work / "schemas"), "registry": None, "package": None}
    settings = load_settings(
        environment={"FINK_AL_TARGET": "early_snia_lsst"},
        work_dir=work / "lsst",
        source=kafka,
        sink=kafka,
        survey={"schemas": schemas},
        stream={"partitions": 1, "trigger_seconds": 0, "starting": "latest"},
        target={"follow_up": {"bootstrap_fraction": 1.0}},
        starting_set=None,
        test_set=None,
    )
    sky = simulate(2, 30, seed=15, survey="lsst")
    values = [list(lsst_packets.packets(sky, night)) for night in sky.nights]
    topic = "lsst-alerts-v11.0"
    _send(settings, topic, values[0])
    drain(spark, settings)  # passes over them
    produce(settings.source, topic, [*values[1], b"no packet"])
    drain(spark, settings)
    return settings


def _send(settings: Settings, topic: str, values: Any) -> None:
    Cluster(settings.source).create_topic(topic)
    produce(settings.source, topic, values)


def _day(night: int) -> datetime:
    return datetime.strptime(str(night), "%Y%m%d").replace(tzinfo=UTC)


def _objects(sky: Campaign, night: int, without: int | None = None) -> pd.DataFrame:
    """Objects with a type that have alerts in `night`, in the order of their names."""
    alerts = sky.alerts
    names = set(alerts["object_id"][alerts["night"] == night])
    names -= set(alerts["object_id"][alerts["night"] == without])
    rows = sky.truth[sky.truth["object_id"].isin(names) & sky.truth["type"].notna()]
    return rows.sort_values("object_id").reset_index(drop=True)


def _label(settings: Settings, sky: Campaign, night: int) -> None:
    """Labels of every kind: each of the first objects has a story, the others what they are."""
    fink_al.labels.store.MOST_FILES = 4  # so that the store has a digest and files beside it
    objects, store = _objects(sky, night), LabelStore.of(settings)
    name = objects["object_id"].tolist()
    seen = _day(night) + timedelta(hours=15)

    def said(at: int, kind: str, source: str, hours: float, who: str | None, **more: Any) -> Label:
        return Label(name[at], kind, source, seen, seen + timedelta(hours=hours), who, **more)

    store.add(
        [
            said(0, "SN Ia", "spectrum", 9, "A", name="SN 2026aaa"),
            said(1, "SN II", "spectrum", 9, "A"),
            said(2, "SN Ia", "spectrum", 9, "A"),
            said(3, "unclassified", "spectrum", 9, "A"),
            said(4, "SN Ia", "spectrum", 9, "A"),
            said(5, "SN Ia", "spectrum", 9, "A"),
            said(6, "SN Xyz", "spectrum", 9, "A"),
            said(7, "SN", "spectrum", 9, "A"),
        ]
    )
    store.add([said(1, "SN Ia", "spectrum", 10, "A")])  # supersedes
    store.add([said(2, "SN II", "TNS", 11, None, evidence="102")])  # contradicts
    store.add([said(4, "AGN", "TNS", 11, None, evidence="104")])
    store.add([said(4, "AGN", "person", 12, "B")])  # settles
    store.add([said(5, "withdrawn", "spectrum", 12, "A")])
    # Another survey's name of the ninth object, 0.5 arcseconds away.
    place = {"ra_deg": objects["ra"][8], "dec_deg": objects["dec"][8] + 0.5 / 3600}
    other = "170032915988086813"
    store.add([Label(other, "SN Ia", "spectrum", seen, seen + timedelta(hours=9), "A", **place)])
    store.add(
        said(at, objects["type"][at], "spectrum", 9, "A") for at in range(10, len(objects), 4)
    )


def _fetch(settings: Settings, sky: Campaign, night: int) -> None:
    """TNS's catalogue, which has the tenth object, the day after it, and an hour."""
    row, day = _objects(sky, night).iloc[9], _day(night)
    tns = TnsServer()

    def table(covers: str, objid: int, names: str) -> bytes:
        fields = (objid, "SN", f"2026aa{objid}", row.ra, row.dec, "SN Ia", names, f"{day:%F} 20:00")
        text = ",".join(f'"{value}"' for value in fields)
        return zipped(f'"{covers}"\n{_TABLE}\n{text}\n')

    after = [day + timedelta(days=n) for n in range(3)]
    full = "tns_public_objects"
    tns.files = {
        f"{full}.csv.zip": table(f"{after[1]:%F} 00:00:00", 109, row.object_id),
        f"{full}_{after[1]:%Y%m%d}.csv.zip": table(f"{after[1]:%F} 00:00:00 - 23:59:59", 110, "x"),
        f"{full}_00.csv.zip": table(f"{after[2]:%F} 00:00:00 - 00:59:59", 111, "x"),
    }
    client = TnsClient(tns.url, environment=ENVIRONMENT, sleep=tns.sleep)
    now = after[2] + timedelta(hours=1, minutes=30)
    done = TnsFolder(settings.tns_dir).fetch(
        client, lambda file: import_file(settings, file, format="tns").added, now=now
    )
    print(done)
    tns.close()


def _keep(work: Path, folder: Path, names: tuple[str, ...]) -> None:
    folder.mkdir()
    for name in names:
        if (work / name).is_dir():
            shutil.copytree(work / name, folder / name)
        elif (work / name).exists():
            shutil.copy(work / name, folder / name)
    if "models" in names:
        database = sqlite3.connect(work / "registry.db")
        text = "\n".join(database.iterdump()) + "\n"
        database.close()
        # The second is of MLflow's own experiment, which nothing uses.
        for path in (work.resolve(), Path.cwd()):
            text = text.replace(str(path), "@WORK_DIR@")
        (folder / "registry.sql.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def _messages(settings: Settings, folder: Path) -> None:
    folder.mkdir(parents=True)
    target = settings.target
    ledger = [message.value() for message in read(settings.sink, settings.ledger_topic)]
    (folder / "ledger.jsonl").write_bytes(b"".join(value + b"\n" for value in ledger))
    # Candidates with and without a probability.
    sent = list(read(settings.sink, target.candidates_topic))
    sent = [*sent[: _CANDIDATES // 2], *sent[_CANDIDATES // 2 :][-_CANDIDATES // 2 :]]
    keys = {message.key() for message in sent}
    (key,) = keys
    (folder / "candidate.avsc").write_bytes(key)
    (folder / "candidates.json").write_text(_json([_text(message.value()) for message in sent]))
    dead = [
        {
            "headers": {name: value.decode() for name, value in message.headers()},
            "key": _text(message.key()),
            "value": _text(message.value()),
        }
        for message in read(settings.sink, settings.dead_letter_topic)
    ]
    (folder / "dead_letters.json").write_text(_json(dead))


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _json(value: Any) -> str:
    return json.dumps(value, indent=1) + "\n"


def _bundles(folder: Path) -> None:
    """Models of all estimators by the default target's features, of noise and one that tells."""
    folder.mkdir()
    target = load_settings(environment={}, starting_set=None, test_set=None).target
    names = FeatureSet.from_settings(target.features).names
    rng = np.random.default_rng(15)
    values = rng.normal(size=(160, len(names)))
    positive = values[:, 0] + 0.8 * rng.normal(size=len(values)) > 0
    values[rng.random(values.shape) < 0.1] = np.nan
    objects = np.array([f"ZTF26{i // 2:04d}" for i in range(len(values))], object)
    at_random = np.full(len(values), "random", object)
    training = TrainingSet(objects, np.arange(len(values)), positive, values, at_random)
    inputs = rng.normal(size=(40, len(names)))
    inputs[rng.random(inputs.shape) < 0.1] = np.nan
    inputs[0] = np.nan
    table = pd.DataFrame(inputs, columns=list(names))
    for kind in ("random_forest", "informed_forest", "gradient_boosting"):
        prior = target.model.prior.model_copy(update={"skies": 1, "alerts": 120})
        changes = {"estimator": kind, "n_estimators": 6, "calibrate_from": 10, "prior": prior}
        model = target.model.model_copy(update=changes)
        made = fit(training, target.model_copy(update={"model": model}), "1")
        print(kind, made.manifest["calibration"])
        (folder / f"{kind}.zip").write_bytes(made.to_bytes())
        table[kind] = made.predict(inputs)
    table.to_parquet(folder / "inputs.parquet")


def _campaign(folder: Path) -> None:
    folder.mkdir()
    target = load_settings(environment={}, starting_set=None, test_set=None).target
    model = target.model.model_copy(update={"estimator": "random_forest", "n_estimators": 6})
    rng = np.random.default_rng(15)
    row = np.repeat(np.arange(60), 2)
    positive = row % 2 == 0
    values = rng.normal(size=(len(row), 3))
    values[:, 0] += 2 * positive
    columns = {
        "values": values,
        "positive": positive,
        "row": row,
        "object_id": np.array([f"ZTF26{i:04d}" for i in row]),
        "types": np.where(positive, "SN Ia", "SN II"),
        "night": 61000 + row % 20,
        "mag": rng.uniform(17, 20.5, len(row)),
        "published": rng.random(len(row)) < 0.5,
    }
    np.savez_compressed(folder / "alerts.npz", **columns)
    words = {name: columns[name].astype(object) for name in ("object_id", "types")}
    alerts = LabelledAlerts(**columns | words, features=target.features)
    plan = Plan((Arm("random"), Arm("uncertainty")), seeds=1, labels=14)
    changed = target.model_copy(update={"model": model})
    run_all({None: alerts}, plan, changed, folder, processes=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
