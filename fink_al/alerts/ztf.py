"""ZTF: the fields that are read from a packet, and light curves from its columns.

This file and ``points.py`` know ZTF's field names. The light curve travels and is archived in the
survey's own units under the names that Fink's jobs use (``cjd cfid cmagpsf csigmapsf
cdiffmaglim``: history first, then the alert itself) with the sign of each point beside them
(``cisdiffpos``); everything else has survey-neutral names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fink_al.alerts.lists import flat_lists, with_list
from fink_al.lightcurve import FLUXCAL_ZERO_POINT, LightCurves, flux_from_mag
from fink_al.settings import Survey

MJD_OF_JD0 = 2400000.5

#: Where alerts may come from, by the names of ``stream.source``.
SOURCES = ("kafka", "fink_science")

#: Cutouts, each a FITS file in gzip.
STAMPS = {f"cutout{name}": {"stampData": "bytes"} for name in ("Science", "Template", "Difference")}

#: Fields of the packet that are read, as Avro types, floats widened to double (exact). All of them
#: may be null: `IS_USABLE` says what an alert must have.
#: The writer's other fields, cutouts among them, are skipped while decoding.
FIELDS = {
    "schemavsn": "string",
    "objectId": "string",
    "candid": "long",
    "cdsxmatch": "string",  # only where a broker put its catalogue class into the packet
    "candidate": {
        "jd": "double",
        "fid": "int",
        "ra": "double",
        "dec": "double",
        "magpsf": "double",
        "sigmapsf": "double",
        "diffmaglim": "double",
        "isdiffpos": "string",
        "rb": "double",
        "drb": "double",
        "nbad": "int",
        "classtar": "double",
        "sgmag1": "double",
        "srmag1": "double",
        "simag1": "double",
        "sgscore1": "double",
        "distpsnr1": "double",
        "magnr": "double",
        "distnr": "double",
        "ssdistnr": "double",
        "ssnamenr": "string",
        "ndethist": "int",
        "jdstarthist": "double",
    },
    "prv_candidates": [
        {
            "jd": "double",
            "fid": "int",
            "magpsf": "double",
            "sigmapsf": "double",
            "diffmaglim": "double",
            "isdiffpos": "string",
        }
    ],
    "fp_hists": [  # forced photometry, since schema 4.02
        {
            "jd": "double",
            "fid": "int",
            "forcediffimflux": "double",
            "forcediffimfluxunc": "double",
            "magzpsci": "double",
        }
    ],
}

#: Light-curve columns and their Arrow types, as archived and as published.
LIGHT_CURVE = {
    "cjd": pa.list_(pa.float64()),
    "cfid": pa.list_(pa.int32()),
    "cmagpsf": pa.list_(pa.float64()),
    "csigmapsf": pa.list_(pa.float64()),
    "cdiffmaglim": pa.list_(pa.float64()),
    "cisdiffpos": pa.list_(pa.int32()),
}

#: Those of these columns that Fink's jobs join themselves.
FINK_LIGHT_CURVE = {name: kind for name, kind in LIGHT_CURVE.items() if name != "cisdiffpos"}

#: The same for forced photometry; these columns may be absent.
FORCED = {
    "fjd": pa.list_(pa.float64()),
    "ffid": pa.list_(pa.int32()),
    "fflux": pa.list_(pa.float64()),
    "ffluxunc": pa.list_(pa.float64()),
    "fmagzp": pa.list_(pa.float64()),
}

#: Both in a published candidate: Avro type and what it is.
MESSAGE_LIGHT_CURVE = {
    "cjd": ("double", "time of each point, history first, then the alert [JD]"),
    "cfid": ("int", "band of each point: 1 g, 2 r, 3 i"),
    "cmagpsf": ("double", "difference magnitude, AB; null for a non-detection"),
    "csigmapsf": ("double", "its 1 sigma error"),
    "cdiffmaglim": ("double", "5 sigma limiting magnitude"),
    "cisdiffpos": ("int", "1 brighter than the template, 0 fainter; null for a non-detection"),
    "fjd": ("double", "time of each point of forced photometry [JD]; empty before schema 4.02"),
    "ffid": ("int", "its band: 1 g, 2 r, 3 i"),
    "fflux": ("double", "its difference flux [DN]"),
    "ffluxunc": ("double", "its 1 sigma error [DN]"),
    "fmagzp": ("double", "magnitude of 1 DN"),
}

#: Fields that the tools of Fink's client need in a candidate of ZTF.
BROKER_FIELDS = [
    {"name": "objectId", "type": "string", "doc": "as object_id"},
    {"name": "candid", "type": "long", "doc": "as alert_id"},
    {"name": "cdsxmatch", "type": ["null", "string"], "doc": "as host_class"},
    {
        "name": "candidate",
        "doc": "the alert itself, in the survey's names",
        "type": {
            "type": "record",
            "name": "ztf_candidate",
            "fields": [
                {"name": "jd", "type": "double"},
                {"name": "fid", "type": "int"},
                {"name": "ra", "type": "double"},
                {"name": "dec", "type": "double"},
                {"name": "magpsf", "type": "double"},
                {"name": "sigmapsf", "type": ["null", "double"]},
            ],
        },
    },
]

_POINTS = {
    "cjd": "jd",
    "cfid": "fid",
    "cmagpsf": "magpsf",
    "csigmapsf": "sigmapsf",
    "cdiffmaglim": "diffmaglim",
}

_FORCED = {
    "fjd": "jd",
    "ffid": "fid",
    "fflux": "forcediffimflux",
    "ffluxunc": "forcediffimfluxunc",
    "fmagzp": "magzpsci",
}

#: Number that the survey writes where forced photometry failed.
_NO_FORCED_FLUX = -99999.0


def _of_points(field: str) -> str:
    """SQL: `field` of the history, then of the alert itself."""
    history = f"coalesce(alert.prv_candidates.{field}, array())"
    return f"concat({history}, array(alert.candidate.{field}))"


def _of_source(field: str) -> str:
    """SQL: `field` of a catalogue, null where it is the survey's number for no value."""
    # Fink's rows hold single precision, in which a difference of magnitudes would be rounded.
    return f"nullif(cast(alert.candidate.{field} AS DOUBLE), -999.0D)"


#: SQL expression of each column over the decoded record ``alert``.
COLUMNS = (
    {
        "object_id": "alert.objectId",
        "alert_id": "alert.candid",
        "mjd": f"alert.candidate.jd - {MJD_OF_JD0}",
        "ra": "alert.candidate.ra",
        "dec": "alert.candidate.dec",
        "band": "element_at(map(1, 'g', 2, 'r', 3, 'i'), alert.candidate.fid)",
        "mag": "alert.candidate.magpsf",
        "mag_err": "alert.candidate.sigmapsf",
        "is_positive": "alert.candidate.isdiffpos IN ('t', '1')",
        "real_bogus": "alert.candidate.rb",
        "deep_real_bogus": "alert.candidate.drb",
        "n_bad_pixels": "alert.candidate.nbad",
        "classtar": "alert.candidate.classtar",
        "star_score": _of_source("sgscore1"),
        "star_distance_arcsec": _of_source("distpsnr1"),
        "host_mag": _of_source("srmag1"),
        "host_colour_g_r": f"{_of_source('sgmag1')} - {_of_source('srmag1')}",
        "host_colour_r_i": f"{_of_source('srmag1')} - {_of_source('simag1')}",
        "reference_mag": _of_source("magnr"),
        "reference_distance_arcsec": _of_source("distnr"),
        "asteroid_distance_arcsec": _of_source("ssdistnr"),
        # The survey writes the word null where there is no asteroid.
        "is_known_asteroid": "coalesce(alert.candidate.ssnamenr, 'null') NOT IN ('null', '')",
        "n_detections": "alert.candidate.ndethist",
        "first_detection_mjd": f"alert.candidate.jdstarthist - {MJD_OF_JD0}",
        # Null where it is not valid UTF-8, on which readers of the archive would fail.
        "host_class": "CASE WHEN decode(cast(alert.cdsxmatch AS BINARY), 'UTF-8')"
        " = alert.cdsxmatch THEN alert.cdsxmatch END",
    }
    | {column: _of_points(field) for column, field in _POINTS.items()}
    | {
        "cisdiffpos": f"transform({_of_points('isdiffpos')}, s -> "
        "CASE WHEN s IN ('t', '1') THEN 1 WHEN s IN ('f', '0') THEN 0 END)"
    }
    | {column: f"coalesce(alert.fp_hists.{field}, array())" for column, field in _FORCED.items()}
)

#: Number that Fink writes where an alert has no score.
FINK_NO_SCORE = 0.0

#: SQL expression of each column over a row of Fink's jobs, which has the fields of the packet, and
#: the light curve as ``concat_col`` joins it, without signs. Signs of the packet are used where
#: it has the same points.
FINK_COLUMNS = {name: sql.replace("alert.", "") for name, sql in COLUMNS.items()}
FINK_COLUMNS["cisdiffpos"] = (
    f"CASE WHEN cjd = {FINK_COLUMNS['cjd']} THEN {FINK_COLUMNS['cisdiffpos']} END"
)
FINK_COLUMNS |= {name: name for name in FINK_LIGHT_CURVE}

#: An alert is usable when this holds; SQL over the columns above. Fails closed on null.
IS_USABLE = (
    "alert.objectId RLIKE '^ZTF[0-9]{2}[a-z]{7,12}$' AND alert.candid IS NOT NULL"
    " AND alert.candidate.jd BETWEEN 2457754.5 AND 2488069.5"
    " AND alert.candidate.ra BETWEEN 0 AND 360 AND alert.candidate.dec BETWEEN -90 AND 90"
    " AND alert.candidate.magpsf BETWEEN 0 AND 40 AND alert.candidate.fid BETWEEN 1 AND 3"
)


def light_curves(columns: pa.Table, survey: Survey) -> LightCurves:
    """Return light curves of ZTF alerts from their ``c`` columns.

    Parameters
    ----------
    columns : pyarrow.Table
        One row an alert, with the columns of `LIGHT_CURVE`, perhaps those of `FORCED`, and any
        context columns. A null list counts as empty. An alert whose lists differ in length has no
        points. A null or NaN ``cmagpsf`` is a non-detection, and ``cdiffmaglim`` is then its upper
        limit. A detection with ``cisdiffpos`` 0 is fainter than the template. Where that column or
        an alert's list in it is absent or null, as in archives of earlier versions, signs were not
        recorded and every detection is positive.
    survey : Survey
        Band names and the start of a day.

    Returns
    -------
    LightCurves
        All points in the packet's order, then those of forced photometry. A detection fainter than
        the template has a negative flux. Points without time are dropped, as are points
        without magnitude, limit and forced flux, and detections whose sign is null: a flux of
        unknown sign is not a measurement.
    """
    lists = [name for name in LIGHT_CURVE | FORCED if name in columns.column_names]
    context = columns.drop_columns(lists)
    curves = _history(columns, context, survey)
    if "fjd" in columns.column_names:
        forced = _forced(columns, context, survey)
        if forced.n_points:
            curves = curves.with_points(forced)
    return curves.select_points(np.isfinite(curves.mjd) & np.isfinite(curves.flux))


def _history(columns: pa.Table, context: pa.Table, survey: Survey) -> LightCurves:
    columns = with_list(columns, "cisdiffpos", LIGHT_CURVE["cisdiffpos"], like="cfid", value=1)
    offsets, values = flat_lists(columns, LIGHT_CURVE)
    mag, mag_err, limit = values["cmagpsf"], values["csigmapsf"], values["cdiffmaglim"]
    is_limit = np.isnan(mag)
    flux, flux_err = flux_from_mag(np.where(is_limit, limit, mag), mag_err)
    sign = np.where(is_limit, 1.0, 2.0 * values["cisdiffpos"] - 1.0)  # NaN where unknown
    return LightCurves(
        offsets=offsets,
        mjd=values["cjd"] - MJD_OF_JD0,
        band=_band(values["cfid"], survey),
        flux=flux * sign,
        flux_err=np.where(is_limit, np.nan, flux_err),
        is_upper_limit=is_limit,
        is_forced=np.zeros(len(mag), bool),
        bands=survey.bands,
        context=context,
        day_start=survey.day_start,
    )


def _forced(columns: pa.Table, context: pa.Table, survey: Survey) -> LightCurves:
    offsets, values = flat_lists(columns, FORCED)
    failed = values["fflux"] <= _NO_FORCED_FLUX
    scale = 10 ** (0.4 * (FLUXCAL_ZERO_POINT - values["fmagzp"]))
    n = len(failed)
    return LightCurves(
        offsets=offsets,
        mjd=values["fjd"] - MJD_OF_JD0,
        band=_band(values["ffid"], survey),
        flux=np.where(failed, np.nan, values["fflux"] * scale),
        flux_err=values["ffluxunc"] * scale,
        is_upper_limit=np.zeros(n, bool),
        is_forced=np.ones(n, bool),
        bands=survey.bands,
        context=context,
        day_start=survey.day_start,
    )


def _band(fid: npt.NDArray[np.float64], survey: Survey) -> npt.NDArray[np.int8]:
    is_band = (fid >= 1) & (fid <= len(survey.bands))
    return np.where(is_band, np.nan_to_num(fid) - 1, -1).astype(np.int8)


def broker_values(alert: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of `BROKER_FIELDS` for one archived alert."""
    candidate = {
        "jd": alert["mjd"] + MJD_OF_JD0,
        "fid": 1 + "gri".index(alert["band"]),
        "ra": alert["ra"],
        "dec": alert["dec"],
        "magpsf": alert["mag"],
        "sigmapsf": alert["mag_err"],
    }
    return {
        "objectId": alert["object_id"],
        "candid": alert["alert_id"],
        "cdsxmatch": alert["host_class"],
        "candidate": candidate,
    }
