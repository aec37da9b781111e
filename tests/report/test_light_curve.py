import pandas as pd

from fink_al.alerts.points import light_curves_of_points
from fink_al.report.light_curve import plot_light_curve


def test_a_fitted_band_has_its_curve_and_another_its_reason(tmp_path):
    points = pd.DataFrame(
        {
            "alert_id": 1,
            "jd": [2461050.7 + k for k in (0, 2, 4, 6, 8, 0)],
            "fid": [1, 1, 1, 1, 1, 2],
            "magpsf": [None, 20.0, 19.5, 19.2, 19.0, 19.0],
            "sigmapsf": [None, 0.1, 0.1, 0.1, 0.1, 0.1],
            "diffmaglim": 20.5,
        }
    )
    figure = plot_light_curve(light_curves_of_points(points), title="ZTF26aaaaaaa")
    axes = figure.axes[0]
    labels = axes.get_legend_handles_labels()[1]
    assert sorted(labels) == ["g", "r", "r: too few points"]
    assert sum(len(line.get_xdata()) == 200 for line in axes.lines) == 1
    figure.savefig(tmp_path / "one.png")
    assert (tmp_path / "one.png").stat().st_size > 5000
