"""The telescope of the demo: a plan, requests to a server with faults, and types."""

from collections import Counter

import pandas as pd
import pytest
from archive_files import put_rows
from simulated_lists import simulated_list

from fink_al.archive.reading import Archive
from fink_al.demo import telescope
from fink_al.demo.oracle import Oracle
from fink_al.loop import Loop
from fink_al.settings import load_settings

simulated = pytest.fixture(simulated_list, scope="module")


@pytest.fixture
def loop(tmp_path, simulated):
    settings = load_settings(work_dir=tmp_path, starting_set=None, test_set=None)
    put_rows(Archive(settings.archive_dir), *simulated)
    opened = Loop.open(settings)
    opened.labels.store.make()
    return opened


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_request_comes_to_an_end_whatever_the_server_does(loop, simulated, monkeypatch, seed):
    announced = []
    monkeypatch.setattr(telescope, "announce", lambda *record: announced.append(record))
    night, rows = simulated
    names = rows["object_id"].to_pylist()
    truth = pd.DataFrame({"object_id": names, "type": "SN Ia"})
    oracle = Oracle(truth, loop.target.follow_up.exposure, 1)
    with telescope.Telescope(loop, oracle, 5, seed) as ours:
        observed = ours.observe(night)
        states, faults = ours.states(), ours.faults
    assert sum(states.values()) == len(names)
    ends = {"drawn", "classified", "failed", "withdrawn", "expired"}
    assert set(states) <= ends
    assert sum(faults.values()) >= 1
    labels = loop.labels.store.read().to_pylist()
    assert len(labels) == len(observed.labels)
    current = loop.requests.current()
    spectra = [row for row in labels if row["source"] == "spectrum"]
    assert len(spectra) == observed.spectra
    for row in spectra:
        record = current[row["evidence"]]
        assert (record.object_id, record.list) == (row["object_id"], row["list"])
        assert record.state == "classified"
    withdrawn = [r for r in current.values() if r.state == "withdrawn" and r.begins is not None]
    assert len(announced) == len(withdrawn)
    kinds = Counter(row["source"] for row in labels)
    assert kinds["TNS"] <= 1
