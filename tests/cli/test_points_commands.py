"""``fink-al features`` and ``fink-al evaluate`` on tables of points."""

import json
import os

import pandas as pd
import pytest
from click.testing import CliRunner

from fink_al.cli.campaign import campaign
from fink_al.cli.evaluate import evaluate
from fink_al.cli.features import features
from fink_al.cli.points import read_points
from fink_al.errors import LightCurveError, SettingsError


def run(command, *arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


def test_features_of_a_table_are_null_with_a_reason_where_missing(points, tmp_path):
    out = tmp_path / "features.parquet"
    done = run(features, "--points", points, "--feature-set", "sigmoid", "--output", out)
    assert done.exit_code == 0
    assert "60 alerts, 12 features" in done.output
    table = pd.read_parquet(out)
    assert list(table)[:7] == ["objectId", "a_g", "b_g", "c_g", "snratio_g", "mse_g", "nrise_g"]
    assert len(table) == 60
    fitted = table["reason_g"].isna()
    assert fitted.any()
    assert (table["a_g"].notna() == fitted).all()
    run(features, "--points", points, "--feature-set", "sigmoid", "--min-data-points", 6,
        "--output", out)  # fmt: skip
    assert set(pd.read_parquet(out)["reason_g"]) == {"too_few_points"}


def test_a_feature_set_may_be_a_file(points, tmp_path):
    file = tmp_path / "mine.yml"
    file.write_text(
        "{name: early_v1, bands: [g], criterion: diff, min_data_points: 3, min_rising_points: 1}"
    )
    out = tmp_path / "features.parquet"
    run(features, "--points", points, "--feature-set", file, "--output", out)
    names = list(pd.read_parquet(out))
    assert "rate_g" in names
    assert not any(name.endswith("_r") for name in names)
    file.write_text(file.read_text().replace("[g]", "[x]"))
    with pytest.raises(SettingsError, match=r"bands \['x'\] are not of survey 'ztf'"):
        run(features, "--points", points, "--feature-set", file, "--output", out)


def test_evaluation_tells_apart_what_differs(points, tmp_path):
    out = tmp_path / "metrics.json"
    done = run(evaluate, "--points", points, "--feature-set", "early_v1", "--seeds", 2,
               "--alerts-per-object", 2, "--output", out)  # fmt: skip
    assert done.exit_code == 0
    found = json.loads(out.read_text())
    assert (found["objects"], found["alerts"], found["seeds"]) == (60, 120, 2)
    assert found["metrics"]["auc"]["mean"] > 0.8
    assert len(found["metrics"]["log_loss"]["by_seed"]) == 2


def test_a_table_without_types_is_refused(points, tmp_path):
    table = pd.read_parquet(points)
    bad = tmp_path / "bad.parquet"
    table.drop(columns="type").to_parquet(bad)
    with pytest.raises(LightCurveError, match="lacks type"):
        run(evaluate, "--points", bad, "--output", tmp_path / "x.json")
    table.assign(type="SN Ia").to_parquet(bad)
    with pytest.raises(
        LightCurveError, match=r"Target .* needs 20 .* 60 are positive and 0 negative"
    ):
        run(evaluate, "--points", bad, "--output", tmp_path / "x.json")
    bad.write_bytes(b"nonsense")
    with pytest.raises(LightCurveError, match="cannot be read as Parquet"):
        run(evaluate, "--points", bad, "--output", tmp_path / "x.json")


_NUMBERS = (2695378462115010012, 2695378462115010013)


def _two_alerts(points, numbers=_NUMBERS):
    first = pd.read_parquet(points).query("objectId == objectId.iloc[0]")
    return pd.concat([first.assign(alert_id=n, type="SN Ia") for n in numbers], ignore_index=True)


def test_identifiers_are_those_of_the_file_or_refused(points, tmp_path):
    out, csv, parquet = (tmp_path / name for name in ("f.parquet", "p.csv", "p.parquet"))
    alerts = _two_alerts(points).drop(columns="objectId")
    alerts.to_csv(csv, index=False)
    alerts.to_parquet(parquet)
    for file in (csv, parquet):
        run(features, "--points", file, "--feature-set", "sigmoid", "--output", out)
        assert pd.read_parquet(out)["alert_id"].tolist() == list(_NUMBERS)
    rounded = alerts.astype({"alert_id": float})
    rounded.to_csv(csv, index=False)
    rounded.to_parquet(parquet)
    for file in (csv, parquet):
        with pytest.raises(LightCurveError, match=r"'alert_id' holds (text|double)"):
            run(features, "--points", file, "--output", out)


@pytest.mark.parametrize(
    ("command", "output"),
    [(evaluate, "x.json"), (campaign, "folder")],
    ids=["evaluate", "campaign"],
)
def test_objects_in_floating_point_are_refused_by_every_command(points, tmp_path, command, output):
    file = tmp_path / "points.parquet"
    _two_alerts(points).assign(objectId=1.7e17).to_parquet(file)
    with pytest.raises(LightCurveError, match="Column 'objectId' holds double"):
        run(command, "--points", file, "--output", tmp_path / output)


def test_a_missing_number_in_a_csv_does_not_round_the_others(points, tmp_path):
    file = tmp_path / "points.csv"
    alerts = _two_alerts(points)
    alerts["alert_id"] = alerts["alert_id"].astype("Int64").mask(alerts.index == 0)
    alerts.to_csv(file, index=False)
    assert pd.read_csv(file)["alert_id"].dtype == float
    assert read_points(file)["alert_id"].equals(alerts["alert_id"])


@pytest.mark.parametrize("command", [features, evaluate])
def test_a_result_never_replaces_its_points(command, points):
    before = points.read_bytes()
    with pytest.raises(SettingsError, match="is the table of points: name another file"):
        run(command, "--points", points, "--output", points)
    assert points.read_bytes() == before


def test_a_result_that_cannot_be_written_leaves_the_one_before(points, tmp_path, monkeypatch):
    out = tmp_path / "features.parquet"
    out.write_bytes(b"before")

    def full(table, file):
        file.write(b"half of")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    with pytest.raises(SettingsError, match=r"cannot be written: No space left on device\.$"):
        run(features, "--points", points, "--feature-set", "sigmoid", "--output", out)
    assert out.read_bytes() == b"before"
    assert [file.name for file in tmp_path.iterdir() if "partial" in file.name] == []


def test_a_pipe_is_written_and_not_replaced(points, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        run(features, "--points", points, "--feature-set", "sigmoid", "--output", pipe)
        assert os.read(reader, 4) == b"PAR1"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_positives_are_thinned_to_a_share(points, tmp_path):
    out = tmp_path / "out.json"
    done = run(evaluate, "--points", points, "--positive-share", 0.25, "--seeds", 2,
               "--output", out)  # fmt: skip
    assert "40 objects, 25% of the objects positive" in done.output
    told = json.loads(out.read_text())
    assert told["requested_positive_share"] == 0.25
    assert told["positive_share"] == pytest.approx(0.25)
    assert 0 <= told["metrics"]["average_precision"]["mean"] <= 1
    with pytest.raises(LightCurveError, match=r"give a share of at most 0\.500"):
        run(evaluate, "--points", points, "--positive-share", 0.9, "--output", out)
