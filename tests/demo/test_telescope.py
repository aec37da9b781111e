"""The telescope takes a list from the top, and says from which list."""

import pandas as pd
import pytest

from fink_al.demo import telescope
from fink_al.demo.oracle import Oracle
from fink_al.loop import Loop

NIGHT = 20260105
LISTED = pd.DataFrame(
    {
        "object_id": ["C", "Real", "A", "B"],
        "mag": [15.0] * 4,
        "list": pd.array([NIGHT] * 4, "Int64"),
    }
)


@pytest.fixture
def observe(settings, monkeypatch):
    """A telescope for two spectra a night before a list; its labels as stored."""
    loop = Loop.open(settings)
    truth = pd.DataFrame({"object_id": ["A", "B", "C"], "type": ["SN Ia", "SN II", "AGN"]})
    ours = telescope.Telescope(loop, Oracle(truth, settings.target.follow_up.exposure, 1), 2)

    def run(listed, names):
        monkeypatch.setattr(telescope, "tonight", lambda loop, night: (night, listed))
        ours.observe(NIGHT, [{"object_id": name} for name in names])
        return loop.labels.store.read().select(["object_id", "type", "list"]).to_pylist()

    return run


def test_the_first_of_the_list_are_taken(observe):
    # Another object is on the list: a real one, whose type nobody knows here.
    assert observe(LISTED, "ABC") == [
        {"object_id": "C", "type": "AGN", "list": NIGHT},
        {"object_id": "A", "type": "SN Ia", "list": NIGHT},
    ]


def test_a_night_without_lists_gives_labels_without(observe):
    rows = observe(LISTED.assign(list=pd.array([None] * 4, "Int64")), "AB")
    assert [row["list"] for row in rows] == [None, None]


def test_a_night_without_candidates_is_spent_in_bed(observe):
    assert observe(LISTED, "") == []
