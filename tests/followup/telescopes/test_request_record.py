"""The record of a request, without a cluster."""

import re
from pathlib import Path

from fink_al.followup.telescopes.topic import SCHEMA, plan_topic
from fink_al.settings import load_settings


def test_the_topic_is_called_after_the_target():
    target = load_settings(environment={}).target
    assert plan_topic(target) == "fink_plan_early_snia_ztf"
    lsst = target.model_copy(update={"name": "early_snia_lsst", "survey": "lsst"})
    assert plan_topic(lsst) == "fink_plan_early_snia_lsst"


def test_every_field_is_documented():
    text = (Path(__file__).parents[3] / "docs" / "messages.md").read_text()
    section = text.split("## Requests")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([\w ]+) \| (.*) \|$", section, re.MULTILINE)
    kinds = {"string": "string", "double": "double", "int": "int"}
    assert rows == [
        (field["name"], kinds.get(str(field["type"]), "null or double"), field["doc"])
        for field in SCHEMA["fields"]
    ]
