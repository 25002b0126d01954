"""Values in order: exact against brute force over every choice.

Chi-square tests raise a false alarm once in 10**6 runs if seeds were fresh; here they are fixed.
"""

from itertools import product

import numpy as np
import pytest
from scipy.stats import chi2

from dpsynth.encoding.orders import Line, OrderedDraw

ALARM = 1e-6
CHAIN = ((0, 1), (1, 2), (0, 2))
ORDERS = {
    "pair": (((0, 1),), 2),
    "chain": (CHAIN, 3),
    "one before two": (((0, 1), (0, 2)), 3),
    "two before one": (((0, 2), (1, 2)), 3),
    "diamond": (((0, 1), (0, 2), (0, 3), (1, 3), (2, 3)), 4),
    "apart": ((), 3),
    "pair and one": (((0, 1),), 3),
}
STARTS, ENDS = np.array([0.0, 1, 3, 4, 7]), np.array([0.0, 2, 3, 6, 7])
WHOLE = Line(starts=STARTS, ends=ENDS, whole=True)
CELL = np.searchsorted(STARTS, np.arange(8), side="right") - 1


def kept(values, pairs):
    return all(values[low] <= values[high] for low, high in pairs)


def table_of(weights, pairs):
    """Probability of every choice of whole numbers, before it is known whether it is in order."""
    each = [held[CELL] / (ENDS - STARTS + 1)[CELL] for held in weights]
    joint = np.ones([8] * len(weights))
    for values in product(range(8), repeat=len(weights)):
        chance = np.prod([column[value] for column, value in zip(each, values, strict=True)])
        joint[values] = chance * kept(values, pairs)
    return joint


def weights_for(columns, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.random(5) * (rng.random(5) < 0.8) for _ in range(columns)]


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("values", [1, 2, 5])
def test_the_chance_of_order_in_one_cell(name, values):
    pairs, columns = ORDERS[name]
    choices = list(product(range(values), repeat=columns))
    share = sum(kept(choice, pairs) for choice in choices) / len(choices)
    cell = Line(starts=np.array([0.0]), ends=np.array([values - 1.0]), whole=True)
    assert cell.in_order(pairs, columns) == pytest.approx(share)


def test_the_chance_of_order_among_reals_and_in_a_point():
    line = Line(starts=np.array([0.0, 5.0]), ends=np.array([1.0, 5.0]), whole=False)
    assert line.in_order(CHAIN, 3).tolist() == pytest.approx([1 / 6, 1.0])
    assert line.in_order(((0, 1), (0, 2)), 3).tolist() == pytest.approx([1 / 3, 1.0])


def test_wide_cells_of_whole_numbers_are_nearly_real():
    line = Line(starts=np.array([0.0]), ends=np.array([2.0**40]), whole=True)
    assert line.in_order(CHAIN, 3)[0] == pytest.approx(1 / 6)


@pytest.mark.parametrize("name", ORDERS)
def test_draws_follow_the_conditional_distribution(name):
    pairs, columns = ORDERS[name]
    weights = weights_for(columns)
    joint = table_of(weights, pairs)
    draw = OrderedDraw(WHOLE, weights, pairs)
    assert draw.weight == pytest.approx(joint.sum())
    rows = 60_000
    drawn = draw.draw(rows, np.random.default_rng(1)).astype(int)
    found = np.zeros(joint.shape)
    np.add.at(found, tuple(drawn.T), 1)
    assert not found[joint == 0].any()
    expected = rows * joint / joint.sum()
    often = expected > 5
    statistic = ((found - expected)[often] ** 2 / expected[often]).sum()
    assert statistic < chi2.isf(ALARM, often.sum())


def test_a_draw_that_ignored_the_weights_would_be_caught():
    pairs, columns = ORDERS["chain"]
    joint = table_of(weights_for(columns), pairs)
    drawn = OrderedDraw(WHOLE, weights_for(columns, seed=5), pairs).draw(
        60_000, np.random.default_rng(1)
    )
    found = np.zeros(joint.shape)
    np.add.at(found, tuple(drawn.astype(int).T), 1)
    expected = 60_000 * joint / joint.sum()
    often = expected > 5
    statistic = ((found - expected)[often] ** 2 / expected[often]).sum()
    assert statistic > chi2.isf(ALARM, often.sum())


def test_reals_in_one_cell_come_out_in_order_and_even():
    line = Line(starts=np.array([0.0]), ends=np.array([1.0]), whole=False)
    drawn = OrderedDraw(line, [np.ones(1)] * 3, CHAIN).draw(20_000, np.random.default_rng(0))
    assert (np.diff(drawn, axis=1) >= 0).all()
    # Order statistics of three: means of quarters, each known to 0.0014 here; six deviations.
    assert drawn.mean(0) == pytest.approx([0.25, 0.5, 0.75], abs=0.009)


def test_what_cannot_be_in_order_weighs_nothing():
    high, low = np.eye(5)[4], np.eye(5)[0]
    assert OrderedDraw(WHOLE, [high, low], ((0, 1),)).weight == 0
    assert OrderedDraw(WHOLE, [low, high], ((0, 1),)).weight == 1
