"""Do the attacks raise false alarms no more often than they say, and miss nothing that is plain?

Games are small and many: 300 tables, each with its own members, controls and release. The rule runs
at a level of 5 % here, so that alarms are common enough to count: under no leak an audit may fail
with probability at most 5 %, all its lines together; more than 31 failures of 300 then happen less
than once in twenty thousand runs. A single test may reject 15 of 300 at 5 % on average; more than
35 happen less than once in a hundred thousand. Seeds are fixed.
"""

import numpy as np
import pytest

from attacks import judging, rules, suite
from attacks.audit_set import assemble
from attacks.base import Evidence
from attacks.engine.table import CodedTable, by_row, record_words
from attacks.observed import View

GAMES = 300
LEVEL = 0.05
PLAYED = (
    "membership/marginal",
    "attribute/inference",
    "attribute/nearest",
    "attribute/attribution",
)
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


def play(release, members, controls, rng, *, sizes=SIZES):
    """Return the tested lines of one audit, and the judgments of all of them together."""
    columns = tuple(sizes)
    persons = assemble(
        members,
        controls,
        views=(View(name="", known=columns[:-1], secrets=columns[-1:]),),
        most=None,
        control_share=None,
        rng=rng,
    )
    evidence = Evidence(
        release=release,
        population=persons.reference,
        sizes=sizes,
        ordered=dict.fromkeys(columns, False),
    )
    lines, others = suite.run(
        [entry for entry in suite.SUITE if entry.name in PLAYED],
        evidence,
        persons.stage,
        progress=lambda _: None,
    )
    assert not others
    results = judging.with_p_values(
        lines, persons.is_member, permutations=999, seed=int(rng.integers(1 << 30))
    )
    return judging.judged(
        results, (), calibrated=True, comparable=True, limits=rules.Limits(level=LEVEL)
    )


@pytest.mark.parametrize("unit", ["row", "person"])
@pytest.mark.parametrize("release", ["fresh", "tiny"])
def test_no_leak_raises_few_alarms(unit, release):
    rng = np.random.default_rng([unit == "row", release == "fresh"])
    made = (lambda codes: of_persons(codes, rng)) if unit == "person" else _by_row
    failed, rejected, covered = 0, 0, 0
    for _ in range(GAMES):
        # Members and controls are one sample of persons, split at random.
        members, controls = made(population(200, rng)), made(population(240, rng))
        synthetic = _by_row(population(200 if release == "fresh" else 5, rng))
        lines = play(synthetic, members, controls, rng)
        failed += any(line.status == "failed" for line in lines)
        rejected += np.array([line.p_value <= 0.05 for line in lines])
        area = next(one for one in lines if one.name == "membership/marginal@ranking").figures[0]
        covered += area.low <= 0.5 <= area.high
    assert failed <= 31
    assert (rejected <= 35).all()
    assert covered >= GAMES - 35


def test_a_verbatim_copy_is_found_every_time():
    rng = np.random.default_rng(5)
    for _ in range(20):
        members, controls = _by_row(population(400, rng)), _by_row(population(400, rng))
        lines = play(members, members, controls, rng)
        assert any(line.status == "failed" for line in lines)


def test_unique_rows_are_told_apart_nearly_perfectly():
    rng = np.random.default_rng(6)
    wide = {f"c{number}": 7 for number in range(10)}
    codes = rng.integers(0, 7, (1200, 10)).astype(np.int32)
    members, controls = by_row(tuple(wide), codes[:600]), by_row(tuple(wide), codes[600:])
    lines = {line.name: line for line in play(members, members, controls, rng, sizes=wide)}
    assert lines["membership/marginal@ranking"].figures[0].value == 1.0
    few = lines["membership/marginal@0.1% false alarms"]
    assert few.members_hits == few.members_n


def test_memorized_marginals_are_found_without_a_single_copied_row():
    """A release that over-fits pairs, here by shuffling copied pairs of columns among rows."""
    rng = np.random.default_rng(7)
    wide = {f"c{number}": 40 for number in range(8)}
    codes = rng.integers(0, 40, (1500, 8)).astype(np.int32)
    members, controls = codes[:300], codes[300:]
    released = np.column_stack([members[rng.permutation(300)][:, k : k + 2] for k in (0, 2, 4, 6)])
    found = play(
        by_row(tuple(wide), released.astype(np.int32)),
        by_row(tuple(wide), members),
        by_row(tuple(wide), controls),
        rng,
        sizes=wide,
    )
    assert not set(map(tuple, released)) & set(map(tuple, members))
    lines = {line.name: line for line in found}
    assert lines["membership/marginal@ranking"].figures[0].value > 0.8
    few = lines["membership/marginal@1.0% false alarms"]
    assert few.members_hits / few.members_n > 4 * few.controls_hits / few.controls_n


def _by_row(codes):
    return by_row(COLUMNS, codes)
