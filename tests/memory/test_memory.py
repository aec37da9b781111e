"""The memory as of a night is what all packets up to it had, each epoch once."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from remembered import BANDS, FIRST, Sky, curves, night

from fink_al.errors import ServiceError, SettingsError
from fink_al.features.past_columns import past_columns
from fink_al.memory.files import Files
from fink_al.memory.memory import Memory, forget
from fink_al.memory.rows import Rows, joined
from fink_al.memory.spans import Span, chain, kept, mjd_of, shifted, spans_of, tail
from fink_al.storage.place import Place

WINDOW = 10


@pytest.fixture(scope="module")
def sky():
    return Sky(window=WINDOW)


def memory_of(place, **changes):
    return Memory(Place(place), BANDS, WINDOW, **changes)


def fill(memory, sky, days):
    for day in days:
        if sky.alerts[day].any():
            assert memory.update(night(day), sky.of(day))


def check(memory, sky, day, until=None):
    """The look-up of alerts `WINDOW` nights after `day`."""
    found = memory.lookup(night(day + WINDOW))
    until = day if until is None else until
    assert (found.since, found.until) == (FIRST, night(until))
    columns = found.columns(sky.keys)
    assert tuple(columns) == past_columns(BANDS)
    epochs = [sky.epochs(i, until) for i in range(len(sky.keys))]
    for b, band in enumerate(BANDS):
        own = [[p for p in of_object if p[1] == b] for of_object in epochs]
        np.testing.assert_array_equal(columns[f"past_n_{band}"], [len(o) for o in own])
        means = [np.mean([p[2] for p in o]) if o else np.nan for o in own]
        np.testing.assert_allclose(columns[f"past_mean_{band}"], means)
        last = [o[-1][0] if o else np.nan for o in own]
        np.testing.assert_allclose(columns[f"past_last_{band}"], last, rtol=1e-12)


def test_every_epoch_counts_once_as_of_every_night_that_is_kept(sky, tmp_path):
    memory = memory_of(tmp_path, keep_nights=20)
    fill(memory, sky, range(50))
    assert memory.nights_until == night(49)
    for day in range(29, 50):
        check(memory, sky, day)
    assert not memory.update(night(49), sky.of(49))  # once more
    check(memory, sky, 49)
    check(memory, sky, 53, until=49)  # nights that are not remembered yet
    # A night without alerts is one of the memory's as well.
    assert memory.update(night(53), [])
    assert memory.lookup(night(53 + WINDOW)).until == night(53)
    files = memory._files.spans()
    assert len(chain(files, night(53))) < 8
    assert set(files) == kept(files, 20)


def test_nights_without_alerts_between_are_covered(sky, tmp_path):
    memory = memory_of(tmp_path)
    fill(memory, sky, range(8))  # nights 3 to 5 have no alerts
    check(memory, sky, 6)
    check(memory, sky, 4, until=2)  # the last night with alerts, and the record is the same
    assert spans_of(memory.place.names()) == memory._files.spans()


def test_without_memory_all_is_null_and_an_unknown_object_has_no_epochs(sky, tmp_path):
    memory = memory_of(tmp_path / "later")
    nothing = memory.lookup(night(20)).columns(sky.keys)
    assert all(np.isnan(column).all() for column in nothing.values())
    fill(memory, sky, range(3))
    assert all(np.isnan(c).all() for c in memory.lookup(night(9)).columns(sky.keys).values())
    unknown = memory.lookup(night(15)).columns(np.array([7, 5, 7]))
    filled = {name: c.tolist() for name, c in unknown.items() if not np.isnan(c).all()}
    assert filled == {
        "past_since": [mjd_of(FIRST)] * 3,
        "past_n_g": [0.0] * 3,
        "past_n_r": [0.0] * 3,
    }
    assert memory.lookup(night(15)).columns(np.array([], np.int64))["past_n_g"].shape == (0,)


def test_nights_that_begin_at_noon_end_at_noon(tmp_path):
    memory = memory_of(tmp_path, day_start=0.5)
    noon = mjd_of(FIRST) + 0.5
    points = [(noon + hours / 24, 0, 100.0, 10.0) for hours in (1, 23, 25)]
    memory.update(FIRST, [(np.array([7]), curves([points]))])
    columns = memory.lookup(night(WINDOW)).columns(np.array([7]))
    assert columns["past_since"].tolist() == [noon]
    assert columns["past_n_g"].tolist() == [2.0]


def test_a_crash_after_any_write_changes_nothing_that_is_seen(sky, tmp_path, monkeypatch):
    memory = memory_of(tmp_path, keep_nights=3)
    fill(memory, sky, range(12))
    for step in ("_merge", "_remove"):
        copy = memory_of(tmp_path.with_name(f"crash{step}"), keep_nights=3)
        shutil.copytree(tmp_path, copy.place.local)

        def crash(self):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Memory, step, crash)
            with pytest.raises(KeyboardInterrupt):
                copy.update(night(12), sky.of(12))
        check(copy, sky, 12)
        fill(copy, sky, range(13, 20))
        check(copy, sky, 19)
        assert set(copy._files.spans()) == kept(copy._files.spans(), 3)
        assert not [path for path in copy.place.local.iterdir() if "partial" in path.name]


def test_an_error_of_the_alerts_leaves_the_memory_as_it_was(sky, tmp_path):
    memory = memory_of(tmp_path)
    fill(memory, sky, range(3))
    before = memory.place.names()

    def broken():
        yield sky.of(6)[0]
        raise ServiceError("the archive is gone")

    with pytest.raises(ServiceError, match="gone"):
        memory.update(night(6), broken())
    assert memory.place.names() == before
    assert memory.update(night(6), sky.of(6))


def test_two_updates_at_once_lose_nothing(sky, tmp_path):
    fill(memory_of(tmp_path), sky, range(10))
    with ThreadPoolExecutor(2) as both:
        done = list(both.map(lambda _: memory_of(tmp_path).update(night(10), sky.of(10)), "ab"))
    assert sorted(done) == [False, True]
    check(memory_of(tmp_path), sky, 10)


def test_other_bands_and_damaged_files_are_refused(sky, tmp_path):
    fill(memory_of(tmp_path), sky, range(1))
    with pytest.raises(SettingsError, match="of the bands g, r, and not of g, r, i: name"):
        Memory(Place(tmp_path), ("g", "r", "i"), WINDOW).lookup(night(30))
    (file,) = tmp_path.glob("*.arrow")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ServiceError, match=f"{file.name} is damaged"):
        memory_of(tmp_path).lookup(night(30))


@pytest.mark.parametrize("layout", [b"1", b"3"])
@pytest.mark.parametrize("columns", [["key", "band", "sums", "counts"], ["key"]])
def test_a_file_of_another_layout_is_refused_with_the_way_to_fill_the_memory(
    layout, columns, sky, tmp_path
):
    fill(memory_of(tmp_path), sky, range(1))
    (file,) = tmp_path.glob("*.arrow")
    with pa.memory_map(str(file)) as source:
        table = pa.ipc.open_file(source).read_all().select(columns)
    table = table.replace_schema_metadata({**table.schema.metadata, b"fink_al_memory": layout})
    other = tmp_path / "other"
    with pa.ipc.new_file(str(other), table.schema) as writer:
        writer.write_table(table)
    other.replace(file)
    said = f"layout {layout.decode()} of the memory.* reads 2: remove all .* `fink-al archive rem"
    with pytest.raises(SettingsError, match=said):
        memory_of(tmp_path).lookup(night(30))


def test_wrong_bits_of_any_array_stop_the_job_and_are_not_merged(sky, tmp_path):
    memory = memory_of(tmp_path)
    fill(memory, sky, range(3))
    whole = {file: file.read_bytes() for file in tmp_path.glob("*.arrow")}
    newest = max(whole)
    with pa.memory_map(str(newest)) as source:
        batch = pa.ipc.open_file(source).get_batch(0)
    for name in batch.schema.names:
        numbers = batch[name] if batch[name].type.num_fields == 0 else batch[name].flatten()
        value = numbers.to_numpy()[-1:].tobytes()
        content = bytearray(whole[newest])
        content[content.rindex(value)] ^= 1
        newest.write_bytes(content)
        with pytest.raises(ServiceError, match=f"{newest.name} is damaged"):
            memory.update(night(10), sky.of(10))
        assert set(tmp_path.glob("*.arrow")) == set(whole)
    newest.write_bytes(whole[newest])
    assert memory.update(night(10), sky.of(10))


def test_a_lost_file_hides_what_is_after_it_and_stops_the_job(sky, tmp_path):
    memory = memory_of(tmp_path)
    fill(memory, sky, range(8))
    for path in tmp_path.glob("*.arrow"):
        if any(night(day) == int(path.stem[-8:]) for day in (6, 7)):
            path.unlink()
    memory._files.write(Span(night(7), night(7)), [])
    check(memory_of(tmp_path), sky, 7, until=2)
    with pytest.raises(ServiceError, match=f"lacks files before night {night(7)}: restore"):
        memory.update(night(8), sky.of(8))


def test_files_have_plain_columns_and_are_not_copied_when_read(sky, tmp_path):
    memory = memory_of(tmp_path)
    fill(memory, sky, range(1))
    (span,) = memory._files.spans()
    assert memory._files.open(span) is not None
    with pa.memory_map(str(tmp_path / span.name)) as source:
        batch = pa.ipc.open_file(source).get_batch(0)
    allocated = pa.total_allocated_bytes()
    rows = memory._files.open(span)
    assert pa.total_allocated_bytes() == allocated
    assert batch["key"].to_pylist() == rows.key.tolist() == sorted(rows.key)
    assert batch["sums"][0].as_py() == pytest.approx(rows.sums[0].tolist(), nan_ok=True)


def test_runs_are_joined_in_pieces_and_the_newest_counts():
    rng = np.random.default_rng(1)
    expected, runs = {}, []
    for age in range(4):
        keys = np.unique(rng.integers(0, 3000, 800))
        n = rng.integers(1, 3, len(keys))
        key = np.repeat(keys, n)
        band = np.concatenate([np.arange(k) for k in n]).astype(np.int8)
        runs.append(Rows(key, band, np.full((len(key), 11), age), np.zeros((len(key), 25), "u2")))
        expected |= {k: [(b, age) for b in range(m)] for k, m in zip(keys, n, strict=True)}
    pieces = list(joined(runs, piece_rows=100))
    assert len(pieces) > 5
    found: dict = {}
    for piece in pieces:
        for k, b, sums in zip(piece.key, piece.band, piece.sums, strict=True):
            found.setdefault(k, []).append((b, sums[0]))
    assert list(found) == sorted(expected)
    assert found == expected


def test_nights_and_sizes_say_which_files_count():
    names = ["20251230-20260102.arrow", "20260103-20260103.arrow", "20260101-20260102.arrow"]
    spans = spans_of([*names, "20260105-20260105.arrow", "notes.txt"])
    assert len(spans) == 4
    assert chain(spans, 20260104) == [Span(20260103, 20260103), Span(20251230, 20260102)]
    assert chain(spans, 20260105) == chain(spans, 20260104)  # a file is missing
    assert chain(spans, 20260101) == []
    assert shifted(20260301, -1) == 20260228
    assert [tail(sizes) for sizes in ([5], [5, 11], [5, 10, 31], [5, 10, 30, 100])] == [1, 1, 2, 3]


def test_a_remote_place_is_copied_once_a_machine(s3, sky, tmp_path, monkeypatch):
    monkeypatch.setenv("FINK_AL_CACHE", str(tmp_path / "cache"))
    place = Place(s3.uri) / tmp_path.name / "memory"
    memory = memory_of(place, keep_nights=2)
    fill(memory, sky, range(9))
    check(memory, sky, 8)
    copies = sorted((tmp_path / "cache" / "memory").glob("*/*.arrow"))
    times = [copy.stat().st_mtime_ns for copy in copies]
    assert {copy.name.partition("-")[2] for copy in copies} <= set(place.names())
    check(memory_of(place, keep_nights=5), sky, 8)
    assert [copy.stat().st_mtime_ns for copy in copies] == times
    assert isinstance(memory._files, Files)


def test_a_damaged_copy_is_fetched_again_and_a_damaged_original_is_named(
    s3, sky, tmp_path, monkeypatch
):
    monkeypatch.setenv("FINK_AL_CACHE", str(tmp_path / "cache"))
    place = Place(s3.uri) / tmp_path.name / "memory"
    fill(memory_of(place), sky, range(1))
    fetched = []
    fetch = Place.fetch
    monkeypatch.setattr(Place, "fetch", lambda *given: (fetched.append(given[1]), fetch(*given)))

    def copy():
        (file,) = (tmp_path / "cache" / "memory").glob("*/*.arrow")
        return file

    check(memory_of(place), sky, 0)
    sound = copy().read_bytes()
    wrong = bytearray(sound)
    wrong[len(wrong) // 2] ^= 1
    for content in (bytes(wrong), sound[:-100], b""):
        copy().write_bytes(content)
        forget()
        fetched.clear()
        check(memory_of(place), sky, 0)
        assert fetched == place.names()
        assert copy().read_bytes() == sound
    (name,) = place.names()
    place.write(name, bytes(wrong))
    copy().unlink()  # the server counts whole seconds: this may have the same version
    fetched.clear()
    for _ in range(3):  # batches of a stream
        forget()
        with pytest.raises(ServiceError, match=f"{place}/{name} is damaged .*checksum"):
            memory_of(place).lookup(night(WINDOW))
    assert fetched == [name, name]
