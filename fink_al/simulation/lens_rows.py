"""Rows of a survey's archive for simulated alerts of lenses and non-events."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.alerts import adapter
from fink_al.alerts.lsst import FLUXCAL_OF_NJY
from fink_al.alerts.ztf import MJD_OF_JD0
from fink_al.lightcurve import FLUXCAL_ZERO_POINT
from fink_al.settings import load_survey
from fink_al.simulation import lsst
from fink_al.simulation.exposures import DETECTION_SIGMA
from fink_al.simulation.lens_alerts import EVENT, PLANET, Sky, first_of_packets, packets_at
from fink_al.simulation.past import spans
from fink_al.simulation.periodic import PERIODIC

#: Type of each kind, in the words of ``conf/taxonomy.yml``; supernovae have their own.
TYPES = {
    EVENT: "Microlensing",
    PLANET: "Microlensing",
    "Mira": "Variable star",
    "Be star": "Variable star",
    "young star": "Variable star",
    "constant": "Variable star",
    **dict.fromkeys(PERIODIC, "Variable star"),
    "CV": "CV",
    "AGN": "AGN",
}

#: Light-curve columns: name, mask of the points in it, and values of all points.
Lists = Iterator[tuple[str, npt.NDArray[np.bool_], npt.NDArray]]

#: Zero point of the simulated exposures' forced fluxes [mag].
ZERO_POINT_MAG = 26.2

#: Decimals of what is written: JD, magnitudes, forced fluxes [DN], and what else is known.
_JD_DECIMALS, _MAG_DECIMALS, _FLUX_DECIMALS, _KNOWN_DECIMALS = 5, 4, 2, 4


def archived(
    sky: Sky, rows: npt.NDArray[np.int64], since_mjd: npt.NDArray[np.float64], seed: int
) -> pa.Table:
    """Return alerts as the archive holds them, with what a memory knew of them that night.

    A packet of ZTF has detections and non-detections with their limits, and forced photometry of
    all of them.

    Parameters
    ----------
    sky : Sky
        Objects.
    rows : int64 array, shape (m,)
        Points of its light curves that are alerts.
    since_mjd : float64 array, shape (m,)
        Begin of the memory for each [MJD], NaN without one.
    seed : int
        Begin of the objects' names: other seeds name other objects.

    Returns
    -------
    pyarrow.Table
        ``object_id type alert_id mjd band mag``, the context columns of
        :func:`fink_al.simulation.lens_alerts.packets_at`, and the survey's light-curve columns.
    """
    curves, owner = sky.curves, sky.curves.alert_of_point()[rows]
    names = sky.survey.sky.object_ids(
        pd.Series(sky.truth["peak_mjd"]), np.zeros(len(sky.truth), bool), seed
    )
    kinds = sky.truth["kind"].map(TYPES)
    types = kinds.where(kinds.notna(), sky.truth.get("type")).to_numpy()
    first = first_of_packets(curves, rows, sky.survey)
    of_alert, points = spans(first, rows + 1)
    own_mag, _ = _magnitudes(curves.flux[rows], curves.flux_err[rows])
    columns: dict[str, pa.Array] = {
        "object_id": pa.array(np.array(names)[owner], pa.string()),
        "type": pa.array(types[owner], pa.string()),
        "alert_id": pa.array(seed * 10**12 + rows),
        "mjd": pa.array(_jd(curves.mjd[rows]) - MJD_OF_JD0),
        "band": pa.array(np.array(curves.bands)[curves.band[rows]], pa.string()),
        "mag": pa.array(own_mag),
    }
    known = packets_at(sky, rows, since_mjd).context
    columns |= {
        name: pc.round(known[name].combine_chunks(), _KNOWN_DECIMALS) for name in known.column_names
    }
    # As exact as the alert's own time, which may be the first.
    first_mjd = _jd(known["first_detection_mjd"].to_numpy()) - MJD_OF_JD0
    columns["first_detection_mjd"] = pa.array(first_mjd, from_pandas=True)
    survey = adapter(load_survey(sky.survey.name))
    list_of = survey.LIGHT_CURVE | survey.FORCED
    for name, chosen, values in _LISTS[sky.survey.name](sky, points):
        counts = np.bincount(of_alert[chosen], minlength=len(rows))
        ends = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
        flat = pa.array(values[chosen], from_pandas=True).cast(list_of[name].value_type)
        columns[name] = pa.ListArray.from_arrays(ends, flat).cast(list_of[name])
    return pa.table(columns)


def _of_ztf(sky: Sky, points: npt.NDArray[np.int64]) -> Lists:
    """Yield ZTF's columns: detections and limits, then forced photometry of all points."""
    curves, every = sky.curves, np.ones(len(points), bool)
    flux, flux_err = curves.flux[points], curves.flux_err[points]
    mag, error = _magnitudes(flux, flux_err)
    scale = 10 ** (0.4 * (FLUXCAL_ZERO_POINT - ZERO_POINT_MAG))
    lists: dict[str, npt.NDArray] = {
        "cjd": _jd(curves.mjd[points]),
        "cfid": curves.band[points] + 1,
        "cmagpsf": mag,
        "csigmapsf": error,
        "cdiffmaglim": np.round(sky.limit_mag[points], _MAG_DECIMALS),
        "cisdiffpos": np.where(np.isnan(mag), np.nan, flux > 0),
        "fjd": _jd(curves.mjd[points]),
        "ffid": curves.band[points] + 1,
        "fflux": np.round(flux / scale, _FLUX_DECIMALS),
        "ffluxunc": np.round(flux_err / scale, _FLUX_DECIMALS),
        "fmagzp": np.full(len(points), ZERO_POINT_MAG),
    }
    for name, values in lists.items():
        yield name, every, values


def _jd(mjd: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.round(mjd + MJD_OF_JD0, _JD_DECIMALS)


def _magnitudes(flux, error) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return magnitudes and their errors, NaN where nothing is detected."""
    size = np.where(np.abs(flux) > DETECTION_SIGMA * error, np.abs(flux), np.nan)
    mag = FLUXCAL_ZERO_POINT - 2.5 * np.log10(size)
    return np.round(mag, _MAG_DECIMALS), np.round(2.5 / np.log(10) * error / size, _MAG_DECIMALS)


def _of_lsst(sky: Sky, points: npt.NDArray[np.int64]) -> Lists:
    """Yield LSST's columns: sources, then forced photometry of all points, in whole nJy."""
    curves = sky.curves
    flux, error = (
        np.round(values[points] / FLUXCAL_OF_NJY) * FLUXCAL_OF_NJY
        for values in (curves.flux, curves.flux_err)
    )
    mag, _ = _magnitudes(curves.flux[points], curves.flux_err[points])
    frame = pd.DataFrame(
        {
            "mjd": np.round(curves.mjd[points], _JD_DECIMALS),
            "band": curves.band[points].astype(int),
            "flux": flux,
            "flux_err": error,
            "mag": mag,
            "n_detections": 1,
            "is_moving": False,
        }
    )
    for name, chosen, values in lsst.lists(frame, np.zeros(len(points), np.int64)):
        yield name, chosen, values.to_numpy()


#: Light-curve columns of points, by the name of the survey.
_LISTS: dict[str, Callable[[Sky, npt.NDArray[np.int64]], Lists]] = {
    "ztf": _of_ztf,
    "lsst": _of_lsst,
}
