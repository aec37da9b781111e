import pytest

from fink_al.errors import SettingsError
from fink_al.experiments.plan import Arm, Plan


@pytest.mark.parametrize(
    ("text", "arm"),
    [
        ("random", Arm("random")),
        (" uncertainty@sigmoid", Arm("uncertainty", "sigmoid")),
        ("uncertainty@sigmoid/random_forest", Arm("uncertainty", "sigmoid", "random_forest")),
        ("entropy/random_forest", Arm("entropy", None, "random_forest")),
        ("greedy:entropy@sigmoid", Arm("entropy", "sigmoid", is_greedy=True)),
        ("entropy^2", Arm("entropy", exponent=2)),
        (
            "entropy^0.5+0.2@a+b.yml/random_forest",
            Arm("entropy", "a+b.yml", "random_forest", exponent=0.5, uniform_share=0.2),
        ),
        ("cost+1", Arm("cost", uniform_share=1)),
    ],
)
def test_an_arm_is_strategy_features_and_estimator(text, arm):
    assert Arm.parse(text) == arm
    assert str(arm) == text.strip()


def test_an_unknown_strategy_is_told_the_known_ones():
    with pytest.raises(SettingsError, match="No strategy 'unc'; known: random, uncertainty"):
        Arm.parse("unc@sigmoid")


def test_a_plan_must_have_something_to_ask():
    with pytest.raises(SettingsError, match="--labels 10 must be more than --initial 10"):
        Plan((Arm("random"),), labels=10)
    with pytest.raises(SettingsError, match="names random more than once"):
        Plan((Arm("random"), Arm("random")))


@pytest.mark.parametrize("budget", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_budget_is_a_time(budget):
    with pytest.raises(SettingsError, match=f"--budget {budget:g} is not a time: give minutes"):
        Plan((Arm("random"),), budget=budget)


def test_a_feature_set_may_be_a_file_in_a_folder():
    assert Arm.parse("random@sets/mine.yml") == Arm("random", "sets/mine.yml")
    expected = Arm("random", "/sets/mine.yml", "random_forest")
    assert Arm.parse("random@/sets/mine.yml/random_forest") == expected


def test_an_estimator_that_was_removed_is_not_known():
    known = "No estimator 'gradient_boosting'; known: random_forest, boosted_trees, informed_forest"
    with pytest.raises(SettingsError, match=known):
        Arm.parse("committee/gradient_boosting")


def test_an_arm_without_an_estimator_has_that_of_the_target(target):
    assert Arm("committee").estimator_of(target, target.features) == target.model.estimator


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("entropy^", r"entropy\^: its numbers cannot be read. Give NAME\^EXPONENT\+SHARE, such as"),
        ("entropy+0.2^2", "its numbers cannot be read"),
        ("entropy^0", "the exponent must be above 0"),
        ("entropy+1.5", "the uniform share above 0 and at most 1"),
        ("greedy:entropy^2", "a draw by scores, which greedy: has not. Leave them out"),
        ("random^2", "which random has not"),
        ("greedy:best", "No strategy 'best'"),
    ],
)
def test_a_draw_has_odds_that_can_be(text, message):
    with pytest.raises(SettingsError, match=message):
        Arm.parse(text)


def test_an_arm_draws_as_the_target_unless_it_says_otherwise(target):
    assert Arm("entropy").draw_of(target) == target.draw
    own = Arm.parse("entropy^3+0.2").draw_of(target)
    assert (own.exponent, own.uniform_share) == (3, 0.2)
