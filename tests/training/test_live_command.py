import json

import pytest
from drawn_table import write_drawn_table

from fink_al.cli.model import model
from fink_al.errors import FinkAlError
from fink_al.loop import Loop


@pytest.fixture
def rows(settings):
    """Eighty drawn objects of two lists, a tenth of them without a type."""
    rows = [
        {
            "object_id": f"A{i}",
            "list": 20260110 + i % 2,
            "positive": None if i % 10 == 9 else i % 4 == 0,
            "p": 0.6 if i % 5 == 0 else 0.1,
        }
        for i in range(80)
    ]
    write_drawn_table(Loop.open(settings), rows)
    return rows


def test_the_table_shows_intervals_and_what_is_too_few(run, rows):
    code, output = run(model, "live")
    assert code == 0
    lines = [line.split("│")[1:-1] for line in output.splitlines() if line.startswith("│")]
    told = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines}
    assert set(told) == {
        "efficiency", "purity", "auc", "average_precision", "log_loss", "excess",
        "calibration_error", "share",
    }  # fmt: skip
    assert told["auc"][0] == "-"
    assert told["auc"][2].startswith("too few: worth ")
    assert " to " in told["share"][1]
    assert "Lists 20260110 to 20260111: 72 drawn objects with a type" in output
    assert "8 spectra without a type. Assumed: given magnitude, airmass and p" in output
    assert "Called positive: p above 0.500" in output


def test_since_counts_later_lists_only(run, rows):
    code, output = run(model, "live", "--since", "20260111", "--json")
    told = json.loads(output)
    assert (code, told["lists"]) == (0, [20260111, 20260111])
    assert told["typed"] + told["untyped"] == 40


def test_a_score_of_a_version_that_is_gone_judges_nothing(run, settings, rows):
    write_drawn_table(Loop.open(settings), [row | {"model_version": "7"} for row in rows])
    told = json.loads(run(model, "live", "--json")[1])
    assert (told["typed"], told["unscored"]) == (72, 72)


def test_without_drawn_objects_it_says_what_to_do(run):
    with pytest.raises(FinkAlError, match="No object was drawn with known odds yet: give labels"):
        run(model, "live")


def test_a_damaged_table_is_named(run, settings):
    file = Loop.open(settings).archive.drawn_folder.local / "drawn.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"PAR1")
    with pytest.raises(FinkAlError, match=r"drawn\.parquet is not a table of drawn objects"):
        run(model, "live")
