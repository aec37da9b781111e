"""Campaigns over archived nights."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from archive_files import put_rows

from fink_al.alerts.ztf import FORCED
from fink_al.archive.reading import Archive
from fink_al.errors import FinkAlError
from fink_al.experiments.archived_alerts import archived_alerts
from fink_al.features.feature_set import FeatureSet
from fink_al.labels.counterparts import FOUND, counterparts_file, write_counterparts
from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore
from fink_al.loop import Loop
from fink_al.settings import load_settings
from fink_al.simulation.nights import simulate

NIGHTS, ALERTS = 6, 400


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Simulated nights as the stream archives them, with all types in a label store."""
    folder = tmp_path_factory.mktemp("archive")
    sky = simulate(NIGHTS, ALERTS, 11)
    for night in sky.nights:
        rows = sky.columns(night)
        refused = [["real_bogus"] if i % 7 == 0 else [] for i in range(len(rows))]
        rows = rows.append_column("reasons", pa.array(refused, pa.list_(pa.string())))
        for name, kind in FORCED.items():
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.nulls(len(rows), kind))
        put_rows(Archive(folder / "nights"), night, rows)
    store = LabelStore(folder / "labels")
    store.make()
    typed = sky.truth.dropna(subset="type")
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    store.add(Label(name, kind, "TNS", begin, begin, evidence=name)
              for name, kind in zip(typed["object_id"], typed["type"], strict=True))  # fmt: skip
    return folder, sky


def test_alerts_of_labelled_objects_that_passed_the_cuts(archive):
    folder, sky = archive
    settings = load_settings(starting_set=None, test_set=None)
    found = archived_alerts(
        Loop.open(settings), folder / "nights", str(folder / "labels"), settings.target.features
    )
    typed = set(sky.truth.dropna(subset="type")["object_id"])
    assert set(found.object_id) <= typed
    of_typed = sky.alerts["object_id"].isin(typed).sum()
    assert 0.8 * of_typed * 6 / 7 < len(found) < of_typed
    truth = sky.truth.set_index("object_id")["type"]
    assert all(truth[name] == kind for name, kind in zip(found.object_id, found.types, strict=True))
    assert all(
        kind.startswith("SN Ia") == is_positive
        for kind, is_positive in zip(found.types, found.positive, strict=True)
    )
    by_row = dict(zip(found.row, found.object_id, strict=True))
    assert len(by_row) == len(set(found.object_id))
    assert len(set(found.night)) == NIGHTS


def test_a_folder_without_nights_is_refused(archive, tmp_path):
    settings = load_settings(starting_set=None, test_set=None)
    with pytest.raises(FinkAlError, match="has no nights: give the archive that the stream fills"):
        archived_alerts(Loop.open(settings), tmp_path, str(tmp_path), settings.target.features)


def test_a_feature_set_may_ask_for_other_context_than_the_target(archive):
    folder, _ = archive
    settings = load_settings(starting_set=None, test_set=None)
    features = settings.target.features.model_copy(update={"context": ("real_bogus",)})
    found = archived_alerts(
        Loop.open(settings), folder / "nights", str(folder / "labels"), features
    )
    at = FeatureSet.from_settings(features).names.index("context_real_bogus")
    assert np.isfinite(found.values[:, at]).all()


def test_what_was_said_of_another_survey_s_object_at_the_same_place_counts(archive, tmp_path):
    folder, sky = archive
    nights = tmp_path / "archive" / "early_snia"
    nights.parent.mkdir()
    nights.symlink_to(folder / "nights")
    settings = load_settings(starting_set=None, test_set=None)
    alerts = archived_alerts(
        Loop.open(settings), nights, str(folder / "labels"), settings.target.features
    )
    # The same words, but one supernova is known to the store by another survey's name only.
    ours, other = alerts.object_id[alerts.positive][0], "170032915988086813"
    store = LabelStore(tmp_path / "labels")
    store.make()
    typed = sky.truth.dropna(subset="type")
    day = datetime(2026, 1, 1, tzinfo=UTC)
    store.add(
        Label(other if name == ours else name, kind, "TNS", day, day, evidence=name)
        for name, kind in zip(typed["object_id"], typed["type"], strict=True)
    )

    def found():
        made = archived_alerts(
            Loop.open(settings), nights, str(tmp_path / "labels"), settings.target.features
        )
        return set(made.object_id)

    assert found() == set(alerts.object_id) - {ours}
    pair = {"said_of": other, "object_id": ours, "arcsec": 0.1}
    write_counterparts(counterparts_file(nights), pa.Table.from_pylist([pair], FOUND), day)
    assert found() == set(alerts.object_id)
