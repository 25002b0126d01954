"""An answer moves between neighbors by no more than it says, and sometimes by all of it."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsynth.domain import Domain, NeighboringRelation, PrivacyUnit
from dpsynth.privacy.queries import MarginalErrorQuery, MarginalQuery, ValuesQuery

DOMAIN = Domain(sizes={"age": 3, "sex": 2})
CLIQUES = [("age",), ("sex",), ("age", "sex")]
record = st.tuples(st.integers(0, 2), st.integers(0, 1))
resolutions = st.integers(1, 20)
weights = st.tuples(*[st.integers(1, 9)] * 3) | st.just(())  # without: all 1
offsets = st.tuples(*[st.integers(-(10**6), 10**6)] * 3) | st.just(())


def plain_counts(rows, clique):
    """Count by hand."""
    positions = [DOMAIN.columns.index(name) for name in clique]
    cells = list(product(*(range(size) for size in DOMAIN.shape(clique))))
    found = [tuple(row[position] for position in positions) for row in rows]
    return np.array([found.count(cell) for cell in cells], dtype=np.int64)


def person(rows):
    return PrivacyUnit(max_rows=len(rows), name="person")


@pytest.mark.parametrize("clique", CLIQUES)
@given(rows=st.lists(record), theirs=st.lists(record, min_size=1, max_size=4))
def test_adding_a_person_stays_within_the_bounds(clique, rows, theirs):
    query = MarginalQuery(clique=clique, domain=DOMAIN)
    moved = plain_counts(rows + theirs, clique) - plain_counts(rows, clique)
    assert int(moved @ moved) <= query.l2_sensitivity_squared(person(theirs))
    assert int(np.abs(moved).sum()) <= query.l1_sensitivity(person(theirs))


@pytest.mark.parametrize("clique", CLIQUES)
@given(rows=st.lists(record), one=record, copies=st.integers(1, 4))
def test_the_bounds_are_reached(clique, rows, one, copies):
    query = MarginalQuery(clique=clique, domain=DOMAIN)
    moved = plain_counts(rows + [one] * copies, clique) - plain_counts(rows, clique)
    assert int(moved @ moved) == query.l2_sensitivity_squared(person([one] * copies))
    assert int(np.abs(moved).sum()) == query.l1_sensitivity(person([one] * copies))


def errors(references, resolution, **more):
    return MarginalErrorQuery(
        cliques=tuple(CLIQUES), references=references, resolution=resolution, domain=DOMAIN, **more
    )


def scores(query, rows):
    distances = [
        query.distance(i, plain_counts(rows, clique)) for i, clique in enumerate(query.cliques)
    ]
    return query.scores(distances).tolist()


@given(
    rows=st.lists(record),
    theirs=st.lists(record, min_size=1, max_size=4),
    seed=st.integers(0, 2**32),
    resolution=resolutions,
    weights=weights,
    offsets=offsets,
)
def test_no_score_moves_further_than_its_sensitivity(
    rows, theirs, seed, resolution, weights, offsets
):
    rng = np.random.default_rng(seed)
    references = tuple(
        rng.integers(0, 10 * resolution, DOMAIN.size(clique)).astype(np.int64) for clique in CLIQUES
    )
    query = errors(references, resolution, weights=weights, offsets=offsets)
    for before, after in zip(scores(query, rows), scores(query, rows + theirs), strict=True):
        assert abs(after - before) <= query.sensitivity(person(theirs))
    moved = np.subtract(scores(query, rows + theirs), scores(query, rows))
    assert int(moved @ moved) <= query.l2_sensitivity_squared(person(theirs))


@given(
    rows=st.lists(record),
    one=record,
    copies=st.integers(1, 4),
    resolution=resolutions,
    weights=weights,
    offsets=offsets,
)
def test_the_sensitivity_of_a_score_is_reached(rows, one, copies, resolution, weights, offsets):
    zero = tuple(np.zeros(DOMAIN.size(clique), dtype=np.int64) for clique in CLIQUES)
    query = errors(zero, resolution, weights=weights, offsets=offsets)
    moved = np.subtract(scores(query, rows + [one] * copies), scores(query, rows))
    assert max(moved) == query.sensitivity(person([one] * copies))
    assert int(moved @ moved) == query.l2_sensitivity_squared(person([one] * copies))


def test_only_add_or_remove_has_a_derivation():
    unit = PrivacyUnit(max_rows=1, neighboring=NeighboringRelation.REPLACE)
    with pytest.raises(ValueError, match="add_or_remove alone"):
        MarginalQuery(clique=("age",), domain=DOMAIN).l1_sensitivity(unit)


@pytest.mark.parametrize("clique", [(), ("age", "age")])
def test_a_clique_names_each_column_once(clique):
    with pytest.raises(ValueError, match="each once"):
        MarginalQuery(clique=clique, domain=DOMAIN)


def test_a_clique_names_columns_of_the_domain():
    with pytest.raises(KeyError, match="zip"):
        MarginalQuery(clique=("zip",), domain=DOMAIN)


def test_candidates_and_references_must_fit():
    good = (np.zeros(3, dtype=np.int64),)
    for cliques, references, resolution, message in [
        ((), (), 1, "one length"),
        ((("age",),), (), 1, "one length"),
        ((("age",),), good, 0, "resolution"),
        ((("age",),), (np.zeros(2, dtype=np.int64),), 1, "int64 vector"),
        ((("age",),), (np.zeros(3),), 1, "int64 vector"),
    ]:
        with pytest.raises(ValueError, match=message):
            MarginalErrorQuery(
                cliques=cliques, references=references, resolution=resolution, domain=DOMAIN
            )
    zero = tuple(np.zeros(DOMAIN.size(clique), dtype=np.int64) for clique in CLIQUES)
    for more, error in [
        ({"weights": (1, 1)}, ValueError),
        ({"offsets": (0, 0, 0, 0)}, ValueError),
        ({"weights": (1, 0, 1)}, ValueError),
        ({"weights": (1, 1.5, 1)}, TypeError),
        ({"offsets": (0, True, 0)}, TypeError),
    ]:
        with pytest.raises(error, match=r"weights|offsets"):
            errors(zero, 1, **more)
    assert errors_are_labeled()


def errors_are_labeled():
    return MarginalQuery(clique=("age", "sex"), domain=DOMAIN).label == "marginal(age, sex)"


def test_sensitivities_are_exact_fractions():
    unit = PrivacyUnit(max_rows=5, name="person")
    query = MarginalQuery(clique=("age",), domain=DOMAIN)
    assert query.l2_sensitivity_squared(unit) == Fraction(25)
    assert isinstance(query.l2_sensitivity_squared(unit), Fraction)


def holders(persons):
    """Count by hand how many persons hold each value."""
    held = [value for rows in persons for value in set(rows)]
    return {value: held.count(value) for value in held}


values = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4)


@given(others=st.lists(values), theirs=values)
def test_a_person_adds_one_to_each_value_held_and_brings_no_more_than_that(others, theirs):
    query = ValuesQuery(column="age", domain=DOMAIN)
    before, after = holders(others), holders([*others, theirs])
    known = [after[value] - before[value] for value in before]
    new = [after[value] for value in after if value not in before]
    assert sum(each**2 for each in known) <= query.l2_sensitivity_squared(person(theirs))
    assert set(known) <= {0, 1}
    assert set(new) <= {1}
    assert len(new) <= query.max_new(person(theirs))


@pytest.mark.parametrize("rows", [1, 4])
def test_both_bounds_of_a_selection_are_reached(rows):
    query, theirs = ValuesQuery(column="age", domain=DOMAIN), list("abcd"[:rows])
    known = holders([theirs, theirs]).values()
    assert sum((each - 1) ** 2 for each in known) == query.l2_sensitivity_squared(person(theirs))
    assert len(holders([theirs])) == query.max_new(person(theirs))
    assert query.label == "values(age)"


def test_scores_beyond_64_bits_end_at_a_bound():
    # An error here would tell of the exact number of rows.
    references = tuple(np.zeros(DOMAIN.size(clique), dtype=np.int64) for clique in CLIQUES)
    query = errors(references, 1, weights=(2**40,) * len(CLIQUES))
    distances = [2**10, 2**21, 2**22, *[2**30] * len(CLIQUES)][: len(CLIQUES)]
    found = query.scores(distances)
    assert found.dtype == np.int64
    assert found.tolist() == [min(2**40 * each, 2**62) for each in distances]
    sunk = errors(references, 1, offsets=(-(2**70),) * len(CLIQUES))
    assert set(sunk.scores(distances).tolist()) == {-(2**62)}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"resolution": 0}, "resolution must be above 0"),
        ({"resolution": 1.5}, "resolution must be whole"),
        ({"resolution": 2**20 + 1}, "resolution must be at most"),
        ({"filled": 2**61}, "more rows than"),
        ({"filled": -(2**63)}, "more rows than"),
    ],
)
def test_a_distance_that_int64_could_not_hold_is_not_asked_for(changed, message):
    filled = changed.pop("filled", 0)
    references = tuple(np.full(DOMAIN.size(clique), filled, dtype=np.int64) for clique in CLIQUES)
    error = TypeError if "whole" in message else ValueError
    with pytest.raises(error, match=message):
        errors(references, **{"resolution": 1, **changed})
