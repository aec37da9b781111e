import json

import pytest

from fink_al.errors import SettingsError
from fink_al.experiments import folder
from fink_al.experiments.folder import arms_of, claim, queries_of, run_file, seeds_of
from fink_al.experiments.plan import Arm, Plan

PLAN = Plan((Arm("random"), Arm("uncertainty", "sets/mine.yml")), seeds=2, labels=14)


def test_arms_join_in_the_order_in_which_they_come(alerts, target, tmp_path):
    claim({None: alerts}, PLAN, target, tmp_path)
    claim({None: alerts}, Plan((Arm("entropy"), Arm("random")), labels=14), target, tmp_path)
    assert arms_of(tmp_path) == ["random", "uncertainty@sets/mine.yml", "entropy"]


def test_seeds_are_those_whose_curves_are_there(tmp_path):
    (tmp_path / "runs").mkdir()
    for arm, seed in (("random", 0), ("random", 11), ("random@a/b.yml", 3)):
        run_file(tmp_path, arm, seed).touch()
    queries_of(run_file(tmp_path, "random", 5)).touch()
    assert seeds_of(tmp_path, "random") == {0, 11}
    assert seeds_of(tmp_path, "random@a/b.yml") == {3}


def test_runs_of_another_strategy_are_not_gone_on_with(alerts, target, tmp_path, monkeypatch):
    claim({None: alerts}, PLAN, target, tmp_path)
    source = folder.inspect.getsource
    monkeypatch.setattr(folder.inspect, "getsource", lambda module: source(module) + "# edited")
    claim({None: alerts}, PLAN, target, tmp_path)  # no run has been made
    run_file(tmp_path, "random", 1).touch()
    monkeypatch.undo()
    with pytest.raises(
        SettingsError,
        match=r"strategy 'random' has changed since its runs: give another --output, "
        r"or remove runs/random-\* to repeat them\.",
    ):
        claim({None: alerts}, PLAN, target, tmp_path)
    claim({None: alerts}, Plan((Arm("entropy"),), labels=14), target, tmp_path)


def test_runs_of_another_version_are_not_gone_on_with(alerts, target, tmp_path):
    claim({None: alerts}, PLAN, target, tmp_path)
    file = tmp_path / "plan.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "version": "0.0.1"}))
    with pytest.raises(SettingsError, match=r'another version \("0\.0\.1", now "'):
        claim({None: alerts}, PLAN, target, tmp_path)
