"""LSST's columns become light curves; which points are left out, and that they are counted."""

import numpy as np
import pyarrow as pa
import pytest
from lsst_alerts import lsst_settings, real_records

from fink_al.alerts import light_curves
from fink_al.alerts.lsst import FORCED, LIGHT_CURVE
from fink_al.features.nightly import nightly_means

_NJY = 10 ** (-0.4 * 3.9)  # of FLUXCAL
_BANDS = "ugrizy"


@pytest.fixture(scope="module")
def survey():
    return lsst_settings().survey


def table(*rows):
    kinds = LIGHT_CURVE | FORCED
    return pa.Table.from_pylist(
        [dict.fromkeys(kinds) | row for row in rows], pa.schema(list(kinds.items()))
    )


def sources(*points):
    """Columns of points: time, band, flux, error, flag."""
    values = zip(*points, strict=True)
    return dict(zip(LIGHT_CURVE, map(list, values), strict=True))


def forced(*points):
    return dict(zip(FORCED, map(list, zip(*points, strict=True)), strict=True))


def points(curves):
    columns = (
        curves.mjd,
        curves.band,
        curves.flux / _NJY,
        curves.flux_err / _NJY,
        curves.is_forced,
    )
    return [tuple(np.round(row, 6).tolist()) for row in zip(*columns, strict=True)]


def test_fluxes_keep_their_sign_and_forced_photometry_is_no_detection(survey):
    curves = light_curves(
        table(
            sources((61000.1, 1, -500.0, 100.0, 0), (61001.1, 2, 900.0, 90.0, 0))
            | forced((60999.1, 1, -20.0, 100.0), (61000.2, 5, None, 100.0)),
            {},
            sources((61001.3, None, 3.0, 1.0, 0)),
        ),
        survey,
    )
    assert curves.offsets.tolist() == [0, 3, 3, 4]
    assert points(curves) == [
        (61000.1, 1, -500.0, 100.0, 0.0),
        (61001.1, 2, 900.0, 90.0, 0.0),
        (60999.1, 1, -20.0, 100.0, 1.0),
        (61001.3, -1, 3.0, 1.0, 0.0),
    ]
    assert curves.is_detection.tolist() == [True, True, False, True]
    assert curves.bands == tuple(_BANDS)
    # 1 nJy is AB 31.4, FLUXCAL's zero point 27.5: a source of AB 20 has 1000 FLUXCAL.
    twenty = light_curves(table(sources((61000.0, 2, 10**4.56, 1.0, 0))), survey)
    np.testing.assert_allclose(twenty.flux, [1000.0])


def test_one_point_an_exposure_is_left_and_the_others_are_counted(survey):
    curves = light_curves(
        table(
            sources(
                (61000.1, 1, 1.0, 0.1, 0),  # the last of one exposure stays
                (61000.1, 1, 2.0, 0.1, 0),
                (61000.1, 2, 3.0, 0.1, 0),  # another band is another exposure
                (61002.1, 1, 4.0, 0.1, 1),  # could not be fitted
            )
            | forced(
                (61000.1, 1, 1.5, 0.1),  # the same light as the source's
                (61002.1, 1, 4.5, 0.1),  # stands for what could not be fitted
                (61002.1, 1, 4.6, 0.1),
            ),
            sources((61000.1, 1, 7.0, 0.1, 0)),  # of another alert
            sources((61000.1, 1, 8.0, 0.1, 1)),
        ),
        survey,
    )
    assert points(curves) == [
        (61000.1, 1, 2.0, 0.1, 0.0),
        (61000.1, 2, 3.0, 0.1, 0.0),
        (61002.1, 1, 4.5, 0.1, 1.0),
        (61000.1, 1, 7.0, 0.1, 0.0),
    ]
    assert curves.offsets.tolist() == [0, 3, 4, 4]
    assert curves.context.to_pydict() == {"n_unfitted": [1, 0, 1], "n_repeated": [3, 0, 0]}


def test_a_night_in_chile_spans_two_dates(survey):
    # 2026-01-01 23:50 and 2026-01-02 09:10 are one night, 22:00 of that day is the next.
    times = [61041.993, 61042.382, 61042.917]
    assert [survey.night_of(mjd) for mjd in times] == [20260101, 20260101, 20260102]
    curves = light_curves(table(sources(*((t, 1, 5.0, 1.0, 0) for t in times))), survey)
    nights = nightly_means(curves)
    np.testing.assert_allclose(nights.mjd, [np.mean(times[:2]), times[2]])


def test_the_longest_real_histories(survey, shared_data):
    rows, lengths, repeated, unfitted = [], [], [], []
    for record in real_records(shared_data):
        own = [*(record["prvDiaSources"] or []), record["diaSource"]]
        own = [(*_point(source), int(bool(source["psfFlux_flag"]))) for source in own]
        around = [_point(source) for source in record["prvDiaForcedSources"] or []]
        rows.append(sources(*own) | (forced(*around) if around else {}))
        sound = [*(p for p in own if not p[4]), *around]
        lengths.append(len({p[:2] for p in sound}))
        repeated.append(len(sound) - lengths[-1])
        unfitted.append(sum(p[4] for p in own))
    curves = light_curves(table(*rows), survey)
    assert np.diff(curves.offsets).tolist() == lengths
    assert curves.context.to_pydict() == {"n_unfitted": unfitted, "n_repeated": repeated}
    # Most exposures that have a source have forced photometry, and one has two sources.
    assert (repeated[:25], sum(repeated) > 1000) == ([0] * 25, True)
    assert sum(unfitted) == 14


def _point(source):
    band = _BANDS.index(source["band"])
    return source["midpointMjdTai"], band, source["psfFlux"], source["psfFluxErr"]
