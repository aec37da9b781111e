"""The executed example of docs/ runs, and says what its code does."""

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def test_the_example_runs_and_its_page_is_of_this_code(tmp_path):
    command = [sys.executable, _ROOT / "docs" / "example.py", "--small", "--output", tmp_path]
    subprocess.run(command, check=True, capture_output=True)
    made, kept = (
        (folder / "example.md").read_text("utf-8") for folder in (tmp_path, _ROOT / "docs")
    )
    # Everything but what was printed, as the page was made with more alerts.
    assert made.split("```")[::4] == kept.split("```")[::4]
    assert made.split("```")[1::4] == kept.split("```")[1::4]
    for name in ("light_curve.png", "learning_curve.png"):
        assert (tmp_path / "pictures" / name).stat().st_size > 5000
        assert (_ROOT / "docs" / "pictures" / name).stat().st_size > 5000
