"""What the documents tell people to type works."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def test_the_researcher_may_copy_the_first_examples():
    text = (_ROOT / "docs" / "researchers.md").read_text("utf-8")
    notebook = text.partition("## From a notebook")[2]
    blocks = re.findall(r"```python\n(.*?)```", notebook, re.DOTALL)[:2]
    names: dict = {}
    for block in blocks:
        exec(block, names)
    assert names["extracted"].values.shape == (600, 40)
    assert names["extracted"].codes.shape == (600, 12)


def test_every_link_leads_somewhere():
    for file in [*_ROOT.glob("*.md"), *(_ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", file.read_text("utf-8")):
            assert link.startswith("https://") or (file.parent / link).exists(), (file, link)
