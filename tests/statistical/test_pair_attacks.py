"""How often scan, singling out and linkage raise an alarm on releases that leak nothing."""

import numpy as np

from attacks.base import Evidence
from attacks.engine.table import by_row
from attacks.linkage.closest import ClosestRows
from attacks.linkage.game import linkage
from attacks.observed import Stage
from attacks.scan.copies import Copies, NearCopies, scan
from attacks.singling_out.game import singling_out
from attacks.singling_out.multivariate import Multivariate
from attacks.singling_out.univariate import Univariate
from attacks.singling_out.whole_record import WholeRecord
from attacks.stats.permutation import max_t

SIZES = {"age": 30, "sex": 2, "dose": 12, "arm": 4, "code": 9}
GAMES = (
    (scan, Copies()),
    (scan, NearCopies()),
    (singling_out, Univariate()),
    (singling_out, Multivariate()),
    (singling_out, WholeRecord()),
    (linkage, ClosestRows()),
)
AUDITS, PERSONS, LEVEL = 200, 250, 0.05


def table(rows, rng):
    drawn = [np.minimum(rng.geometric(min(0.6, 3 / n), rows) - 1, n - 1) for n in SIZES.values()]
    return by_row(tuple(SIZES), np.column_stack(drawn).astype(np.int32))


def alarms(seed, *, copied):
    """Tell whether any line of one audit is significant, all of them together."""
    rng = np.random.default_rng(seed)
    targets, others = table(2 * PERSONS, rng), table(PERSONS, rng)
    is_member = rng.permutation(2 * PERSONS) < PERSONS
    codes = np.concatenate([others.codes, targets.codes[np.flatnonzero(is_member)[:copied]]])
    evidence = Evidence(
        release=by_row(targets.columns, codes),
        population=others.take(np.empty(0, dtype=np.int64)),
        sizes=SIZES,
        ordered=dict.fromkeys(SIZES, True),
        seed=seed,
    )
    stage = Stage(targets=targets, one_row=targets, views=())
    lines = [line for game, attack in GAMES for line in game(attack, evidence, stage)]
    found = max_t(np.stack([line.weights for line in lines]), is_member, permutations=199, rng=rng)
    return min(test.adjusted for test in found) <= LEVEL


def test_a_release_of_other_persons_raises_no_more_alarms_than_stated():
    seen = sum(alarms(seed, copied=0) for seed in range(AUDITS))
    # 10 expected at most; above 20 with probability below 0.1 % (binomial).
    assert seen <= 20


def test_a_release_with_a_fifth_of_the_members_is_found():
    assert all(alarms(seed, copied=PERSONS // 5) for seed in range(10))
