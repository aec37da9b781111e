"""Speed of the point lens fit, from light curves to features, on one core.

FILES are packets of ZTF: Avro container files, or Parquet files with `candidate` and
`prv_candidates`. Without any, packets are simulated. The rate is the process' own time, the least
of several rounds, over all packets, and over those alone that rise, so that each is fitted.

    python benchmarks/lens_speed.py [FILE ...] [--survey lsst] [--alerts 3000] [--rounds 7]
        [--check] [--quick]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from claims import Claim, judge

from fink_al.alerts import light_curves
from fink_al.alerts.ztf import FORCED, LIGHT_CURVE
from fink_al.features.microlensing.lens import PointLens
from fink_al.lightcurve import LightCurves
from fink_al.settings import load_survey
from fink_al.simulation.lens_alerts import (
    EVENT,
    packets_at,
    random_detections,
    simulate_sky,
)
from fink_al.simulation.star_surveys import STAR_SURVEYS, StarSurvey

TARGET_RATE = 20_000.0
_HISTORY = 30.0
_FORCED_FIELDS = ("jd", "fid", "forcediffimflux", "forcediffimfluxunc", "magzpsci")


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--survey", choices=STAR_SURVEYS, default="ztf", help="that is simulated")
    parser.add_argument("--alerts", type=int, default=3000, help="alerts of a round, at least")
    parser.add_argument("--rounds", type=int, default=7, help="times that they are fitted")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="few alerts: only shows that it runs")
    options = parser.parse_args()
    n, rounds = (200, 1) if options.quick else (options.alerts, options.rounds)
    stars = STAR_SURVEYS[options.survey]
    lens = PointLens(stars.bands, forced=True)
    if options.files:
        skies = {"real packets": real(options.files)}
    else:
        kinds = {"simulated events": EVENT, "simulated others": None}
        skies = {name: simulated(kind, n, stars) for name, kind in kinds.items()}
    claims = []
    for name, alerts in skies.items():
        is_fitted = lens.extract(alerts)[1] == 0
        print(f"{name}: {len(alerts)}, of which {is_fitted.sum()} are fitted")
        for label, part in (("all", alerts), ("fitted", alerts.select(is_fitted))):
            many = LightCurves.concatenate([part] * -(-n // len(part)))
            rate = len(many) / min(seconds(lens, many) for _ in range(rounds))
            print(f" {label}: {many.n_points / len(many):.1f} points an alert")
            key = f"lens_{name}_{label}".replace(" ", "_")
            claims.append(Claim(key, rate, "alerts/s", TARGET_RATE, rate >= TARGET_RATE))
    judge(claims, options.check)


def seconds(lens: PointLens, alerts: LightCurves) -> float:
    """Time of the process for `alerts`, whose points are gathered, too."""
    fresh = alerts.slice(0, len(alerts))  # without what is kept of `alerts`
    since = time.process_time()
    lens.extract(fresh)
    return time.process_time() - since


def simulated(kind: str | None, n: int, stars: StarSurvey) -> LightCurves:
    """Packets of `n` objects at a random detection of each, with a whole history."""
    before = int(stars.sky.HISTORY_DAYS - _HISTORY)
    sky = simulate_sky(n, kind, 1, past_days=before, survey=stars)
    rows = random_detections(sky.curves, np.random.default_rng(1), before + _HISTORY)
    return packets_at(sky, rows)


def real(files: list[Path]) -> LightCurves:
    """Light curves of the packets in `files`."""
    packets = [packet for file in files for packet in read(file)]
    points = [[*(packet["prv_candidates"] or []), packet["candidate"]] for packet in packets]
    forced = [packet.get("fp_hists") or [] for packet in packets]
    columns = {
        name: pa.array([[value(point, name[1:]) for point in of] for of in points], kind)
        for name, kind in LIGHT_CURVE.items()
    } | {
        name: pa.array([[point[field] for point in of] for of in forced], kind)
        for (name, kind), field in zip(FORCED.items(), _FORCED_FIELDS, strict=True)
    }
    return light_curves(pa.table(columns), load_survey("ztf"))


def read(file: Path) -> list[dict[str, Any]]:
    """Packets of a file."""
    if file.suffix == ".parquet":
        return pq.read_table(file, columns=["candidate", "prv_candidates"]).to_pylist()
    with file.open("rb") as stream:
        return list(fastavro.reader(stream))


def value(point: dict[str, Any], field: str) -> float | None:
    """A field of a point, its sign as a number."""
    if field == "isdiffpos":
        return {"t": 1, "1": 1, "f": 0, "0": 0}.get(point[field])
    return point[field]


if __name__ == "__main__":
    main()
