"""Alerts of before a target joined are judged later, in no list, while others keep theirs."""

import threading

import pandas as pd
import pytest
from streaming import archive, fill_night, published

from fink_al.audit.proof import audit
from fink_al.errors import FinkAlError
from fink_al.lists import read_list
from fink_al.loop import Loop
from fink_al.loops import Loops
from fink_al.spark.nights import fill as module
from fink_al.spark.nights.fill import fill, fill_since_last, lacking
from fink_al.spark.nights.replay import replay
from fink_al.spark.stream.pipeline import Pipeline

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


def drain(spark, *settings):
    loops = Loops(tuple(Loop.open(one) for one in settings))
    Pipeline(spark, loops).start(available_now=True).awaitTermination()


def rows_of(settings):
    found = archive(settings).sort_values("alert_id").reset_index(drop=True)
    return found.map(lambda value: tuple(value) if hasattr(value, "__len__") else value)


@pytest.fixture
def later(spark, world, sky):
    """A target that ran for both nights, and one that joined in the second."""
    first = world()
    name = f"{first.target.name}_later"
    second = world(name=name, candidates_topic=f"fink_{name}", joins="archive")
    fill_night(first, sky, sky.nights[0])
    drain(spark, first)
    fill_night(first, sky, sky.nights[1])
    drain(spark, first, second)
    return first, second


def test_earlier_nights_are_filled_once_and_nothing_is_published(spark, later, sky, monkeypatch):
    first, second = later
    before, sent = rows_of(first), published(second)
    loop, (early, late) = Loop.open(second), sky.nights
    n = lacking(loop.archive, early)
    assert n == (before["list"] == early).sum() > 0 == lacking(loop.archive, late)
    was_late = archive(second).query("list == @late")["alert_id"]

    # Files are replaced by another process meanwhile: the night is computed again.
    replaced, calls = module.replace_files, []

    def raced(kept, files, parts):
        if not calls:
            calls.append(1)
            kept.table.compact(early)
        return replaced(kept, files, parts)

    monkeypatch.setattr(module, "replace_files", raced)
    assert fill(loop, sky.nights) == {early: n}
    assert fill(loop, sky.nights) == {}

    pd.testing.assert_frame_equal(rows_of(first), before)
    rows = archive(second)
    assert len(rows) == len(before)
    filled = rows[rows["alert_id"].isin(before.query("list == @early")["alert_id"])]
    assert filled["reasons"].map(lambda names: names[-1]).unique().tolist() == ["filled_later"]
    assert not filled["is_candidate"].any()
    assert filled[["pi", "u", "priority", "t", "strategy"]].isna().all(axis=None)
    assert filled["p_reason"].eq("no_model").all()
    assert len(read_list(loop.archive, early)) == 0
    assert set(was_late) <= set(rows.query("strategy.notna()")["alert_id"])
    # Features are those of a replay, which computes them from the same light curves.
    names = ["alert_id", "mag_g", "reasons"]
    again = pd.DataFrame(replay(spark, loop, early).select(*names).collect(), columns=names)
    both = filled.merge(again, on="alert_id", suffixes=("", "_again"))
    assert len(both) == n
    pd.testing.assert_series_equal(both["mag_g"], both["mag_g_again"], check_names=False)
    cuts = set(second.target.cuts)
    pd.testing.assert_series_equal(
        both["reasons"].map(lambda r: cuts & set(r)),
        both["reasons_again"].map(lambda r: cuts & set(r)),
        check_names=False,
    )
    assert published(second) == sent
    for one in (first, second):
        for night in sky.nights:
            assert audit(Loop.open(one), night).faults == []


def test_the_nightly_job_looks_at_a_night_that_is_over_once(later, sky, monkeypatch):
    loop, said = Loop.open(later[1]), []
    fill_since_last(loop, said.append)
    assert [line.split(":")[0] for line in said] == [f"night {sky.nights[0]}"]
    monkeypatch.setattr(module, "lacking", None)  # it is not looked at again
    fill_since_last(loop, said.append)
    assert len(said) == 1


def test_a_night_with_a_damaged_file_stays_as_it_is(later, sky):
    loop = Loop.open(later[1])
    file, *_ = loop.archive.files(sky.nights[0])
    (loop.archive.folder.local / file).write_bytes(b"PAR1")
    with pytest.raises(FinkAlError, match="is damaged"):
        fill(loop, sky.nights[:1])


def test_a_stream_that_goes_on_meanwhile_loses_nothing(spark, later, sky):
    first, second = later
    n = len(archive(first))
    sent = fill_night(first, sky, sky.nights[0])  # the same night's alerts once more
    stream = threading.Thread(target=drain, args=(spark, first, second))
    stream.start()
    fill(Loop.open(second), sky.nights)
    stream.join()
    assert len(archive(first)) == len(archive(second)) == n + sent
