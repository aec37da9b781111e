"""The filter keeps what the stream would publish, by Fink's own way to apply a filter."""

import numpy as np
import pandas as pd
import pytest
from fink_alerts import FEATURE_SETS, fink_alerts, of_the_stream, settings_with, trained
from fink_utils.spark.utils import apply_user_defined_filter

from fink_al.alerts.ztf import LIGHT_CURVE
from fink_al.errors import SettingsError
from fink_al.fink_filter import candidate_filter
from fink_al.processor import Bundle, random_number, score, weight
from fink_al.settings import load_settings

#: What Fink's distribution finds by its path, and names the topic after.
uncertain_early_snia = candidate_filter()
#: The stream's threshold before any list is known.
drawn_early_snia = candidate_filter(t=load_settings().target.follow_up.bootstrap_fraction)

#: Of another target in the same job, whose columns have names of their own.
_BRIGHT = {"max_magnitude": 18.0}
bright = candidate_filter(load_settings(target={"follow_up": _BRIGHT}), prefix="bright")

_GOOD = {
    "fink_al_p": 0.5,
    "fink_al_pi": 1.0,
    "fink_al_u": 0.3,
    "cdsxmatch": "Unknown",
    "jd": 2461050.5,
    "fid": 1,
    "ra": 150.0,
    "dec": -20.0,
    "magpsf": 19.0,
    "sigmapsf": 0.1,
    "isdiffpos": "t",
    "rb": 0.9,
    "drb": 0.99,
    "nbad": 0,
    "classtar": 0.9,
    "sgscore1": 0.1,
    "distpsnr1": 0.5,
    "ssdistnr": -999.0,
    "ssnamenr": "null",
    "ndethist": 4,
    "jdstarthist": 2461045.5,
    "cjdc": np.array([2461047.5, 2461050.5]),
    "cfidc": np.array([1, 1]),
    "cmagpsfc": np.array([19.5, 19.0]),
    "csigmapsfc": np.array([0.1, 0.1]),
    "cdiffmaglimc": np.array([20.5, 20.5]),
}
_OLD = {"cjdc": np.array([2461020.5, 2461050.5]), "jdstarthist": 2461020.5}
_FAILING = [
    {"fink_al_p": np.nan},
    {"fink_al_p": 0.0},
    {"fink_al_pi": np.nan},
    {"ra": 270.0},  # beside the Sun
    {"cdsxmatch": "Star"},
    {"cdsxmatch": None, "sgscore1": 0.9},
    {"fid": 3},
    {"fid": 4},
    {"dec": 20.0},
    {"magpsf": 20.01},
    {"isdiffpos": "f"},
    {"rb": 0.54},
    {"drb": 0.5},
    {"nbad": 1},
    {"classtar": 0.4},
    {"ssdistnr": 4.9},
    {"ssnamenr": "2020 AA1"},
    {"ndethist": 21},
    _OLD,
]
_PASSING = [
    {},
    {"fink_al_p": 0.99},
    {"isdiffpos": "1"},
    {"cdsxmatch": None},
    {"drb": None},
    {"ssdistnr": 5.1, "ssnamenr": "2020 AA1"},
    {"ssnamenr": None},
    {"sgscore1": 0.9},
    {"cdsxmatch": None, "sgscore1": -999.0, "distpsnr1": -999.0},
    {"jdstarthist": 2461020.5},  # the survey remembers something older than the alert's history
]


def test_every_cut_of_the_target():
    rows = pd.DataFrame([_GOOD | changes for changes in [*_PASSING, *_FAILING]])
    kept = uncertain_early_snia.func(*(rows[name] for name in _GOOD))
    assert kept.tolist() == [True] * len(_PASSING) + [False] * len(_FAILING)


def test_alerts_are_drawn_by_their_weight_and_random_number():
    changes = [{"fink_al_pi": pi, "fink_al_u": u} for pi in (0.5, 2.0) for u in (0.09, 0.11, 0.41)]
    rows = pd.DataFrame([_GOOD | each for each in changes])
    kept = candidate_filter(t=0.2).func(*(rows[name] for name in _GOOD))
    assert kept.tolist() == [True, False, False, True, True, False]


def test_a_target_of_another_survey_is_refused():
    settings = load_settings()
    other = settings.survey.model_copy(update={"name": "sdss"})
    with pytest.raises(SettingsError, match=r"No survey 'sdss'; known: .*ztf"):
        candidate_filter(settings.model_copy(update={"survey": other}))
    wanted = r"filters for ztf; target 'early_snia' is for lsst: set a target of ztf, or write"
    with pytest.raises(SettingsError, match=wanted):
        candidate_filter(load_settings(target={"survey": "lsst"}))


@pytest.mark.spark
def test_it_keeps_what_the_stream_would_publish(spark, shared_data):
    settings = settings_with(FEATURE_SETS["sigmoid"])
    model = trained(settings)
    bundle = Bundle.from_bytes(model.to_bytes(), settings)
    file = shared_data / "fink_alerts" / "ztf_science_2.parquet"
    # Real alerts, moved to where the telescope is.
    alerts = fink_alerts(spark, file, {"dec": -20.0, "drb": 0.9, "classtar": 0.9, "rb": 0.9})
    stream = of_the_stream(alerts, model, settings).cache()
    published = stream.where("is_candidate OR reasons = array('already_published')")
    scored = alerts.withColumn("fink_al_p", score(bundle)(*bundle.columns)["p"])
    scored = scored.withColumn("fink_al_u", random_number(settings))
    scored = scored.withColumn("fink_al_pi", weight(settings)("fink_al_p", "candidate.magpsf"))
    for name in LIGHT_CURVE:
        scored = scored.withColumnRenamed(name, f"{name}c")
    columns = ["fink_al_pi", "fink_al_u"]
    for name, expected, (least, most) in (
        ("uncertain_early_snia", stream.where("pi IS NOT NULL"), (1, alerts.count() - 1)),
        ("drawn_early_snia", published, (0, stream.where("pi IS NOT NULL").count() - 1)),
    ):
        kept = apply_user_defined_filter(scored, f"{__name__}.{name}").select("candid", *columns)
        found = sorted(map(tuple, kept.collect()))
        assert found == sorted(map(tuple, expected.select("alert_id", "pi", "u").collect()))
        assert least <= len(found) <= most


def test_filters_of_two_targets_read_columns_of_their_own(spark):
    rows = [(1, 0.5, 19.0, 0.5, 0.2), (2, 0.5, 17.0, 0.5, 0.2), (3, None, 17.0, 0.5, 0.2),
            (4, 0.5, 17.0, None, 0.2)]  # fmt: skip
    given = [
        _GOOD | {"candid": candid, "fink_al_p": p, "magpsf": mag, "bright_p": other,
                 "bright_pi": 1.0, "bright_u": u}
        for candid, p, mag, other, u in rows
    ]  # fmt: skip
    given = [
        {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in row.items()}
        for row in given
    ]
    alerts = spark.createDataFrame(given)

    def kept(name):
        rows = apply_user_defined_filter(alerts, f"{__name__}.{name}")
        return sorted(row.candid for row in rows.select("candid").collect())

    assert kept("uncertain_early_snia") == [1, 2, 4]
    assert kept("bright") == [2, 3]
