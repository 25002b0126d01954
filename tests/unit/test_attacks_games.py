"""Games withhold what the attacker must not have; engine pieces against plain slow code."""

from typing import ClassVar

import numpy as np
import pytest

from attacks import games
from attacks.attribute.inference import NearestVote
from attacks.audit_set import assemble, check_share
from attacks.base import Evidence, Guesses, Scores
from attacks.engine.counts import occurrences, own_occurrences, record_words
from attacks.engine.nearest import nearest
from attacks.engine.table import CodedTable, by_row, grouped, grouping, joined
from attacks.membership.marginal import Marginal
from attacks.observed import Observed, View
from attacks.stats import ranking
from dpsynth.errors import DataError

COLUMNS = ("a", "b", "c")
SIZES = {"a": 40, "b": 5, "c": 3}
ORDERED = {"a": True, "b": False, "c": False}


def rows(count, *, seed):
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.integers(0, size, count) for size in SIZES.values()]).astype(
        np.int32
    )


def table(count, *, seed):
    return by_row(COLUMNS, rows(count, seed=seed))


def evidence(release, population):
    return Evidence(release=release, population=population, sizes=SIZES, ordered=ORDERED)


class Spy:
    """Notes what it is handed, and scores every target by the place that it stands at."""

    name: ClassVar[str] = "spy"
    threat_model: ClassVar = Marginal.threat_model

    def __init__(self):
        self.handed = None

    def score(self, evidence, targets):
        self.handed = (evidence, targets)
        return Scores(
            targets=np.arange(targets.size, dtype=np.float64),
            population=np.zeros(evidence.population.size),
        )

    def guess(self, evidence, targets, known, secrets):
        self.handed = (targets, known)
        blank = np.zeros(len(targets), dtype=np.int64)
        return {s: Guesses(values=blank, confident=blank == 0) for s in secrets}


def attacked(members, controls, *, known=("a", "c"), secrets=("b",), seed=5):
    return assemble(
        members,
        controls,
        views=(View(name="", known=known, secrets=secrets),),
        most=None,
        control_share=None,
        rng=np.random.default_rng(seed),
    )


def test_a_score_is_given_no_label_and_the_order_tells_none():
    spy, members, controls = Spy(), table(3000, seed=1), table(2000, seed=2)
    persons = attacked(members, controls)
    games.membership(spy, evidence(table(10, seed=3), persons.reference), persons.stage)
    _, targets = spy.handed
    assert set(vars(targets)) == {"columns", "codes", "words", "persons", "size"}
    assert set(vars(persons.stage)) == {"targets", "one_row", "views"}
    everyone = [*map(tuple, targets.codes), *map(tuple, persons.reference.codes)]
    assert sorted(everyone) == sorted([*map(tuple, members.codes), *map(tuple, controls.codes)])
    # Places are uniform for both: their means lie within six standard errors of each other.
    places, mine = np.arange(targets.size), persons.is_member
    assert mine.sum() == 3000
    others = int((~mine).sum())
    standard_error = targets.size / 12**0.5 * (1 / 3000 + 1 / others) ** 0.5
    assert abs(places[mine].mean() - places[~mine].mean()) < 6 * standard_error


def test_labels_belong_to_the_persons_they_are_about():
    members, controls = table(200, seed=1), table(140, seed=2)
    members.codes[:, 0], controls.codes[:, 0] = 1, 0
    persons = attacked(members, controls)
    assert (persons.stage.targets.codes[:, 0] == persons.is_member).all()
    assert (persons.stage.one_row.codes[:, 0] == persons.is_member).all()
    assert not persons.reference.codes[:, 0].any()


def test_half_of_the_controls_are_the_reference_by_a_coin_each():
    # 2,000 fair coins: more than 115 off happens less than once in three million runs.
    persons = attacked(table(10, seed=1), table(2000, seed=2))
    assert abs(persons.reference.size - 1000) < 115
    assert persons.reference.size + int((~persons.is_member).sum()) == 2000


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("most", [None, 1000])
def test_the_labels_of_the_fair_ones_are_fair_coins(share, most):
    rng = np.random.default_rng(7)
    is_control = rng.random(20_000) < share
    members, controls = (table(int(n), seed=1) for n in ((~is_control).sum(), is_control.sum()))
    persons = assemble(members, controls, views=(), most=most, control_share=share, rng=rng)
    labels = persons.is_member[persons.fair]
    # Six standard deviations of so many fair coins.
    assert abs(labels.mean() - 0.5) < 3 / labels.size**0.5
    # Everybody of the smaller side takes part.
    smaller = persons.is_member == (persons.is_member.mean() < 0.5)
    assert persons.fair[smaller].mean() > 0.95
    if most is not None:
        assert max(persons.is_member.sum(), (~persons.is_member).sum()) < 1200


@pytest.mark.parametrize("wrong", [0.05, 0.15, 0.5])
def test_a_share_that_the_tables_belie_is_refused(wrong):
    members, controls = table(1800, seed=1), table(200, seed=2)
    check_share(members, controls, control_share=0.1)
    check_share(members.take(np.arange(0)), controls.take(np.arange(0)), control_share=0.1)
    with pytest.raises(DataError, match="does not fit"):
        check_share(members, controls, control_share=wrong)


def test_nobody_is_fair_where_the_share_of_controls_is_not_known():
    assert not attacked(table(50, seed=1), table(50, seed=2)).fair.any()


def test_lines_of_a_membership_game_keep_their_thresholds():
    class Ranked(Spy):
        def score(self, evidence, targets):
            return Scores(
                targets=targets.codes[:, 0].astype(np.float64),
                population=np.arange(1000, dtype=np.float64) / 25,
            )

    persons = attacked(table(400, seed=1), table(100, seed=2))
    lines = games.membership(
        Ranked(), evidence(table(10, seed=3), persons.reference), persons.stage
    )
    values = persons.stage.targets.codes[:, 0]
    assert [line.name for line in lines] == [
        "spy@0.1% false alarms",
        "spy@1.0% false alarms",
        "spy@ranking",
    ]
    assert (lines[0].hits == (values > 39.92)).all()
    assert (lines[1].hits == (values > 39.56)).all()
    assert (lines[2].hits == (values > 19.96)).all()
    assert np.array_equal(lines[2].weights, ranking.ranks(values.astype(np.float64)))


def test_attribute_attacker_is_handed_the_known_columns_alone():
    spy = Spy()
    persons = attacked(table(40, seed=1), table(20, seed=2))
    lines = games.attribute(spy, evidence(table(30, seed=3), table(0, seed=4)), persons.stage)
    targets, known = spy.handed
    assert known == ("a", "c")
    assert np.array_equal(targets, persons.stage.targets.codes[:, [0, 2]])
    assert np.array_equal(lines[0].hits, persons.stage.targets.codes[:, 1] == 0)


def test_who_was_not_asked_counts_neither_for_nor_against():
    line = Observed(
        name="x@y",
        threat_model=Marginal.threat_model,
        hits=np.array([True, True, False, False, True]),
        asked=np.array([True, False, True, False, True]),
    )
    assert line.weights == pytest.approx([1 / 3, 0, -2 / 3, 0, 1 / 3])
    fewer = line.among(np.array([True, True, True, False, False]), name="x@y, z", subgroup="z")
    assert fewer.asked.tolist() == [True, False, True, False, False]
    assert fewer.weights == pytest.approx([1 / 2, 0, -1 / 2, 0, 0])


def test_population_scores_leave_the_person_out():
    release, population = table(500, seed=1), rows(40, seed=2)
    # Doubling one person's row must look like one other person who holds it, not two.
    doubled = by_row(COLUMNS, np.concatenate([population, population[:1]]))
    said = Marginal().score(evidence(release, doubled), by_row(COLUMNS, population[:1]))
    alone = Marginal().score(
        evidence(release, by_row(COLUMNS, population)), by_row(COLUMNS, population[:1])
    )
    assert said.population[0] == pytest.approx(said.population[-1])
    assert said.population[0] == pytest.approx(alone.targets[0])
    assert said.targets[0] < said.population[0]


def test_population_scores_leave_all_rows_of_a_person_out():
    codes = rows(60, seed=2)
    persons = np.repeat(np.arange(20), 3)
    several = CodedTable(
        columns=COLUMNS, codes=codes, words=record_words(codes), persons=persons, size=20
    )
    release = table(500, seed=1)
    said = Marginal().score(evidence(release, several), several.take(np.array([4])))
    others = several.take(np.array([p for p in range(20) if p != 4]))
    without = Marginal().score(evidence(release, others), several.take(np.array([4])))
    assert said.population[4] == pytest.approx(without.targets[0])


def test_an_empty_release_says_nothing():
    said = Marginal().score(evidence(table(0, seed=0), table(9, seed=1)), table(7, seed=2))
    assert said.targets.tolist() == [0.0] * 7


def test_a_table_of_one_column_can_be_scored():
    one = by_row(("a",), rows(50, seed=1)[:, :1])
    said = Marginal().score(
        Evidence(release=one, population=one, sizes={"a": 40}, ordered={"a": True}), one
    )
    assert np.isfinite(said.targets).all()


def slow_nearest(targets, release):
    apart = (targets[:, None, :] != release[None, :, :]).sum(axis=2)
    return apart.min(axis=1), apart == apart.min(axis=1)[:, None]


@pytest.mark.parametrize("columns", [1, 4, 12])
def test_nearest_is_exact(columns):
    rng = np.random.default_rng(columns)
    targets = rng.integers(0, 3, (60, columns)).astype(np.int32)
    # Far from everything: these cannot be looked up and are compared instead.
    targets[:5] += 100
    release = rng.integers(0, 4, (80, columns)).astype(np.int32)
    values = rng.integers(0, 6, 80).astype(np.int32)
    found = nearest(targets, release)
    distance, closest = slow_nearest(targets, release)
    assert found.distance.tolist() == distance.tolist()
    votes = np.stack([np.bincount(values[mask], minlength=6) for mask in closest])
    assert np.array_equal(found.votes(values, size=6, start=0, stop=60), votes)
    assert np.array_equal(found.votes(values, size=6, start=17, stop=23), votes[17:23])


def test_nearest_in_an_empty_release():
    found = nearest(rows(3, seed=0), rows(0, seed=0))
    assert found.distance.tolist() == [-1, -1, -1]


def test_ties_go_to_the_commoner_value_then_to_the_lower_code():
    # Known column 0 is a tie of codes 1 and 2 of "b"; code 2 is commoner elsewhere.
    codes = np.array([[0, 1, 0], [0, 2, 0], [1, 2, 0], [2, 3, 0], [2, 4, 0]], dtype=np.int32)
    said = NearestVote().guess(
        Evidence(
            release=by_row(COLUMNS, codes),
            population=table(0, seed=0),
            sizes=SIZES,
            ordered=dict.fromkeys(COLUMNS, False),
        ),
        np.array([[0], [1], [2], [9]], dtype=np.int32),
        ("a",),
        ("b",),
    )["b"]
    assert said.values.tolist() == [2, 2, 3, 2]
    assert said.confident.tolist() == [False, True, False, False]


def test_a_guess_is_confident_only_where_a_record_agrees_in_all_that_is_known():
    held = Evidence(
        release=table_of([[0, 0, 3], [5, 1, 1]]),
        population=table_of(np.empty((0, 3))),
        sizes=dict.fromkeys("abc", 9),
        ordered=dict.fromkeys("abc", False),
    )
    targets = np.array([[0, 0], [5, 1], [0, 2]], dtype=np.int32)
    said = NearestVote().guess(held, targets, ("a", "b"), ("c",))["c"]
    # The third has one closest record, which says one thing, and differs from it.
    assert said.values.tolist() == [3, 1, 3]
    assert said.confident.tolist() == [True, True, False]


def table_of(codes):
    return by_row(("a", "b", "c"), np.asarray(codes, dtype=np.int32))


def test_occurrences_against_counting():
    words = record_words(rows(300, seed=1))
    among = record_words(rows(200, seed=2))
    assert occurrences(words, among=among).tolist() == [int((among == w).sum()) for w in words]
    persons = np.random.default_rng(0).integers(0, 20, 300)
    own = own_occurrences(words, persons)
    assert own.tolist() == [
        int(((words == w) & (persons == p)).sum()) for w, p in zip(words, persons, strict=True)
    ]
    assert own_occurrences(words[:0], persons[:0]).size == 0
    same = np.zeros(4, dtype=np.uint64)
    assert own_occurrences(same, np.array([0, 1, 1, 2])).tolist() == [1, 2, 2, 1]


def test_record_words_tell_records_apart():
    every = np.stack(np.meshgrid(range(20), range(20), range(20)), axis=-1).reshape(-1, 3)
    assert np.unique(record_words(every)).size == 8000


def test_one_row_each_takes_a_row_of_every_person():
    codes = rows(90, seed=0)
    persons = np.repeat(np.arange(30), 3)
    several = CodedTable(
        columns=COLUMNS, codes=codes, words=record_words(codes), persons=persons, size=30
    )
    single = several.one_row_each(np.random.default_rng(1))
    assert single.size == len(single) == 30
    for person in range(30):
        assert tuple(single.codes[person]) in set(map(tuple, codes[persons == person]))
    assert several.mean_by_person(np.ones(90)).tolist() == [1.0] * 30


def test_joined_keeps_persons_apart():
    both = joined(table(3, seed=0), table(2, seed=1))
    assert both.persons.tolist() == [0, 1, 2, 3, 4]
    assert both.size == 5
    assert both.only(["c", "a"]).columns == ("c", "a")


def test_groups_are_of_alike_size_and_keep_order():
    rng = np.random.default_rng(0)
    codes = np.minimum(rng.geometric(0.01, 5000), 999).astype(np.int32)
    codes[:2500] = 0
    made = grouping(codes, size=1000, ordered=True)
    assert made.size <= 32
    assert (np.diff(made.groups) >= 0).all()
    assert made.widths[made.groups[0]] == 1  # half of the rows: a group of its own
    assert np.bincount(made.groups[codes])[1:].max() < 0.08 * 5000
    rare = grouping(codes, size=1000, ordered=False)
    assert rare.size == 64
    assert made.widths.sum() == rare.widths.sum() == 1000


def test_few_codes_are_left_as_they_are():
    codes = rows(100, seed=0)
    groupings = {
        name: grouping(codes[:, place], size=SIZES[name], ordered=False)
        for place, name in enumerate(COLUMNS)
    }
    assert np.array_equal(grouped(by_row(COLUMNS, codes), groupings).codes, codes)
