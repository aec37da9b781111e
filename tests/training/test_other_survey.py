"""Labels of one survey's objects teach a target of another one, by position alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from archive_files import put_rows
from lsst_alerts import lsst_settings
from small_world import MAGNITUDES

from fink_al.alerts.lsst import FORCED, LIGHT_CURVE
from fink_al.archive.reading import Archive
from fink_al.labels.counterparts import counterparts_file, read_counterparts
from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore
from fink_al.labels.verdict import verdicts
from fink_al.loop import Loop
from fink_al.models.model import read_manifest
from fink_al.spark.nights.counterparts import archived_counterparts
from fink_al.spark.nights.examples import archived_examples
from fink_al.spark.stream.known import Labelled, object_keys
from fink_al.training.history import reproduce
from fink_al.training.nightly import retrain

pytestmark = pytest.mark.spark

#: 2026-01-10 00:00 UTC, and ten hours later.
MJD, OBSERVED = 61050.0, datetime(2026, 1, 10, 10, tzinfo=UTC)
ARCSEC = 1 / 3600


@pytest.fixture
def settings(settings, tmp_path):
    """Settings of an installation on LSST whose label store lies elsewhere."""
    made = lsst_settings(work_dir=tmp_path, labels_path=str(tmp_path / "share"))
    LabelStore(made.labels_dir).make()
    return made.model_copy(
        update={"target": made.target.model_copy(update={"model": settings.target.model})}
    )


@pytest.fixture
def archive(settings):
    """Archives alerts: name, number, position and what else is not as ever."""

    def write(*alerts):
        types = {
            "object_id": pa.string(), "alert_id": pa.int64(), "mjd": pa.float64(),
            "is_candidate": pa.bool_(), "strategy": pa.string(), "informativeness": pa.float64(),
            "reasons": pa.list_(pa.string()), "ra": pa.float64(), "dec": pa.float64(),
        }  # fmt: skip
        rows = pa.Table.from_pylist(
            list(alerts), pa.schema([*(types | LIGHT_CURVE | FORCED).items()])
        )
        put_rows(Archive(settings.archive_dir), 20260109, rows)

    return write


def alert(object_id, alert_id, ra, dec, *, mag=18.0):
    """An alert of six nights in g and r."""
    days = np.arange(-5.0, 1.0)
    flux = 10 ** (-0.4 * (mag - 31.4)) / (1 + np.exp(-0.8 * (days + 3)))
    return {
        "object_id": object_id, "alert_id": alert_id, "mjd": MJD, "ra": ra, "dec": dec,
        "cmidpointMjdTai": [*(MJD + days)] * 2, "cband": [1] * 6 + [2] * 6,
        "cpsfFlux": [*flux] * 2, "cpsfFluxErr": [*(0.05 * flux)] * 2, "cflag": [0] * 12,
    }  # fmt: skip


def label(name, kind, ra, dec, day=0, source="TNS", evidence="1"):
    time = OBSERVED + timedelta(days=day)
    return Label(name, kind, source, time, time, None, evidence, None, ra, dec)


def found(settings, *labels, year=None):
    """Counterparts of `labels` in the archive: by the name of the store, name and distance."""
    rows = [(one.object_id, one.ra_deg, one.dec_deg, year) for one in labels]
    columns = [pa.array(column) for column in zip(*rows, strict=True)]
    columns[-1] = columns[-1].cast(pa.int32())
    names = ["object_id", "ra_deg", "dec_deg", "year"]
    pairs = archived_counterparts(Loop.open(settings), pa.table(columns, names))
    return {row["said_of"]: (row["object_id"], row["arcsec"]) for row in pairs.to_pylist()}


def test_a_label_of_another_survey_teaches_and_follows(spark, settings, archive):
    """Within half an arcsecond it is the same object, at three it is another one."""
    world = [(kind, mag + 0.03 * i) for kind, mag in MAGNITUDES.items() for i in range(6)]
    alerts = [alert(str(100 + i), i, 10.0 + i, -40.0, mag=mag) for i, (_, mag) in enumerate(world)]
    archive(*alerts, alert("200", 200, 50.0, -40.0))
    labels = [
        label(f"ZTF26{i}", kind, 10.0 + i, -40.0 + 0.5 * ARCSEC, evidence=str(i))
        for i, (kind, _) in enumerate(world)
    ]
    store = Loop.open(settings).labels.store
    store.add([*labels, label("ZTF26far", "SN Ia", 50.0, -40.0 + 3 * ARCSEC, evidence="far")])
    known = Labelled(spark, [Loop.open(settings)])

    def trained():
        summary = retrain(Loop.open(settings), archived_examples, print, archived_counterparts)
        manifest = read_manifest(Loop.open(settings).registry.load(summary.version))
        return summary, {name: is_ours for name, _, is_ours in manifest["labels"]["examples"]}

    first, examples = trained()
    assert first.by_position == 12
    assert first.labels == {"example": 12, "no_alert": 1}
    assert examples == {str(100 + i): kind == "SN Ia" for i, (kind, _) in enumerate(world)}
    pairs = read_counterparts(counterparts_file(settings.archive_dir))
    assert set(pairs["arcsec"].to_pylist()) == {0.5}

    # The stream, which runs, does not ask for these again.
    known.refresh()
    typed = set(known.typed.value.tolist())
    assert set(object_keys(spark, [*examples, "ZTF26far"])) <= typed
    assert not set(object_keys(spark, ["200"])) & typed

    # A type that changes and one that is withdrawn, under the other survey's names.
    store.add([replace(labels[0], type="AGN", modified=OBSERVED + timedelta(days=1))])
    store.add([label("ZTF261", "withdrawn", None, None, 1, "person", None)])
    second, examples = trained()
    assert second.labels == {"example": 11, "no_alert": 1}
    assert (examples["100"], "101" in examples) == (False, False)

    # What was learned from stays so: the first model is made again of the labels of then.
    archive(alert("300", 300, 12.0, -40.0 + 0.4 * ARCSEC))
    _, examples = trained()
    assert ("102" in examples, "300" in examples) == (False, True)
    again = reproduce(Loop.open(settings), first.version, archived_examples)
    assert (again.is_same, again.other_inputs) == (True, ())


def test_the_nearest_is_it_and_own_names_stay(spark, settings, archive):
    archive(
        alert("3", 1, 80.0, 5.0 + 0.6 * ARCSEC),
        alert("2", 2, 80.0, 5.0 - 0.6 * ARCSEC),
        alert("1", 3, 80.0, 5.0 + 0.9 * ARCSEC),
        alert("Own", 4, 90.0, 5.0),
        alert("9", 5, 90.0, 5.0 + 0.3 * ARCSEC),
        alert("Moved", 6, 95.0, 5.0),
    )
    places = [
        label("Tie", "SN Ia", 80.0, 5.0),
        label("Nearer", "SN Ia", 80.0, 5.0 + 1.3 * ARCSEC),
        label("Own", "SN Ia", 90.0, 5.0 + 0.2 * ARCSEC),  # nearer to another one
        label("Moved", "SN Ia", 90.0, 5.0),  # the archive has it elsewhere
        label("Lone", "SN Ia", 91.0, 5.0),
    ]
    assert found(settings, *places) == {"Tie": ("2", 0.6), "Nearer": ("1", 0.4)}
    assert found(settings, places[-1]) == {}
    # A supernova of long ago is another one: the archive's first alerts are of January 2026.
    assert found(settings, places[0], year=2025) == {"Tie": ("2", 0.6)}
    assert found(settings, places[0], year=2024) == {}


def test_an_object_lies_at_the_mean_of_its_alerts(spark, settings, archive):
    archive(
        alert("Wrapped", 1, 359.9999, 0.0),
        alert("Wrapped", 2, 0.0001, 0.0),
        alert("Pole", 3, 0.0, 90.0 - 0.5 * ARCSEC),
        alert("Pole", 4, 180.0, 90.0 - 0.5 * ARCSEC),
        # What moves has no place, though its mean is one.
        alert("ss7", 5, 120.0, 1.0),
        alert("ss7", 6, 120.0, 3.0),
        alert("Unknown", 7, None, None),
    )
    places = [
        label("A", "SN Ia", 360.0, ARCSEC),
        label("B", "SN Ia", 33.0, 90.0),
        label("C", "SN Ia", 120.0, 2.0),
    ]
    assert found(settings, *places) == {"A": ("Wrapped", 1.0), "B": ("Pole", 0.0)}


def test_the_join_over_the_sphere_finds_what_brute_force_finds(spark, settings, archive):
    rng = np.random.default_rng(5)
    n = 3000
    z = np.concatenate(
        [
            rng.uniform(-1, 1, n - 600),
            1 - 1e-11 * rng.uniform(0, 1, 300),
            -1 + 1e-11 * rng.uniform(0, 1, 300),
        ]
    )
    ra = np.concatenate([rng.uniform(0, 360, n - 100), 360 - rng.uniform(0, 1e-3, 100)])
    dec = np.degrees(np.arcsin(z))
    shift = rng.normal(0, 1.2 * ARCSEC, (2, n))
    other_dec = np.clip(dec + shift[0], -90, 90)
    other_ra = (ra + shift[1] / np.maximum(np.cos(np.radians(dec)), 1e-9)) % 360
    archive(*(alert(str(i), i, float(ra[i]), float(dec[i])) for i in range(n)))
    labels = [label(f"Z{i}", "CV", float(other_ra[i]), float(other_dec[i])) for i in range(n)]
    a, d, b, e = map(np.radians, (ra[None], dec[None], other_ra[:, None], other_dec[:, None]))
    half = np.sin((d - e) / 2) ** 2 + np.cos(d) * np.cos(e) * np.sin((a - b) / 2) ** 2
    apart = np.degrees(2 * np.arcsin(np.sqrt(half))) * 3600
    least = apart.min(axis=1)
    pairs = found(settings, *labels)
    has = np.flatnonzero(least <= 1.5)
    assert 500 < len(has) < n
    assert set(pairs) == {f"Z{i}" for i in has}
    # Of two that are equally far to a thousandth of an arcsecond either may be it.
    chosen, arcsec = zip(*(pairs[f"Z{i}"] for i in has), strict=True)
    assert np.abs(apart[has, np.array(chosen, int)] - least[has]).max() < 1e-3
    assert np.abs(np.array(arcsec) - least[has]).max() < 1e-3


def test_without_archive_or_positions_there_are_none(spark, settings, archive):
    summary = retrain(Loop.open(settings), archived_examples, print, archived_counterparts)
    assert (summary.outcome, summary.by_position) == ("too_few_labels", 0)
    assert not counterparts_file(settings.archive_dir).local.exists()
    archive(alert("1", 1, 10.0, 0.0))
    Loop.open(settings).labels.store.add([label("ZTF1", "SN Ia", None, None)])
    assert (
        retrain(Loop.open(settings), archived_examples, print, archived_counterparts).by_position
        == 0
    )
    Loop.open(settings).labels.store.add([label("ZTF1", "SN Ia", 10.0, 0.0, 1)])
    assert (
        retrain(Loop.open(settings), archived_examples, print, archived_counterparts).by_position
        == 1
    )
    said = verdicts(Loop.open(settings).labels, settings.target, settings.taxonomy)
    assert said["object_id"].to_pylist() == ["1"]
