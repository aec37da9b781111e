"""Tonight's list: the published candidates of a night, ranked for an observer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.errors import FinkAlError
from fink_al.followup.sky import hours_above_airmass_2, sexagesimal
from fink_al.lightcurve import LightCurves
from fink_al.loop import Loop

_COLUMNS = ["object_id", "ra", "dec", "band", "mag", "mjd", "p", "p_reason", "informativeness"]
_COLUMNS += ["strategy", "model_version", "first_detection_mjd"]

#: Columns of the list, in order.
LIST = ["rank", "object_id", "ra", "dec", "position", "band", "mag", "trend_mag_per_day",
        "age_days", "p", "why", "hours"]  # fmt: skip


def candidates(loop: Loop, night: int | None = None) -> tuple[int, pd.DataFrame]:
    """Return the night and its candidates so far, best first.

    They are ranked by informativeness. Those that the site cannot observe come last. During the
    night the list grows with each micro-batch.

    Parameters
    ----------
    loop : Loop
        Provides archive, survey and site.
    night : int, optional
        YYYYMMDD; default: the latest that has candidates.

    Returns
    -------
    int
        The night.
    DataFrame
        Columns `LIST`: position in degrees and sexagesimal; ``trend_mag_per_day`` between the last
        two positive detections of the band at least half a day apart, negative while it brightens,
        NaN without such a pair; ``hours`` above airmass 2 in the dark within a day after the
        alert.

    Raises
    ------
    FinkAlError
        If there are no candidates; the message lists the archived nights.
    """
    nights = loop.archive.nights()
    columns = [*_COLUMNS, *loop.alerts.LIGHT_CURVE]
    for chosen in [night] if night else reversed(nights):
        if chosen in nights:
            rows = loop.archive.read(chosen, columns, pc.field("is_candidate"))
            if len(rows):
                return chosen, _ranked(loop, rows)
    problem = f"night {night} has no candidates" if night else "no night has candidates"
    archived = ", ".join(map(str, nights)) or "none: has the stream run?"
    raise FinkAlError(f"In {loop.archive.folder} {problem}; archived nights: {archived}.")


def _ranked(loop: Loop, rows: pa.Table) -> pd.DataFrame:
    lists = rows.select(list(loop.alerts.LIGHT_CURVE))
    curves = loop.alerts.light_curves(lists, loop.survey)
    table = rows.select(_COLUMNS).to_pandas()
    begun = np.fmax(table["first_detection_mjd"], curves.first_detection_mjd())
    codes = table["band"].map({band: i for i, band in enumerate(loop.survey.bands)})
    site = loop.target.follow_up.site
    table = table.assign(
        position=sexagesimal(table["ra"], table["dec"]),
        trend_mag_per_day=_trend(curves, codes.to_numpy()),
        age_days=table["mjd"] - begun,
        why=[_why(row) for row in table.to_dict("records")],
        hours=hours_above_airmass_2(table["ra"], table["dec"], site, table["mjd"]),
    )
    hidden = table["hours"] == 0
    order = np.lexsort((table["object_id"], -table["informativeness"], hidden))
    table = table.iloc[order].reset_index(drop=True)
    return table.assign(rank=table.index + 1)[LIST]


def _trend(curves: LightCurves, band: np.ndarray) -> np.ndarray:
    trend = np.full(len(curves), np.nan)
    for i in range(len(curves)):  # tonight's candidates: at most hundreds
        rows = slice(curves.offsets[i], curves.offsets[i + 1])
        use = (curves.band[rows] == band[i]) & curves.is_detection[rows] & (curves.flux[rows] > 0)
        mjd, mag = curves.mjd[rows][use], -2.5 * np.log10(curves.flux[rows][use])
        if len(mjd) and (earlier := np.flatnonzero(mjd[-1] - mjd > 0.5)).size:
            last = earlier[np.argmax(mjd[earlier])]  # histories are not always in order of time
            trend[i] = (mag[-1] - mag[last]) / (mjd[-1] - mjd[last])
    return trend


def _why(row: dict) -> str:
    if isinstance(row["p_reason"], str):
        return f"random sample ({row['p_reason']})"
    return f"{row['strategy']}, model {row['model_version']}"
