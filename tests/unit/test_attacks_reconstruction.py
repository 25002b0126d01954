"""What the marginals of a release give away of the persons in it, and of nobody else.

The world: six known columns of five values and a hidden bit that leans on the first. A release that
answers all marginals of two known columns and the hidden one exactly, and knows nothing else, is
drawn from the distribution of greatest entropy with these marginals.
"""

import runpy
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog, lsq_linear

import attacks
from attacks import games
from attacks.attribute.inference import NearestVote
from attacks.attribute.marginals import Linear, Marginals
from attacks.attribute.reconstruction import Reconstruction, play, recover, shift
from attacks.base import Evidence, TooLittle
from attacks.engine.table import by_row
from attacks.observed import Stage, View

BENCHMARK = runpy.run_path(
    str(Path(attacks.__file__).parents[1] / "benchmarks" / "micro" / "attribute_attacks.py")
)
people, answered = BENCHMARK["people"], BENCHMARK["answered"]
KNOWN, SIZE = BENCHMARK["KNOWN"], BENCHMARK["VALUES"]
COLUMNS = (*KNOWN, "ill")
deviations = BENCHMARK["deviations"]


def lines(release, targets, *, game=play, attack=None, known=KNOWN, values=2):
    release, targets = by_row(COLUMNS, release), by_row(COLUMNS, targets)
    held = Evidence(
        release=release,
        population=release.take(np.arange(0)),
        sizes={**dict.fromkeys(KNOWN, SIZE + 1), "ill": values},
        ordered=dict.fromkeys(COLUMNS, False),
    )
    stage = Stage(
        targets=targets,
        one_row=targets,
        views=(View(name="", known=known, secrets=("ill",)),),
    )
    played = game(attack or Reconstruction(), held, stage)
    return {line.name.partition("@")[2]: line for line in played}


def test_a_release_of_exact_marginals_gives_members_away_more_than_the_nearest_vote():
    rng = np.random.default_rng(1)
    codes = people(1200, rng)
    is_member = np.arange(1200) < 600
    release = answered(codes[:600], 20_000, rng)
    solved = lines(release, codes)
    voted = lines(release, codes, game=games.attribute, attack=NearestVote())["all targets"]
    direction, likeliest = solved["direction"].hits, solved["all targets"].hits
    assert direction[is_member].mean() > direction[~is_member].mean() + 0.2
    assert likeliest[is_member].mean() > voted.hits[is_member].mean()
    assert deviations(solved["direction"], is_member) > 1.3 * deviations(voted, is_member)


def test_noise_for_epsilon_one_leaves_nothing():
    rng = np.random.default_rng(2)
    codes = people(1200, rng)
    is_member = np.arange(1200) < 600
    # Adding or removing a person changes one cell of each of the 15 tables by one.
    release = answered(codes[:600], 20_000, rng, noise=15.0)
    for line in lines(release, codes).values():
        assert abs(deviations(line, is_member)) < 3.5


def test_a_fresh_sample_tells_members_from_nobody():
    """40 games; under no leak more than 9 beyond two deviations come less than once in 10,000."""
    beyond = {"all targets": 0, "direction": 0}
    for seed in range(40):
        rng = np.random.default_rng([3, seed])
        codes = people(300, rng)
        found = lines(people(400, rng), codes)
        for name, line in found.items():
            beyond[name] += abs(deviations(line, np.arange(300) < 150)) > 2
    assert max(beyond.values()) <= 9


def test_everybody_known_and_nobody_else_is_solved_and_a_linear_program_agrees():
    rng = np.random.default_rng(4)
    members = people(60, rng)
    release = np.tile(members, (40, 1))  # marginals to the last digit: no draw, no noise
    marginals = Marginals(members[:, :-1], depth=2, rng=rng)
    found = recover(
        marginals,
        lambda: iter([release]),
        sizes=[SIZE] * len(KNOWN),
        counts=np.bincount(release[:, -1]),
        most=6,
    )
    truth = members[:, -1, None] == found.codes
    assert ((found.after > 0.5) == truth).mean() > 0.97
    rows, right = [], []
    for pair in combinations(range(len(KNOWN)), 2):
        cells = members[:, pair[0]] * SIZE + members[:, pair[1]]
        for cell in np.unique(cells):
            rows.append(cells == cell)
            right.append(members[cells == cell, -1].sum())
    exact = linprog(np.zeros(60), A_eq=np.array(rows, dtype=float), b_eq=right, bounds=(0, 1))
    by_program = np.rint(exact.x)
    place = int(np.flatnonzero(found.codes == 1)[0])
    assert ((found.after[:, place] > 0.5) == by_program).mean() > 0.97


def test_the_shift_is_the_least_squares_solution_within_bounds():
    rng = np.random.default_rng(5)

    matrix, right = rng.normal(size=(30, 12)), 3 * rng.normal(size=30)
    before = rng.uniform(0.05, 0.95, 12)
    spread = np.sqrt(before * (1 - before))
    expected = lsq_linear(
        np.vstack([matrix, np.diag(1 / spread)]),
        np.append(right, np.zeros(12)),
        bounds=(-before, 1 - before),
        tol=1e-12,
    ).x
    found = shift(sparse.csr_array(matrix), right, before)
    assert found == pytest.approx(expected, abs=1e-3)
    assert (np.isclose(found, -before) | np.isclose(found, 1 - before)).any()


def test_a_hidden_column_of_several_values_is_solved_one_against_the_rest():
    rng = np.random.default_rng(6)
    codes = people(400, rng, hidden=4)
    found = lines(np.tile(codes[:200], (20, 1)), codes, values=4)["direction"]
    is_member = np.arange(400) < 200
    assert found.hits[is_member].mean() > found.hits[~is_member].mean() + 0.2
    assert deviations(found, is_member) > 5
    rare = lines(np.tile(codes[:200], (20, 1)), codes, attack=Reconstruction(codes=2), values=4)[
        "direction"
    ]
    common = np.argsort(-np.bincount(codes[:200, -1]))[:2]
    assert not rare.hits[~np.isin(codes[:, -1], common)].any()


def test_the_same_answer_every_time_and_in_any_order_of_targets():
    rng = np.random.default_rng(7)
    release, codes = people(300, rng), people(80, rng)
    order = rng.permutation(80)
    first, again, shuffled = (lines(release, c) for c in (codes, codes, codes[order]))
    assert first["direction"].weights.tolist() == again["direction"].weights.tolist()
    assert shuffled["direction"].weights == pytest.approx(
        first["direction"].weights[order], abs=1e-4
    )


@pytest.mark.parametrize("known", [("a",), KNOWN])
def test_codes_that_the_release_never_shows_and_a_single_person(known):
    rng = np.random.default_rng(8)
    release, targets = people(100, rng), people(1, rng)
    targets[:, :6] = SIZE
    found = lines(release, targets, known=known)
    assert found["direction"].weights == pytest.approx([0.0], abs=1e-6)


def test_nothing_to_count_or_to_tell_apart_is_too_little():
    rng = np.random.default_rng(9)
    with pytest.raises(TooLittle):
        lines(people(5, rng), people(9, rng))
    release = people(100, rng)
    release[:, -1] = 1
    with pytest.raises(TooLittle):
        lines(release, people(9, rng))


def test_a_hundred_columns_are_cut_to_some_marginals():
    rng = np.random.default_rng(10)
    wide = rng.integers(0, 3, (500, 100)).astype(np.int32)
    marginals = Marginals(wide[:200], depth=2, rng=np.random.default_rng(0))
    blocks = [np.column_stack([wide, wide[:, 0]])]
    linear = Linear(lambda: iter(blocks), [3] * 100, [1])
    seen = marginals.sums(lambda: iter(blocks), [1], linear)
    matrix, _ = marginals.equations(seen, 0, np.full(200, 0.3))
    assert matrix.nnz == 150 * 200
