"""Labels of fink-al 0.1.0: the store, its digest, counterparts, files of TNS."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq

from fink_al.labels.label import Label
from fink_al.labels.tns.folder import Fetched, TnsFolder
from fink_al.labels.verdict import conflicts, verdicts
from fink_al.loop import Loop


def judged(labels, settings):
    """Type, source, class and reason by object."""
    return {
        row["object_id"]: (row["type"], row["source"], row["positive"], row["reason"])
        for row in verdicts(labels, settings.target, settings.taxonomy).to_pylist()
    }


def test_what_each_object_is(ztf):
    assert judged(Loop.open(ztf).labels, ztf) == {
        "ZTF25aapaaaa": ("SN Ia", "spectrum", True, None),
        "ZTF25aapaaac": ("SN Ia", "spectrum", True, None),  # superseded: it was SN II
        "ZTF25aapaaad": ("SN II", "TNS", None, "conflict"),
        "ZTF25aapaaae": ("unclassified", "spectrum", None, "unclassified"),
        "ZTF25aapaaaj": ("SN II", "spectrum", False, None),
        "ZTF25aapaaal": ("AGN", "person", False, None),  # settled
        "ZTF25aapaaan": ("SN Xyz", "spectrum", None, "unknown_type"),
        "ZTF25aapaaap": ("SN", "spectrum", None, "excluded"),
        "ZTF25aapaaas": ("SN Ia", "spectrum", True, None),  # by position
        "ZTF25aapaaat": ("SN Ia", "TNS", True, None),  # of TNS's catalogue
        "ZTF25aapaaau": ("SN Ib", "spectrum", False, None),
        "ZTF25aapaaav": ("SN II", "spectrum", False, None),
        "ZTF25aapaaax": ("SN Ia", "spectrum", True, None),
        "ZTF25aapaabb": ("SN Ib", "spectrum", False, None),
        "ZTF25aapaabg": ("SN Ib", "spectrum", False, None),
        "ZTF25aapaabh": ("SN Ia", "spectrum", True, None),
        "ZTF25aapaabo": ("SN Ia", "spectrum", True, None),
        "ZTF25aapaabt": ("SN II", "spectrum", False, None),
        "ZTF26aapaaao": ("SN Ia", "spectrum", True, None),
        "ZTF26aapaabd": ("SN Ib", "spectrum", False, None),
        "ZTF26aapaabr": ("SN Ib", "spectrum", False, None),
    }
    found = conflicts(Loop.open(ztf).labels.store, ztf.target, ztf.taxonomy)
    assert [(c.object_id, c.kind) for c in found] == [
        ("ZTF25aapaaad", "contradiction"),
        ("ZTF25aapaaan", "unknown_type"),
    ]


def test_all_words_are_kept(ztf):
    store = Loop.open(ztf).labels.store
    assert (len(store.read()), len(store.standing())) == (27, 24)
    history = store.history("ZTF25aapaaac").select(["type", "who", "stands"]).to_pylist()
    assert history == [
        {"type": "SN II", "who": "A", "stands": False},
        {"type": "SN Ia", "who": "A", "stands": True},
    ]


def test_the_digest_holds_what_its_files_do(ztf):
    folder = Path(ztf.labels_dir)
    rows = Loop.open(ztf).labels.store.read()
    digests = sorted(folder.glob("_digest-*"))
    assert len(digests) == 2
    for digest in digests:
        digest.unlink()
    assert Loop.open(ztf).labels.store.read().equals(rows)


def test_labels_as_of_a_time(ztf):
    first = sorted(Path(ztf.labels_dir).glob("2*.parquet"))[1]  # after the one of no labels
    stamp = first.name.partition("-")[0]
    until = datetime.strptime(stamp, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
    then = judged(Loop.open(ztf).labels_until(until).store, ztf)
    assert len(then) == 8
    assert then["ZTF25aapaaac"] == ("SN II", "spectrum", False, None)
    assert then["ZTF25aapaaad"] == ("SN Ia", "spectrum", True, None)


def test_a_label_joins_the_store_once(ztf):
    at = datetime(2026, 1, 8, tzinfo=UTC)
    label = Label("ZTF25aapaaae", "SN Ic", "spectrum", at, at, "C")
    assert Loop.open(ztf).labels.store.add([label]) == 1
    assert Loop.open(ztf).labels.store.add([label]) == 0
    assert judged(Loop.open(ztf).labels, ztf)["ZTF25aapaaae"] == ("SN Ic", "spectrum", False, None)


def test_a_label_of_a_list_joins_and_only_its_file_has_the_column(ztf):
    store = Loop.open(ztf).labels.store
    assert store.read()["list"].null_count == len(store.read())
    at = datetime(2026, 1, 8, tzinfo=UTC)
    store.add([Label("ZTF25aapaaae", "SN Ic", "spectrum", at, at, "C")])
    store.add([Label("ZTF25aapaaae", "SN Ic", "spectrum", at, at, "D", list=20260107)])
    has_list = [
        "list" in pq.read_schema(file).names for file in sorted(Path(ztf.labels_dir).glob("2*"))
    ]
    assert has_list == [False] * (len(has_list) - 1) + [True]
    assert Loop.open(ztf).labels.store.read()["list"].drop_null().to_pylist() == [20260107]


def test_counterparts(ztf):
    labels = Loop.open(ztf).labels
    (pair,) = labels.counterparts.to_pylist()
    assert (pair["said_of"], pair["object_id"]) == ("170032915988086813", "ZTF25aapaaas")
    assert round(pair["arcsec"], 3) == 0.5


class Asked:
    """A client of a TNS that has nothing."""

    def __init__(self):
        self.names = []

    def download(self, name, file):
        self.names.append(name)


def test_files_of_tns_that_are_there_are_not_fetched_again(ztf):
    client, folder = Asked(), TnsFolder(ztf.work_dir / "tns")
    at = datetime(2026, 1, 7, 1, 30, tzinfo=UTC)
    assert folder.fetch(client, lambda file: 1, now=at) == Fetched(0, 0, 0, 0)
    assert client.names == []
    folder.fetch(client, now=at.replace(day=8, hour=0))
    assert client.names == ["tns_public_objects_20260107.csv.zip"]
