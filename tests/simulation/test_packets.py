import gzip
import io
import re

import fastavro
import numpy as np
import pytest
from astropy.io import fits

from fink_al.alerts.ztf import LIGHT_CURVE
from fink_al.simulation.nights import simulate
from fink_al.simulation.packets import packets, replicate

NAMES = {
    "mag": "magpsf",
    "mag_err": "sigmapsf",
    "ra": "ra",
    "dec": "dec",
    "real_bogus": "rb",
    "deep_real_bogus": "drb",
    "n_bad_pixels": "nbad",
    "classtar": "classtar",
    "star_score": "sgscore1",
    "star_distance_arcsec": "distpsnr1",
    "n_detections": "ndethist",
}


@pytest.fixture(scope="module")
def campaign():
    return simulate(2, 60, seed=5)


@pytest.fixture(scope="module")
def night(campaign):
    return list(packets(campaign, campaign.nights[-1]))


def read(packet):
    (record,) = fastavro.reader(io.BytesIO(packet))
    return record


def test_packets_hold_the_nights_alerts(campaign, night):
    records = [read(packet) for packet in night]
    expected = campaign.columns(campaign.nights[-1])
    candidates = [record["candidate"] for record in records]
    assert [r["objectId"] for r in records] == expected["object_id"].to_pylist()
    assert [r["candid"] for r in records] == expected["alert_id"].to_pylist()
    assert [c["candid"] for c in candidates] == expected["alert_id"].to_pylist()
    found = {name: [c[field] for c in candidates] for name, field in NAMES.items()}
    assert found == {name: expected[name].to_pylist() for name in NAMES}
    assert [c["isdiffpos"] == "t" for c in candidates] == expected["is_positive"].to_pylist()
    distances = [None if c["ssdistnr"] == -999 else c["ssdistnr"] for c in candidates]
    assert distances == expected["asteroid_distance_arcsec"].to_pylist()
    started = [c["jdstarthist"] - 2400000.5 for c in candidates]
    np.testing.assert_allclose(started, expected["first_detection_mjd"], rtol=0, atol=1e-8)


def test_histories_are_the_light_curves_of_the_alerts(campaign, night):
    names = ("jd", "fid", "magpsf", "sigmapsf", "diffmaglim", "isdiffpos")
    fields = dict(zip(LIGHT_CURVE, names, strict=True))
    expected = campaign.columns(campaign.nights[-1])
    for column, field in fields.items():
        found = [
            [point[field] for point in [*record["prv_candidates"], record["candidate"]]]
            for record in map(read, night)
        ]
        if field == "isdiffpos":
            found = [[{"t": 1, "f": 0, None: None}[word] for word in words] for words in found]
            assert {0, 1, None} == {sign for signs in found for sign in signs}
        assert found == expected[column].to_pylist()


def test_a_non_detection_has_nothing_but_its_exposure(night):
    point = next(p for p in read(night[0])["prv_candidates"] if p["magpsf"] is None)
    exposure = ["jd", "fid", "pid", "diffmaglim", "pdiffimfilename", "programpi", "programid"]
    exposure += ["nid", "rcid", "magzpsci", "rbversion"]
    assert [name for name, value in point.items() if value is not None] == exposure


def test_packets_are_as_large_as_real_ones_and_share_their_header(night):
    sizes = [len(packet) for packet in night]
    assert min(sizes) > 55_000
    assert max(sizes) < 85_000
    headers = {packet[: packet.index(packet[-16:])] for packet in night}
    assert len(headers) == 1
    assert len({packet[-16:] for packet in night}) == len(night)  # drawn for each, as ZTF does


def test_cutouts_are_fits_images_of_63_pixels(night):
    record = read(night[0])
    for name in ("cutoutScience", "cutoutTemplate", "cutoutDifference"):
        image = gzip.decompress(record[name]["stampData"])
        with fits.open(io.BytesIO(image)) as file:
            file.verify("exception")
            assert (file[0].data.shape, file[0].data.dtype.str) == ((63, 63), ">f4")
            assert np.isfinite(file[0].data).all()


def test_the_same_campaign_makes_the_same_packets(campaign, night):
    assert list(packets(campaign, campaign.nights[-1])) == night


def test_replicas_differ_in_their_ids_only(night):
    n = 2 * len(night) + 1
    replicas = [read(packet) for packet in replicate(night, n)]
    names = [record["objectId"] for record in replicas]
    assert len(set(names)) == n
    assert all(re.fullmatch("ZTF[0-9]{2}[a-z]{7}", name) for name in names)
    ids = [record["candid"] for record in replicas]
    assert ids == [record["candidate"]["candid"] for record in replicas]
    assert len(set(ids)) == n
    original = read(night[0])
    for record in (original, replicas[0], replicas[len(night)]):
        del record["objectId"], record["candid"], record["candidate"]["candid"]
    assert replicas[0] == original
    assert replicas[len(night)] == original
