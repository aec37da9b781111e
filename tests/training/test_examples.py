from datetime import UTC, datetime

import numpy as np
import pyarrow.parquet as pq
import pytest
from small_world import MJD, alert, table

from fink_al.features.feature_set import FeatureSet
from fink_al.labels.label import Label
from fink_al.loop import Loop
from fink_al.spark.nights.examples import archived_examples
from fink_al.training.examples import read_examples
from fink_al.training.nightly import examples_until

pytestmark = pytest.mark.spark

#: Ten hours after `MJD`.
OBSERVED = datetime(2026, 1, 10, 10, tzinfo=UTC)


def tell(settings, **types):
    labels = [Label(name, type, "spectrum", OBSERVED, OBSERVED) for name, type in types.items()]
    Loop.open(settings).labels.store.add(labels)


@pytest.fixture
def collect(spark):
    """What a nightly job learns from."""

    def of(settings):
        rows, _ = examples_until(Loop.open(settings), archived_examples, datetime.now(UTC))
        return read_examples(Loop.open(settings), rows)

    return of


def found(examples):
    rows = zip(examples.object_id, examples.alert_id, examples.positive, strict=True)
    return [(name, int(number), bool(positive)) for name, number, positive in rows]


def test_each_labelled_object_is_one_example(collect, settings, archive):
    archive(
        alert("Requested", 1, mjd=MJD - 1),
        alert("Requested", 2, is_candidate=True),
        alert("Known", 3, mjd=MJD - 2),
        alert("Unlabelled", 4, is_candidate=True),
    )
    archive(
        alert("Requested", 5, mjd=MJD + 0.1),
        alert("Known", 6, mjd=MJD - 1),
        alert("Known", 7, is_detected=False),
        alert("Failed", 8, is_candidate=True),
        alert("Blank", 9, is_detected=False, is_candidate=True),
    )
    tell(
        settings, Requested="SN Ia", Known="SN II", Failed="unclassified", Blank="SN Ia", Gone="CV"
    )
    assert found(collect(settings)) == [("Known", 6, False), ("Requested", 2, True)]


def test_an_alert_that_the_cuts_refuse_is_no_example(collect, settings, archive):
    archive(
        alert("Fading", 1, mjd=MJD - 9, reasons=["too_faint", "certain"]),
        alert("Fading", 2, reasons=["certain", "too_old"]),
        alert("Fading", 3, mjd=MJD - 12, reasons=[]),
        alert("Star", 4, reasons=["star"]),
        alert("Asked", 5, mjd=MJD - 1, is_candidate=True, reasons=[]),
        alert("Asked", 6, reasons=["already_published"]),
    )
    tell(settings, Fading="SN Ia", Star="CV", Asked="SN II")
    assert found(collect(settings)) == [("Asked", 5, False), ("Fading", 1, True)]


def test_no_example_comes_from_after_its_label(collect, settings, archive):
    observed = MJD + 10 / 24
    archive(
        alert("A", 1, mjd=observed - 1e-5),
        alert("A", 2, mjd=observed + 1e-5, is_candidate=True),
        alert("B", 3, mjd=observed + 1),
    )
    tell(settings, A="SN Ia", B="SN II")
    assert found(collect(settings)) == [("A", 1, True)]


def test_examples_have_the_features_of_their_alert(collect, settings, archive):
    rows = [alert("A", 1, peak_mag=17), alert("A", 2, mjd=MJD + 0.1, peak_mag=19)]
    archive(*rows)
    tell(settings, A="SN Ia")
    expected = read_examples(Loop.open(settings), table([rows[1] | {"type": "SN Ia"}]))
    np.testing.assert_array_equal(collect(settings).values, expected.values)
    names = FeatureSet.from_settings(settings.target.features).names
    assert expected.values[0, names.index("nrise_g")] == 6


def test_a_new_label_replaces_the_example_of_the_starting_set(collect, settings, archive, tmp_path):
    file = tmp_path / "starting_set.parquet"
    pq.write_table(table([alert("A", 1, type="SN Ia"), alert("B", 2, type="SN Ia")]), file)
    settings = settings.model_copy(update={"starting_set": file})
    assert found(collect(settings)) == [("A", 1, True), ("B", 2, True)]
    archive(alert("B", 3))
    tell(settings, B="AGN")
    assert found(collect(settings)) == [("A", 1, True), ("B", 3, False)]


def test_the_order_of_the_archive_does_not_matter(collect, settings, archive):
    rows = [alert(f"O{i}", i) for i in range(30)]
    tell(settings, **{f"O{i}": "SN Ia" for i in range(30)})
    archive(*rows[::-1])
    first = collect(settings)
    archive(*rows)
    assert found(collect(settings)) == found(first)
    assert collect(settings).snapshot == first.snapshot


def test_the_snapshot_follows_the_labels(collect, settings, archive):
    archive(alert("A", 1), alert("B", 2))
    snapshots = [collect(settings).snapshot]
    for name, type in (("A", "SN Ia"), ("B", "SN Ia"), ("B", "SN II")):
        tell(settings, **{name: type})
        snapshots.append(collect(settings).snapshot)
    assert len(set(snapshots)) == 4


def test_without_archive_or_labels_there_are_no_examples(collect, settings, archive):
    assert len(collect(settings)) == 0
    tell(settings, A="SN Ia")
    assert len(collect(settings)) == 0
    settings.archive_dir.local.mkdir(parents=True)
    assert len(collect(settings)) == 0
    archive(alert("B", 1))
    assert len(collect(settings)) == 0
