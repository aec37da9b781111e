from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fink_al.loop import Loop
from fink_al.settings import load_settings
from fink_al.simulation import datasets
from fink_al.training.examples import read_examples

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module", params=["early_snia", "early_snia_lsst"])
def settings(request):
    return load_settings(environment={}, target=request.param, starting_set=None, test_set=None)


@pytest.mark.parametrize("name", ["starting_set", "test_set"])
def test_a_file_holds_what_its_command_makes(name, settings):
    file = DATA / settings.target.name / f"{name}.parquet"
    assert pq.read_table(file).equals(getattr(datasets, name)(settings))
    assert file.stat().st_size < 1_000_000


def test_every_row_is_an_example_and_no_object_is_in_both_sets(settings):
    starting, test = (
        read_examples(
            Loop.open(settings), pq.read_table(DATA / settings.target.name / f"{name}.parquet")
        )
        for name in ("starting_set", "test_set")
    )
    assert (len(starting), starting.positive.sum(), len(test)) == (20, 10, 600)
    assert 0.4 < test.positive.mean() < 0.7
    assert len({*starting.object_id, *test.object_id}) == 620
