"""Which labelled objects have odds, and that totals from them are right."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from archive_files import paths
from lists_of_alerts import alert, put

from fink_al.errors import ServiceError
from fink_al.labels.label import Label
from fink_al.lists import LISTED
from fink_al.loop import Loop
from fink_al.requests.record import Record, request_id
from fink_al.training import drawn
from fink_al.training.drawn import DRAWN, Spectra, drawn_of, read_drawn, write_drawn

DAY, MJD = 20260110, 61050.0
EPOCH = datetime(1858, 11, 17, tzinfo=UTC)


def at(mjd):
    return EPOCH + timedelta(days=mjd)


def spectrum(name, day=None, mjd=MJD + 0.6, type="SN Ia"):
    seen = at(mjd)
    return Label(name, type, "spectrum", seen, seen, "Ann", list=day)


@pytest.fixture
def loop(settings):
    """A loop whose list has objects A to F, by priority, all published."""
    loop = Loop.open(settings)
    assert loop.labels.store.version
    put(
        loop.archive,
        DAY,
        *(
            alert(name, i, MJD + 0.3, pi=2.0, u=(i + 1) / 10, p=0.1 * i, mag=18.0 + i)
            for i, name in enumerate("ABCDEF")
        ),
    )
    return loop


def written(loop, *labels):
    loop.labels.store.add(labels)
    said = []
    return write_drawn(loop, said.append), said[0]


def odds_of(table):
    return {(row["object_id"], row["list"]): row["odds"] for row in table.to_pylist()}


def test_whole_table(loop):
    table, said = written(
        loop,
        spectrum("A", DAY),
        spectrum("B", DAY, type="unclassified"),
        spectrum("C", DAY, type="SN II"),
        spectrum("E", DAY),  # D was not taken
        spectrum("F"),
        spectrum("X", DAY),
    )
    assert table.schema == DRAWN
    assert [list(row.values()) for row in table.to_pylist()] == [
        ["A", DAY, 2.0, 0.1, 0.05, 1e6, 0.2, 0.4, 0.0, "3", True, 18.0, 0, 1],
        ["B", DAY, 2.0, 0.2, 0.1, 1e6, 0.2, 0.4, 0.1, "3", None, 19.0, 1, 1],
        ["C", DAY, 2.0, 0.3, pytest.approx(0.15), 1e6, 0.2, 0.4, 0.2, "3", False, 20.0, 2, 1],
    ]
    assert said == (
        "drawn objects: 3 rows of 1 lists, 0 with odds of 1; labelled objects without odds: "
        "1 above_tau, 1 no_list, 1 not_in_list"
    )
    assert read_drawn(loop.archive) == table


def test_the_smallest_threshold_of_the_list_bounds_the_odds(loop):
    put(loop.archive, DAY, alert("G", 9, MJD + 0.4, u=0.9, t=0.12))
    table, _ = written(loop, *(spectrum(name, DAY) for name in "ABC"))
    assert odds_of(table) == {("A", DAY): 0.24, ("B", DAY): 0.24}


@pytest.mark.parametrize(
    ("label", "is_certain"),
    [
        (spectrum("A", mjd=MJD + 0.2), True),
        (spectrum("A", mjd=MJD + 0.4), False),  # perhaps because it was published
        (spectrum("A", DAY - 1, mjd=MJD + 0.4), True),  # from the list of the day before
        (spectrum("A", DAY - 1, mjd=MJD + 1.1), False),  # after this list closed
        (spectrum("A", mjd=MJD + 0.2, type="unclassified"), False),  # may be asked for again
    ],
)
def test_a_type_that_did_not_depend_on_the_draw_has_odds_of_1(loop, label, is_certain):
    table, _ = written(loop, label, spectrum("B", DAY), spectrum("D", DAY))
    # A is above B: if it could have been drawn and was not taken, nothing else has odds.
    expected = {("A", DAY): 1.0, ("B", DAY): pytest.approx(0.3)} if is_certain else {}
    assert odds_of(table) == expected


def test_a_type_that_changes_is_as_old_as_its_evidence(loop):
    before = Label("A", "SN II", "TNS", at(MJD), at(MJD), evidence="7")
    after = Label("A", "SN Ia", "TNS", at(MJD + 5), at(MJD + 5), evidence="7")
    table, _ = written(loop, before, after, spectrum("B", DAY))
    assert odds_of(table)["A", DAY] == 1


def test_lists_are_counted_whether_the_object_was_drawn_or_not(loop):
    put(
        loop.archive,
        DAY + 1,
        *(alert(name, 10, MJD + 1.3, u=u, p=0.7) for name, u in (("A", 0.9), ("B", 0.1))),
        *(alert(name, 11, MJD + 1.3, u=u) for name, u in (("Y", 0.2), ("Z", 0.3))),
    )
    put(loop.archive, DAY + 2, alert("B", 12, MJD + 2.3))
    table, _ = written(loop, spectrum("A", DAY), spectrum("B", DAY + 1, MJD + 1.6))
    found = [(row["object_id"], row["list"], row["odds"], row["p"], row["lists"])
             for row in table.to_pylist()]  # fmt: skip
    assert found == [
        ("A", DAY, 0.2, 0.0, 2),
        ("B", DAY + 1, 0.2, 0.7, 2),  # it was in the first list, too; nobody took from the third
        ("A", DAY + 1, 1.0, 0.7, 2),
    ]


def test_a_list_is_read_once_until_its_files_change(loop, monkeypatch):
    read = []
    whole = drawn.read_list
    monkeypatch.setattr(drawn, "read_list", lambda *a: read.append(a[1]) or whole(*a))
    assert len(written(loop, spectrum("A", DAY))[0]) == 1
    assert len(written(loop, spectrum("B", DAY))[0]) == 2
    retyped = replace(spectrum("A", DAY, type="SN II"), modified=at(MJD + 1))
    assert written(loop, retyped)[0]["positive"].to_pylist() == [False, True]
    assert read == [DAY]
    put(loop.archive, DAY, alert("G", 9, MJD + 0.4, u=0.15))
    assert odds_of(written(loop)[0]) == {
        ("A", DAY): pytest.approx(0.3), ("B", DAY): pytest.approx(0.3),
    }  # fmt: skip
    assert read == [DAY, DAY]
    (loop.archive.drawn_folder.local / f"list-{DAY}.parquet").write_bytes(b"torn")
    assert len(written(loop)[0]) == 2
    written(loop, Label("A", "withdrawn", "person", at(MJD + 1)))
    written(loop, Label("B", "withdrawn", "person", at(MJD + 1)))
    assert loop.archive.drawn_folder.names() == ["drawn.parquet"]
    assert len(read_drawn(loop.archive)) == 0


def test_labels_of_another_name_count(loop):
    from fink_al.labels.counterparts import FOUND, counterparts_file, write_counterparts

    pairs = pa.Table.from_pylist([{"said_of": "LSST1", "object_id": "A", "arcsec": 0.2}], FOUND)
    write_counterparts(counterparts_file(loop.archive.folder), pairs, at(MJD))
    table, _ = written(loop, spectrum("LSST1", DAY))
    assert odds_of(table) == {("A", DAY): pytest.approx(0.2)}


def test_without_labels_of_lists_nothing_of_the_archive_is_read(loop):
    (part,) = paths(loop.archive, DAY)
    part.write_bytes(b"torn")
    table, said = written(loop, spectrum("A"))
    assert len(table) == 0
    assert said.endswith("labelled objects without odds: 1 no_list")
    (loop.archive.drawn_folder.local / "drawn.parquet").write_bytes(b"torn")
    with pytest.raises(ServiceError, match=r"drawn\.parquet is not a table of drawn objects"):
        read_drawn(loop.archive)


class World:
    """Lists of objects that come again, and an observer who ends when clouds come.

    Every third night the observer also takes an object from further down the list.
    """

    def __init__(self, rng, objects=60, lists=5):
        self.positive = rng.random(objects) < 0.3
        self.is_in = rng.random((lists, objects)) < 0.5
        self.is_in[0] |= ~self.is_in.any(axis=0)
        score = np.clip(0.4 * self.positive[:, None] + 0.6 * rng.random((objects, lists)), 0, 1)
        self.pi = 0.8 * score.T / score.mean() + 0.2
        self.names = np.array([f"ZTF{i:04d}" for i in range(objects)])

    def listed(self, rng, day):
        here = np.flatnonzero(self.is_in[day - 1])
        pi, u = self.pi[day - 1, here], rng.random(len(here))
        t = 0.6 if day % 2 else 1e6
        constant = {"mag": 19.0, "p": 0.5, "t": t, "least_t": t, "mjd": day + 0.5,
                    "first_mjd": day + 0.5}  # fmt: skip
        columns = {name: np.full(len(here), value) for name, value in constant.items()}
        columns |= {"object_id": self.names[here], "alert_id": here, "pi": pi, "u": u}
        columns |= {"priority": u / pi, "model_version": ["1"] * len(here)}
        columns["is_published"] = columns["priority"] < t
        table = pa.table({name: columns[name] for name in LISTED.names}).cast(LISTED)
        return table.sort_by("priority")

    def campaign(self, rng):
        """Estimated numbers of objects and of positive ones; share of these among the rows."""
        taken, known, lists = {}, [], {}
        for day in range(1, len(self.is_in) + 1):
            lists[day] = self.listed(rng, day)
            typed = {name for name, _, _ in known}
            top = [row["object_id"] for row in lists[day].to_pylist()
                   if row["is_published"] and row["object_id"] not in typed]  # fmt: skip
            last = rng.integers(2, 12)
            chosen = top[:last] + (top[last + 3 : last + 4] if day % 3 == 0 else [])
            taken[day] = chosen
            known += [(name, day, day + 0.9) for name in chosen]
        kinds = [("object_id", pa.string()), ("list", pa.int32()), ("mjd", pa.float64())]
        columns = zip(*known, strict=True)
        table = pa.table([pa.array(c, k) for c, (_, k) in zip(columns, kinds, strict=True)],
                         [name for name, _ in kinds])  # fmt: skip
        spectra = Spectra(taken, table, frozenset())
        rows = pa.concat_tables([drawn_of(lists[day], day, day + 1, spectra)[0] for day in lists])
        at = np.searchsorted(self.names, rows["object_id"].to_numpy(zero_copy_only=False))
        weight = 1 / rows["odds"].to_numpy() / self.is_in.sum(axis=0)[at]
        return weight.sum(), weight[self.positive[at]].sum(), self.positive[at].mean()


def test_totals_and_shares_from_the_drawn_objects_are_right():
    rng = np.random.default_rng(1)
    world = World(rng)
    totals = np.array([world.campaign(rng) for _ in range(200)])
    truth = np.array([len(world.positive), world.positive.sum()])
    error = totals[:, :2].std(axis=0) / np.sqrt(len(totals))
    assert (np.abs(totals[:, :2].mean(axis=0) - truth) < 4 * error).all()
    assert (error < 0.03 * truth).all()
    share = totals[:, 1] / totals[:, 0]
    # Hajek's estimate has a bias of the order of one over the labels.
    assert abs(share.mean() - truth[1] / truth[0]) < 4 * share.std() / 14 + 0.01
    assert totals[:, 2].mean() > 1.15 * share.mean()  # the share among the objects taken


class Parts:
    """One list that two telescopes share; a fifth of its objects is beyond both."""

    def __init__(self, rng, objects=60):
        self.names = np.array([f"ZTF{i:04d}" for i in range(objects)])
        self.owner = rng.choice(["a", "b", ""], objects, p=[0.5, 0.3, 0.2])
        self.value = rng.random(objects) + 2 * (self.owner == "a")
        self.pi = rng.uniform(0.3, 1.7, objects)
        self.known = self.names[rng.random(objects) < 0.15]

    def campaign(self, rng, most=60):
        """Totals of ones and of values, from what the telescopes took."""
        n, u = len(self.names), rng.random(len(self.names))
        table = pa.table({
            "object_id": self.names, "alert_id": np.arange(n), "mjd": np.full(n, 1.5),
            "mag": np.full(n, 19.0), "p": np.full(n, 0.5), "model_version": ["1"] * n,
            "pi": self.pi, "u": u, "priority": u / self.pi, "t": np.full(n, 0.6),
            "first_mjd": np.full(n, 1.5), "least_t": np.full(n, 0.6),
            "is_published": u / self.pi < 0.6,
        }).cast(LISTED).sort_by("priority")  # fmt: skip
        published = table.filter(table["is_published"])["object_id"].to_pylist()[:most]
        owners = dict(zip(self.names, self.owner, strict=True))
        part = {name: owners[name] for name in published}
        taken = []
        for telescope, most_taken in (("a", rng.integers(2, 9)), ("b", rng.integers(2, 5))):
            mine = [name for name in published if owners[name] == telescope]
            open_ = [name for name in mine if name not in self.known]
            taken += open_[:most_taken]
            taken += open_[most_taken + 2 : most_taken + 3]  # one more, behind the first not taken
        known = [(name, None, 0.5) for name in self.known]
        kinds = [("object_id", pa.string()), ("list", pa.int32()), ("mjd", pa.float64())]
        columns = zip(*known, strict=True)
        statements = pa.table([pa.array(c, k) for c, (_, k) in zip(columns, kinds, strict=True)],
                              [name for name, _ in kinds])  # fmt: skip
        spectra = Spectra({1: taken}, statements, frozenset(), {1: part})
        rows, counts = drawn_of(table, 1, 2.0, spectra)
        assert counts["above_tau"] + len(set(rows["object_id"].to_pylist()) & set(taken)) == len(
            taken
        )
        at = np.searchsorted(self.names, rows["object_id"].to_numpy(zero_copy_only=False))
        assert (self.owner[at] != "").all()
        weight = 1 / rows["odds"].to_numpy()
        return weight.sum(), (weight * self.value[at]).sum()


@pytest.mark.parametrize("most", [60, 15])
def test_totals_over_parts_of_a_list_are_right(most):
    rng = np.random.default_rng(2)
    world = Parts(rng)
    totals = np.array([world.campaign(rng, most) for _ in range(1500)])
    can = world.owner != ""
    truth = np.array([can.sum(), world.value[can].sum()])
    error = totals.std(axis=0) / np.sqrt(len(totals))
    assert (np.abs(totals.mean(axis=0) - truth) < 4 * error).all()
    assert (error < 0.03 * truth).all()


def test_requests_tell_which_telescope_took_an_object(loop):
    """B is beyond the telescope, D was typed by others, E refused; F is behind it."""
    sent = at(MJD + 0.5)

    def record(rank, name, state, telescope="anu_2m3", **more):
        return Record(request_id("early_snia", DAY, name), "early_snia", "ztf", name, DAY, state,
                      at(MJD + 0.5), 0.0, 0.0, rank, 2.0, rank / 20, "entropy", telescope,
                      sent=sent, **more)  # fmt: skip

    loop.requests.change(lambda current: [
        record(1, "A", "classified", type="SN Ia"), record(2, "B", "drawn", None),
        record(3, "C", "classified", type="unclassified"),
        record(4, "D", "withdrawn", type="SN II"), record(5, "E", "failed"),
        record(6, "F", "classified", type="SN Ia"),
    ])  # fmt: skip
    table, said = written(loop, *(spectrum(name, DAY) for name in "ABF"),
                          spectrum("C", DAY, type="unclassified"),
                          spectrum("D", mjd=MJD + 0.9))  # fmt: skip
    tau = 0.25
    assert odds_of(table) == {(name, DAY): 2.0 * tau for name in "ACD"}
    assert set(table["tau"].to_pylist()) == {tau}
    assert "1 above_tau, 1 not_in_plan" in said
    loop.requests.change(lambda current: [
        one.now("expired", at(MJD + 0.6), sent=None) for one in current.values()])  # fmt: skip
    # Nothing was sent: the list was taken by whoever handed the labels in.
    assert {name for name, _ in odds_of(write_drawn(loop, print))} == set("ABC")
