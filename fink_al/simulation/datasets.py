"""Makes the data sets of ``data/``: ``python -m fink_al.simulation.datasets``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fink_al.alerts import adapter, light_curves
from fink_al.cuts import places
from fink_al.features.feature_set import FeatureSet
from fink_al.selection import inputs, select
from fink_al.settings import Settings, load_settings
from fink_al.settings.taxonomy import Taxonomy
from fink_al.simulation.nights import simulate

_NIGHTS = 15
_STARTING_SEED, _STARTING_ALERTS, _STARTING_PER_CLASS = 7001, 400, 10
_TEST_SEED, _TEST_ALERTS, _TEST_OBJECTS = 7002, 4500, 600
_TARGETS = ("early_snia", "early_snia_lsst")
_COLUMNS = ["object_id", "type", "alert_id", "mjd", "band", "mag", "ra", "dec"]


def starting_set(settings: Settings) -> pa.Table:
    """Ten positive and ten negative objects, as campaigns begin with 20 to 40."""
    rows = early_alerts(settings, _STARTING_SEED, _STARTING_ALERTS)
    positive = np.array(Taxonomy.load().classify(rows["type"].to_pylist(), settings.target))
    chosen = [np.nonzero(positive == wanted)[0][:_STARTING_PER_CLASS] for wanted in (True, False)]
    return rows.take(pa.array(np.concatenate(chosen)))


def test_set(settings: Settings) -> pa.Table:
    """600 objects that no stream ever shows, of all types that pass the target's cuts."""
    return early_alerts(settings, _TEST_SEED, _TEST_ALERTS)[:_TEST_OBJECTS]


def early_alerts(settings: Settings, seed: int, alerts_per_night: int) -> pa.Table:
    """One alert of each simulated object that has one within the target's cuts and before its peak.

    Which of an object's alerts, and the order of objects, are random. Columns are those of the
    archive that a labelled example needs.
    """
    campaign = simulate(_NIGHTS, alerts_per_night, seed, survey=settings.survey.name)
    columns = campaign.columns()
    curves = light_curves(columns, settings.survey)
    n, none = len(curves), np.zeros(len(curves), bool)
    cuts, present = settings.target.cuts, columns.column_names
    context = {
        name: curves.context_column(name)
        if words is None
        else places(columns[name].to_pylist() if name in present else [None] * n, words)
        for name, words in inputs(cuts).items()
    }
    selection = select(
        context,
        cuts=cuts,
        follow_up=settings.target.follow_up,
        strategy=None,
        history_start_mjd=curves.first_detection_mjd(),
        p=np.full(n, np.nan),
        has_features=FeatureSet.from_settings(settings.target.features).extract(curves).exist,
        uniform=np.zeros(n),
        is_labelled=none,
        is_published=none,
        is_night_full=none,
    )
    truth = campaign.truth.set_index("object_id").loc[columns["object_id"].to_pylist()]
    is_late = columns["mjd"].to_numpy() > truth["peak_mjd"].to_numpy()
    usable = np.nonzero((selection.rejected == 0) & ~is_late & truth["type"].notna().to_numpy())[0]
    usable = np.random.default_rng(seed).permutation(usable)
    _, first = np.unique(truth.index.to_numpy()[usable], return_index=True)
    columns = columns.append_column("type", pa.array(truth["type"], pa.string()))
    survey = adapter(settings.survey)
    lists = [name for name in survey.LIGHT_CURVE | survey.FORCED if name in columns.column_names]
    return columns.select([*_COLUMNS, *lists]).take(usable[np.sort(first)])


def main(folder: Path) -> None:
    """Make both sets of every target that comes with the package, in a folder of each."""
    for target in _TARGETS:
        settings = load_settings(environment={}, target=target, starting_set=None, test_set=None)
        (folder / target).mkdir(parents=True, exist_ok=True)
        for make in (starting_set, test_set):
            made = make(settings)
            file = folder / target / f"{make.__name__}.parquet"
            pq.write_table(made, file, compression="zstd")
            print(f"{file}: {len(made)} objects")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "data"))
