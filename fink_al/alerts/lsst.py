"""LSST (Rubin): the fields that are read from a packet, and light curves from its columns.

This file alone knows Rubin's field names. The light curve travels and is archived in the survey's
own units (nJy, MJD in TAI), history first, then the alert itself; forced photometry has lists of
its own. Everything else has survey-neutral names.

Source: the schemas 10.0 to 11.1 of ``lsst/alert_packet``, and real alerts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fink_al.alerts.lists import flat_lists
from fink_al.lightcurve import LightCurves
from fink_al.settings import Survey
from fink_al.settings.kinds import HOST

#: Where alerts may come from, by the names of ``stream.source``.
SOURCES = ("kafka",)

#: Bands by their code in the archived light curve.
_BANDS = ("u", "g", "r", "i", "z", "y")

#: AB magnitude of 1 nJy, and FLUXCAL of 1 nJy: both by definition.
MAG_OF_NJY = 31.4
FLUXCAL_OF_NJY = 10 ** (-0.4 * (MAG_OF_NJY - 27.5))

#: Flags of a source that does not measure the sky, or not the sky alone. Of most kinds of pixels
#: only those at the centre count: sound sources also have them elsewhere in the footprint.
_BAD_PIXELS = (
    "pixelFlags_bad",
    "pixelFlags_crCenter",
    "pixelFlags_edge",
    "pixelFlags_injectedCenter",
    "pixelFlags_injected_templateCenter",
    "pixelFlags_nodataCenter",
    "pixelFlags_offimage",
    "pixelFlags_saturatedCenter",
    "pixelFlags_streakCenter",
    "pixelFlags_suspectCenter",
    "glint_trail",
)

#: A source, the alert's own or an earlier one: Avro reads a record in one way only.
_SOURCE = {
    "midpointMjdTai": "double",
    "band": "string",
    "psfFlux": "double",
    "psfFluxErr": "double",
    "psfFlux_flag": "boolean",
    "templateFlux": "double",
    "diaObjectId": "long",
    "ssObjectId": "long",
    "ra": "double",
    "dec": "double",
    "isNegative": "boolean",
    "reliability": "double",
    "extendedness": "double",
    **dict.fromkeys(_BAD_PIXELS, "boolean"),
}

#: Cutouts, each a FITS file.
STAMPS = dict.fromkeys(("cutoutScience", "cutoutTemplate", "cutoutDifference"), "bytes")

#: Fields of the packet that are read, as Avro types, floats widened to double (exact). All of them
#: may be null: `IS_USABLE` says what an alert must have.
#: The writer's other fields, cutouts among them, are skipped while decoding.
FIELDS = {
    "diaSourceId": "long",
    "diaSource": _SOURCE,
    "prvDiaSources": [_SOURCE],
    "prvDiaForcedSources": [
        {"midpointMjdTai": "double", "band": "string", "psfFlux": "double", "psfFluxErr": "double"}
    ],
    "diaObject": {
        "diaObjectId": "long",
        "nDiaSources": "int",
        "firstDiaSourceMjdTai": "double",
    },
    "ssSource": {"ssObjectId": "long", "ephOffset": "double"},
}

#: Light-curve columns and their Arrow types, as archived and as published.
LIGHT_CURVE = {
    "cmidpointMjdTai": pa.list_(pa.float64()),
    "cband": pa.list_(pa.int32()),
    "cpsfFlux": pa.list_(pa.float64()),
    "cpsfFluxErr": pa.list_(pa.float64()),
    "cflag": pa.list_(pa.int32()),
}

#: The same for forced photometry. These columns may be absent.
FORCED = {
    "fmidpointMjdTai": pa.list_(pa.float64()),
    "fband": pa.list_(pa.int32()),
    "fpsfFlux": pa.list_(pa.float64()),
    "fpsfFluxErr": pa.list_(pa.float64()),
}

_CODES = "0 u, 1 g, 2 r, 3 i, 4 z, 5 y"

#: Both in a published candidate: Avro type and what it is.
MESSAGE_LIGHT_CURVE = {
    "cmidpointMjdTai": ("double", "time of each source, history first, then the alert [MJD, TAI]"),
    "cband": ("int", f"its band: {_CODES}"),
    "cpsfFlux": ("double", "its difference flux [nJy]"),
    "cpsfFluxErr": ("double", "its 1 sigma error [nJy]"),
    "cflag": ("int", "1 where the flux could not be fitted, else 0"),
    "fmidpointMjdTai": ("double", "time of each point of forced photometry [MJD, TAI]"),
    "fband": ("int", f"its band: {_CODES}"),
    "fpsfFlux": ("double", "its difference flux [nJy]"),
    "fpsfFluxErr": ("double", "its 1 sigma error [nJy]"),
}

#: Fields that the tools of Fink's client need in a candidate of LSST.
BROKER_FIELDS = [
    {"name": "diaSourceId", "type": "long", "doc": "as alert_id"},
    {
        "name": "diaObject",
        "doc": "the object, in the survey's names",
        "type": {
            "type": "record",
            "name": "lsst_object",
            "fields": [{"name": "diaObjectId", "type": "long"}],
        },
    },
    {
        "name": "diaSource",
        "doc": "the alert itself, in the survey's names",
        "type": {
            "type": "record",
            "name": "lsst_source",
            "fields": [
                {"name": "midpointMjdTai", "type": "double"},
                {"name": "band", "type": "string"},
                {"name": "ra", "type": "double"},
                {"name": "dec", "type": "double"},
                {"name": "psfFlux", "type": "double"},
                {"name": "psfFluxErr", "type": ["null", "double"]},
            ],
        },
    },
]

# Absent identifiers are null in some packets and 0 in others, and a broker may send a record of
# nulls instead of null: so the identifier decides whether there is an object.
_ID = "coalesce(nullif(alert.diaSource.{0}, 0L), nullif(alert.{1}.{0}, 0L))"
_OBJECT, _MOVING = _ID.format("diaObjectId", "diaObject"), _ID.format("ssObjectId", "ssSource")
_CODE = f"cast(array_position(array({', '.join(map(repr, _BANDS))}), b) AS INT) - 1"
_FLUX, _TEMPLATE = "alert.diaSource.psfFlux", "alert.diaSource.templateFlux"


def _of_sources(field: str) -> str:
    """SQL: `field` of the history, then of the alert itself."""
    history = f"coalesce(alert.prvDiaSources.{field}, array())"
    return f"concat({history}, array(alert.diaSource.{field}))"


def _of_forced(field: str) -> str:
    return f"coalesce(alert.prvDiaForcedSources.{field}, array())"


#: SQL expression of each column over the decoded record ``alert``.
COLUMNS = {
    # Solar-system objects are numbered separately.
    "object_id": f"coalesce(cast({_OBJECT} AS STRING), concat('ss', {_MOVING}))",
    "alert_id": "alert.diaSourceId",
    "mjd": "alert.diaSource.midpointMjdTai",
    "ra": "alert.diaSource.ra",
    "dec": "alert.diaSource.dec",
    "band": "alert.diaSource.band",
    "mag": f"CASE WHEN {_FLUX} > 0 THEN {MAG_OF_NJY}D - 2.5D * log10({_FLUX}) END",
    "mag_err": f"CASE WHEN {_FLUX} > 0"
    f" THEN 2.5D / ln(10) * alert.diaSource.psfFluxErr / {_FLUX} END",
    # Real sources with a negative flux have isNegative false.
    "is_positive": f"{_FLUX} > 0 AND NOT coalesce(alert.diaSource.isNegative, false)",
    "real_bogus": "alert.diaSource.reliability",
    "deep_real_bogus": "cast(NULL AS DOUBLE)",
    "n_bad_pixels": " + ".join(
        f"cast(coalesce(alert.diaSource.{flag}, false) AS INT)"
        for flag in ("psfFlux_flag", *_BAD_PIXELS)
    ),
    "classtar": "1D - alert.diaSource.extendedness",
    "star_score": "cast(NULL AS DOUBLE)",
    "star_distance_arcsec": "cast(NULL AS DOUBLE)",
    **dict.fromkeys(HOST, "cast(NULL AS DOUBLE)"),
    # Forced photometry of the template at the object's position, in the alert's band.
    "reference_mag": f"CASE WHEN {_TEMPLATE} > 0"
    f" THEN {MAG_OF_NJY}D - 2.5D * log10({_TEMPLATE}) END",
    # A source without an object was attributed to a solar-system object.
    "asteroid_distance_arcsec": f"CASE WHEN {_OBJECT} IS NULL THEN 0D"
    " ELSE alert.ssSource.ephOffset END",
    "is_known_asteroid": f"{_MOVING} IS NOT NULL",
    "n_detections": "alert.diaObject.nDiaSources",
    "first_detection_mjd": "alert.diaObject.firstDiaSourceMjdTai",
    "host_class": "cast(NULL AS STRING)",
    "cmidpointMjdTai": _of_sources("midpointMjdTai"),
    "cband": f"transform({_of_sources('band')}, b -> {_CODE})",
    "cpsfFlux": _of_sources("psfFlux"),
    "cpsfFluxErr": _of_sources("psfFluxErr"),
    "cflag": f"transform({_of_sources('psfFlux_flag')}, f -> cast(coalesce(f, false) AS INT))",
    "fmidpointMjdTai": _of_forced("midpointMjdTai"),
    "fband": f"transform({_of_forced('band')}, b -> {_CODE})",
    "fpsfFlux": _of_forced("psfFlux"),
    "fpsfFluxErr": _of_forced("psfFluxErr"),
}

#: Number that Fink writes where an alert has no score.
FINK_NO_SCORE = -1.0

#: SQL expression of each column over a row of Fink's jobs, which has the fields of the packet, and
#: the sources once more as ``concat_col`` joins them: bands by letter, and no flags. Flags
#: of the packet are used where it has the same sources.
FINK_COLUMNS = {name: sql.replace("alert.", "") for name, sql in COLUMNS.items()}
FINK_COLUMNS |= {
    "cflag": f"CASE WHEN cmidpointMjdTai = {FINK_COLUMNS['cmidpointMjdTai']}"
    f" THEN {FINK_COLUMNS['cflag']} ELSE transform(cmidpointMjdTai, t -> 0) END",
    "cband": f"transform(cband, b -> {_CODE})",
    **{name: name for name in ("cmidpointMjdTai", "cpsfFlux", "cpsfFluxErr")},
}

#: An alert is usable when this holds; SQL over the decoded record. Fails closed on null.
IS_USABLE = (
    f"alert.diaSourceId IS NOT NULL AND ({_OBJECT} IS NOT NULL OR {_MOVING} IS NOT NULL)"
    " AND alert.diaSource.midpointMjdTai BETWEEN 57754 AND 88069"
    " AND alert.diaSource.ra BETWEEN 0 AND 360 AND alert.diaSource.dec BETWEEN -90 AND 90"
    f" AND abs({_FLUX}) < 1e12 AND alert.diaSource.band IN ({', '.join(map(repr, _BANDS))})"
)


def light_curves(columns: pa.Table, survey: Survey) -> LightCurves:
    """Return light curves of LSST alerts from their ``c`` and ``f`` columns.

    Parameters
    ----------
    columns : pyarrow.Table
        One row an alert, with the columns of `LIGHT_CURVE`, perhaps those of `FORCED`, and any
        context columns. A null list counts as empty. An alert whose lists differ in length has no
        points.
    survey : Survey
        Band names and the start of a day.

    Returns
    -------
    LightCurves
        The sources in the packet's order, then forced photometry; fluxes keep their sign. Points
        without time or flux are dropped. Two context columns count the points that were left out:
        ``n_unfitted``, whose flux could not be fitted, and ``n_repeated``, of an exposure in which
        the alert has another point. Those are forced photometry beside a source, which measures
        the same light twice, and the earlier of two sources.
    """
    lists = [name for name in LIGHT_CURVE | FORCED if name in columns.column_names]
    context = columns.drop_columns(lists)
    curves, flag = _points(columns, LIGHT_CURVE, context, survey)
    unfitted = flag > 0
    n_unfitted = _count(curves, unfitted)
    curves = curves.select_points(~unfitted)
    if "fmidpointMjdTai" in lists:
        curves = curves.with_points(_points(columns, FORCED, context, survey)[0])
    curves = curves.select_points(np.isfinite(curves.mjd) & np.isfinite(curves.flux))
    repeated = _repeated(curves)
    context = context.append_column("n_unfitted", pa.array(n_unfitted))
    context = context.append_column("n_repeated", pa.array(_count(curves, repeated)))
    return replace(curves.select_points(~repeated), context=context)


def _points(
    columns: pa.Table, kinds: Mapping[str, pa.DataType], context: pa.Table, survey: Survey
) -> tuple[LightCurves, npt.NDArray[np.float64]]:
    """Return the points of the lists `kinds` and their flag; zeros where there is no flag."""
    offsets, values = flat_lists(columns, kinds)
    mjd, code, flux, flux_err, *flags = values.values()
    # The last is for points without a band.
    bands = [survey.bands.index(band) if band in survey.bands else -1 for band in _BANDS] + [-1]
    has_band = (code >= 0) & (code < len(_BANDS))
    n = len(mjd)
    curves = LightCurves(
        offsets=offsets,
        mjd=mjd,
        band=np.array(bands, np.int8)[np.where(has_band, code, -1).astype(int)],
        flux=flux * FLUXCAL_OF_NJY,
        flux_err=flux_err * FLUXCAL_OF_NJY,
        is_upper_limit=np.zeros(n, bool),
        is_forced=np.full(n, kinds is FORCED),
        bands=survey.bands,
        context=context,
        day_start=survey.day_start,
    )
    return curves, flags[0] if flags else np.zeros(n)


def _repeated(curves: LightCurves) -> npt.NDArray[np.bool_]:
    """Return the points, shape (p,), that share alert, band and time with one that is kept."""
    owner, index = curves.alert_of_point(), np.arange(curves.n_points)
    # Prefer sources to forced photometry, and the last source, which may be the alert itself.
    preferred = np.where(curves.is_forced, index, -1 - index)
    order = np.lexsort((preferred, curves.mjd, curves.band, owner))
    same = np.ones(max(0, len(order) - 1), bool)
    for key in (owner, curves.band, curves.mjd):
        same &= key[order[1:]] == key[order[:-1]]
    repeated = np.zeros(len(order), bool)
    repeated[order[1:]] = same
    return repeated


def _count(curves: LightCurves, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    return np.bincount(curves.alert_of_point()[mask], minlength=len(curves))


def broker_values(alert: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of `BROKER_FIELDS` for one archived alert."""
    return {
        "diaSourceId": alert["alert_id"],
        "diaObject": {"diaObjectId": int(alert["object_id"])},
        "diaSource": {
            "midpointMjdTai": alert["mjd"],
            "band": alert["band"],
            "ra": alert["ra"],
            "dec": alert["dec"],
            # The alert itself is the last of its sources.
            "psfFlux": alert["cpsfFlux"][-1],
            "psfFluxErr": alert["cpsfFluxErr"][-1],
        },
    }
