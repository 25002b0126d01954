"""Do the attacks raise false alarms no more often than they say, and miss nothing that is plain?

Games are small and many: 300 tables, each with its own members, controls and release. Under no
leak an audit may FAIL with probability at most 1 %, all its results together; more than 12 failures
of 300 then happen less than once in fifty thousand runs. A single exact test at 5 % may reject 15
of 300 on average; more than 35 happen less than once in a hundred thousand. Seeds are fixed.
"""

import numpy as np
import pytest

from attacks import games, rules
from attacks.attribute.inference import NearestVote
from attacks.base import Evidence
from attacks.engine.table import CodedTable, by_row, record_words
from attacks.membership.marginal import Marginal
from attacks.stats import ranking

GAMES = 300
SIZES = {"a": 12, "b": 3, "c": 4, "d": 6, "secret": 3}
COLUMNS = tuple(SIZES)


def population(count, rng):
    """Make rows in which every column leans on the one before."""
    columns = [rng.integers(0, SIZES["a"], count)]
    for size in list(SIZES.values())[1:]:
        copied = rng.random(count) < 0.6
        columns.append(np.where(copied, columns[-1] % size, rng.integers(0, size, count)))
    return np.column_stack(columns).astype(np.int32)


def of_persons(codes, rng):
    """Give every person one to three rows that are alike but for the last column."""
    rows = rng.integers(1, 4, len(codes))
    repeated = np.repeat(codes, rows, axis=0)
    repeated[:, -1] = rng.integers(0, SIZES["secret"], len(repeated))
    return CodedTable(
        columns=COLUMNS,
        codes=repeated,
        words=record_words(repeated),
        persons=np.repeat(np.arange(len(codes)), rows),
        size=len(codes),
    )


def play(release, members, controls, rng):
    """Return the tallies of one audit and the scores of its membership game."""
    reference, tested = games.halves(controls, rng=rng)
    evidence = Evidence(
        release=release,
        population=controls.take(reference),
        sizes=SIZES,
        ordered=dict.fromkeys(COLUMNS, False),
    )
    outcome = games.membership(
        Marginal(),
        evidence=evidence,
        members=members,
        controls=controls.take(tested),
        rng=rng,
    )
    guessed = games.attribute(
        NearestVote(),
        evidence=evidence,
        members=members,
        controls=controls,
        known=COLUMNS[:-1],
        secrets=("secret",),
        rng=rng,
    )
    counts = [
        *((f"membership/marginal@{c.point}", c) for c in outcome.counts),
        *((f"attribute/inference(secret)@{c.point}", c) for c in guessed["secret"]),
    ]
    tallies = [
        rules.Tally(
            name=name,
            ran=True,
            members_hits=count.members_hits,
            members_n=count.members_n,
            controls_hits=count.controls_hits,
            controls_n=count.controls_n,
        )
        for name, count in counts
    ]
    return tallies, outcome


@pytest.mark.parametrize("unit", ["row", "person"])
@pytest.mark.parametrize("release", ["fresh", "tiny"])
def test_no_leak_raises_few_alarms(unit, release):
    rng = np.random.default_rng([unit == "row", release == "fresh"])
    made = (lambda codes: of_persons(codes, rng)) if unit == "person" else _by_row
    failed, rejected, covered = 0, np.zeros(4, dtype=int), 0
    for _ in range(GAMES):
        # Members and controls are one sample of persons, split at random.
        members, controls = made(population(200, rng)), made(population(120, rng))
        synthetic = _by_row(population(200 if release == "fresh" else 5, rng))
        tallies, outcome = play(synthetic, members, controls, rng)
        judgments = rules.judge(tallies)
        failed += rules.verdict(judgments) == "FAIL"
        rejected += [judgment.p_value <= 0.05 for judgment in judgments]
        area = ranking.auc(members=outcome.members, controls=outcome.controls)
        low, high = ranking.auc_interval(area, members=200, controls=60)
        covered += low <= 0.5 <= high
    assert failed <= 12
    assert (rejected <= 35).all()
    assert covered >= GAMES - 35


def test_a_verbatim_copy_is_found_every_time():
    rng = np.random.default_rng(5)
    for _ in range(20):
        members, controls = _by_row(population(400, rng)), _by_row(population(200, rng))
        tallies, _ = play(members, members, controls, rng)
        assert rules.verdict(rules.judge(tallies)) == "FAIL"


def test_unique_rows_are_told_apart_nearly_perfectly():
    rng = np.random.default_rng(6)
    wide = {f"c{number}": 7 for number in range(10)}
    codes = rng.integers(0, 7, (900, 10)).astype(np.int32)
    members, controls = by_row(tuple(wide), codes[:600]), by_row(tuple(wide), codes[600:])
    reference, tested = games.halves(controls, rng=rng)
    outcome = games.membership(
        Marginal(),
        evidence=Evidence(
            release=members,
            population=controls.take(reference),
            sizes=wide,
            ordered=dict.fromkeys(wide, False),
        ),
        members=members,
        controls=controls.take(tested),
        rng=rng,
    )
    assert ranking.auc(members=outcome.members, controls=outcome.controls) == 1.0
    few = outcome.counts[0]
    assert few.members_hits == few.members_n


def test_memorized_marginals_are_found_without_a_single_copied_row():
    """A release that over-fits pairs, here by shuffling copied pairs of columns among rows."""
    rng = np.random.default_rng(7)
    wide = {f"c{number}": 40 for number in range(8)}
    codes = rng.integers(0, 40, (1500, 8)).astype(np.int32)
    members, controls = codes[:300], codes[300:]
    released = np.column_stack([members[rng.permutation(300)][:, k : k + 2] for k in (0, 2, 4, 6)])
    table = by_row(tuple(wide), controls)
    reference, tested = games.halves(table, rng=rng)
    outcome = games.membership(
        Marginal(),
        evidence=Evidence(
            release=by_row(tuple(wide), released.astype(np.int32)),
            population=table.take(reference),
            sizes=wide,
            ordered=dict.fromkeys(wide, False),
        ),
        members=by_row(tuple(wide), members),
        controls=table.take(tested),
        rng=rng,
    )
    assert not set(map(tuple, released)) & set(map(tuple, members))
    assert ranking.auc(members=outcome.members, controls=outcome.controls) > 0.8
    few = outcome.counts[0]
    assert few.members_hits / few.members_n > 4 * few.controls_hits / few.controls_n


def _by_row(codes):
    return by_row(COLUMNS, codes)
