import numpy as np
import pyarrow as pa
import pytest

from fink_al.features.counted import Counted
from fink_al.lightcurve import LightCurves


def alert(count, first, limit=False):
    """Two detections and forced photometry until MJD 60010, and what the survey counted."""
    return LightCurves(
        offsets=np.array([0, 3]),
        mjd=np.array([60000.0, 60005.0, 60010.0]),
        band=np.array([0, 1, 1]),
        flux=np.array([100.0, 120.0, 150.0]),
        flux_err=np.full(3, 10.0),
        is_upper_limit=np.array([False, limit, False]),
        is_forced=np.array([True, False, False]),
        bands=("g", "r"),
        context=pa.table(
            {
                "n_detections": pa.array([count], pa.float64()),
                "first_detection_mjd": pa.array([first], pa.float64()),
            }
        ),
    )


@pytest.mark.parametrize(
    ("count", "first", "limit", "expected"),
    [
        (40, 59000.0, False, (1010, 38)),
        (40, 59000.0, True, (1010, 39)),
        (2, 60005.0, False, (5, 0)),
        (1, 60005.0, False, (5, 0)),  # the survey has not counted all of the packet yet
        (None, 59000.0, False, (1010, np.nan)),
        (40, None, False, (5, 38)),  # the packet's first detection stands for the survey's
        (40, None, True, (0, 39)),
    ],
)
def test_counts_what_is_not_in_the_packet(count, first, limit, expected):
    values, codes = Counted().extract(alert(count, first, limit))
    assert values[0] == pytest.approx(expected, nan_ok=True)
    assert codes[0] == 0


def test_a_packet_without_counts_says_so():
    values, codes = Counted().extract(alert(None, None))
    assert np.isnan(values).all()
    assert Counted.reasons[codes[0]] == "not_counted"
