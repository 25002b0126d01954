"""The structure that a release shows, against what it was drawn from; scores against plain code."""

from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest

from attacks.base import Evidence
from attacks.engine.table import CodedTable, by_row, record_words
from attacks.membership.cliques import Cliques, weights_of
from attacks.membership.coarse import coarse
from attacks.membership.excess import Ratios
from attacks.membership.marginal import Marginal
from attacks.membership.structure import Structure, recovered, spanning_tree
from attacks.stats import ranking

SIZES = {"a": 5, "b": 4, "c": 6, "d": 3, "e": 4, "f": 5}
COLUMNS = tuple(SIZES)
CHAIN = tuple(pairwise(range(6)))


def chain(count, rng, *, copied=0.6):
    """Draw rows in which every column leans on the one before, and on no other."""
    columns = [rng.integers(0, SIZES["a"], count)]
    for size in list(SIZES.values())[1:]:
        leans = rng.random(count) < copied
        columns.append(np.where(leans, columns[-1] % size, rng.integers(0, size, count)))
    return np.column_stack(columns).astype(np.int32)


def ring(count, rng):
    """Draw rows in which the first and the last column agree more than the chain explains."""
    codes = chain(count, rng)
    same = rng.random(count) < 0.5
    codes[same, 5] = codes[same, 0]
    return codes


def evidence(release, population, **more):
    return Evidence(
        release=by_row(COLUMNS, release),
        population=population
        if isinstance(population, CodedTable)
        else by_row(COLUMNS, population),
        sizes=SIZES,
        ordered=dict.fromkeys(COLUMNS, False),
        **more,
    )


def tables_of(release, population):
    return coarse(evidence(release, population), by_row(COLUMNS, release[:1]))


def test_the_tree_of_a_chain_is_the_chain():
    rng = np.random.default_rng(1)
    found = recovered(tables_of(chain(5000, rng), chain(5000, rng)))
    assert found.tree == CHAIN
    assert set(found.others) | set(CHAIN) == set(combinations(range(6), 2))
    assert found.kept > 0.9


def test_dependence_that_was_not_learned_is_not_kept():
    rng = np.random.default_rng(2)
    population = ring(5000, rng)
    apart = np.column_stack([rng.permutation(column) for column in ring(5000, rng).T])
    assert recovered(tables_of(apart, population)).kept < 0.1
    assert recovered(tables_of(ring(5000, rng), population)).kept_beyond > 0.8
    # A release that learned the chain and not what closes it to a ring.
    assert recovered(tables_of(chain(5000, rng), population)).kept_beyond < 0.1


def test_a_spanning_tree_is_the_heaviest_of_all():
    rng = np.random.default_rng(3)
    weights = {pair: float(rng.random()) for pair in combinations(range(5), 2)}
    heaviest = 0.0
    for chosen in combinations(weights, 4):
        parts = list(range(5))
        for first, second in chosen:
            parts = [parts[first] if part == parts[second] else part for part in parts]
        if len(set(parts)) == 1:
            heaviest = max(heaviest, sum(weights[pair] for pair in chosen))
    assert sum(weights[pair] for pair in spanning_tree(weights, columns=5)) == heaviest


def test_log_ratios_against_plain_counting():
    rng = np.random.default_rng(4)
    release, population, targets = chain(300, rng), chain(200, rng), chain(9, rng)
    tables = coarse(evidence(release, population), by_row(COLUMNS, targets))
    ratios = Ratios(tables, tables.targets)
    both = np.concatenate([release, population])
    columns, pair = ratios.columns(), ratios.pairs(((1, 4),))
    for row, target in enumerate(targets):
        chances, released = [], []
        for place, size in enumerate(SIZES.values()):
            chances.append(((both[:, place] == target[place]).sum() + 0.5 / size) / 500.5)
            released.append((release[:, place] == target[place]).sum())
        assert columns.usual[row] == pytest.approx(np.log(chances).sum())
        expected = 300 * np.array(chances)
        assert columns.excess[row] == pytest.approx(
            np.log((np.array(released) + 1) / (expected + 1)).sum()
        )
        agree = (release[:, [1, 4]] == target[[1, 4]]).all(axis=1).sum()
        agree_both = (both[:, [1, 4]] == target[[1, 4]]).all(axis=1).sum()
        apart = chances[1] * chances[4]
        chance = (agree_both + 2 * apart) / 502
        lean = [(released[p] + 0.5) / (300 * chances[p] + 0.5) for p in (1, 4)]
        assert pair.usual[row] == pytest.approx(np.log(chance / apart))
        assert pair.excess[row] == pytest.approx(
            np.log((agree + 1) / (300 * chance * lean[0] * lean[1] + 1))
        )


def test_rows_of_the_population_are_scored_without_their_person():
    rng = np.random.default_rng(5)
    release, codes = chain(300, rng), chain(60, rng)
    several = CodedTable(
        columns=COLUMNS,
        codes=codes,
        words=record_words(codes),
        persons=np.repeat(np.arange(20), 3),
        size=20,
    )
    whole = coarse(evidence(release, several), several)
    mine = Ratios(whole, whole.population)
    others = several.take(np.array([person for person in range(20) if person != 4]))
    without = coarse(evidence(release, others), several.take(np.array([4])))
    alone = Ratios(without, without.targets)
    for parts, expected in (
        (mine.columns(), alone.columns()),
        (mine.pairs(CHAIN), alone.pairs(CHAIN)),
    ):
        assert parts.usual[12:15] == pytest.approx(expected.usual)
        assert parts.excess[12:15] == pytest.approx(expected.excess)


def test_a_kind_takes_tables_away_and_gives_none():
    shown = Structure(tree=CHAIN, others=(), kept=0.9, kept_beyond=0.8)
    columns, tree, others = weights_of(shown, None)
    assert columns == 1
    assert 0 < others < tree < 1
    assert weights_of(shown, "independent") == (1, 0, 0)
    assert weights_of(shown, "mst") == (1, tree, 0)
    assert weights_of(shown, "aim") == weights_of(shown, None)
    assert weights_of(replace(shown, kept=0.0), None) == (1, 0, 0)


def areas(release, members, controls, population):
    targets = by_row(COLUMNS, np.concatenate([members, controls]))
    found = []
    for attack in (Cliques(), Marginal()):
        said = attack.score(evidence(release, population), targets).targets
        found.append(ranking.auc(members=said[: len(members)], controls=said[len(members) :]))
    return found


def test_a_verbatim_copy_is_as_plain_as_it_can_be():
    """Most records are unique, and a control's are not in the release."""
    rng = np.random.default_rng(6)
    members = chain(400, rng, copied=0.1)
    found, pairs = areas(
        members, members, chain(400, rng, copied=0.1), chain(1000, rng, copied=0.1)
    )
    assert found > 0.9
    assert found > pairs - 0.02


def test_a_fresh_sample_gives_nobody_away():
    """The area under no leak has a standard error of 0.013 here; five of them are allowed."""
    rng = np.random.default_rng(7)
    found, _ = areas(chain(1000, rng), chain(1000, rng), chain(1000, rng), chain(1000, rng))
    assert abs(found - 0.5) < 0.065


def test_the_tables_that_were_learned_tell_more_than_all_pairs():
    """A release drawn anew along the members' own chain of pair tables, for 20 codes a column."""
    rng = np.random.default_rng(8)
    codes = rng.integers(0, 20, (2400, 6)).astype(np.int32)
    for place in range(1, 6):
        same = rng.random(2400) < 0.5
        codes[same, place] = codes[same, place - 1]
    members, rest = codes[:400], codes[400:]
    drawn = np.empty((400, 6), dtype=np.int32)
    drawn[:, 0] = rng.permutation(members[:, 0])
    for place in range(1, 6):
        for code in range(20):
            rows = drawn[:, place - 1] == code
            like = members[members[:, place - 1] == code, place]
            drawn[rows, place] = rng.permutation(like)
    sizes = dict.fromkeys(COLUMNS, 20)
    targets = by_row(COLUMNS, np.concatenate([members, rest[:1000]]))
    held = replace(evidence(drawn, rest[1000:]), sizes=sizes)
    found = {}
    for attack in (Cliques(), Marginal()):
        said = attack.score(held, targets).targets
        found[attack.name] = ranking.auc(members=said[:400], controls=said[400:])
    assert found["membership/cliques"] > 0.8
    assert found["membership/cliques"] > found["membership/marginal"] + 0.05


def test_scores_follow_the_persons_in_whatever_order():
    rng = np.random.default_rng(9)
    held = evidence(chain(200, rng), chain(100, rng))
    targets = by_row(COLUMNS, chain(50, rng))
    order = rng.permutation(50)
    said, again = (Cliques().score(held, each) for each in (targets, targets.take(order)))
    # A score knows the target's record and the evidence, not who stands beside it.
    assert again.targets == pytest.approx(said.targets[order])
    alone = Cliques().score(held, targets.take(order[:1]))
    assert alone.targets[0] == pytest.approx(said.targets[order[0]])
    assert alone.population == pytest.approx(said.population)


@pytest.mark.parametrize("columns", [1, 2, 6])
def test_odd_tables_can_be_scored(columns):
    rng = np.random.default_rng(10)
    names = COLUMNS[:columns]
    few = by_row(names, chain(30, rng)[:, :columns])
    constant = by_row(names, np.zeros((5, columns), dtype=np.int32))
    nobody = by_row(names, np.zeros((0, columns), dtype=np.int32))
    for release, population, targets in (
        (few, few, few),
        (constant, few, few),
        (few, nobody, few),
        (few, constant, nobody),
        (nobody, few, few),
        (few, few, few.take(np.array([0]))),
    ):
        said = Cliques().score(
            Evidence(
                release=release,
                population=population,
                sizes=SIZES,
                ordered=dict.fromkeys(COLUMNS, True),
            ),
            targets,
        )
        assert said.targets.shape == (targets.size,)
        assert said.population.shape == (population.size,)
        assert np.isfinite(said.targets).all()
