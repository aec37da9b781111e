"""``fink-al campaign``, from a table of points to a page."""

import pandas as pd
import pytest
from click.testing import CliRunner

from fink_al.cli.campaign import campaign
from fink_al.errors import SettingsError


def run(*arguments):
    return CliRunner().invoke(campaign, [str(a) for a in arguments], catch_exceptions=False)


def test_arms_with_features_of_their_own_are_compared(points, tmp_path):
    out = tmp_path / "out"
    done = run("--points", points, "--strategy", "random,uncertainty,uncertainty@sigmoid",
               "--labels", 14, "--seeds", 2, "--trees", 10, "--alerts-per-object", 2,
               "--output", out)  # fmt: skip
    assert done.exit_code == 0
    assert "figure of merit" in done.output
    assert "14 labels" in done.output
    curves = pd.read_parquet(out / "curves.parquet")
    assert set(curves["strategy"]) == {"random", "uncertainty", "uncertainty@sigmoid"}
    assert curves["n_labels"].max() == 14
    queries = pd.read_parquet(out / "queries.parquet")
    # All begin with the same labels.
    first = queries[queries["why"] == "initial"].groupby(["strategy", "seed"])["object_id"]
    assert first.agg(tuple).groupby("seed").nunique().tolist() == [1, 1]
    for name in ("REPORT.md", "curves.png", "asked.png"):
        assert (out / name).stat().st_size > 500


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--strategy", "best"], "No strategy 'best'; known: random, uncertainty"),
        (["--strategy", "random@best"], "Feature set: name"),
        (["--strategy", "random/best"], "No estimator 'best'; known: random_forest"),
        (["--strategy", "entropy^x"], "its numbers cannot be read"),
        (["--metric", "auc,log_loss"], "--metric has 'log_loss'; allowed: figure_of_merit, "),
        (["--labels", "10"], "--labels 10 must be more than --initial"),
        (["--budget", "nan"], "--budget nan is not a time"),
        (["--budget", "inf"], "--budget inf is not a time"),
        (["--delay", "1"], "--delay 1 needs --mode stream; in a pool a label arrives at once"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(points, tmp_path, arguments, message):
    with pytest.raises(SettingsError, match=message):
        run("--points", points, *arguments, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_budget_below_any_spectrum_leaves_the_folder_to_another(points, tmp_path):
    with pytest.raises(SettingsError, match=r"--budget 0\.5 is too small: the cheapest"):
        run("--points", points, "--budget", 0.5, "--output", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_folder_that_cannot_be_is_said_before_any_work(points, tmp_path, monkeypatch):
    monkeypatch.setattr("fink_al.cli.campaign._alerts", lambda *_: pytest.fail("worked"))
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="its folder cannot be created"):
        run("--points", points, "--output", tmp_path / "file" / "out")


def test_an_arm_that_joins_is_beside_those_before(points, tmp_path):
    out = tmp_path / "out"
    common = ("--points", points, "--labels", 12, "--trees", 5, "--output", out)
    run(*common, "--strategy", "random,uncertainty", "--seeds", 2)
    done = run(*common, "--strategy", "margin", "--seeds", 1)
    assert done.exit_code == 0
    text = (out / "REPORT.md").read_text()
    assert text.startswith("# Campaign: random, uncertainty, margin\n")
    assert "1 seed that all arms have (random 2, uncertainty 2, margin 1)" in text


def test_alerts_come_from_a_table_or_an_archive(points, tmp_path):
    for arguments in ([], ["--points", points, "--archive", tmp_path], ["--archive", tmp_path]):
        with pytest.raises(SettingsError, match="--points with a table of complete light curves"):
            run(*arguments, "--output", tmp_path / "out")


def test_a_stream_like_campaign_thins_positives_and_compares_by_rank(points, tmp_path):
    out = tmp_path / "out"
    done = run("--points", points, "--strategy", "random,entropy^2,greedy:cost", "--labels", 13,
               "--initial", 12, "--trees", 5, "--seeds", 2, "--positive-share", 0.25,
               "--output", out)  # fmt: skip
    assert done.exit_code == 0
    for metric in ("AUC", "average precision"):
        assert metric in done.output
        assert f"the mean {metric} holds the level of `random`" in (out / "REPORT.md").read_text()
    queries = pd.read_parquet(out / "queries.parquet")
    assert set(queries["why"]) == {"initial", "random", "entropy", "greedy:cost"}
    drawn = queries["why"].isin(["random", "entropy"])
    assert queries["odds"].notna().equals(drawn)
