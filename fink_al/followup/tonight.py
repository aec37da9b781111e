"""Tonight's list: what was published for a night, ranked for an observer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from fink_al.alerts import adapter
from fink_al.alerts.lists import with_absent
from fink_al.errors import FinkAlError
from fink_al.followup.sky import hours_above_airmass_2, sexagesimal
from fink_al.lightcurve import LightCurves
from fink_al.settings import Settings

_COLUMNS = ["object_id", "ra", "dec", "band", "mag", "mjd", "p", "p_reason", "informativeness"]
_COLUMNS += ["strategy", "model_version", "first_detection_mjd"]

#: Columns of the list, in order.
LIST = ["rank", "object_id", "ra", "dec", "position", "band", "mag", "trend_mag_per_day",
        "age_days", "p", "why", "hours"]  # fmt: skip


def candidates(settings: Settings, night: int | None = None) -> tuple[int, pd.DataFrame]:
    """The night and its candidates so far, best first.

    Ranked by informativeness, those that the site cannot see behind all others. While the night
    goes on the list grows with each micro-batch.

    Parameters
    ----------
    settings : Settings
        Archive and site.
    night : int, optional
        YYYYMMDD; default: the latest that has candidates.

    Returns
    -------
    int
        The night.
    DataFrame
        Columns `LIST`: position in degrees and sexagesimal; ``trend_mag_per_day`` between the last
        two positive detections of the band at least half a day apart, negative while it brightens,
        NaN if there is no such pair; ``hours`` above airmass 2 in the dark within a day after the
        alert.

    Raises
    ------
    FinkAlError
        If there are no candidates; the message says which nights there are.
    """
    found = _nights(settings)
    for known in [night] if night else sorted(found, reverse=True):
        rows = _read(settings, known) if known in found else None
        if rows is not None and len(rows):
            return known, _ranked(settings, known, rows)
    what = f"night {night} has no candidates" if night else "no night has candidates"
    nights = ", ".join(map(str, sorted(found))) or "none: has the stream run?"
    raise FinkAlError(f"In {settings.archive_dir} {what}; nights there: {nights}.")


def _nights(settings: Settings) -> set[int]:
    # The folder of a night stands for a moment before its first part does.
    parts = settings.archive_dir.glob("night=*/*.parquet")
    return {int(part.parent.name.removeprefix("night=")) for part in parts}


def _read(settings: Settings, night: int) -> pa.Table:
    files = sorted(map(str, (settings.archive_dir / f"night={night}").glob("*.parquet")))
    lists = adapter(settings.survey).LIGHT_CURVE
    parts = ds.dataset(files, format="parquet")
    parts = parts.replace_schema(with_absent(parts.schema, lists))
    return parts.to_table([*_COLUMNS, *lists], filter=ds.field("is_candidate"))


def _ranked(settings: Settings, night: int, rows: pa.Table) -> pd.DataFrame:
    survey = adapter(settings.survey)
    curves = survey.light_curves(rows.select(list(survey.LIGHT_CURVE)), settings.survey)
    table = rows.select(_COLUMNS).to_pandas()
    begun = np.fmax(table["first_detection_mjd"], curves.first_detection_mjd())
    codes = table["band"].map({band: i for i, band in enumerate(settings.survey.bands)})
    site = settings.target.follow_up.site
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
    for i in range(len(curves)):  # tonight's candidates: hundreds at the most
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
