"""From simulated nights to a learning curve: every step of the loop in one page.

``python docs/example.py`` runs it (two minutes) and writes `example.md` and `pictures/` anew:
what stands there is what the code did.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd

from fink_al.alerts import light_curves
from fink_al.experiments.labelled_alerts import LabelledAlerts, with_features
from fink_al.experiments.outcome import curves_of
from fink_al.experiments.plan import Arm, Plan
from fink_al.experiments.side_by_side import run_all
from fink_al.features.feature_set import FeatureSet
from fink_al.report.campaign import verdict
from fink_al.report.campaign_pictures import draw_curves
from fink_al.report.light_curve import plot_light_curve
from fink_al.settings import load_settings
from fink_al.simulation.nights import simulate

SETTINGS = load_settings(environment={}, starting_set=None, test_set=None)


def nights(small: bool) -> dict:
    """Simulate nights of ZTF.

    Supernovae, active galaxies, variable stars and false detections, as a survey sees them: with
    its cadence, its depth and its clouds. Each detection is an alert with its history.
    """
    sky = simulate(n_nights=15, alerts_per_night=200 if small else 600, seed=4)
    print(sky.alerts.groupby("night").size().describe()[["count", "mean"]].round(0).to_string())
    print(sky.truth["type"].fillna("nothing there").value_counts().head(6).to_string())
    return {"sky": sky}


def features(sky) -> dict:
    """Features of every alert.

    Columns become light curves, light curves become a matrix; what is missing is NaN and has a
    reason.
    """
    curves = light_curves(sky.columns(), SETTINGS.survey)
    found = FeatureSet.from_settings(SETTINGS.target.features).extract(curves)
    some = ["a_g", "a_r", "rate_g", "colour_g_r", "age"]
    names = list(FeatureSet.from_settings(SETTINGS.target.features).names)
    shown = pd.DataFrame(found.values, columns=names)[some]
    print(shown.describe().loc[["count", "50%"]].round(3).to_string())
    return {"curves": curves, "rates": shown["a_g"] + shown["a_r"]}


def known(sky, curves) -> dict:
    """Alerts before maximum whose type is known.

    In the simulation it always is. Classes come from the target: which types are looked for is a
    line in its settings, not code.
    """
    from fink_al.settings.taxonomy import UNCLASSIFIED, Taxonomy

    truth = sky.truth.set_index("object_id").loc[sky.alerts["object_id"]]
    types = truth["type"].fillna(UNCLASSIFIED).to_numpy(object)
    classes = Taxonomy.load().classify(list(types), SETTINGS.target)
    is_late = sky.alerts["mjd"].to_numpy() > truth["peak_mjd"].to_numpy()
    use = np.array([c is not None for c in classes]) & ~is_late
    rows = np.flatnonzero(use)
    row = pd.factorize(sky.alerts["object_id"])[0]
    alerts: LabelledAlerts = with_features(
        curves.select(use), SETTINGS.target.features,
        positive=np.array([c is True for c in classes])[rows], row=row[rows],
        object_id=sky.alerts["object_id"].to_numpy(object)[rows], types=types[rows],
        night=np.floor(sky.alerts["mjd"].to_numpy()[rows]).astype(int),
        mag=sky.alerts["mag"].to_numpy(float)[rows],
    )  # fmt: skip
    print(f"{len(alerts)} alerts of {len(set(alerts.row))} objects, "
          f"{alerts.positive.mean():.0%} positive")  # fmt: skip
    return {"alerts": alerts}


def campaign(alerts, folder: Path, small: bool) -> dict:
    """Ask, learn, judge.

    Half of the objects can be asked for, the others judge. All begin with the same ten labels. The
    estimator is the published forest: one with a simulated teaching set knows this sky already.
    """
    changes = {"estimator": "random_forest", "n_estimators": 30 if small else 100}
    model = SETTINGS.target.model.model_copy(update=changes)
    target = SETTINGS.target.model_copy(update={"model": model})
    plan = Plan(
        arms=(Arm("random"), Arm("entropy")), seeds=2 if small else 6,
        labels=20 if small else 80, alerts_per_object=2,
    )  # fmt: skip
    table = run_all({None: alerts}, plan, target, folder).curves.to_pandas()
    merit = curves_of(table, "figure_of_merit")
    for arm in merit.arms:
        print(f"{arm}: {merit.mean(arm)[0]:.3f} with {merit.labels[0]} labels, "
              f"{merit.mean(arm)[-1]:.3f} with {merit.labels[-1]}")  # fmt: skip
    print(verdict(table))
    return {"table": table}


def main() -> None:
    """Run all steps and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder")
    parser.add_argument("--small", action="store_true", help="few alerts, trees and seeds")
    options = parser.parse_args()
    pictures = options.output / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    page = [
        "# From simulated nights to a learning curve",
        "Made by `python docs/example.py`, which is also where its code stands.",
    ]
    with tempfile.TemporaryDirectory() as folder:
        made = {"small": options.small, "folder": Path(folder)}
        for step in (nights, features, known, campaign):
            said = io.StringIO()
            wanted = inspect.signature(step).parameters
            with contextlib.redirect_stdout(said):
                made |= step(**{name: made[name] for name in wanted})
            page += told(step, said.getvalue())
            if step is features:
                fitted = int(np.argmax(np.isfinite(made["rates"])))
                shown = plot_light_curve(made["curves"], fitted)
                shown.savefig(pictures / "light_curve.png", dpi=100)
                page.append("![The light curve of an alert](pictures/light_curve.png)")
    draw_curves(pictures / "learning_curve.png", made["table"])
    page.append("![Metrics against the number of labels](pictures/learning_curve.png)")
    (options.output / "example.md").write_text("\n\n".join(page) + "\n", "utf-8")


def told(step, said: str) -> list[str]:
    """A step as Markdown: what it is about, its code, and what it printed."""
    about = inspect.getdoc(step)
    title, _, text = about.partition("\n\n")
    code = inspect.getsource(step).split('"""', 2)[2]
    return [
        f"## {title.rstrip('.')}",
        text,
        f"```python\n{textwrap.dedent(code).strip()}\n```",
        f"```\n{said.rstrip()}\n```",
    ]


if __name__ == "__main__":
    main()
