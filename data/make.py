"""Make the data sets of a folder per target: ``python data/make.py [TARGET]``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import lens_sets
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fink_al.alerts import adapter, light_curves
from fink_al.cuts import failures, places
from fink_al.features.feature_set import FeatureSet
from fink_al.selection import inputs
from fink_al.settings import Settings, load_settings
from fink_al.simulation.nights import Campaign, simulate
from fink_al.simulation.objects import CLASSIFIED_MIX

_NIGHTS = 15
_STARTING_SEED, _STARTING_ALERTS, _STARTING_PER_CLASS = 7001, 400, 10
_TEST_SEED, _TEST_ALERTS, _TEST_OBJECTS = 7002, 4500, 600
#: Several seasons, as the schedule of each is another one.
_TEACHING_SEEDS = (7100, 7101, 7102)
_TEACHING_NIGHTS, _TEACHING_ALERTS, _TEACHING_PER_SEASON = 40, 400, 3000
_LENS_TARGETS = ("microlensing", "microlensing_lsst")
_TARGETS = ("early_snia", "early_snia_lsst", *_LENS_TARGETS)
_COLUMNS = ["object_id", "type", "alert_id", "mjd", "band", "mag", "ra", "dec"]


def starting_set(settings: Settings) -> pa.Table:
    """Ten positive and ten negative objects, as campaigns begin with 20 to 40."""
    rows = early_alerts(settings, _STARTING_SEED, _STARTING_ALERTS)
    positive = np.array(settings.taxonomy.classify(rows["type"].to_pylist(), settings.target))
    chosen = [np.nonzero(positive == wanted)[0][:_STARTING_PER_CLASS] for wanted in (True, False)]
    return rows.take(pa.array(np.concatenate(chosen)))


def test_set(settings: Settings) -> pa.Table:
    """600 objects that no stream ever shows, of all types that pass the target's cuts."""
    return early_alerts(settings, _TEST_SEED, _TEST_ALERTS)[:_TEST_OBJECTS]


def teaching_set(settings: Settings, seeds: Iterable[int] = _TEACHING_SEEDS) -> pa.Table:
    """3 000 alerts a season, up to maximum, of the types that surveys with spectra find.

    All have features. An object has as many alerts as were drawn, and the target's cuts are not
    asked: the more shapes, the better the teacher.
    """
    seasons = [_season(settings, seed) for seed in seeds]
    # Alerts of an object repeat its history: side by side they are compressed to half the size.
    return pa.concat_tables(seasons).sort_by([("object_id", "ascending"), ("mjd", "ascending")])


def _season(settings: Settings, seed: int) -> pa.Table:
    survey = settings.survey
    season = simulate(
        _TEACHING_NIGHTS, _TEACHING_ALERTS, seed, mix=CLASSIFIED_MIX, survey=survey.name
    )
    columns, truth = season.columns(), _truth(season)
    classes = settings.taxonomy.classify(truth["type"].tolist(), settings.target)
    early = np.array([each is not None for each in classes], bool) & ~is_late(season)
    rows = _labelled(columns, truth, settings).filter(pa.array(early))
    features = FeatureSet.from_settings(settings.target.features)
    usable = np.flatnonzero(features.extract(light_curves(rows, survey)).exist)
    return rows.take(np.random.default_rng(seed).permutation(usable)[:_TEACHING_PER_SEASON])


def early_alerts(settings: Settings, seed: int, alerts_per_night: int) -> pa.Table:
    """One alert of each simulated object that has one within the target's cuts and before its peak.

    The choice among an object's alerts, and the order of objects, are random. Columns are those of
    the archive that a labelled example needs.
    """
    campaign = simulate(_NIGHTS, alerts_per_night, seed, survey=settings.survey.name)
    columns = campaign.columns()
    curves = light_curves(columns, settings.survey)
    n, cuts, present = len(curves), settings.target.cuts, columns.column_names
    context = {
        name: curves.context_column(name)
        if words is None
        else places(columns[name].to_pylist() if name in present else [None] * n, words)
        for name, words in inputs(cuts).items()
    }
    fails = failures(cuts, context, curves.first_detection_mjd())
    fails["too_faint"] = context["mag"] > settings.target.follow_up.max_magnitude
    has_features = FeatureSet.from_settings(settings.target.features).extract(curves).exist
    accepted = has_features & ~np.any(list(fails.values()), axis=0)
    truth = _truth(campaign)
    is_typed = truth["type"].notna().to_numpy()
    usable = np.nonzero(accepted & ~is_late(campaign) & is_typed)[0]
    usable = np.random.default_rng(seed).permutation(usable)
    _, first = np.unique(truth.index.to_numpy()[usable], return_index=True)
    return _labelled(columns, truth, settings).take(usable[np.sort(first)])


def _truth(campaign: Campaign) -> pd.DataFrame:
    """Row of its object for each alert."""
    return campaign.truth.set_index("object_id").loc[campaign.alerts["object_id"]]


def is_late(campaign: Campaign) -> npt.NDArray[np.bool_]:
    """Tell whether each alert is after the night of its object's brightest detection so far.

    Real light curves are cut there, too (:mod:`fink_al.training.nightly_alerts`): on a plateau
    noise decides, weeks after the model's maximum. Objects without a maximum are never late.
    """
    points, alerts, day_start = campaign.points, campaign.alerts, campaign.survey.day_start
    seen = points[points["mag"].notna() & points["is_positive"]]
    brightest = seen.loc[seen.groupby("object")["flux"].idxmax()].set_index("object")["mjd"]
    peak = np.floor(brightest - day_start).reindex(points["object"].to_numpy()[alerts["point"]])
    has_peak = _truth(campaign)["peak_mjd"].notna().to_numpy()
    return (np.floor(alerts["mjd"].to_numpy() - day_start) > peak.to_numpy()) & has_peak


def _labelled(columns: pa.Table, truth: pd.DataFrame, settings: Settings) -> pa.Table:
    """Columns of a labelled set."""
    columns = columns.append_column("type", pa.array(truth["type"], pa.string()))
    survey = adapter(settings.survey)
    lists = [name for name in survey.LIGHT_CURVE | survey.FORCED if name in columns.column_names]
    # A target that looks at the alert itself, as at its host, learns from it.
    asked = [name for name in settings.target.features.context if name in columns.column_names]
    return columns.select([*dict.fromkeys([*_COLUMNS, *asked]), *lists])


def settings_of(target: str) -> Settings:
    """Settings of a target whose data sets need not exist yet."""
    untaught = {"model": {"estimator": "random_forest"}}
    none = dict.fromkeys(("starting_set", "test_set", "teaching_set"))
    return load_settings(environment={"FINK_AL_TARGET": target}, target=untaught, **none)


#: Each set, and how its file is written. Neither way changes a value.
SETS: dict[str, tuple[Any, dict[str, Any]]] = {
    "starting_set": (starting_set, {}),
    "test_set": (test_set, {}),
    # Dictionaries hide the repeated histories from the compression.
    "teaching_set": (teaching_set, {"compression_level": 19, "use_dictionary": False}),
}


#: The same of the targets that look for lenses.
LENS_SETS = {
    name: (getattr(lens_sets, name), {"compression_level": 19, "use_dictionary": False})
    for name in SETS
}


def sets_of(target: str) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Sets of a target, and how their files are written."""
    return LENS_SETS if target in _LENS_TARGETS else SETS


def main() -> None:
    """Make the sets of one target, or of every target that comes with the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="?", help="default: each of the package")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder")
    options = parser.parse_args()
    for target in [options.target] if options.target else _TARGETS:
        settings = settings_of(target)
        folder = options.output / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, (make, written) in sets_of(target).items():
            made, file = make(settings), folder / f"{name}.parquet"
            pq.write_table(made, file, compression="zstd", **written)
            print(f"{file}: {len(made)} alerts of {len(made['object_id'].unique())} objects")


if __name__ == "__main__":
    main()
