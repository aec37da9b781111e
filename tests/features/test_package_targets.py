"""Every target of the package finds features in the alerts of its own survey."""

import pytest

from fink_al.alerts import light_curves
from fink_al.features.feature_set import FeatureSet
from fink_al.settings import find_resource, load_settings
from fink_al.simulation.nights import simulate

TARGETS = sorted(file.stem for file in find_resource("conf/targets").glob("*.yml"))


@pytest.fixture(scope="module")
def sky():
    """Alerts of a few nights, by survey."""
    return {survey: simulate(2, 60, seed=5, survey=survey) for survey in ("ztf", "lsst")}


@pytest.mark.parametrize("name", TARGETS)
def test_alerts_of_its_survey_have_features(sky, name):
    settings = load_settings(environment={}, target=name)
    alerts = light_curves(sky[settings.survey.name].columns(), settings.survey)
    features = FeatureSet.from_settings(settings.target.features)
    extracted = features.extract(alerts)
    assert extracted.exist.mean() > 0.9
    assert extracted.values.shape[1] == len(features.names)
