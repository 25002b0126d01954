"""direct: one count of everything, on made-up rows."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

import dpsynth
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.errors import UsageError
from dpsynth.schema import Schema
from dpsynth.synthesizers.auto import Auto
from dpsynth.synthesizers.direct import Direct
from dpsynth.testing.worlds import (
    SMALL,
    GeneratedSource,
    UnreadableSource,
    chain_codes,
    small_world,
)

PARITY = Domain(sizes=dict.fromkeys("abcd", 2))


def parity_world(rho, rows=2_000):
    """Every three columns say nothing, all four together everything."""
    rng = np.random.default_rng(0)
    codes = {name: rng.integers(0, 2, rows) for name in "abcd"}
    codes["d"] = codes["a"] ^ codes["b"] ^ codes["c"]
    return small_world(
        rho=rho, domain=PARITY, source=lambda _, domain: GeneratedSource(codes, domain)
    )


@pytest.mark.parametrize("max_rows", [1, 5])
def test_the_bill_is_one_charge_of_everything(max_rows):
    rho = Fraction(1, 7)
    unit = PrivacyUnit(max_rows=max_rows)
    (step,) = Direct().steps(SMALL, unit=unit, rho=rho)
    assert step.rho == rho
    assert step.label == "marginal(age, sex, ward, outcome)"
    curator = small_world(rho=rho, unit=unit)
    Direct().learn(curator, rho=rho)
    (entry,) = curator.account.entries
    assert (entry.event, entry.label) == (step.event, step.label)


def test_relations_of_all_columns_are_kept():
    rho = Fraction(1, 20)
    wrong = {}
    for synthesizer in (Direct(), Auto()):
        model = synthesizer.learn(parity_world(rho), rho=rho).model
        table = model.marginal(tuple("abcd")) / model.total
        odd = np.indices((2, 2, 2, 2)).sum(0) % 2 == 1
        wrong[synthesizer.name] = table[odd].sum()
    assert wrong["direct"] < 0.03
    assert wrong["auto"] > 0.4


@pytest.mark.parametrize("rho", [Fraction(1, 10**6), Fraction(1, 1000), Fraction(10)])
def test_the_model_is_a_distribution_closer_than_its_noise(rho):
    rows = 1_013
    world = small_world(rho=rho)
    exact = chain_codes(SMALL, rows=rows, seed=0)
    model = Direct().learn(world, rho=rho).model
    (clique,) = [each for each in model.cliques if len(each) > 1]
    table = model.probabilities[clique]
    assert (table >= 0).all()
    assert table.sum() == pytest.approx(1)
    codes = tuple(exact[name] for name in clique)
    counts = np.zeros(SMALL.shape(clique))
    np.add.at(counts, codes, 1)
    noise = float(1 / (2 * rho)) ** 0.5
    worst = min(0.8 * noise * counts.size, 2 * rows)
    assert np.abs(model.total * table - counts).sum() < max(0.7 * worst, 60)
    for pair in combinations(clique, 2):
        assert model.marginal(pair).sum() == pytest.approx(model.total)


def test_too_many_combinations_are_refused_before_any_row():
    domain = Domain(sizes={"a": 1_000, "b": 201})
    world = small_world(rho=Fraction(1), domain=domain, source=UnreadableSource)
    for call in (
        lambda: Direct().steps(domain, unit=PrivacyUnit(), rho=Fraction(1)),
        lambda: Direct().learn(world, rho=Fraction(1)),
    ):
        with pytest.raises(
            UsageError, match=r"200000 at most, and the declared columns have 201000"
        ):
            call()
    assert not world.account.entries
    assert Direct(most_cells=201_000).steps(domain, unit=PrivacyUnit(), rho=Fraction(1))
    with pytest.raises(ValueError, match="most_cells must be above 0"):
        Direct(most_cells=0)


def test_a_plan_says_so_in_one_sentence():
    column = {"kind": "integer", "bounds": [0, 999]}
    names = ("first", "second", "third", "fourth")
    schema = Schema.from_dict({"columns": [{"name": name, **column} for name in names]})
    with pytest.raises(UsageError, match="such as auto"):
        dpsynth.Direct().plan(schema, epsilon=1, delta=1e-9)
