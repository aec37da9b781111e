"""The builder that campaigns call grows the trees of the public estimator, number for number."""

import numpy as np
import pytest

from fink_al.experiments import fast_growing
from fink_al.models.estimators import growing


@pytest.fixture(params=[12, 400])
def examples(request) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of which some are missing, classes that overlap, and unequal weights."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(request.param, 9))
    positive = values[:, 0] + rng.normal(size=request.param) > 0
    values[rng.uniform(size=values.shape) < 0.2] = np.nan
    values[:, 3] = np.nan_to_num(values[:, 3])
    values[:, 5] = np.nan
    return values, positive, rng.choice([1.0, 0.5, 0.25], request.param)


def same(trees, others) -> bool:
    return (
        np.array_equal(trees.nodes, others.nodes)
        and np.array_equal(trees.sizes, others.sizes)
        and all(map(np.array_equal, trees.samples, others.samples))
    )


@pytest.mark.parametrize("threads", [1, 3, -1])
@pytest.mark.parametrize("leaf", [1, 4])
def test_trees_are_those_of_the_night(examples, leaf, threads):
    assert fast_growing.is_tested()
    asked = {"trees": 30, "leaf": leaf, "seed": 5, "threads": threads}
    assert same(fast_growing.grow(*examples, **asked), growing.grow(*examples, **asked))


def test_trees_of_fewer_examples_are_those_of_the_night(examples):
    asked = {"trees": 8, "leaf": 1, "seed": 5, "draws": 9}
    assert same(fast_growing.grow(*examples, **asked), growing.grow(*examples, **asked))


@pytest.mark.parametrize(
    ("version", "is_tested"),
    [("1.8.2", False), ("1.9.0", True), ("1.9.1", True), ("1.10.0", False), ("2.0rc1", False)],
)
def test_versions_that_were_not_tested_grow_by_the_public_estimator(
    examples, monkeypatch, version, is_tested
):
    monkeypatch.setattr(fast_growing, "version", lambda name: version)
    assert fast_growing.is_tested() == is_tested
    calls, public = [], growing.grow

    def counted(*values, **asked):
        calls.append(asked)
        return public(*values, **asked)

    monkeypatch.setattr(growing, "grow", counted)
    fast_growing.grow(*examples, trees=3, leaf=1, seed=5)
    assert len(calls) == (not is_tested)
