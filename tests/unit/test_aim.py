"""aim: bill, workload, rounds and quality, on made-up rows."""

from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.errors import UnknownNameError, UsageError
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.privacy.accounting import rho_from_epsilon, total_rho
from dpsynth.privacy.queries import MarginalErrorQuery
from dpsynth.synthesizers.aim import AIM
from dpsynth.synthesizers.mst import MST
from dpsynth.synthesizers.rounds import RoundModel
from dpsynth.synthesizers.workload import candidates, workload_cliques
from dpsynth.testing.closeness import pair_distance
from dpsynth.testing.worlds import SMALL, chain_codes, curator_over, small_world

ROW = PrivacyUnit()


def entangled(rows=20_000, columns=10):
    """No chain: every column leans on the two before it."""
    domain = Domain(sizes={f"c{i}": 6 for i in range(columns)})
    codes = chain_codes(domain, rows=rows, seed=0)
    for at in range(2, columns):
        codes[f"c{at}"][::3] = (codes[f"c{at - 1}"][::3] + codes[f"c{at - 2}"][::3]) % 6
    return codes, domain


def chosen_tables(curator):
    """Return the cliques that were measured, histograms left out."""
    labels = [entry.label for entry in curator.account.entries]
    return [label[9:-1].split(", ") for label in labels if label.startswith("marginal(")
            and ", " in label]  # fmt: skip


# -- the bill -----------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [1, 2, 3, 17, 60])
@pytest.mark.parametrize("epsilon", ["0.001", "0.1", "7/3", "100"])
@pytest.mark.parametrize("max_rows", [1, 5])
def test_the_bill_adds_up_exactly(columns, epsilon, max_rows):
    rho = rho_from_epsilon(Fraction(epsilon), Fraction(1, 10**9))
    domain = Domain(sizes={f"c{i}": 2 + i for i in range(columns)})
    steps = AIM().steps(domain, unit=PrivacyUnit(max_rows=max_rows), rho=rho)
    assert total_rho(step.event for step in steps) == rho
    phases = list(dict.fromkeys(step.phase for step in steps))
    rounds = {1: 0, 2: min(6, len(steps) // 2 - 1)}.get(columns, 6)
    assert rounds >= 4 or columns == 1
    assert phases == ["one-way", *(f"round {n} of {rounds}" for n in range(1, rounds + 1))]


def test_every_round_charges_its_choices_then_its_tables_as_planned():
    rho = Fraction(1, 10)
    curator = small_world(rho=rho)
    planned = AIM().steps(curator.domain, unit=ROW, rho=rho)
    AIM().learn(curator, rho=rho)
    entries = curator.account.entries
    assert [entry.event for entry in entries] == [step.event for step in planned]
    for step, entry in zip(planned, entries, strict=True):
        if "choice" in step.label:
            assert entry.label == step.label
        else:
            assert entry.label.startswith("marginal(")


def test_all_scales_are_fixed_before_any_answer():
    """Which tables are chosen may change with the rows; the bill may not."""
    rho = Fraction(1, 10)
    events, tables = [], []
    for seed in range(3):
        curator = small_world(rho=rho, seed=seed, rows=100 * 10**seed)
        AIM().learn(curator, rho=rho)
        events.append([entry.event for entry in curator.account.entries])
        tables.append(chosen_tables(curator))
    assert events[0] == events[1] == events[2]
    assert tables[0] != tables[2]


def test_settings_are_checked():
    with pytest.raises(ValueError, match="degree must be above 0"):
        AIM(degree=0)
    with pytest.raises(TypeError, match="exact"):
        AIM(selection_share=0.1)
    with pytest.raises(ValueError, match="strictly between"):
        AIM(one_way_share=Fraction(1))
    for workload in ("age", "[[1]]", "{}", [], ["age"], [[]], [["age", 3]], 7):
        with pytest.raises(TypeError, match="must list cliques"):
            AIM(workload=workload)
    for settings in ({"target": "nobody"}, {"workload": [["age", "nobody"]]}):
        with pytest.raises(UnknownNameError, match="nobody"):
            AIM(**settings).steps(SMALL, unit=ROW, rho=Fraction(1))
    wide = Domain(sizes={f"c{i}": 2 for i in range(40)})
    with pytest.raises(UsageError, match="choose a smaller degree"):
        AIM(degree=3).steps(wide, unit=ROW, rho=Fraction(1))
    with pytest.raises(UsageError, match="narrower cliques"):
        AIM(workload=[wide.columns]).steps(wide, unit=ROW, rho=Fraction(1))


# -- the workload -------------------------------------------------------------------------------


def test_a_workload_may_be_given_as_text_and_is_read_from_a_plan():
    cliques = (("age", "sex"), ("sex", "ward", "outcome"))
    assert AIM(workload=[list(each) for each in cliques]).workload == cliques
    assert AIM(workload='[["age", "sex"], ["sex", "ward", "outcome"]]').workload == cliques


def test_candidates_are_the_parts_of_the_workload_with_the_published_weights():
    columns = ("age", "sex", "ward", "outcome")
    workload = workload_cliques(
        SMALL, columns, given=[("site", "age", "sex"), ("outcome", "ward", "sex")], degree=2
    )
    assert workload == (("age", "sex"), ("sex", "ward", "outcome"))
    found = candidates(SMALL, workload, target="ward", target_weight=5, most_cells=30)
    # age is in one clique, sex in two, ward and outcome in one.
    assert found == {
        ("age", "sex"): 3,
        ("sex", "ward"): 15,
        ("sex", "outcome"): 3,
        ("ward", "outcome"): 10,
        ("sex", "ward", "outcome"): 20,
    }
    assert len(candidates(SMALL, workload, most_cells=29)) == 4
    pairs = workload_cliques(SMALL, columns, given=None, degree=2)
    assert set(candidates(SMALL, pairs, most_cells=1).values()) == {1}
    assert len(workload_cliques(SMALL, columns, given=None, degree=9)) == 1
    assert workload_cliques(SMALL, (), given=None, degree=2) == ()


def test_only_the_workload_is_measured():
    codes, domain = entangled(rows=2_000)
    rho = Fraction(1, 10)
    curator = curator_over(codes, domain, rho)
    AIM(workload=[["c0", "c5"], ["c5", "c9", "c1"]]).learn(curator, rho=rho)
    allowed = [{"c0", "c5"}, {"c1", "c5", "c9"}]
    tables = chosen_tables(curator)
    assert tables
    assert all(any(set(table) <= each for each in allowed) for table in tables)


def test_a_workload_of_columns_is_all_histograms():
    rho = Fraction(1, 10)
    curator = small_world(rho=rho)
    AIM(workload=[["age"], ["site", "sex"]]).learn(curator, rho=rho)
    assert not chosen_tables(curator)
    assert curator.account.left == 0


def test_a_target_draws_choices_to_its_tables():
    rho = Fraction(1, 200)
    codes, domain = entangled(rows=3_000)
    counted = {}
    for target in (None, "c4"):
        curator = curator_over(codes, domain, rho)
        AIM(target=target, target_weight=20).learn(curator, rho=rho)
        counted[target] = sum("c4" in table for table in chosen_tables(curator))
    assert counted["c4"] > 1.5 * counted[None]


def test_a_relation_of_three_columns_is_found_where_pairs_show_nothing():
    rng = np.random.default_rng(0)
    codes = {name: rng.integers(0, 2, 5_000) for name in "abcde"}
    codes["c"] = codes["a"] ^ codes["b"]
    domain = Domain(sizes=dict.fromkeys("abcde", 2))
    rho = Fraction(1, 10)
    curator = curator_over(codes, domain, rho)
    model = AIM(degree=3).learn(curator, rho=rho).model
    table = model.marginal(("a", "b", "c")) / model.total
    odd = [table[a, b, 1 - (a ^ b)] for a in (0, 1) for b in (0, 1)]
    assert sum(odd) < 0.1
    assert ["a", "b", "c"] in chosen_tables(curator)


# -- rounds -------------------------------------------------------------------------------------


def learn_and_count(monkeypatch, rho):
    """Fit an entangled table; return the model, the ledger's labels and what was counted."""
    usual, counted = MarginalErrorQuery.distance, []

    def distance(query, candidate, counts):
        counted.append(query.cliques[candidate])
        return usual(query, candidate, counts)

    codes, domain = entangled(rows=2_000, columns=6)
    curator = curator_over(codes, domain, rho)
    with monkeypatch.context() as patched:
        patched.setattr(MarginalErrorQuery, "distance", distance)
        model = AIM().learn(curator, rho=rho).model
    return model, [entry.label for entry in curator.account.entries], counted


def test_incremental_scores_equal_full_recomputation(monkeypatch):
    """With copies for references everything is counted anew, and it all ends the same."""
    rho = Fraction(1, 1000)
    incremental, labels, counted = learn_and_count(monkeypatch, rho)
    errors = RoundModel.errors

    def copied(self, weights, **settings):
        query = errors(self, weights, **settings)
        return replace(query, references=tuple(each.copy() for each in query.references))

    monkeypatch.setattr(RoundModel, "errors", copied)
    full, again, all_counted = learn_and_count(monkeypatch, rho)
    assert labels == again
    assert full.cliques == incremental.cliques
    for clique in full.cliques:
        assert (full.probabilities[clique] == incremental.probabilities[clique]).all()
    assert len(all_counted) == 6 * 15
    assert set(counted) == set(all_counted)
    assert len(counted) < len(all_counted)


def test_a_reference_is_never_further_from_the_model_than_tolerated(monkeypatch):
    errors, out_of_date = RoundModel.errors, []

    def watched(self, weights, *, stddev, tolerance):
        query = errors(self, weights, stddev=stddev, tolerance=tolerance)
        exact = errors(self, weights, stddev=stddev, tolerance=0.0)
        for kept, now in zip(query.references, exact.references, strict=True):
            out_of_date.append(np.abs(kept - now).sum() / (query.resolution * tolerance))
        self._references = dict(zip(query.cliques, query.references, strict=True))
        return query

    monkeypatch.setattr(RoundModel, "errors", watched)
    learn_and_count(monkeypatch, Fraction(1, 20_000))
    assert 0 < max(out_of_date) <= 1


def test_a_table_chosen_again_is_pooled():
    rho = Fraction(1, 2)
    curator = small_world(rho=rho, domain=Domain(sizes={"a": 3, "b": 4}), rows=300)
    learned = AIM().learn(curator, rho=rho)
    assert chosen_tables(curator) == [["a", "b"]] * 6
    assert learned.model.cliques == (("a", "b"),)


# -- caps and quality ---------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [100, 1_000])
@pytest.mark.parametrize("degree", [2, 3])
def test_the_junction_tree_stays_below_its_limit(cells, degree):
    rho = Fraction(10)
    synthesizer = AIM(most_cells=cells, degree=degree, rake=False)
    curator = small_world(rho=rho)
    learned = synthesizer.learn(curator, rho=rho)
    held = learned.model.domain
    assert sum(held.size(clique) for clique in learned.model.cliques) <= cells
    assert not learned.model.corrections
    if cells == 1_000:  # nothing was asked in vain: the tree holds what was measured
        cliques = [set(clique) for clique in learned.model.cliques]
        assert all(any(set(t) <= each for each in cliques) for t in chosen_tables(curator))


def test_a_limit_that_no_pair_fits_is_kept_and_all_is_spent():
    rho = Fraction(1, 10)
    domain = Domain(sizes={"a": 30, "b": 40})
    curator = small_world(rho=rho, domain=domain, rows=5_000)
    learned = AIM(most_cells=70, rake=False).learn(curator, rho=rho)
    assert {len(clique) for clique in learned.model.cliques} == {1}
    assert curator.account.left == 0


def test_raking_reaches_pairs_beyond_the_limit():
    rho = Fraction(10)
    learned = AIM(most_cells=60).learn(small_world(rho=rho), rho=rho)
    held = {frozenset(clique) for clique in learned.model.cliques}
    assert any(frozenset(each.clique) not in held for each in learned.model.corrections)


@pytest.mark.parametrize("epsilon", ["1", "10"])
def test_it_is_closer_than_the_tree(epsilon):
    codes, domain = entangled()
    rho = rho_from_epsilon(Fraction(epsilon), Fraction(1, 10**9))
    tree, ours = (
        pair_distance(synthesizer.learn(curator_over(codes, domain, rho), rho=rho), domain, codes)
        for synthesizer in (MST(), AIM())
    )
    assert ours < tree


def test_forty_columns():
    rho = Fraction(1, 80)
    domain = Domain(sizes={f"c{i}": 10 for i in range(40)})
    curator = small_world(rho=rho, domain=domain, rows=500)
    learned = AIM().learn(curator, rho=rho)
    assert curator.account.left == 0
    assert len(learned.model.domain.columns) == 40


def test_columns_far_apart_in_the_tree_are_weighed_without_large_tables(monkeypatch):
    """What the model expects of them stays as it was when the answer would be too large."""
    codes, domain = entangled(rows=3_000, columns=7)
    rho = Fraction(1, 2)
    asked = []
    usual = GraphicalModel.marginal

    def marginal(model, clique):
        asked.append(model.cells_on_the_way(clique))
        return usual(model, clique)

    monkeypatch.setattr(GraphicalModel, "marginal", marginal)
    monkeypatch.setattr("dpsynth.synthesizers.rounds._MOST_CELLS", 6**3)
    curator = curator_over(codes, domain, rho)
    AIM(degree=3).learn(curator, rho=rho)
    assert curator.account.left == 0
    assert max(asked) == 6**3


def test_no_table_is_made_to_tell_how_large_it_would_be():
    codes, domain = entangled(rows=500, columns=7)
    rho = Fraction(1, 2)
    model = AIM().learn(curator_over(codes, domain, rho), rho=rho).model
    for clique in combinations(domain.columns, 3):
        cells = model.cells_on_the_way(clique)
        assert cells >= domain.size(clique)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("dpsynth.models.graphical.elimination.MOST_CELLS", cells - 1)
            with pytest.raises(UsageError, match=f"would take {cells:,} cells"):
                model.marginal(clique)
