"""Runs beside each other, killed and going on."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from small_world import informed, teaching_set

from fink_al.alerts import light_curves
from fink_al.errors import LightCurveError, SettingsError
from fink_al.experiments.folder import alone
from fink_al.experiments.labelled_alerts import LabelledAlerts
from fink_al.experiments.plan import Arm, Plan
from fink_al.experiments.side_by_side import run_all
from fink_al.features.feature_set import FeatureSet
from fink_al.settings import load_survey

PLAN = Plan((Arm("random"), Arm("uncertainty")), seeds=2, labels=14)


def test_all_runs_are_there_and_nothing_is_run_twice(alerts, target, tmp_path):
    told = []
    made = run_all(
        {None: alerts}, PLAN, target, tmp_path, processes=2, progress=lambda *n: told.append(n)
    )
    rows = made.curves.to_pandas()
    assert rows.groupby(["strategy", "seed"]).size().to_dict() == {
        (name, seed): 5 for name in ("random", "uncertainty") for seed in (0, 1)
    }
    assert told[0] == (0, 16)
    assert told[-1] == (16, 16)
    (tmp_path / "runs" / "random-1.parquet").unlink()
    stamps = {file: file.stat().st_mtime_ns for file in (tmp_path / "runs").iterdir()}
    again = run_all({None: alerts}, PLAN, target, tmp_path, processes=1)
    assert again.curves.equals(made.curves)
    changed = {file.name for file, stamp in stamps.items() if file.stat().st_mtime_ns != stamp}
    assert changed == {"random-1.queries.parquet"}


def test_one_at_a_time_works_in_a_folder(alerts, target, tmp_path):
    with alone(tmp_path), pytest.raises(SettingsError, match="Another campaign is running in"):
        run_all({None: alerts}, PLAN, target, tmp_path)


def test_an_informed_forest_has_its_teaching_set_or_is_refused(target, tmp_path):
    teaching = teaching_set(target)
    few = FeatureSet.from_settings(target.features)
    values = few.extract(light_curves(teaching.rows, load_survey("ztf"))).values
    _, row = np.unique(teaching.rows["object_id"].to_pylist(), return_inverse=True)
    alerts = LabelledAlerts(
        values=values,
        positive=teaching.positive,
        row=row,
        object_id=teaching.rows["object_id"].to_numpy(),
        types=teaching.rows["type"].to_numpy(),
        night=np.floor(teaching.rows["mjd"].to_numpy()).astype(np.int64),
        mag=teaching.rows["mag"].to_numpy(),
        published=np.ones(len(row), bool),
        features=target.features,
    )
    plan = Plan((Arm.parse("random/informed_forest"),), seeds=1, labels=12)
    with pytest.raises(SettingsError, match="random/informed_forest: informed_forest needs a teac"):
        run_all({None: alerts}, plan, informed(target), tmp_path, processes=1)
    assert not (tmp_path / "plan.json").exists()
    made = run_all({None: alerts}, plan, informed(target), tmp_path, teaching=teaching, processes=1)
    assert (made.curves.to_pandas()["auc"] > 0.9).all()  # it was taught these very alerts
    other = teaching_set(target, 1000)
    with pytest.raises(SettingsError, match=r"another teaching_set \("):
        run_all({None: alerts}, plan, informed(target), tmp_path, teaching=other, processes=1)


def test_other_arms_may_join_but_not_another_plan(alerts, target, tmp_path):
    run_all({None: alerts}, PLAN, target, tmp_path, processes=1)
    more = dataclasses.replace(PLAN, arms=(*PLAN.arms, Arm("entropy")), seeds=1)
    rows = run_all({None: alerts}, more, target, tmp_path, processes=1).curves.to_pandas()
    assert set(rows["strategy"]) == {"random", "uncertainty", "entropy"}
    assert set(rows["seed"]) == {0}
    with pytest.raises(SettingsError, match=r"another labels \(14, now 12\): give"):
        run_all({None: alerts}, dataclasses.replace(PLAN, labels=12), target, tmp_path)


def test_what_was_there_before_is_part_of_the_campaign(alerts, target, tmp_path):
    before = run_all({None: alerts}, PLAN, target, tmp_path, processes=1)
    assert before.seeds == {"random": 2, "uncertainty": 2}
    entropy = dataclasses.replace(PLAN, arms=(Arm("entropy"),))
    first = run_all({None: alerts}, dataclasses.replace(entropy, seeds=1), target, tmp_path,
                    processes=1)  # fmt: skip
    assert first.seeds == {"random": 2, "uncertainty": 2, "entropy": 1}
    both = run_all({None: alerts}, entropy, target, tmp_path, processes=1)
    for made, seeds in ((first, [0]), (both, [0, 1])):
        for table in (made.curves, made.queries):
            rows = table.to_pandas()
            assert rows["strategy"].unique().tolist() == ["random", "uncertainty", "entropy"]
            assert rows["seed"].unique().tolist() == seeds
    kept = both.curves.to_pandas().query("strategy != 'entropy'").reset_index(drop=True)
    assert kept.equals(before.curves.to_pandas())
    again = run_all({None: alerts}, dataclasses.replace(PLAN, seeds=1), target, tmp_path)
    assert again.curves.equals(both.curves)


def test_an_arm_without_a_seed_in_common_is_left_out(alerts, target, tmp_path, caplog):
    run_all({None: alerts}, PLAN, target, tmp_path, processes=1)
    (tmp_path / "runs" / "random-0.parquet").unlink()
    one = dataclasses.replace(PLAN, arms=(Arm("entropy"),), seeds=1)
    made = run_all({None: alerts}, one, target, tmp_path, processes=1)
    assert made.seeds == {"uncertainty": 2, "entropy": 1}
    assert "random has no seed that the other arms have: it is left out" in caplog.text


def test_progress_counts_the_labels_that_there_can_be(alerts, target, tmp_path):
    told = []
    plan = Plan((Arm("random"),), seeds=1, labels=1000, per_night=10)
    run_all({None: alerts}, plan, target, tmp_path, processes=1,
            progress=lambda *n: told.append(n))  # fmt: skip
    assert set(total for _, total in told) == {30}  # half of 80 objects, less 10


def test_a_killed_campaign_goes_on(points, tmp_path):
    output = tmp_path / "campaign"
    command = [
        sys.executable, "-c", "from fink_al.cli.main import main; main()", "campaign",
        "--points", points, "--strategy", "random,uncertainty", "--labels", "25", "--seeds", "3",
        "--trees", "60", "--output", output, "--processes", "1",
    ]  # fmt: skip
    job = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list(output.glob("runs/*[0-9].parquet")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    done = list(output.glob("runs/*[0-9].parquet"))
    stamps = {file: file.stat().st_mtime_ns for file in done}
    assert 0 < len(done) < 6
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "has the best figure of merit up to 25 labels" in again.stdout
    assert {file: file.stat().st_mtime_ns for file in done} == stamps
    assert len(list(output.glob("runs/*[0-9].parquet"))) == 6
    assert (output / "REPORT.md").exists()
    assert not list(output.glob("runs/*.part*"))


def test_a_plan_that_cannot_be_leaves_the_folder_to_another(alerts, target, tmp_path):
    wrong = dataclasses.replace(PLAN, initial=60, labels=70)
    with pytest.raises(LightCurveError, match="a smaller --initial"):
        run_all({None: alerts}, wrong, target, tmp_path)
    assert run_all({None: alerts}, PLAN, target, tmp_path, processes=1).curves.num_rows == 20


def test_no_worker_outlives_its_campaign(points, tmp_path):
    command = [
        sys.executable, "-c", "from fink_al.cli.main import main; main()", "campaign",
        "--points", points, "--labels", "29", "--seeds", "8", "--trees", "300",
        "--output", tmp_path / "out", "--processes", "1",
    ]  # fmt: skip
    job = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("out/runs/*[0-9].parquet")) and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = psutil.Process(job.pid).children(recursive=True)
    assert workers
    job.kill()
    job.wait()
    assert not psutil.wait_procs(workers, timeout=60)[1]
