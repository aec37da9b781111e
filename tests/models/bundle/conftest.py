"""Bundles of each kind of estimator."""

from collections.abc import Callable

import numpy as np
import pytest
from rewriting import KINDS
from small_world import N_FEATURES, informed, teacher

from fink_al.features.feature_set import FeatureSet
from fink_al.models.examples import TrainingSet
from fink_al.models.model import fit
from fink_al.settings import Settings


@pytest.fixture
def hash_(settings: Settings) -> str:
    """Of the features that the bundles need."""
    return FeatureSet.from_settings(settings.target.features).hash


@pytest.fixture
def make(settings: Settings) -> Callable[[str], bytes]:
    """Bundle of a model with an estimator of this kind."""

    def made(kind: str) -> bytes:
        values = np.random.default_rng(1).normal(size=(40, N_FEATURES))
        names = np.array([f"O{i}" for i in range(40)], object)
        training = TrainingSet(names, np.arange(40), values[:, 0] > 0, values)
        model = settings.target.model.model_copy(update={"estimator": kind})
        target = settings.target.model_copy(update={"model": model})
        if model.is_taught:
            target = informed(target, kind)
        return fit(training, target, None, prior=teacher(target)).to_bytes()

    return made


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of estimator; a test may ask for others."""
    return request.param


@pytest.fixture
def bundle(make: Callable[[str], bytes], kind: str) -> bytes:
    """Bundle of a model with this kind of estimator."""
    return make(kind)
