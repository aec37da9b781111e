"""Which files are fetched, and that a run that ends anywhere is continued."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import tns_server
from click.testing import CliRunner
from tns_server import ENVIRONMENT, TnsServer, table, zipped

from fink_al.cli.main import cli
from fink_al.errors import FinkAlError, LabelError, ServiceError
from fink_al.labels.store import LabelStore
from fink_al.labels.tns.client import TnsClient
from fink_al.labels.tns.folder import Fetched, TnsFolder
from fink_al.storage.local import alone

_NOW = datetime(2026, 1, 6, 2, 30, tzinfo=UTC)
_FULL = "tns_public_objects.csv.zip"


def day(text):
    return f"tns_public_objects_{text}.csv.zip"


@pytest.fixture
def tns():
    """At half past two: the catalogue of the 3rd, two days, the hours 00 and 01, old 02 to 23."""
    server = TnsServer()
    server.files[_FULL] = table("2026-01-04 00:00:00", "1", "2", "3")
    for number in ("04", "05"):
        server.files[day(f"202601{number}")] = table(f"2026-01-{number} 00:00:00 - 23:59:59", "4")
    for hour in range(24):
        date = "2026-01-06" if hour < 2 else "2026-01-05"
        covers = f"{date} {hour:02}:00:00 - {hour:02}:59:59"
        server.files[day(f"{hour:02}")] = table(covers, "5")
    yield server
    server.close()


class Run:
    """Fetches into a folder, and keeps what was imported."""

    def __init__(self, tns, folder):
        self.tns, self.folder, self.imported = tns, folder, []

    def __call__(self, now=_NOW, import_file=None):
        self.tns.asked.clear()
        self.imported.clear()
        client = TnsClient(self.tns.url, environment=ENVIRONMENT, sleep=self.tns.sleep)
        return TnsFolder(self.folder).fetch(client, import_file or self.import_file, now=now)

    def import_file(self, file):
        self.imported.append(file.name)
        return 2

    def files(self):
        return sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*.zip*"))


@pytest.fixture
def run(tns, tmp_path):
    return Run(tns, tmp_path / "tns")


def test_first_the_catalogue_then_the_days_then_the_hours(tns, run):
    done = run()
    names = [_FULL, day("20260104"), day("20260105"), day("00"), day("01")]
    assert done == Fetched(5, sum(len(tns.files[name]) for name in names), 5, 10)
    assert tns.asked == names
    assert run.imported == [
        day("until_20260104"), day("20260104"), day("20260105"), day("20260106_00"),
        day("20260106_01"),
    ]  # fmt: skip
    assert run.files() == sorted(f"imported/{name}" for name in run.imported)


def test_again_only_what_is_new(tns, run):
    run()
    assert run() == Fetched(0, 0, 0, 0)
    assert tns.asked == []
    # Three hours later two hours are there, one is late.
    for hour in (2, 3):
        covers = f"2026-01-06 {hour:02}:00:00 - {hour:02}:59:59"
        tns.files[day(f"{hour:02}")] = table(covers, "6")
    del tns.files[day("04")]
    run(_NOW.replace(hour=5))
    assert run.imported == [day("20260106_02"), day("20260106_03")]
    run(_NOW.replace(hour=5))
    assert (tns.asked, run.imported) == ([day("04")], [])
    # After midnight the day is late, too; then it stands for its hours.
    run(datetime(2026, 1, 7, 0, 5, tzinfo=UTC))
    assert (tns.asked, run.imported) == ([day("20260106")], [])
    tns.files[day("20260106")] = table("2026-01-06 00:00:00 - 23:59:59", "7")
    run(datetime(2026, 1, 7, 0, 50, tzinfo=UTC))
    assert run.imported == [day("20260106")]
    assert run.files() == [
        f"imported/{name}"
        for name in [
            day("20260104"), day("20260105"), day("20260106"), day("until_20260104"),
        ]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("now", "asked"),
    [
        (datetime(2026, 2, 20, tzinfo=UTC), [_FULL]),  # the changes since then have expired
        (datetime(2026, 1, 8, tzinfo=UTC), [day("20260106"), _FULL]),  # never made
    ],
)
def test_where_a_day_will_not_come_the_catalogue_stands_for_it(tns, run, now, asked):
    run()
    tns.files[_FULL] = table(f"{now:%Y-%m-%d} 00:00:00", "8")
    run(now)
    assert (tns.asked, run.imported) == (asked, [day(f"until_{now:%Y%m%d}")])
    assert run.files() == [f"imported/{day(f'until_{now:%Y%m%d}')}"]


def test_after_a_week_the_catalogue_is_taken_again(tns, run):
    run()
    for number in range(6, 11):
        name = f"2026-01-{number:02}"
        tns.files[day(name.replace("-", ""))] = table(f"{name} 00:00:00 - 23:59:59", "6")
    run(datetime(2026, 1, 10, 0, 30, tzinfo=UTC))
    assert tns.asked == [day(f"202601{number:02}") for number in range(6, 10)]
    at = datetime(2026, 1, 11, 0, 30, tzinfo=UTC)
    # TNS's may be the old one yet: then it is not asked for again all day.
    run(at)
    assert tns.asked == [_FULL, day("20260110")]
    run(at)
    assert tns.asked == []
    tns.files[_FULL] = table("2026-01-12 00:00:00", "8")
    run(at.replace(day=12))
    assert (tns.asked, run.imported) == ([_FULL], [day("until_20260112")])
    assert run.files() == [f"imported/{day('until_20260112')}"]


def test_a_catalogue_that_does_not_close_the_gap_is_no_help(tns, run):
    run()
    tns.files[day("20260107")] = table("2026-01-07 00:00:00 - 23:59:59", "6")
    done = run(datetime(2026, 1, 8, tzinfo=UTC))
    assert tns.asked == [day("20260106"), _FULL, day("20260107")]
    assert done.failures == (
        "TNS has no changes of 2026-01-06, and no later catalogue. Run the command again later: "
        "the next catalogue has them.",
    )
    assert run.imported == [day("20260107")]
    assert [name for name in run.files() if "partial" in name] == []


class Killed(BaseException):
    """As a signal that nothing survives."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", range(5))
def test_killed_at_an_import_it_goes_on_there(tns, run, at, when):
    imported = []

    def import_file(file):
        dies = len(imported) == at
        if not (dies and when == "before"):
            imported.append(file.name)
        if dies:
            raise Killed
        return 1

    with pytest.raises(Killed):
        run(import_file=import_file)
    first = list(tns.asked)
    assert len(first) == at + 1
    run()
    assert not set(first) & set(tns.asked)
    again = [imported.pop()] if when == "after" else []
    assert imported + run.imported == [
        day("until_20260104"), day("20260104"), day("20260105"), day("20260106_00"),
        day("20260106_01"),
    ]  # fmt: skip
    assert run.imported[:1] == again or not again


@pytest.mark.parametrize("name", [_FULL, day("20260105"), day("01")])
def test_killed_in_a_download_it_fetches_that_file_again(tns, run, name, monkeypatch):
    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        tns.faults[name] = [tns_server.torn(tns.files[name])]
        patch.setattr(tns, "sleep", die)
        with pytest.raises(Killed):
            run()
    assert [f for f in run.files() if f.endswith(".partial")] == [f"{name}.partial"]
    run()
    assert tns.asked[0] == name
    assert len(run.files()) == 5
    assert all(file.startswith("imported/") for file in run.files())


def test_a_torn_file_in_the_folder_is_fetched_again(tns, run):
    client = TnsClient(tns.url, environment=ENVIRONMENT, sleep=tns.sleep)
    assert TnsFolder(run.folder).fetch(client, now=_NOW).files == 5  # nobody imports them
    torn = run.folder / day("20260104")
    torn.write_bytes(torn.read_bytes()[:-9])
    assert run().files == 1
    assert tns.asked == [day("20260104")]
    assert len(run.imported) == 5


def test_what_cannot_be_imported_waits_for_the_next_run(tns, run):
    def refuse(file):
        raise LabelError(f"{file.name} has no columns")

    with pytest.raises(LabelError):
        run(import_file=refuse)
    assert tns.asked == [_FULL]
    run()
    assert run.imported[0] == day("until_20260104")


def test_two_at_a_time_are_refused(tns, run):
    run.folder.mkdir(exist_ok=True)
    lock = alone(run.folder / "lock", FinkAlError("no other holds it"))
    with lock, pytest.raises(FinkAlError, match="Another fetch holds"):
        run()
    assert tns.asked == []


def test_the_command_says_each_file_and_the_sum(tns, tmp_path, monkeypatch, tns_table, tns_row):
    for name, value in {**ENVIRONMENT, "FINK_AL_WORK_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    text = tns_table(tns_row(), tns_row(18, "SN II", ra="far"), stamp=f'"{today} 00:00:00"\n')
    tns.files = {_FULL: zipped(text)}
    done = CliRunner().invoke(cli, ["labels", "fetch", "--url", tns.url])
    size = len(tns.files[_FULL])
    assert done.exit_code == 1
    said = done.output.splitlines()
    assert said[:2] == [
        f"tns_public_objects_until_{today.replace('-', '')}.csv.zip: {size} bytes, 1 new labels",
        f"1 files fetched, {size} bytes; 1 imported, 1 labels added.",
    ]
    rejects = Path(said[2].removeprefix("Rows rejected: "))
    assert "'far'" in rejects.read_text()
    assert (tmp_path / "tns" / "imported").is_dir()


def test_the_command_takes_back_what_is_gone_and_gives_back_what_is_back(
    tns, tmp_path, monkeypatch, tns_table, tns_row
):
    for name, value in {**ENVIRONMENT, "FINK_AL_WORK_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    other = tns_row(18, "SN II", internal_names="ZTF26bbbbbbb")
    whole, without = [tns_row(), other], [other]
    said = []
    # That a week has passed is said by the table, and by a folder that knows of none.
    for days, rows in [(14, whole), (7, without), (0, whole)]:
        covers = datetime.now(UTC) - timedelta(days=days)
        tns.files = {_FULL: zipped(tns_table(*rows, stamp=f'"{covers:%Y-%m-%d} 00:00:00"\n'))}
        for day_of in (covers + timedelta(days=n) for n in range(days)):
            stamp = f'"{day_of:%Y-%m-%d} 00:00:00 - 23:59:59"\n'
            tns.files[day(f"{day_of:%Y%m%d}")] = zipped(tns_table(stamp=stamp))
        shutil.rmtree(tmp_path / "tns", ignore_errors=True)
        done = CliRunner().invoke(cli, ["labels", "fetch", "--url", tns.url])
        assert done.exit_code == 0, done.output
        said += [line for line in done.output.splitlines() if line.startswith("ZTF")]
    assert said == [
        "ZTF26aaaaaaa, row 17 of TNS: gone, unclassified",
        "ZTF26aaaaaaa, row 17 of TNS: back, SN Ia",
    ]
    store = LabelStore(tmp_path / "labels")
    assert store.history("ZTF26aaaaaaa")["type"].to_pylist() == ["SN Ia", "unclassified", "SN Ia"]


def test_the_command_names_the_missing_variable(tns, tmp_path, monkeypatch):
    monkeypatch.setenv("FINK_AL_WORK_DIR", str(tmp_path))
    done = CliRunner().invoke(cli, ["labels", "fetch"])
    assert "lacks FINK_AL_TNS_API_KEY and FINK_AL_TNS_USER_AGENT" in str(done.exception)


def test_a_folder_that_cannot_be_used_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ServiceError, match=r"Cannot make .*imported: Not a directory\.$"):
        TnsFolder(tmp_path / "file")
    (tmp_path / "tns" / "lock").mkdir(parents=True)
    with pytest.raises(ServiceError, match=r"Cannot open the lock .*lock: Is a directory\.$"):
        TnsFolder(tmp_path / "tns").fetch(None)
