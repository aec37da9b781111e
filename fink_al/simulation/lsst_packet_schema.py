"""Avro schema of LSST's alert packets, version 11.0: names and types, without documentation."""

from __future__ import annotations

from typing import Any

_BANDS = "ugrizy"

# The survey's own names and types, in its order; "?" marks what may be null.
_SOURCE = """
diaSourceId long, visit long, detector int, diaObjectId long?, ssObjectId long?,
parentDiaSourceId long?, midpointMjdTai double, ra double, raErr float?, dec double, decErr float?,
ra_dec_Cov float?, x float, xErr float?, y float, yErr float?, centroid_flag boolean?,
apFlux float?, apFluxErr float?, apFlux_flag boolean?, apFlux_flag_apertureTruncated boolean?,
isNegative boolean?, snr float?, psfFlux float?, psfFluxErr float?, psfLnL float?, psfChi2 float?,
psfNdata int, psfFlux_flag boolean?, psfFlux_flag_edge boolean?, psfFlux_flag_noGoodPixels boolean?,
trailFlux float?, trailFluxErr float?, trailRa double?, trailRaErr float?, trailDec double?,
trailDecErr float?, trailLength float?, trailLengthErr float?, trailAngle float?,
trailAngleErr float?, trailChi2 float?, trailNdata int, trail_flag_edge boolean?,
dipoleMeanFlux float?, dipoleMeanFluxErr float?, dipoleFluxDiff float?, dipoleFluxDiffErr float?,
dipoleLength float?, dipoleAngle float?, dipoleChi2 float?, dipoleNdata int, scienceFlux float?,
scienceFluxErr float?, forced_PsfFlux_flag boolean?, forced_PsfFlux_flag_edge boolean?,
forced_PsfFlux_flag_noGoodPixels boolean?, templateFlux float?, templateFluxErr float?, ixx float?,
iyy float?, ixy float?, ixxPSF float?, iyyPSF float?, ixyPSF float?, shape_flag boolean?,
shape_flag_no_pixels boolean?, shape_flag_not_contained boolean?, shape_flag_parent_source boolean?,
extendedness float?, reliability float?, band string?, isDipole boolean?,
dipoleFitAttempted boolean?, timeProcessedMjdTai double, timeWithdrawnMjdTai double?, bboxSize int,
pixelFlags boolean?, pixelFlags_bad boolean?, pixelFlags_cr boolean?, pixelFlags_crCenter boolean?,
pixelFlags_edge boolean?, pixelFlags_nodata boolean?, pixelFlags_nodataCenter boolean?,
pixelFlags_interpolated boolean?, pixelFlags_interpolatedCenter boolean?,
pixelFlags_offimage boolean?, pixelFlags_saturated boolean?, pixelFlags_saturatedCenter boolean?,
pixelFlags_suspect boolean?, pixelFlags_suspectCenter boolean?, pixelFlags_streak boolean?,
pixelFlags_streakCenter boolean?, pixelFlags_injected boolean?, pixelFlags_injectedCenter boolean?,
pixelFlags_injected_template boolean?, pixelFlags_injected_templateCenter boolean?,
glint_trail boolean?
"""

_FORCED = """
diaForcedSourceId long, diaObjectId long, ra double, dec double, visit long, detector int,
psfFlux float?, psfFluxErr float?, midpointMjdTai double, scienceFlux float?, scienceFluxErr float?,
band string?, timeProcessedMjdTai double, timeWithdrawnMjdTai double?
"""

# "*" stands for each band in turn.
_OBJECT = (
    """
diaObjectId long, validityStartMjdTai double, ra double, raErr float?, dec double, decErr float?,
ra_dec_Cov float?
""",
    """
*_psfFluxMean float?, *_psfFluxMeanErr float?, *_psfFluxSigma float?, *_psfFluxNdata int,
*_fpFluxMean float?, *_fpFluxMeanErr float?
""",
    "*_scienceFluxMean float?, *_scienceFluxMeanErr float?",
    """
*_psfFluxMin float?, *_psfFluxMax float?, *_psfFluxMaxSlope float?, *_psfFluxErrMean float?
""",
    "firstDiaSourceMjdTai double?, lastDiaSourceMjdTai double?, nDiaSources int",
)

_MOVING = """
diaSourceId long, ssObjectId long, designation string?, eclLambda double, eclBeta double,
galLon double, galLat double, elongation float?, phaseAngle float?, topoRange float?,
topoRangeRate float?, helioRange float?, helioRangeRate float?, ephRa double?, ephDec double?,
ephVmag float?, ephRate float?, ephRateRa float?, ephRateDec float?, ephOffset float?,
ephOffsetRa double?, ephOffsetDec double?, ephOffsetAlongTrack float?, ephOffsetCrossTrack float?,
helio_x float?, helio_y float?, helio_z float?, helio_vx float?, helio_vy float?, helio_vz float?,
helio_vtot float?, topo_x float?, topo_y float?, topo_z float?, topo_vx float?, topo_vy float?,
topo_vz float?, topo_vtot float?, diaDistanceRank int?
"""

_ORBIT = """
id int, designation string, packed_primary_provisional_designation string,
unpacked_primary_provisional_designation string, mpc_orb_jsonb string?, created_at moment?,
updated_at moment?, orbit_type_int int?, u_param int?, nopp int?, arc_length_total double?,
arc_length_sel double?, nobs_total int?, nobs_total_sel int?, a double?, q double?, e double?,
i double?, node double?, argperi double?, peri_time double?, yarkovsky double?, srp double?,
a1 double?, a2 double?, a3 double?, dt double?, mean_anomaly double?, period double?,
mean_motion double?, a_unc double?, q_unc double?, e_unc double?, i_unc double?, node_unc double?,
argperi_unc double?, peri_time_unc double?, yarkovsky_unc double?, srp_unc double?, a1_unc double?,
a2_unc double?, a3_unc double?, dt_unc double?, mean_anomaly_unc double?, period_unc double?,
mean_motion_unc double?, epoch_mjd double?, h double?, g double?, not_normalized_rms double?,
normalized_rms double?, earth_moid double?, fitting_datetime moment?
"""

_MOMENT = {"type": "long", "logicalType": "timestamp-micros"}

#: Number of this schema in packets.
SCHEMA_ID = 1100


def _fields(table: str) -> list[tuple[str, Any]]:
    pairs = (entry.split() for entry in table.split(","))
    return [(name, _type(kind)) for name, kind in pairs]


def _type(kind: str) -> Any:
    if kind.endswith("?"):
        return ["null", _type(kind[:-1])]
    return _MOMENT if kind == "moment" else kind


def _of_each_band(table: str) -> list[tuple[str, Any]]:
    bands = _BANDS if "*" in table else " "
    return [field for band in bands for field in _fields(table.replace("*", band))]


#: Names and Avro types of a source, of forced photometry, of an object and of a moving one.
SOURCE_FIELDS = _fields(_SOURCE)
FORCED_FIELDS = _fields(_FORCED)
OBJECT_FIELDS = [field for table in _OBJECT for field in _of_each_band(table)]
MOVING_FIELDS = _fields(_MOVING)


def lsst_schema() -> dict[str, Any]:
    """Return the writer schema of an LSST packet, the survey's version 11.0.

    Documentation is left out, and so are defaults, which are null wherever a field may be null.
    Source: lsst/alert_packet on GitHub.
    """
    source = record("diaSource", SOURCE_FIELDS)
    forced = record("diaForcedSource", FORCED_FIELDS)
    return record(
        "alert",
        [
            ("diaSourceId", "long"),
            ("observation_reason", ["null", "string"]),
            ("target_name", ["null", "string"]),
            ("diaSource", source),
            ("prvDiaSources", ["null", {"type": "array", "items": source["name"]}]),
            ("prvDiaForcedSources", ["null", {"type": "array", "items": forced}]),
            ("diaObject", ["null", record("diaObject", OBJECT_FIELDS)]),
            ("ssSource", ["null", record("ssSource", MOVING_FIELDS)]),
            ("mpc_orbits", ["null", record("mpc_orbits", _fields(_ORBIT))]),
            ("cutoutDifference", ["null", "bytes"]),
            ("cutoutScience", ["null", "bytes"]),
            ("cutoutTemplate", ["null", "bytes"]),
        ],
    )


def record(name: str, fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a record of the survey with these `fields`."""
    return {
        "type": "record",
        "name": f"lsst.v{SCHEMA_ID // 100}_{SCHEMA_ID % 100}.{name}",
        "fields": [{"name": field, "type": kind} for field, kind in fields],
    }
