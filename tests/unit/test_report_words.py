"""Numbers are rounded against the claim, names cannot act, bounds follow from the definition."""

from fractions import Fraction
from math import exp, log

import pytest

from attacks.report import bundle, odds, wording


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a\x1b[31mb", "a\\u{1b}[31mb"),
        ("pay\u202egpj.exe", "pay\\u{202e}gpj.exe"),
        ("two\nlines\r\t", "two\\u{a}lines\\u{d}\\u{9}"),
        ("zero\u200bwidth\ufeff", "zero\\u{200b}width\\u{feff}"),
        ("lone\ud800", "lone\\u{d800}"),
        ("שלום é 中 <b>", "שלום é 中 <b>"),
    ],
)
def test_a_name_is_shown_as_letters_that_do_nothing(given, shown):
    assert wording.clean(given) == shown
    assert wording.clean(given).encode()


@pytest.mark.parametrize(
    ("given", "up", "down"),
    [
        ("1", "1", "1"),
        ("1/3", "0.3334", "0.3333"),
        ("0.123401", "0.1235", "0.1234"),
        ("12345678", "12350000", "12340000"),
        ("0", "0", "0"),
        (None, "not stated", "not stated"),
        ("x", "not stated", "not stated"),
        (float("nan"), "not stated", "not stated"),
    ],
)
def test_a_cost_is_never_shown_smaller_and_what_is_left_never_larger(given, up, down):
    assert wording.number(given) == up
    assert wording.number(given, up=False) == down


def test_a_small_delta_reads_as_a_power_and_as_odds():
    assert wording.power_of_ten("1/1000000000") == "10⁻⁹"
    assert wording.power_of_ten(Fraction(1, 300)) == "3.34 × 10⁻³"
    assert wording.one_in("1/1000000000") == "1 in 1,000,000,000"
    # 2/5 is more than 1 in 2.5: "1 in 3" would understate it.
    assert wording.one_in("2/5") == "1 in 2"
    assert wording.one_in("0") == "none"


def test_shares_round_up_past_the_noise_of_floats_but_not_because_of_it():
    nbsp = "\N{NO-BREAK SPACE}"
    assert wording.percent(Fraction(1, 3)) == f"33.4{nbsp}%"
    assert wording.percent(Fraction(1, 3), up=False) == f"33.3{nbsp}%"
    assert wording.percent(0.1 + 0.2) == f"30{nbsp}%"
    assert wording.percent(0.7310585786) == f"73.2{nbsp}%"


def test_without_any_guarantee_lost_guessing_is_all_that_is_left():
    assert odds.even_odds_success(epsilon=0, delta=0) == 0.5
    for rate in (0.0, 0.01, 0.5, 1.0):
        assert odds.true_positive_rate(epsilon=0, delta=0, false_alarms=rate) == rate


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 3.0, 9.0])
@pytest.mark.parametrize("delta", [0.0, 1e-6, 0.05])
def test_the_curve_is_the_one_that_the_definition_allows(epsilon, delta):
    for step in range(101):
        fpr = step / 100
        tpr = odds.true_positive_rate(epsilon=epsilon, delta=delta, false_alarms=fpr)
        assert fpr <= tpr <= 1
        # (epsilon, delta)-DP on "said in" and, from the other table, on "said out".
        assert tpr <= exp(epsilon) * fpr + delta + 1e-12
        assert 1 - fpr <= exp(epsilon) * (1 - tpr) + delta + 1e-12 or tpr == fpr
    turn = odds.corner(epsilon=epsilon, delta=delta)
    best = odds.true_positive_rate(epsilon=epsilon, delta=delta, false_alarms=turn)
    # At even odds the best attacker stands in the corner, where right answers are most frequent.
    success = odds.even_odds_success(epsilon=epsilon, delta=delta)
    assert (best + 1 - turn) / 2 == pytest.approx(success)


def test_randomized_response_reaches_the_bound():
    epsilon = log(3)
    assert odds.even_odds_success(epsilon=epsilon, delta=0) == pytest.approx(0.75)
    found = odds.true_positive_rate(epsilon=epsilon, delta=0, false_alarms=0.25)
    assert found == pytest.approx(0.75)


def test_an_unbounded_epsilon_bounds_nothing():
    assert odds.even_odds_success(epsilon=1e6, delta=0) == 1
    assert odds.true_positive_rate(epsilon=1e6, delta=0, false_alarms=0.01) == 1


def test_a_selection_of_values_shows_its_threshold_and_its_delta():
    event = {
        "kind": "partition_selection/v1",
        "sigma_squared": "400",
        "threshold": "116",
        "l2_sensitivity_squared": "1",
        "max_new": "1",
        "delta": "1/2000000000",
    }
    charge = bundle.charge_of({"label": "values(drug)", "phase": "values", "event": event})
    assert charge.noise == "20 units; values from 116 units on; delta 5 × 10⁻¹⁰"
    assert charge.mechanism == "Partition selection"
