"""``fink-al replay``: what it says; the replay itself is tested with a stream."""

import pytest
from click.testing import CliRunner

from fink_al.cli.replay import replay
from fink_al.errors import FinkAlError
from fink_al.settings.nights import LATE_HOURS
from fink_al.spark.nights.replay import Agreement

pytestmark = pytest.mark.spark


@pytest.mark.parametrize(
    ("agreement", "words"),
    [
        (
            Agreement(12, 12, 10, 0.0, "3", ("2", "3")),
            "10 were scored by model version 3 both times: largest difference of p 0.",
        ),
        (
            Agreement(12, 12, 0, None, "4", ("2", "3", None)),
            "Now model version 4, then 2, 3: nothing to compare. "
            "To score with the model of that night, add --model 3.",
        ),
        (
            Agreement(12, 12, 0, None, None, (None,)),
            "Now no model; no probability in the archive to compare with.",
        ),
    ],
)
def test_agreement_is_said_and_where_the_alerts_are(monkeypatch, tmp_path, agreement, words):
    asked = []

    def run(settings, night, **options):
        asked.append((night, options))
        return agreement

    monkeypatch.setattr("fink_al.spark.nights.replay.run", run)
    output = tmp_path / "scored"
    arguments = ["2026-01-10", "--origin", "topic", "--model", "3", "--output", str(output)]
    result = CliRunner().invoke(replay, arguments, catch_exceptions=False)
    assert result.output.splitlines() == [
        "12 alerts scored again, 12 in the archive.",
        words,
        f"Scored alerts: {output}",
    ]
    said = {"origin": "topic", "version": "3", "late_hours": LATE_HOURS, "output": output}
    assert asked == [(20260110, said)]


def test_an_output_that_exists_stops_before_spark_starts(monkeypatch, tmp_path):
    monkeypatch.setattr("fink_al.spark.nights.replay.spark_session", None)
    with pytest.raises(FinkAlError) as error:
        CliRunner().invoke(replay, ["20260110", "--output", str(tmp_path)], catch_exceptions=False)
    assert str(error.value) == f"{tmp_path} exists already; name a folder that does not."


def test_a_night_that_is_no_date_is_said():
    with pytest.raises(FinkAlError) as error:
        CliRunner().invoke(replay, ["20260230"], catch_exceptions=False)
    assert str(error.value) == "The night is '20260230'; write YYYYMMDD or YYYY-MM-DD."
