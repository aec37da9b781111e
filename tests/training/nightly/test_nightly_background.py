"""Forests of anomalies: grown before any label is there, and in use the night after."""

import pytest
from small_world import decided, sky

from fink_al.settings.target import ModelSettings

pytest.importorskip("coniferest", reason="the extra 'anomaly' is not installed")


@pytest.fixture
def hunt(settings):
    """A hunt for anomalies that begins with nothing."""
    target = settings.target
    changes = {"estimator": "pine_forest", "n_estimators": 20}
    model = target.model.model_copy(update=changes | {"min_labels": 0, "min_labels_per_class": 0})
    rule = target.promotion.model_copy(update={"unjudged": "promote"})
    return settings.model_copy(
        update={
            "target": target.model_copy(update={"model": model, "promotion": rule}),
            "starting_set": None,
            "test_set": None,
        }
    )


def later(name):
    """Other objects, whose alerts have other numbers."""
    shift = 1000 * ord(name)
    return [row | {"alert_id": row["alert_id"] + shift} for row in sky(name, 5)]


def test_the_first_forest_needs_no_label_and_each_later_one_scores(retrain, hunt, archive, tell):
    assert decided(retrain(hunt)) == ("too_few_labels", None, None)
    archive(*sky("A", 20))
    first = retrain(hunt)
    assert decided(first) == ("promoted", "1", "1")
    assert (first.positive, first.negative) == (0, 0)
    assert decided(retrain(hunt)) == ("nothing_new", None, "1")
    archive(*later("B"))  # another background
    assert decided(retrain(hunt)) == ("promoted", "2", "2")
    tell(later("C"))
    last = retrain(hunt)
    assert decided(last) == ("promoted", "3", "3")
    assert "nothing judges it yet" in last.why


def test_unjudged_models_wait_for_a_person_by_default(retrain, hunt, archive):
    rule = hunt.target.promotion.model_copy(update={"unjudged": "keep"})
    careful = hunt.model_copy(update={"target": hunt.target.model_copy(update={"promotion": rule})})
    archive(*sky("A", 20))
    assert decided(retrain(careful)) == ("promoted", "1", "1")
    archive(*later("B"))
    assert decided(retrain(careful)) == ("kept", "2", "1")


def test_other_estimators_need_labels(settings):
    given = settings.target.model.model_dump()
    with pytest.raises(ValueError, match="random_forest learns from labels alone"):
        ModelSettings(**given | {"estimator": "random_forest", "min_labels": 0})
