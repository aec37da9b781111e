import doctest

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

import fink_al.alerts.points as points
import fink_al.notebook as notebook
from fink_al.alerts.points import light_curves_of_points
from fink_al.features.feature_set import extract
from fink_al.notebook import FeatureExtractor

POINTS = pd.DataFrame(
    {
        "alert_id": np.repeat([7, 3], 4),
        "jd": 2461050.7 + np.tile(np.arange(4), 2),
        "fid": 1,
        "magpsf": [20.0, 19.5, 19.2, 19.0, 18.0, 18.5, 19.0, 19.5],
        "sigmapsf": 0.1,
    }
)


def test_matrix_and_names_are_those_of_the_feature_set():
    extractor = FeatureExtractor("sigmoid")
    matrix = extractor.fit_transform(POINTS)
    assert list(extractor.get_feature_names_out())[:6] == [
        "a_g", "b_g", "c_g", "snratio_g", "mse_g", "nrise_g",
    ]  # fmt: skip
    table = extract(light_curves_of_points(POINTS), extractor._feature_set())
    np.testing.assert_array_equal(matrix[:, 0], table["a_g"].to_numpy())
    assert table["reason_g"].to_pylist() == [None, "too_few_rising_points"]


def test_it_serves_in_a_pipeline():
    pipeline = make_pipeline(clone(FeatureExtractor()), DecisionTreeClassifier(random_state=0))
    assert pipeline.fit(POINTS, [True, False]).predict(POINTS).tolist() == [True, False]


def test_examples_run():
    for module in (notebook, points):
        assert doctest.testmod(module).failed == 0
