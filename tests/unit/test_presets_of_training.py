"""Presets of the autoregressive generators follow from public facts alone, and stay in bounds."""

from fractions import Fraction

import pytest

from dpsynth.synthesizers.deep_facts import Facts
from dpsynth.synthesizers.made import MADE
from dpsynth.synthesizers.transformer import Transformer


def facts(rows, epsilon=1.0, max_rows=1):
    return Facts(rows=rows, max_rows=max_rows, columns=15, codes=200, epsilon=epsilon)


@pytest.mark.parametrize("method", [MADE(), Transformer()])
def test_more_signal_never_means_fewer_steps(method):
    steps = [method.preset(facts(rows)).steps for rows in (1, 500, 2_000, 30_000, 10**5, 10**8)]
    assert steps == sorted(steps)
    assert steps[0] < steps[3] < steps[-1]
    weak, strong = (method.preset(facts(30_000, epsilon)).steps for epsilon in (0.1, 3.0))
    assert weak < method.preset(facts(30_000)).steps < strong


@pytest.mark.parametrize("method", [MADE(), Transformer()])
def test_batches_are_a_small_part_of_the_units(method):
    for rows in (1, 500, 30_000, 10**6):
        rate = method.preset(facts(rows)).rate
        assert isinstance(rate, Fraction)
        assert 0 < rate <= Fraction(1, 4)
    assert method.preset(facts(10**6)).rate * 10**6 == pytest.approx(1_024, rel=0.01)


def test_persons_of_many_rows_count_once():
    assert MADE().preset(facts(30_000, max_rows=3)) == MADE().preset(facts(10_000))


@pytest.mark.parametrize("wrong", [{"width": 30, "heads": 4}, {"layers": 0}, {"heads": 64}])
def test_a_transformer_that_cannot_be_built_is_refused(wrong):
    with pytest.raises(ValueError, match=r"width|layers"):
        Transformer(**wrong)
