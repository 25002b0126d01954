"""Conformance checks pass what is right, and catch what is wrong where it is wrong."""

import json
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest

import dpsynth
from attacks import conformance
from attacks.conformance import audits, neighbors, raw
from attacks.conformance.checks import FALSE_ALARM, statuses_of
from attacks.conformance.trial import Trial
from dpsynth.encoding.undeclared import Undeclared
from dpsynth.privacy.events import event_to_dict
from dpsynth.privacy.mechanisms import DiscreteGaussian, ExponentialSelection
from dpsynth.privacy.queries import MarginalQuery, ValuesQuery
from dpsynth.schema import Schema
from dpsynth.synthesizers import registry
from dpsynth.synthesizers.deep import Deep
from dpsynth.synthesizers.facade import Synthesizer
from dpsynth.testing import noise
from dpsynth.testing.recording import (
    DivergedError,
    Entry,
    Reading,
    Replay,
    ReplayingSource,
    replay,
)
from dpsynth.testing.worlds import GeneratedSource

# Those that train are on trial with few steps: tests/deep/test_generators.py.
LEARNERS = {name for name in registry.BUILT_IN if not issubclass(registry.get(name), Deep)}
DECLARED = {
    "columns": [
        {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 10},
        {"name": "sex", "kind": "categorical", "values": ["m", "f"]},
        {"name": "ward", "kind": "categorical", "values": list("abcde"), "nullable": True},
        {"name": "sick", "kind": "boolean"},
        {"name": "pid", "kind": "identifier"},
    ],
}
ROWS = Schema.from_dict(DECLARED)
PERSONS = Schema.from_dict({**DECLARED, "unit": {"kind": "person", "column": "pid", "max_rows": 3}})
UNBOUNDED = Schema.from_dict(
    {**DECLARED, "columns": [*DECLARED["columns"], {"name": "stay", "kind": "integer"}]}
)
OPENED = Schema.from_dict(
    {
        **PERSONS.to_dict(),
        "columns": [
            *PERSONS.to_dict()["columns"],
            {"name": "town", "kind": "categorical", "open": True},
            {
                "name": "code",
                "kind": "categorical",
                "open": True,
                "values": ["A"],
                "nullable": True,
            },
        ],
    }
)
BUDGET = {"epsilon": "1", "delta": "1/1000000000"}


def plan(schema=ROWS, synthesizer=None):
    made = (synthesizer or dpsynth.MST()).plan(schema, **BUDGET)
    return json.loads(json.dumps(made.to_dict()))


def events(*documents, max_rows=1):
    return {"steps": [{"event": one} for one in documents], "unit": {"max_rows": max_rows}}


def gaussian(sigma_squared):
    return {
        "kind": "discrete_gaussian/v1",
        "sigma_squared": sigma_squared,
        "l2_sensitivity_squared": "1",
    }


def statuses(checks, family):
    return {check.status for check in checks if check.name.partition("/")[0] == family}


@pytest.mark.parametrize("schema", [ROWS, PERSONS, UNBOUNDED], ids=["row", "person", "bins"])
@pytest.mark.parametrize("name", ["independent", "mst"])
def test_the_mechanisms_pass(name, schema):
    synthesizer = dpsynth.synthesizer(name)
    checks = conformance.run(plan(schema, synthesizer), schema)
    assert {check.audit for check in checks} == set(audits.AUDITS) - {"release"}
    assert statuses(checks, "noise") == {"passed"}
    assert statuses(checks, "neighbors") == {"passed"}
    assert statuses(checks, "selection") == {"passed" if name == "mst" else "not applicable"}
    assert {check.status for check in checks} <= {"passed", "not applicable"}
    check_pairs(checks, schema)


def check_pairs(checks, schema):
    squared = float(schema.privacy_unit.max_rows**2)
    (furthest,) = [check for check in checks if check.name == "neighbors/sensitivity, as planned"]
    # The worst neighbor reaches the declared sensitivity: a smaller one would be found wrong.
    assert furthest.trials >= 4
    assert furthest.statistic == furthest.bound == squared


@pytest.mark.parametrize("name", sorted(LEARNERS - {"direct"}))  # few codes only
def test_open_columns_pass_and_their_selection_is_tested(name):
    checks = conformance.run(plan(OPENED, dpsynth.synthesizer(name)), OPENED)
    assert {check.status for check in checks} <= {"passed", "not applicable"}
    check_pairs(checks, OPENED)
    names = " ".join(check.name for check in checks)
    assert "noise/scale of partition_selection" in names
    assert "selection/values at threshold" in names
    found = replay(dpsynth.synthesizer(name), OPENED, **BUDGET)
    asked = [reading for reading in found[0].there if reading.texts is not None]
    assert [reading.clique for reading in asked] == [("town",), ("code",)]
    new = set(asked[0].texts) - set(found[0].here[0].texts)
    assert len(new) == 3, "one person brings as many new values as rows"
    released = [reading.shape for reading in found[0].here if reading.clique == ("town",)]
    assert released[:2] == [(1,), (7,)], "what the crowd says is released"


@pytest.mark.parametrize("delta", ["1/100000000", "1/2"])
def test_open_columns_are_replayed_whatever_their_delta(delta):
    # The replay of a release runs after its budget is spent: it must be able to pay by itself.
    found = replay(dpsynth.Independent(), OPENED, epsilon="1", delta=delta)
    assert [pair.diverged for pair in found] == [None] * len(found)
    assert all(pair.same_model for pair in found)


def selecting(**changed):
    found = next(s["event"] for s in plan(OPENED)["steps"] if s["phase"] == "values")
    return {**found, **changed}


@pytest.mark.parametrize(
    ("field", "factor"),
    [
        ("sigma_squared", Fraction(90, 100)),
        ("sigma_squared", Fraction(110, 100)),
        ("threshold", Fraction(97, 100)),
        ("threshold", Fraction(103, 100)),
    ],
)
def test_a_wrong_selection_of_values_fails_on_both_sides(monkeypatch, field, factor):
    def wrong(event, *, units, size, seed):
        changed = str(round(Fraction(event[field]) * factor))
        return drawn({**event, field: changed}, units=units, size=size, seed=seed)

    drawn = noise.released_values
    monkeypatch.setattr(noise, "released_values", wrong)
    event = selecting()
    checks = conformance.laws(events(event, max_rows=3))
    family = "noise" if field == "sigma_squared" else "selection"
    assert "failed" in statuses(checks, family)


@pytest.mark.parametrize(
    ("bound", "words"),
    [("l2_sensitivity_squared", "moved further"), ("max_new", "brought more")],
)
def test_an_understated_selection_is_found(monkeypatch, bound, words):
    monkeypatch.setattr(ValuesQuery, bound, lambda *_: Fraction(1))
    found = judged(dpsynth.Independent(), OPENED)
    assert any(words in check.detail for check in failed(found))


def test_rows_counted_for_persons_are_found(monkeypatch):
    """A person with three rows of one value would count three times."""

    def holders(self, units):
        return original(self, np.arange(units.size))

    original = Undeclared.holders
    monkeypatch.setattr(Undeclared, "holders", holders)
    found = judged(dpsynth.Independent(), OPENED)
    assert any("brought more" in check.detail for check in found if check.status == "failed")


def readings_of(*, texts, counts, paid=1):
    return Reading(clique=("town",), shape=(1,), counts=np.array(counts), paid=paid, texts=texts)


@pytest.mark.parametrize(
    ("here", "there", "event", "words"),
    [
        ((("a",), [5]), (("a", "b"), [5, 2]), "values", "brought more"),
        ((("a",), [5]), (("a",), [5]), "counts", "no selection was paid"),
        ((None, [5]), (None, [5]), "values", "was counted, and a selection"),
    ],
)
def test_what_was_paid_is_what_was_asked(here, there, event, words):
    paid = selecting() if event == "values" else gaussian("9")
    found = Replay(
        world="one person more",
        max_rows=3,
        charged=(Entry(label="asked", event=paid),),
        charged_again=(Entry(label="asked", event=paid),),
        here=(readings_of(texts=here[0], counts=here[1]),),
        there=(readings_of(texts=there[0], counts=there[1]),),
        diverged=None,
        same_model=True,
    )
    (moved,) = neighbors.movements(found)
    assert words in moved.fault


def test_checks_are_reproducible_and_come_back():
    first, second = (conformance.laws(plan(), seed=3) for _ in range(2))
    assert first == second
    documents = json.loads(json.dumps([check.to_dict() for check in first]))
    assert [conformance.Check.from_dict(document) for document in documents] == first
    assert conformance.laws(plan(), seed=4) != first


def test_what_is_not_tested_is_said():
    assert any("distinguishing game" in line for line in conformance.NOT_TESTED)
    assert any("timing" in line for line in conformance.NOT_TESTED)
    smoke, standard = (
        conformance.not_tested(conformance.Tier(tier)) for tier in ("smoke", "standard")
    )
    assert "whole releases of neighboring tables" in smoke[-1]
    assert "trainings and warm starts of more than 12 steps" in smoke[-1]
    assert standard == conformance.NOT_TESTED  # a larger trial is not said to have left them out


def test_a_plan_without_noise_has_nothing_to_test():
    checks = conformance.laws(events())
    assert statuses(checks, "noise") == statuses(checks, "selection") == {"not applicable"}


@pytest.mark.parametrize("sigma_squared", ["1/10000", "1/2", "9", "10000000000"])
def test_scales_far_apart_pass(sigma_squared):
    assert statuses(conformance.laws(events(gaussian(sigma_squared))), "noise") == {"passed"}


def test_laplace_noise_is_tested_likewise():
    document = {"kind": "discrete_laplace/v1", "scale": "7/2", "l1_sensitivity": "1"}
    checks = conformance.laws(events(document))
    assert [check.status for check in checks[:2]] == ["passed", "passed"]
    assert "discrete_laplace" in checks[0].name


@pytest.mark.parametrize("error", [Fraction(96, 100), Fraction(104, 100)])
@pytest.mark.parametrize("sigma_squared", ["9", "2500"])
def test_a_wrong_scale_fails_on_both_sides(monkeypatch, sigma_squared, error):
    def wrong(sigma_squared, *, size, seed):
        return drawn(sigma_squared * error**2, size=size, seed=seed)

    drawn = noise.gaussian
    monkeypatch.setattr(noise, "gaussian", wrong)
    checks = conformance.laws(events(gaussian(sigma_squared)))
    scale = next(check for check in checks if check.name.startswith("noise/scale"))
    assert scale.status == "failed"
    assert scale.detectable is not None
    assert 1 < scale.detectable < 1 / 0.96  # what the check says that it sees, it sees
    low, high = scale.lower_bound <= scale.statistic, scale.statistic <= scale.bound
    assert (low, high) == (error > 1, error < 1)  # the stored numbers say on which side
    assert statuses_of([{**scale.to_dict(), "status": "passed"}]) == ["failed"]


def test_a_wrong_shape_of_the_right_scale_fails(monkeypatch):
    def two_points(sigma_squared, *, size, seed):
        signs = np.random.default_rng(seed).choice([-1, 1], size)
        return np.round(signs * float(sigma_squared) ** 0.5).astype(np.int64)

    monkeypatch.setattr(noise, "gaussian", two_points)
    checks = conformance.laws(events(gaussian("400")))
    assert [check.status for check in checks[:2]] == ["passed", "failed"]


@pytest.mark.parametrize("error", [Fraction(2), Fraction(1, 2), Fraction(1000)])
def test_a_wrong_rate_of_selection_fails(monkeypatch, error):
    chosen = ExponentialSelection.select

    def wrong(self, scores, *, sensitivity, rng):
        return chosen(self, scores, sensitivity=sensitivity / error, rng=rng)

    monkeypatch.setattr(ExponentialSelection, "select", wrong)
    document = {"kind": "exponential_selection/v1", "epsilon": "1/20"}
    checks = conformance.laws(events(document, max_rows=3))
    assert statuses(checks, "selection") == {"failed"}
    assert next(c for c in checks if c.name.startswith("selection/")).p_value < FALSE_ALARM / 4


def test_many_scales_are_thinned_out_and_that_is_said():
    many = events(*(gaussian(str(number)) for number in range(1, 101)))
    checks = [c for c in conformance.laws(many) if c.name.startswith("noise/scale")]
    assert len(checks) == 40
    assert "60 scales" in checks[0].detail


def test_an_unknown_synthesizer_is_an_error_of_the_check_or_of_the_call():
    with pytest.raises(dpsynth.errors.UnknownNameError):
        conformance.run({**plan(), "synthesizer": {"name": "nobody", "settings": {}}}, ROWS)


def test_a_plan_that_is_not_what_is_charged_fails():
    other = plan()
    other["steps"][0]["event"]["sigma_squared"] = "1"
    failed = [c for c in conformance.run(other, ROWS) if c.status == "failed"]
    assert [(check.name, check.component) for check in failed] == [("bill/plan", "charges")]


# What follows are planted faults: each is a synthesizer that a release must never use.


@dataclass(frozen=True, kw_only=True)
class Leaky(Synthesizer):
    """Counts every column once, honestly; the faults below change one thing each."""

    name: ClassVar[str] = "leaky"
    fault: str = ""

    def steps(self, domain, *, unit, rho):
        return dpsynth.Independent().steps(domain, unit=unit, rho=rho)

    def learn(self, curator, *, rho, **planned):
        source = curator._Curator__source
        rows = source._source.count((curator.domain.columns[0],)).sum()
        asked = None
        if self.fault == "control flow" and rows > 10:
            asked = MarginalQuery(clique=curator.domain.columns[:2], domain=curator.domain)
        if self.fault == "unpaid":
            source.count((curator.domain.columns[0],))
        if asked is not None:
            source.count(asked.clique)
        learned = dpsynth.Independent().learn(curator, rho=rho, **planned)
        if self.fault == "model":
            learned = replace(learned, model=replace_total(learned.model, float(rows)))
        return learned


def replace_total(model, total):
    header, arrays = model.to_arrays()
    return Told(model=model, header={**header, "told": total}, arrays=arrays)


@dataclass(frozen=True, kw_only=True)
class Told:
    """A model that also carries an exact number."""

    model: object
    header: Mapping[str, object]
    arrays: Mapping[str, object]

    @property
    def domain(self):
        return self.model.domain

    def to_arrays(self):
        return self.header, self.arrays


def judged(synthesizer, schema=ROWS):
    planned = [event_to_dict(step.event) for step in synthesizer.plan(schema, **BUDGET).steps]
    return neighbors.checks_of(replay(synthesizer, schema, **BUDGET), planned=planned)


def failed(found):
    return [check for check in found if check.status == "failed"]


def test_the_honest_twin_of_the_leaky_ones_passes():
    assert {check.status for check in judged(Leaky())} == {"passed"}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("control flow", "the neighbor's rows"),
        ("unpaid", "before anything was paid"),
        ("model", "another model"),
    ],
)
def test_planted_faults_are_found(fault, words):
    assert any(words in check.detail for check in failed(judged(Leaky(fault=fault))))


def test_an_understated_sensitivity_is_found(monkeypatch):
    # Ledger and plan agree with each other, and both are wrong: a person moves three rows.
    monkeypatch.setattr(MarginalQuery, "l2_sensitivity_squared", lambda *_: Fraction(1))
    (found,) = failed(judged(dpsynth.Independent(), PERSONS))
    assert "moved further than declared" in found.detail
    assert found.component == "sensitivity"
    assert found.violations == found.trials - 1  # rows of nobody move nothing
    assert (found.statistic, found.bound) == (9.0, 1.0)


def test_missing_contribution_bounds_are_found(monkeypatch):
    monkeypatch.setattr(
        "dpsynth.sources.frame.bound_rows", lambda digests, persons, **_: digests == digests
    )
    (found,) = failed(judged(dpsynth.Independent(), PERSONS))
    assert found.statistic == 36.0  # six rows were given, three are allowed


def test_a_replay_answers_with_what_was_recorded_and_notes_its_own():
    domain = dpsynth.domain.Domain(sizes={"a": 2})
    recorded, mine = [], []
    here = GeneratedSource({"a": np.array([0, 0, 1])}, domain)
    there = GeneratedSource({"a": np.array([0, 0, 1, 1])}, domain)
    from dpsynth.testing.recording import RecordingSource

    RecordingSource(here, paid=lambda: 1, tape=recorded).count(("a",))
    source = ReplayingSource(there, paid=lambda: 1, tape=mine, recorded=recorded)
    assert source.count(("a",)).tolist() == [2, 1]
    assert mine[0].counts.tolist() == [2, 2]
    with pytest.raises(DivergedError, match="more often"):
        source.count(("a",))


def test_draws_go_through_the_mechanism_of_a_release(monkeypatch):
    monkeypatch.setattr(DiscreteGaussian, "release", lambda self, counts, *, rng: counts + 5)
    assert noise.gaussian(Fraction(4), size=3, seed=0).tolist() == [5, 5, 5]


@pytest.mark.parametrize("name", ["aim", "auto", "direct", "independent", "mst"])
def test_every_synthesizer_passes_on_neighbors(name):
    """Also where one charge pays for many scores."""
    schema = Schema.from_dict(
        {
            "columns": [
                {"name": "sex", "kind": "categorical", "values": ["F", "M"]},
                {"name": "age", "kind": "integer", "bounds": [0, 90]},
                {"name": "cost", "kind": "continuous", "bounds": [0, 1000]},
            ]
        }
    )
    plan = dpsynth.synthesizer(name).plan(schema, epsilon=1, delta=1e-9).to_dict()
    found = [
        check
        for check in conformance.run(plan, schema, seed=3)
        if check.name.startswith("neighbors")
    ]
    assert found
    assert {check.status for check in found} == {"passed"}


@pytest.mark.parametrize(("square", "faults"), [(4, 1), (8, 0)])
def test_one_charge_pays_for_several_counts_only_as_scores(square, faults):
    """With max_rows 2, two scores move by 8 in squared length, and a single table by 4."""
    event = event_to_dict(
        DiscreteGaussian(sigma_squared=Fraction(9)).event(l2_sensitivity_squared=Fraction(square))
    )

    def readings(counts):
        return tuple(
            Reading(clique=(name,), shape=(2,), counts=np.array(counts), paid=1) for name in "ab"
        )

    charged = (Entry(label="asked once", event=event),)
    found = Replay(
        world="one person more",
        max_rows=2,
        charged=charged,
        charged_again=charged,
        here=readings([5, 5]),
        there=readings([7, 5]),
        diverged=None,
        same_model=True,
    )
    moved = neighbors.movements(found)
    assert len(moved) == 2
    assert sum(bool(one.fault) for one in moved) == faults


@pytest.mark.parametrize(("rows", "faults"), [(1, 0), (2, 1)])
def test_a_choice_among_known_scores_pays_for_no_table(rows, faults):
    """It reads nothing: the table that is read next is held against the charge after it."""
    choice = event_to_dict(ExponentialSelection(epsilon=Fraction(1, 2)).event())
    table = event_to_dict(
        DiscreteGaussian(sigma_squared=Fraction(9)).event(l2_sensitivity_squared=Fraction(1))
    )
    charged = tuple(Entry(label="asked", event=event) for event in (choice, choice, table))

    def reading(count):
        return (Reading(clique=("a",), shape=(2,), counts=np.array([5, count]), paid=3),)

    found = Replay(
        world="one person more",
        max_rows=1,
        charged=charged,
        charged_again=charged,
        here=reading(5),
        there=reading(5 + rows),
        diverged=None,
        same_model=True,
    )
    (moved,) = neighbors.movements(found)
    assert bool(moved.fault) == faults
    assert moved.moved == rows**2


def test_an_understated_score_is_found(monkeypatch):
    """Half of a score's sensitivity is declared; no count and no charge shows it."""
    from dpsynth.privacy.queries import MarginalErrorQuery

    right = MarginalErrorQuery.sensitivity
    monkeypatch.setattr(MarginalErrorQuery, "sensitivity", lambda *of: right(*of) / 2)
    (found,) = failed(judged(dpsynth.MST()))
    assert "scores of candidates moved" in found.detail


def test_release_of_all_scores_is_held_against_what_was_charged(monkeypatch):
    from dpsynth.privacy.queries import MarginalErrorQuery

    right = MarginalErrorQuery.l2_sensitivity_squared
    monkeypatch.setattr(
        MarginalErrorQuery, "l2_sensitivity_squared", lambda *of: right(*of) / 2**20
    )
    found = failed(judged(dpsynth.Auto()))
    assert any("scores of candidates moved" in check.detail for check in found)


@dataclass(frozen=True, kw_only=True)
class Talks(Leaky):
    """Says something of the rows beside its answers."""

    def learn(self, curator, *, rho, **planned):
        rows = curator._Curator__source._source.count((curator.domain.columns[0],)).sum()
        if self.fault == "warning" and rows > 10:
            warnings.warn("this is a large table", stacklevel=1)
        if self.fault == "log":
            logging.getLogger("somewhere").debug("%d rows", rows)
        if self.fault == "crash" and rows > 10:
            raise ValueError("too many rows")
        return super().learn(curator, rho=rho, **planned)


@pytest.mark.parametrize("fault", ["warning", "log", "crash"])
def test_what_is_said_beside_the_answers_is_found(fault):
    words = "ended otherwise" if fault == "crash" else "warnings, log lines or output differ"
    assert any(words in check.detail for check in failed(judged(Talks(fault=fault))))


@pytest.mark.parametrize("name", ["aim", "direct"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_sound_sample_is_not_accused_of_values_that_occur_by_themselves(name, seed):
    """Neither of the fractions of rows and samples of one seed, nor of values of few digits."""
    trial = Trial(
        synthesizer=dpsynth.synthesizer(name),
        schema=Schema.from_dict(
            {
                "columns": [
                    {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 10},
                    {"name": "sex", "kind": "categorical", "values": ["m", "f"]},
                    {"name": "cost", "kind": "continuous", "bounds": [0, 1000], "bins": 8},
                    {
                        "name": "share",
                        "kind": "continuous",
                        "bounds": [0, 1],
                        "bins": 4,
                        "decimals": 2,
                    },
                ],
                "expected_rows": 1000,
            }
        ),
        epsilon="1",
        delta="1/1000000000",
        seed=seed,
        fits=2,
    )
    assert not [check for check in raw.audit(trial) if check.status != "passed"]
