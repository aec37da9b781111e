"""Write ``docs/features.md`` from the docstrings: ``python -m fink_al.features.documentation``."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Literal

from fink_al.features.feature_set import FEATURES, FeatureSet
from fink_al.settings import FeatureSettings

_BEGIN = """\
# Features

Generated from the docstrings of `fink_al/features/` by `python -m fink_al.features.documentation`:
edit them there. A missing feature is NaN in a matrix and null in a table, with the reason beside
it; the forest accepts missing values, so nothing is filled in.

A *feature set* is an ordered list of features with their parameters. It is chosen under `features`
in `conf/targets/NAME.yml`; every model and every scored alert carries its hash. Stream,
replay and training build it from the same settings.

- `name`: `sigmoid` for the twelve published features, `early_v1` for those and all others below
  except context, forced photometry, the past, the survey's count, the fit over all bands and those
  of microlensing; `microlensing_v1` for the rise, the peak and the point lens instead of the
  sigmoid, and the survey's count; with the
  change against the reference image where `context` has `reference_mag`, and with the lens against
  the catalogued star where it has `host_colour_g_r`.
- `bands`: bands in use, from blue to red; points of other bands are left out.
- `criterion`, `min_data_points`, `min_rising_points`: conditions for fitting the sigmoid to a band.
- `last_limit`: use the last non-detection before the first detection as a point of the fit, as the
  nightly active-learning job of Fink does.
- `context`: columns of the alert's context to use, where all training rows have them.
- `forced`: use forced photometry, where all training rows have it.
- `past`: use what a memory knows of the object before its packet's window, where the training rows
  have it.
- `rainbow`: fit a black body over all bands; the wavelengths are in the survey's file, and a
  model keeps them as `wavelengths_nm`.

A night is one point: its mean time, mean flux and mean error. The error is not reduced by the
number of exposures, because most of it is common to a night. Where magnitudes are fitted, their
error is at least 0.02 mag, the survey's own calibration.
"""


def page() -> str:
    """Return the page as Markdown."""
    parts = [_BEGIN]
    for kind in FEATURES:
        text = inspect.getdoc(kind) or ""
        about = text.partition("\n\nParameters\n")[0]
        for word in ("Source:", "Missing:"):
            about = re.sub(rf"\n+{word}", f"\n\n**{word[:-1]}**:", about)
        parts.append(f"## {kind.__name__}\n\n{about.replace('``', '`')}\n")
    parts += [_columns("early_v1"), _columns("microlensing_v1")]
    return "\n".join(parts)


def _columns(name: Literal["early_v1", "microlensing_v1"]) -> str:
    settings = FeatureSettings(
        name=name, bands=("g", "r"), criterion="ewma", min_data_points=3, min_rising_points=1
    )
    features = FeatureSet.from_settings(settings)
    head = f"## The columns of {name}\n\n{len(features.names)} for bands g and r:\n\n"
    rows = ["| feature | columns | reason in |", "|---|---|---|"]
    for feature in features.features:
        names = ", ".join(f"`{name}`" for name in feature.names)
        rows.append(f"| {type(feature).__name__} | {names} | `{feature.reason_name}` |")
    return head + "\n".join(rows) + "\n"


if __name__ == "__main__":
    file = Path("docs/features.md")
    file.write_text(page(), "utf-8")
    print(f"{file} written")
