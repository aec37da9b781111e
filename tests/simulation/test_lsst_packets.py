"""LSST's packets hold what the campaign says, as read without and with the stream's decoder."""

import io
import json
from dataclasses import replace

import fastavro
import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from lsst_alerts import lsst_settings, packet_of, real_records, schema_texts

from fink_al.alerts.confluent import PREFIX_BYTES, Schemas
from fink_al.loop import Loop
from fink_al.settings import load_survey
from fink_al.simulation.lsst_packets import packets, replicate, write_schema
from fink_al.simulation.nights import Campaign, simulate

_NJY = 10 ** (0.4 * 3.9)  # of one FLUXCAL
_NIGHTS = (20260120, 20260121, 20260122)
_MJD = 61060  # noon of the first of them is half a day later
_OBJECTS = [*(str(170_000_000_000_000_000 + i) for i in range(8)), "ss21163611661088578"]


def sky():
    """Two exposures in each of three nights, one before and one after 0 UT, of nine objects.

    About two in three exposures detect; one of the objects is an asteroid, with a packet a night.
    """
    rng = np.random.default_rng(4)
    rows = []
    for i, name in enumerate(_OBJECTS):
        for exposure in range(6):
            moment = _MJD + exposure // 2 + (0.98, 1.2)[exposure % 2] + 0.001 * i
            rows.append((i, exposure, moment, (i + exposure) % 6, *rng.normal(0, 1, 2)))
            if name.startswith("ss") and exposure % 2:
                rows.pop()
    points = pd.DataFrame(rows, columns=["object", "exposure", "mjd", "band", "a", "b"])
    n = len(points)
    seen = (points["a"] > -0.5) | points["object"].eq(8)
    points = points.assign(
        limit_mag=24.0,
        flux=np.where(seen, 40 + 10 * points["b"], points["b"]).astype(np.float32),
        flux_err=np.float32(5.0),
        exposure_id=2026012000100 + points["exposure"],
        alert_id=np.where(seen, 170_000_000_000_100_000 + np.arange(n), -1),
        is_positive=points["b"] > -1.5,
        real_bogus=rng.random(n).astype(np.float32),
        classtar=np.float32(0.75),
        n_bad_pixels=rng.integers(0, 3, n),
        ra=50.0 + points["object"],
        dec=-30.0,
        n_detections=seen.groupby(points["object"]).cumsum(),
    ).drop(columns=["a", "b"])
    points.loc[~points["is_positive"], "flux"] *= -1
    points["mag"] = np.where(seen, 27.5 - 2.5 * np.log10(points["flux"].abs()), np.nan)
    points["mag_err"] = 2.5 / np.log(10) * points["flux_err"] / points["flux"].abs()
    point = np.flatnonzero(seen & (points["mjd"] > _MJD + 1.5))
    point = point[np.argsort(points["mjd"].to_numpy()[point])]
    of = points.iloc[point].reset_index(drop=True)
    begin = points.groupby("object")["mjd"].idxmin().to_numpy()[of["object"]]
    alerts = of[["alert_id", "mjd", "ra", "dec", "mag", "mag_err", "is_positive", "real_bogus"]]
    alerts = alerts.assign(
        night=[_NIGHTS[int(mjd - 0.5) - _MJD] for mjd in of["mjd"]],
        object_id=[_OBJECTS[i] for i in of["object"]],
        band=["ugrizy"[b] for b in of["band"]],
        classtar=of["classtar"],
        asteroid_distance_arcsec=np.where(of["object"].eq(8), 0.25, np.nan),
        n_detections=of["n_detections"] + 2.0,  # some before all that is simulated
        first_detection_mjd=60_900.0 + of["object"],
        first=begin + of["object"].isin([2, 3]),
        point=point,
    )
    return Campaign(load_survey("lsst"), pd.DataFrame(), points, alerts)


@pytest.fixture(scope="module")
def campaign():
    return sky()


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    """The written schema, as it is found offline."""
    folder = write_schema(tmp_path_factory.mktemp("schemas") / "lsst").parent
    source = lsst_settings(folder=folder).survey.schemas
    return json.loads(Schemas(source, folder, {}).find(1100))


@pytest.fixture(scope="module")
def read(schema):
    parsed = fastavro.parse_schema(schema)

    def record(packet):
        assert packet[:PREFIX_BYTES] == b"\x00\x00\x00\x04\x4c"
        body = io.BytesIO(packet[PREFIX_BYTES:])
        alert = fastavro.schemaless_reader(body, parsed, None)
        assert not body.read()
        return alert

    return record


@pytest.fixture(scope="module")
def night(campaign):
    return list(packets(campaign, _NIGHTS[2]))


def expected(campaign, night):
    """Each alert of the night, and the rows of its sources and of its forced photometry."""
    alerts = campaign.alerts[campaign.alerts["night"] == night].to_dict("records")
    for alert in alerts:
        history = campaign.points.iloc[alert["first"] : alert["point"]]
        sources = history[history["mag"].notna()]
        until = campaign.points.iloc[alert["first"] : alert["point"] + 1]
        own = campaign.points[campaign.points["object"] == until["object"].iloc[0]]
        begun = own["mjd"][own["mag"].notna()].min()
        forced = until[until["mjd"] >= begun]
        if alert["object_id"].startswith("ss"):
            sources, forced = None, None
        yield alert, sources, forced


def fluxes(points):
    if points is None:
        return None
    rows = points.to_dict("records")
    return [(p["mjd"], "ugrizy"[p["band"]], pytest.approx(p["flux"] * _NJY)) for p in rows]


def test_packets_hold_the_nights_alerts_and_their_histories(campaign, night, read):
    wanted = list(expected(campaign, _NIGHTS[2]))
    assert len(night) == len(wanted)
    lengths = set()
    for packet, (alert, sources, forced) in zip(night, wanted, strict=True):
        record = read(packet)
        source, moving = record["diaSource"], alert["object_id"].startswith("ss")
        number = int(alert["object_id"].removeprefix("ss"))
        ids = (record["diaSourceId"], source["diaSourceId"], source["diaObjectId"])
        assert ids == (alert["alert_id"], alert["alert_id"], None if moving else number)
        assert source["isNegative"] is not alert["is_positive"]
        if moving:
            assert record["diaObject"] is None
            names = ("diaSourceId", "ssObjectId", "ephOffset")
            assert [record["ssSource"][n] for n in names] == [alert["alert_id"], number, 0.25]
        else:
            assert record["ssSource"] is None
            about = record["diaObject"]
            assert about["nDiaSources"] == alert["n_detections"]
            assert about["firstDiaSourceMjdTai"] == alert["first_detection_mjd"]
            by_band = [about[f"{band}_psfFluxNdata"] for band in "ugrizy"]
            known = [*sources["band"], "ugrizy".index(alert["band"])]
            assert by_band == np.bincount(known, minlength=6).tolist()
            assert {s["diaObjectId"] for s in record["prvDiaForcedSources"]} <= {number}
            lengths.add((len(sources), len(forced)))
        # Null for no history, as in real packets, whose forced photometry is an empty list then.
        history = record["prvDiaSources"]
        assert history != []
        names = ("midpointMjdTai", "band", "psfFlux")
        for found, points in ((history or (None if moving else []), sources),
                              (record["prvDiaForcedSources"], forced)):  # fmt: skip
            found = found and [tuple(p[name] for name in names) for p in found]
            assert found == fluxes(points)
    assert len(lengths) > 4


def test_a_first_alert_has_forced_photometry_of_its_own_exposure_alone(campaign, read):
    early = campaign.alerts.assign(night=_NIGHTS[0], point=campaign.alerts["first"])
    early = early[campaign.points["mag"].notna().to_numpy()[early["point"]]]
    early = early[~early["object_id"].str.startswith("ss")]
    records = map(read, packets(replace(campaign, alerts=early), _NIGHTS[0]))
    found = [(r["prvDiaSources"], [p["midpointMjdTai"] for p in r["prvDiaForcedSources"]])
             for r in records]  # fmt: skip
    assert found == [(None, [mjd]) for mjd in campaign.points["mjd"].iloc[early["point"]]]


def test_packets_are_as_large_as_real_ones(night, shared_data):
    text = schema_texts(shared_data)[1100]
    real = [len(packet_of(record, 1100, text)) for record in real_records(shared_data)]
    sizes = [len(packet) for packet in night]
    assert min(real) < min(sizes) <= max(sizes) < max(real)
    # Most real ones have little history, as these.
    assert abs(np.median(sizes) / np.median(real) - 1) < 0.05


def test_cutouts_are_fits_files_of_image_variance_and_psf(night, read):
    record = read(night[0])
    for name in ("cutoutDifference", "cutoutScience", "cutoutTemplate"):
        with fits.open(io.BytesIO(record[name])) as file:
            file.verify("exception")
            shapes = [(hdu.name, hdu.data.shape, hdu.data.dtype.str) for hdu in file]
            assert shapes == [
                ("PRIMARY", (30, 30), ">f4"),
                ("UNCERT", (30, 30), ">f4"),
                ("PSFIMAGE", (41, 41), ">f8"),
            ]
            assert file[2].data.sum() == pytest.approx(1)


def test_the_same_campaign_makes_the_same_packets(campaign, night):
    assert list(packets(campaign, _NIGHTS[2])) == night


def test_replicas_differ_in_their_ids_only(night, read):
    n = 2 * len(night) + 1
    replicas = list(replicate(night, n))
    assert [len(packet) for packet in replicas] == [len(night[i % len(night)]) for i in range(n)]
    records = list(map(read, replicas))
    assert len({record["diaSourceId"] for record in records}) == n
    for record in records:
        assert record["diaSource"]["diaSourceId"] == record["diaSourceId"]
    owners = [_owner(record) for record in records]
    assert len(set(owners)) == n
    for i in (0, len(night), n - 1):
        assert _without_ids(records[i]) == _without_ids(read(night[i % len(night)]))


def _owner(record):
    """The object's id, which is the same wherever it stands."""
    if record["diaObject"] is None:
        (owner,) = {record["ssSource"]["ssObjectId"], record["diaSource"]["ssObjectId"]}
        return "ss", owner
    points = [record["diaObject"], record["diaSource"], *record["prvDiaForcedSources"]]
    (owner,) = {p["diaObjectId"] for p in [*points, *(record["prvDiaSources"] or [])]}
    return "", owner


def _without_ids(value):
    if isinstance(value, list):
        return [_without_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    ids = ("diaSourceId", "diaObjectId", "ssObjectId")
    return {name: _without_ids(item) for name, item in value.items() if name not in ids}


@pytest.mark.spark
def test_the_stream_reads_the_columns_of_a_simulated_night(spark, tmp_path):
    from fink_al.spark.packets.confluent import Confluent
    from fink_al.spark.packets.framing import decode

    campaign = simulate(3, 80, seed=5, survey="lsst")
    sent, wanted = campaign.nights[-1], campaign.columns(campaign.nights[-1])
    write_schema(tmp_path)
    settings = lsst_settings(folder=tmp_path)
    rows = [("t", 0, i, bytearray(packet)) for i, packet in enumerate(packets(campaign, sent))]
    kinds = "topic string, partition int, offset long, value binary"
    messages = spark.createDataFrame(rows, kinds)
    how = Confluent(spark, Loop.open(settings), Schemas(settings.survey.schemas, tmp_path, {}))
    how.learn_first(messages)
    found = decode(messages, how, Loop.open(settings).alerts).orderBy("offset").collect()
    assert [row["dead_reason"] for row in found] == [None] * len(wanted)
    # Magnitudes are computed from fluxes on either side.
    computed = {"mag", "mag_err"}
    for name in wanted.column_names:
        if name in found[0]:
            values = [row[name] for row in found]
            expected = wanted[name].to_pylist()
            assert values == (pytest.approx(expected) if name in computed else expected), name
    left = set(wanted.column_names) - set(found[0].asDict())
    assert left == {"n_exposures"}
