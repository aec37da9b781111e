"""``docs/features.md``, made from the docstrings: ``python -m fink_al.features.documentation``."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from fink_al.features.feature_set import FEATURES, FeatureSet
from fink_al.settings import FeatureSettings

_BEGIN = """\
# Features

Made from the docstrings of `fink_al/features/` by `python -m fink_al.features.documentation`:
change them there. A missing feature is NaN in a matrix and null in a table, with the reason beside
it; the forest takes missing values as they are, and nothing is filled in.

A *feature set* is an ordered list of features with their parameters. It is chosen under `features`
in `conf/targets/NAME.yml`; its hash stands in every model and in every scored alert, and stream,
replay and training make it from the same settings.

- `name`: `sigmoid` for the twelve published features, `early_v1` for those and all below but
  context, forced photometry and the fit over all bands.
- `bands`: bands in use, from blue to red; points of others are left out.
- `criterion`, `min_data_points`, `min_rising_points`: which bands the sigmoid is fitted to.
- `last_limit`: take the last non-detection before the first detection as a point of the fit, as the
  nightly active-learning job of Fink does.
- `context`: columns of the alert's context to use, where all training rows have them.
- `forced`: use forced photometry, where all training rows have it.
- `rainbow`: fit a black body over all bands; the survey's file has the wavelengths, which a model
  keeps as `wavelengths_nm`.

A night stands for its mean time, its mean flux and its mean error: errors are not averaged down, as
most of them is common to a night. Where magnitudes are fitted their error is 0.02 mag at the least,
the survey's own calibration.
"""


def page() -> str:
    """The page as Markdown."""
    parts = [_BEGIN]
    for kind in FEATURES:
        text = inspect.getdoc(kind) or ""
        about = text.partition("\n\nParameters\n")[0]
        for word in ("Source:", "Missing:"):
            about = re.sub(rf"\n+{word}", f"\n\n**{word[:-1]}**:", about)
        parts.append(f"## {kind.__name__}\n\n{about.replace('``', '`')}\n")
    settings = FeatureSettings(
        name="early_v1", bands=("g", "r"), criterion="ewma", min_data_points=3, min_rising_points=1
    )
    features = FeatureSet.from_settings(settings)
    parts.append(f"## The columns of early_v1\n\n{len(features.names)} for bands g and r:\n")
    rows = ["| feature | columns | reason in |", "|---|---|---|"]
    for feature in features.features:
        names = ", ".join(f"`{name}`" for name in feature.names)
        rows.append(f"| {type(feature).__name__} | {names} | `{feature.reason_name}` |")
    parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    file = Path("docs/features.md")
    file.write_text(page(), "utf-8")
    print(f"{file} written")
