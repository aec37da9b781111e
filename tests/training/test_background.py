import numpy as np
import pytest
from archive_files import put_rows
from small_world import sky, table

from fink_al.loop import Loop
from fink_al.training.background import archived_background, beside_of


@pytest.fixture
def loop(settings, tmp_path):
    model = settings.target.model.model_copy(update={"estimator": "pine_forest"})
    target = settings.target.model_copy(update={"model": model})
    return Loop.open(settings.model_copy(update={"target": target, "work_dir": tmp_path / "work"}))


def rows(name, n, first=0):
    return table([row | {"alert_id": first + i} for i, row in enumerate(sky(name, n))])


def test_without_alerts_there_is_no_background(loop):
    assert beside_of(loop, None) is None


def test_alerts_of_the_last_nights_are_the_background(loop):
    for night, first in ((20260101, 0), (20260102, 100), (20260103, 200)):
        put_rows(loop.archive, night, rows(f"N{first}", 3, first))
    every, last = (archived_background(loop, nights=nights) for nights in (3, 1))
    assert (len(every.values), len(last.values)) == (3 * len(last.values), len(last.values))
    assert len(last.values) > 2
    assert every.identity != last.identity
    assert beside_of(loop, None).identity == every.identity


def test_the_same_alerts_are_drawn_whatever_the_order_of_the_files(loop):
    for first in (0, 100):
        put_rows(loop.archive, 20260101, rows(f"N{first}", 6, first), f"part-{first}")
    some = archived_background(loop, alerts=5)
    assert len(some.values) == 5
    again = archived_background(loop, alerts=5)
    assert again.identity == some.identity
    np.testing.assert_array_equal(again.values, some.values)


def test_only_features_that_the_model_looks_at_are_kept(loop):
    put_rows(loop.archive, 20260101, rows("N", 3))
    target = loop.target
    model = target.model.model_copy(update={"without_features": ("colour",)})
    narrow = loop.with_target(target.model_copy(update={"model": model}))
    columns = loop.features.columns(("colour",))
    whole, part = archived_background(loop).values, archived_background(narrow).values
    np.testing.assert_array_equal(part, whole[:, columns])
    assert part.shape[1] < whole.shape[1]
