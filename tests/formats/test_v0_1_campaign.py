"""The folder of a campaign of fink-al 0.1.0."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from fink_al.errors import SettingsError
from fink_al.experiments.folder import arms_of, queries_of, run_file, seeds_of
from fink_al.experiments.labelled_alerts import LabelledAlerts
from fink_al.experiments.plan import Arm, Plan
from fink_al.experiments.side_by_side import run_all

PLAN = Plan((Arm("random"), Arm("uncertainty")), seeds=1, labels=14)
AUC = {
    "random": [0.708912, 0.656829, 0.688657, 0.732639, 0.721065],
    "uncertainty": [0.708912, 0.664352, 0.653356, 0.682292, 0.734954],
}


def test_runs_that_are_done(v0_1):
    folder = v0_1 / "campaign"
    assert arms_of(folder) == ["random", "uncertainty"]
    for arm in arms_of(folder):
        assert seeds_of(folder, arm) == {0}
        curve = pq.read_table(run_file(folder, arm, 0))
        assert curve["n_labels"].to_pylist() == [10, 11, 12, 13, 14]
        assert curve["auc"].to_pylist() == pytest.approx(AUC[arm], abs=1e-6)
        queries = pq.read_table(queries_of(run_file(folder, arm, 0)))
        assert queries["why"].to_pylist() == 10 * ["initial"] + 4 * [arm]


def test_a_campaign_is_gone_on_with_or_refused(v0_1, ztf, tmp_path):
    folder = tmp_path / "campaign"
    shutil.copytree(v0_1 / "campaign", folder)
    with np.load(folder / "alerts.npz") as file:
        columns = {name: file[name] for name in file}
    for name in ("object_id", "types"):
        columns[name] = columns[name].astype(object)
    alerts = LabelledAlerts(**columns, features=ztf.target.features)
    model = ztf.target.model.model_copy(update={"estimator": "random_forest", "n_estimators": 6})
    target = ztf.target.model_copy(update={"model": model})
    before = {file: file.stat().st_mtime_ns for file in (folder / "runs").iterdir()}
    try:
        made = run_all({None: alerts}, PLAN, target, folder, processes=1)
    except SettingsError as error:  # of another version, or its strategies have changed
        assert "give another --output" in str(error)  # noqa: PT017
    else:
        assert made.seeds == {"random": 1, "uncertainty": 1}
        assert len(made.curves) == 10
    assert {file: file.stat().st_mtime_ns for file in (folder / "runs").iterdir()} == before
    told = json.loads((folder / "plan.json").read_text("utf-8"))
    assert told["version"] == "0.1.0"
