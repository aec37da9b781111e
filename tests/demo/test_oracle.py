import pandas as pd
import pytest

from fink_al.demo.oracle import Oracle
from fink_al.settings import Exposure

N = 4000
NAMES = [f"ZTF26{i:07d}" for i in range(N)]
TRUTH = pd.DataFrame({"object_id": NAMES, "type": ["SN Ia"] * (N - 1) + [None]})


def failed(magnitude):
    oracle = Oracle(TRUTH, Exposure(), seed=1)
    return sum(oracle.observe(name, magnitude) == "unclassified" for name in NAMES) / N


def test_faint_objects_stay_unclassified_more_often():
    found = [failed(mag) for mag in (17.0, 18.5, 19.5, 20.0)]
    assert found == pytest.approx([0.004, 0.076, 0.378, 0.622], abs=0.02)


def test_a_replay_agrees_and_another_attempt_is_another_spectrum():
    def types(seed, attempt):
        oracle = Oracle(TRUTH, Exposure(), seed)
        return [oracle.observe(name, 19.7, attempt) for name in NAMES[:200]]

    assert types(1, 1) == types(1, 1)
    assert types(1, 1) != types(1, 2)
    assert types(1, 1) != types(2, 1)


def test_a_spectrum_of_nothing_gives_no_type():
    assert Oracle(TRUTH, Exposure(), seed=1).observe(NAMES[-1], 10.0) == "unclassified"
    assert Oracle(TRUTH, Exposure(), seed=1).observe(NAMES[0], 10.0) == "SN Ia"


def test_an_unknown_object_is_an_error():
    with pytest.raises(KeyError, match="ZTF00zzzzzzz"):
        Oracle(TRUTH, Exposure(), seed=1).observe("ZTF00zzzzzzz", 19.0)
