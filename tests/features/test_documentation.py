from pathlib import Path

from fink_al.features.documentation import page


def test_the_page_is_that_of_the_docstrings():
    file = Path(__file__).parents[2] / "docs" / "features.md"
    assert file.read_text("utf-8") == page(), "run python -m fink_al.features.documentation"
