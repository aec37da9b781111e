"""A filter for Fink: the target's cuts on Fink's alerts, as a pandas function of their columns.

Fink takes the names of the function's arguments for names of columns. So this file, like the
adapters, holds the survey's field names; ``docs/fink.md`` says how to install it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import FunctionType
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import BooleanType

from fink_al.alerts import adapter, ztf
from fink_al.alerts.series import curves_of
from fink_al.alerts.ztf import FINK_LIGHT_CURVE, MJD_OF_JD0
from fink_al.cuts import Bools, Floats, Words, places
from fink_al.draws import MOST_T, closing_fraction, closing_mjd, lists_of
from fink_al.errors import SettingsError
from fink_al.followup.dark import is_observable
from fink_al.lightcurve import LightCurves
from fink_al.selection import Draws, inputs, select
from fink_al.settings import Settings, load_settings

#: The survey's value where a catalogue has no source.
_NO_SOURCE = -999.0


def candidate_filter(
    settings: Settings | None = None, t: float = MOST_T, *, prefix: str = "fink_al"
) -> Any:
    """Filter that keeps the alerts that the target's follow-up would request.

    The cuts are those of the stream (:func:`fink_al.selection.select`), and so is the draw: an
    alert is kept if ``fink_al_u < fink_al_pi * t``. The filter cannot know which objects have a
    type or were published before. The form is that of
    fink-filters: a pandas function whose arguments are columns, applied by
    ``fink_utils.spark.utils.apply_user_defined_filter``.

    Parameters
    ----------
    settings : Settings, optional
        Target and survey; default: those of the package.
    t : float
        Threshold of the draw; by default all alerts within the cuts are kept. It must not depend on
        ``fink_al_u`` or on types.
    prefix : str
        Begin of the names of the three columns that are the target's, where a job has filters of
        several targets: ``mine_p``, ``mine_pi`` and ``mine_u``.

    Raises
    ------
    SettingsError
        If the target is not for alerts of ZTF: filters of LSST get whole records from Fink.

    Returns
    -------
    user-defined function
        Of ``fink_al_p``, ``fink_al_pi`` and ``fink_al_u`` (:mod:`fink_al.processor`), Fink's
        ``cdsxmatch``, fields of the candidate and the light curve under the names of Fink's
        distribution (``cjdc``), to boolean.
    """
    settings = settings or load_settings()
    if adapter(settings.survey) is not ztf:
        raise SettingsError(
            "This filter reads the columns of Fink's filters for ztf; target "
            f"'{settings.target.name}' is for {settings.survey.name}: set a target of ztf, or "
            "write a filter of fink_al_p."
        )

    bands = dict(enumerate(settings.survey.bands, 1))

    def candidates(
        fink_al_p: pd.Series,
        fink_al_pi: pd.Series,
        fink_al_u: pd.Series,
        cdsxmatch: pd.Series,
        jd: pd.Series,
        fid: pd.Series,
        ra: pd.Series,
        dec: pd.Series,
        magpsf: pd.Series,
        sigmapsf: pd.Series,
        isdiffpos: pd.Series,
        rb: pd.Series,
        drb: pd.Series,
        nbad: pd.Series,
        classtar: pd.Series,
        sgscore1: pd.Series,
        distpsnr1: pd.Series,
        ssdistnr: pd.Series,
        ssnamenr: pd.Series,
        ndethist: pd.Series,
        jdstarthist: pd.Series,
        cjdc: pd.Series,
        cfidc: pd.Series,
        cmagpsfc: pd.Series,
        csigmapsfc: pd.Series,
        cdiffmaglimc: pd.Series,
    ) -> pd.Series:
        numbers = {
            "mjd": _numbers(jd) - MJD_OF_JD0,
            "ra": _numbers(ra),
            "dec": _numbers(dec),
            "mag": _numbers(magpsf),
            "mag_err": _numbers(sigmapsf),
            "is_positive": _numbers(isdiffpos.isin(["t", "1"]).where(isdiffpos.notna())),
            "real_bogus": _numbers(rb),
            "deep_real_bogus": _numbers(drb),
            "n_bad_pixels": _numbers(nbad),
            "classtar": _numbers(classtar),
            "star_score": _of_source(sgscore1),
            "star_distance_arcsec": _of_source(distpsnr1),
            "asteroid_distance_arcsec": _of_source(ssdistnr),
            "is_known_asteroid": _numbers(~ssnamenr.fillna("null").isin(["null", ""])),
            "n_detections": _numbers(ndethist),
            "first_detection_mjd": _numbers(jdstarthist) - MJD_OF_JD0,
        }
        words = {
            "band": fid.map(bands).fillna("unknown").where(fid.notna()),
            "host_class": cdsxmatch,
        }
        lists = (cjdc, cfidc, cmagpsfc, csigmapsfc, cdiffmaglimc)
        curves = curves_of(lists, FINK_LIGHT_CURVE, settings.survey)
        within = _within(settings, _numbers(fink_al_p), numbers | words, curves)
        return pd.Series(within & (_numbers(fink_al_u) < _numbers(fink_al_pi) * t))

    return pandas_udf(_named(candidates, prefix), BooleanType())  # type: ignore[call-overload,arg-type]


def _named(function: FunctionType, prefix: str) -> FunctionType:
    """Return `function` with arguments that begin otherwise than ``fink_al``: Fink reads them."""
    code = function.__code__
    names = (re.sub(r"^fink_al(?=_(p|pi|u)$)", prefix, name) for name in code.co_varnames)
    renamed = FunctionType(
        code.replace(co_varnames=tuple(names)),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    kinds = function.__annotations__.items()
    renamed.__annotations__ = {
        re.sub(r"^fink_al(?=_(p|pi|u)$)", prefix, name): kind for name, kind in kinds
    }
    return renamed


def _within(settings: Settings, p: Floats, alerts: Mapping[str, Any], curves: LightCurves) -> Bools:
    """Return which alerts are within all cuts, from their columns, words as text."""
    target, nothing = settings.target, np.zeros(len(p), bool)
    context = {
        name: alerts[name] if words is None else _places(alerts[name], words)
        for name, words in inputs(target.cuts).items()
    }
    closes = closing_fraction(target.draw, settings.survey)
    lists, observable = lists_of(alerts["mjd"], closes), nothing.copy()
    for name in np.unique(lists).tolist():
        here = lists == name
        ra, dec, end = context["ra"][here], context["dec"][here], closing_mjd(name, closes)
        observable[here] = is_observable(ra, dec, target.follow_up.site, end)
    # A weight of 1 and a random number of 0 pass this draw.
    every = Draws(u=np.zeros(len(p)), t=np.ones(len(p)), mean=np.ones(len(p)))
    chosen = select(
        context,
        target=target,
        score=np.ones(len(p)),
        draws=every,
        history_start_mjd=curves.first_detection_mjd(),
        has_features=~np.isnan(p) & (p != ztf.FINK_NO_SCORE),
        is_observable=observable,
        is_labelled=nothing,
        is_reserved=nothing,
        is_published=nothing,
    )
    return chosen.rejected == 0


def _places(column: pd.Series, words: Words) -> Floats:
    return places(column.astype(object).where(column.notna(), None), words)


def _numbers(column: pd.Series) -> Floats:
    return pd.to_numeric(column).to_numpy(np.float64, na_value=np.nan)


def _of_source(column: pd.Series) -> Floats:
    values = _numbers(column)
    return np.where(values == _NO_SOURCE, np.nan, values)
