import numpy as np
import pytest

from fink_al.experiments.judge import METRICS, SAMPLES, Judge
from fink_al.settings import StreamMix

MIX = StreamMix(positive_share=0.1, bright_magnitude=19.0, bright_share=0.25)


def test_each_metric_is_told_of_each_sample(alerts):
    p = np.where(alerts.positive, 0.9, 0.1)
    found = Judge(alerts, MIX, 20.5).metrics(p)
    assert set(found) == {m + s for m in METRICS for s in SAMPLES}
    assert found["accuracy"] == found["purity_faint"] == found["auc_stream_like"] == 1.0


def test_a_stream_with_few_positives_lowers_the_purity(alerts):
    """Half of the negatives are called positive, so purity follows from the mix by hand."""
    rng = np.random.default_rng(1)
    wrong = rng.random(len(alerts)) < 0.5
    p = np.where(alerts.positive | wrong, 0.9, 0.1)
    found = Judge(alerts, MIX, 20.5).metrics(p)
    share = wrong[~alerts.positive].mean()
    assert found["purity"] == pytest.approx(0.5 / (0.5 + 0.5 * share))
    assert found["purity_stream_like"] == pytest.approx(0.1 / (0.1 + 0.9 * share), abs=0.03)
    assert found["efficiency_stream_like"] == 1.0


def test_bright_and_faint_are_told_apart(alerts):
    is_bright = alerts.mag < 19
    p = np.where(alerts.positive == is_bright, 0.9, 0.1)
    found = Judge(alerts, MIX, 20.5).metrics(p)
    assert (found["accuracy_bright"], found["accuracy_faint"]) == (1.0, 0.0)


def test_the_weights_have_both_shares_of_the_stream(alerts):
    judge = Judge(alerts, MIX, 20.0)
    weights = judge._weights[1]
    assert weights[alerts.positive].sum() / weights.sum() == pytest.approx(0.1, abs=1e-6)
    assert weights[alerts.mag < 19].sum() / weights.sum() == pytest.approx(0.25, abs=1e-6)
    assert weights[alerts.mag > 20].sum() == 0
    assert 1 < judge.effective < (alerts.mag <= 20).sum()


def test_every_object_counts_alike(alerts):
    """An object with many alerts that are all called wrong costs as much as any other."""
    crowd = np.flatnonzero(alerts.row == 0)
    many = alerts.take(np.concatenate([np.arange(len(alerts)), np.repeat(crowd, 200)]))
    p = np.where(many.positive == (many.row != 0), 0.9, 0.1)
    found = Judge(many, MIX, 25.0).metrics(p)
    assert found["accuracy"] == pytest.approx(79 / 80)
    assert found["efficiency"] == pytest.approx(39 / 40)
