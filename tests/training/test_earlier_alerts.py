import numpy as np
import pytest
from small_world import alert, informed, table

from fink_al.loop import Loop
from fink_al.models.calibration import with_earlier
from fink_al.training.examples import read_examples

ROWS = [
    alert("A", 1, type="SN Ia"),
    alert("Blank", 2, type="AGN", is_detected=False),
    alert("C", 3, type="AGN", peak_mag=19.0),
]


def until(row: dict, nights: int) -> dict:
    """The light curve of `row` up to one of its six nights."""
    keep = [i for i in range(12) if i % 6 < nights]
    return row | {
        name: [row[name][i] for i in keep]
        for name in ("cjd", "cfid", "cmagpsf", "csigmapsf", "cdiffmaglim")
    }


@pytest.fixture
def loop(settings):
    target = informed(settings.target, "informed_process")
    return Loop.open(settings.model_copy(update={"target": target}))


def test_an_example_brings_what_its_object_showed_in_earlier_nights(loop):
    training = read_examples(loop, table(ROWS))
    assert training.earlier.example.tolist() == [0] * 5 + [1] * 5
    shown = [until(row, nights) for row in (ROWS[0], ROWS[2]) for nights in range(1, 6)]
    expected = loop.features.extract(loop.light_curves(table(shown))).values
    np.testing.assert_array_equal(training.earlier.values, expected)


def test_a_fold_teaches_by_the_earlier_alerts_of_its_own_objects(loop):
    training = read_examples(loop, table(ROWS))
    use = np.array([False, True])
    values, positive, objects = with_earlier(
        training.values[use], training.positive[use], training.object_id[use],
        training.earlier.of(use),
    )  # fmt: skip
    assert (positive.tolist(), objects.tolist()) == ([False] * 6, ["C"] * 6)
    np.testing.assert_array_equal(values[1:], training.earlier.values[5:])


def test_a_random_forest_learns_from_one_alert_an_object(settings):
    settings = settings.model_copy(update={"target": informed(settings.target, "random_forest")})
    assert read_examples(Loop.open(settings), table(ROWS)).earlier is None
