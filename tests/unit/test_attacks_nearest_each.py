"""The holder of all columns but one: every secret in one pass, each from the others alone."""

import numpy as np
import pytest

from attacks import games, suite
from attacks.attribute.nearest import Nearest, play
from attacks.base import Evidence, NotApplicable, TooLittle
from attacks.engine.table import by_row
from attacks.observed import Stage, View

SIZES = {"age": 21, "sex": 3, "ward": 9, "pay": 101, "ill": 2}
ORDERED = {"age": True, "sex": False, "ward": False, "pay": True, "ill": False}
MISSING = {"age": 20, "sex": 2, "pay": 100}
COLUMNS = tuple(SIZES)
VIEWS = (View(name="", known=("age", "sex"), secrets=("ill", "pay")),)


def table(count, rng):
    codes = np.column_stack([rng.integers(0, size, count) for size in SIZES.values()])
    return by_row(COLUMNS, codes.astype(np.int32))


def evidence(release):
    return Evidence(
        release=release,
        population=release.take(np.arange(0)),
        sizes=SIZES,
        ordered=ORDERED,
        missing=MISSING,
    )


def stage(targets):
    return Stage(targets=targets, one_row=targets, views=VIEWS)


def by_name(lines):
    return {line.name: line for line in lines}


def apart(target, rows, left_out):
    """Gower's distance, not divided, written out; a missing value is far from any other."""
    total = np.zeros(len(rows))
    for place, name in enumerate(COLUMNS):
        if name == left_out:
            continue
        differs = rows[:, place] != target[place]
        steps = SIZES[name] - (name in MISSING) - 1
        if ORDERED[name]:
            missing = MISSING.get(name, -1)
            either = (rows[:, place] == missing) | (target[place] == missing)
            near = np.abs(rows[:, place] - target[place]) / steps
            total += np.where(either, differs, near)
        else:
            total += differs
    return total


@pytest.mark.parametrize("secret", COLUMNS)
def test_the_guess_is_that_of_the_closest_record_by_the_other_columns(secret):
    rng = np.random.default_rng(1)
    release, targets = table(200, rng), table(150, rng)
    said = Nearest().guess_each(evidence(release), stage(targets), (secret,))[secret]
    place = COLUMNS.index(secret)
    for number, target in enumerate(targets.codes):
        distance = apart(target, release.codes, secret)
        closest = np.flatnonzero(np.isclose(distance, distance.min()))
        assert said.values[number] in release.codes[closest, place]
        assert said.confident[number] == (distance.min() == 0)


def test_no_guess_depends_on_what_it_is_a_guess_of():
    rng = np.random.default_rng(2)
    release, targets = table(300, rng), table(100, rng)
    told = Nearest().guess_each(evidence(release), stage(targets), COLUMNS)
    for place, secret in enumerate(COLUMNS):
        other = targets.codes.copy()
        other[:, place] = rng.permutation(other[:, place])
        changed = stage(by_row(COLUMNS, other))
        again = Nearest().guess_each(evidence(release), changed, (secret,))[secret]
        assert again.values.tolist() == told[secret].values.tolist()
        assert again.confident.tolist() == told[secret].confident.tolist()


def test_copied_persons_are_read_off_and_strangers_are_not():
    rng = np.random.default_rng(3)
    members, controls = table(400, rng), table(400, rng)
    inside = by_name(play(Nearest(), evidence(members), stage(members)))
    outside = by_name(play(Nearest(), evidence(members), stage(controls)))
    name = "attribute/nearest(ill by all but one column)"
    assert inside[f"{name}@all targets"].hits.mean() > 0.98
    assert inside[f"{name}@confident guesses"].asked.all()
    assert abs(outside[f"{name}@all targets"].hits.mean() - 0.5) < 6 * 0.5 / 400**0.5


def test_a_missing_value_does_not_hide_a_copied_person():
    rng = np.random.default_rng(4)
    members = table(300, rng)
    members.codes[:, 0] = MISSING["age"]
    lines = by_name(play(Nearest(), evidence(members), stage(members)))
    assert lines["attribute/nearest(pay by all but one column)@confident guesses"].asked.all()


def test_an_ordered_guess_is_right_within_its_group_and_missing_is_a_group_of_its_own():
    rng = np.random.default_rng(5)
    release = table(2000, rng)
    groups = games.code_groups(evidence(release), "pay")
    assert groups.size == 101
    assert groups.max() + 1 <= 33
    assert (groups == groups[100]).sum() == 1
    held = release.codes.copy()
    targets = held.copy()
    targets[:, 3] = np.where(held[:, 3] == 100, 99, 100)
    lines = by_name(play(Nearest(), evidence(release), stage(by_row(COLUMNS, targets))))
    hits = lines["attribute/nearest(pay by all but one column)@all targets"].hits
    assert hits.mean() < 0.1


def test_all_columns_are_guessed_only_where_asked():
    rng = np.random.default_rng(6)
    release, targets = table(50, rng), table(20, rng)
    assert len(play(Nearest(), evidence(release), stage(targets))) == 2 * 2
    every = play(Nearest(every_column=True), evidence(release), stage(targets))
    assert len(every) == 2 * len(COLUMNS)


def test_the_suite_hands_the_question_on():
    (asked,) = (
        entry.attack
        for entry in suite.of_tier(suite.SMOKE, every_column=True)
        if entry.name == Nearest.name
    )
    assert asked.every_column
    assert not any(
        getattr(entry.attack, "every_column", False) for entry in suite.of_tier(suite.FULL)
    )


def test_an_empty_release_or_a_single_column_gives_nothing_to_guess_from():
    rng = np.random.default_rng(7)
    with pytest.raises(TooLittle):
        play(Nearest(), evidence(table(0, rng)), stage(table(5, rng)))
    one = table(5, rng).only(["ill"])
    with pytest.raises(NotApplicable):
        play(Nearest(), evidence(one), Stage(targets=one, one_row=one, views=()))
