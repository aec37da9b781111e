import subprocess
import sys
from pathlib import Path

import make
import numpy as np
import pyarrow.parquet as pq
import pytest

from fink_al.loop import Loop
from fink_al.settings import load_settings
from fink_al.training.examples import read_examples
from fink_al.training.teaching_set import read_teaching_set

DATA = Path(__file__).parents[2] / "data"
#: Objects of the starting set, positive ones among them, and alerts of the teaching set, of targets
#: of other sizes.
SIZES = dict.fromkeys(("microlensing", "microlensing_lsst"), (1400, 500, 1400))


@pytest.fixture(scope="module", params=make._TARGETS)
def settings(request):
    return make.settings_of(request.param)


def test_a_folder_holds_what_the_command_makes(settings, tmp_path):
    if settings.target.name in SIZES:
        pytest.importorskip("VBMicrolensing", reason="needs the extra 'lenses'")
    command = [sys.executable, DATA / "make.py", settings.target.name, "--output", tmp_path]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert len(told.splitlines()) == 3
    for name in make.SETS:
        ours, made = (
            folder / settings.target.name / f"{name}.parquet" for folder in (DATA, tmp_path)
        )
        rows, again = pq.read_table(ours), pq.read_table(made)
        assert rows.drop_columns("mag").equals(again.drop_columns("mag"))
        # The last bit of a logarithm depends on the processor.
        np.testing.assert_allclose(rows["mag"].to_numpy(), again["mag"].to_numpy(), rtol=1e-12)
        # Sizes differ by the footers, which follow pyarrow's version.
        assert made.stat().st_size == pytest.approx(ours.stat().st_size, rel=0.1)
        assert ours.stat().st_size < 1_000_000


def test_every_row_is_an_example_and_no_object_is_in_two_sets(settings):
    loop = Loop.open(settings)
    starting, test, teaching = (
        read_examples(loop, pq.read_table(DATA / settings.target.name / f"{name}.parquet"))
        for name in make.SETS
    )
    n, events, taught = SIZES.get(settings.target.name, (20, 10, 9000))
    assert (len(starting), starting.positive.sum(), len(test)) == (n, events, 600)
    assert 0.4 < test.positive.mean() < 0.7
    assert len(teaching) == taught
    assert 0.4 < teaching.positive.mean() < 0.7
    own = {*starting.object_id, *test.object_id}
    assert len(own) == n + 600
    assert not own & {*teaching.object_id}


def test_every_alert_of_the_teaching_set_is_read(settings):
    file = DATA / settings.target.name / "teaching_set.parquet"
    teaching = read_teaching_set(file, settings.target, settings.taxonomy)
    *_, taught = SIZES.get(settings.target.name, (20, 10, 9000))
    assert len(teaching) == len(teaching.rows) == taught
    names = teaching.rows["object_id"].to_numpy()
    assert (np.unique(names, return_counts=True)[1] > 1).any()


def test_a_target_that_reads_hosts_learns_from_hosts():
    settings = load_settings(
        environment={}, target={"features": {"context": ["host_mag", "galactic_latitude"]}}
    )
    rows = make.early_alerts(settings, seed=3, alerts_per_night=60)
    assert rows.column_names[:9] == [*make._COLUMNS, "host_mag"]
    assert 0 <= rows["host_mag"].null_count < len(rows) / 4
