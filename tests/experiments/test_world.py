import dataclasses

import numpy as np
import pytest

from fink_al.errors import LightCurveError
from fink_al.experiments.plan import Arm, Plan
from fink_al.experiments.world import draw

PLAN = Plan((Arm("random"),), labels=30)


def test_pool_and_test_share_no_object_and_the_seed_decides(alerts):
    world, again, other = (draw(alerts, PLAN, seed, 2) for seed in (1, 1, 2))
    assert not set(world.pool.row) & set(world.test.row)
    assert len(set(world.pool.row)) == len(set(world.test.row)) == 40
    assert np.array_equal(world.pool.row, again.pool.row)
    assert np.array_equal(world.initial, again.initial)
    assert set(world.pool.row) != set(other.pool.row)


def test_the_draw_does_not_depend_on_the_features(alerts):
    few = dataclasses.replace(alerts, values=alerts.values[:, :1])
    assert np.array_equal(draw(alerts, PLAN, 4, 2).initial, draw(few, PLAN, 4, 2).initial)


def test_the_beginning_has_objects_of_both_classes_one_alert_each(alerts):
    for seed in range(20):
        world = draw(alerts, dataclasses.replace(PLAN, initial=4), seed, 2)
        assert world.pool.positive[world.initial].sum() == 2
        assert len(set(world.pool.row[world.initial])) == 4


def test_subset_and_alerts_an_object(alerts):
    world = draw(alerts, dataclasses.replace(PLAN, subset="published", alerts_per_object=1), 1, 2)
    assert world.pool.published.all()
    assert world.test.published.all()
    assert np.bincount(world.pool.row).max() == 1


def test_too_few_objects_are_refused(alerts):
    with pytest.raises(LightCurveError, match="The pool has 40 objects and the campaign starts"):
        draw(alerts, dataclasses.replace(PLAN, initial=40, labels=50), 1, 2)
    with pytest.raises(LightCurveError, match="never had 2 of each class"):
        draw(alerts, dataclasses.replace(PLAN, initial=3), 1, 2)


def test_positives_are_left_out_so_that_both_halves_have_the_share(alerts):
    plan = dataclasses.replace(PLAN, positive_share=0.2)
    for seed in range(3):
        world = draw(alerts, plan, seed, 2)
        for half in (world.pool, world.test):
            objects, first = np.unique(half.row, return_index=True)
            assert (len(objects), half.positive[first].sum()) == (25, 5)
    kept = [set(draw(alerts, plan, seed, 2).pool.row) for seed in range(2)]
    assert kept[0] != kept[1]


def test_too_few_positives_for_their_share_are_refused(alerts):
    with pytest.raises(
        LightCurveError,
        match=r"--positive-share 0.6 needs 60 positive objects beside 40 negative ones; the alerts "
        r"have 40: give a share of at most 0.500, or more positives",
    ):
        draw(alerts, dataclasses.replace(PLAN, positive_share=0.6), 1, 2)
    with pytest.raises(LightCurveError, match=r"the alerts have 40\. At least 10 are needed, half"):
        draw(alerts, dataclasses.replace(PLAN, positive_share=0.07), 1, 2)
