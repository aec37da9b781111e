"""Which labels the nightly job learns from."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
from small_world import OBSERVED, decided, sky, table

from fink_al.labels.counterparts import FOUND, counterparts_file
from fink_al.labels.label import Label
from fink_al.loop import Loop
from fink_al.models.model import read_manifest
from fink_al.training.inputs import read_inputs
from fink_al.training.nightly import retrain as retrain_with


def test_objects_of_the_test_set_are_not_learned_from(retrain, settings, tell):
    tell(sky("A", 10) + sky("Test", 10))
    summary = retrain(settings)
    assert summary.labels == {"in_test_set": 20, "example": 20}
    learned = read_manifest(Loop.open(settings).registry.load("1"))["labels"]["examples"]
    assert {name[0] for name, *_ in learned} == {"A"}


def test_a_wrong_label_that_is_corrected_leaves_no_trace(retrain, settings, tell, monkeypatch):
    tell(sky("A", 10))
    retrain(settings)
    tell(sky("B", 1), rightly=False)
    registry = Loop.open(settings).registry
    assert decided(retrain(settings)) == ("kept", "2", "1")
    registry.promote("2", "a mistake")
    tell(sky("B", 1), day=1)
    tell(sky("C", 1))
    assert decided(retrain(settings)) == ("promoted", "3", "3")
    # Once more the same examples as those of a former champion: it is judged again.
    Loop.open(settings).labels.store.add(
        Label(row["object_id"], "withdrawn", "person", OBSERVED)
        for row in sky("B", 1) + sky("C", 1)
    )
    summary = retrain(settings)
    assert (summary.version, summary.positive) == ("4", 10)
    assert list(summary.differences) == ["3", *({"1"} & set(summary.differences))]


def test_the_label_store_overrides_the_starting_set(retrain, settings, tell, tmp_path):
    file = tmp_path / "starting_set.parquet"
    pq.write_table(table(sky("Old", 10) + sky("Test", 1)), file)
    settings = settings.model_copy(update={"starting_set": file})
    seen = [("OldAGN0", "SN Ia"), ("OldAGN1", "SN"), ("OldAGN2", "unclassified")]
    Loop.open(settings).labels.store.add(
        Label(name, kind, "spectrum", OBSERVED) for name, kind in seen
    )
    summary = retrain(settings)
    # Two of the test set; one is another type, one excluded; without a type nothing changes.
    assert (summary.positive, summary.negative) == (11, 8)


def test_labels_come_by_position(retrain, settings, archive, archived, tmp_path):
    """Labels of another survey's objects teach, in the starting set too, and judge nothing."""
    alerts = sky("A", 10)
    archive(*alerts, *sky("Test", 1), *sky("B", 1))
    start = tmp_path / "start.parquet"
    pq.write_table(table(sky("Old", 1)), start)
    settings = settings.model_copy(update={"starting_set": start})
    place = {"ra_deg": 10.0, "dec_deg": 1.0}
    labels = [
        Label(f"Other{row['object_id']}", row["type"], "spectrum", OBSERVED, **place)
        for row in [*alerts, *sky("Test", 1)]
    ]
    labels.append(Label("TestAGN1", "AGN", "spectrum", OBSERVED, **place))
    labels.append(Label("OldAGN0", "SN Ia", "spectrum", OBSERVED, who="Ann", **place))
    Loop.open(settings).labels.store.add(labels)

    known = {"TestAGN1": "BAGN0", "OldAGN0": "AAGN0"}

    def matched(settings, places):
        names = places["object_id"].to_pylist()
        return pa.table(
            {
                "said_of": names,
                "object_id": [known.get(name, name.removeprefix("Other")) for name in names],
                "arcsec": [0.5] * len(names),
            }
        )

    told = []
    summary = retrain_with(Loop.open(settings), archived, told.append, matched)
    assert told[:2] == [
        "looking for 24 labelled positions in the archive",
        "24 labelled objects have another name in the archive, by position",
    ]
    # What the starting set calls by another name is one object, of the later label.
    assert summary.by_position == 24
    assert summary.labels == {"in_test_set": 3, "example": 19, "conflict": 1}
    learned = read_manifest(Loop.open(settings).registry.load("1"))["labels"]
    names = {name for name, *_ in learned["examples"]}
    assert names == {row["object_id"] for row in alerts} - {"AAGN0"} | {"OldSN Ia0"}
    # Labels as of then keep the names of then.
    until = datetime.fromisoformat(learned["until"])
    inputs = read_inputs(Loop.open(settings), until)
    assert inputs == learned["inputs"]
    retrain_with(Loop.open(settings), archived, print, lambda loop, places: FOUND.empty_table())
    assert read_inputs(Loop.open(settings), until) == inputs
    assert (
        read_inputs(Loop.open(settings), datetime.now(UTC))["counterparts"]
        != inputs["counterparts"]
    )
    counterparts_file(settings.archive_dir).local.unlink()
    assert read_inputs(Loop.open(settings), until)["counterparts"] != inputs["counterparts"]
