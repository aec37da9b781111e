import numpy as np
import pytest

from fink_al.experiments.labelled_alerts import LabelledAlerts
from fink_al.settings import load_settings

OBJECTS, ALERTS, NIGHTS = 80, 3, 40


@pytest.fixture(scope="session")
def target():
    target = load_settings(starting_set=None, test_set=None).target
    model = target.model.model_copy(update={"estimator": "random_forest", "n_estimators": 20})
    return target.model_copy(update={"model": model})


@pytest.fixture(scope="session")
def alerts(target):
    """240 alerts of 80 objects: the first feature tells the class, the last is missing."""
    rng = np.random.default_rng(3)
    row = np.repeat(np.arange(OBJECTS), ALERTS)
    positive = (np.arange(OBJECTS) % 2 == 0)[row]
    values = rng.normal(size=(len(row), 4))
    values[:, 0] += 2 * positive
    values[:, 3] = np.nan
    values[rng.random(len(row)) < 0.05] = np.nan
    first = rng.integers(0, NIGHTS, OBJECTS)
    return LabelledAlerts(
        values=values,
        positive=positive,
        row=row,
        object_id=np.array([f"ZTF26{i:04d}" for i in row], object),
        types=np.where(positive, "SN Ia", "SN II").astype(object),
        night=(61000 + first[row] + np.tile(np.arange(ALERTS), OBJECTS)).astype(np.int64),
        mag=rng.uniform(17, 20.5, len(row)),
        published=rng.random(len(row)) < 0.5,
        features=target.features,
    )
