"""How well the membership attacks tell members from controls, on three generators that leak.

    DPSYNTH_DATA=... OMP_NUM_THREADS=1 python benchmarks/micro/membership_attacks.py

Rows of a table are split at random into members, controls and a population sample of equal size.
Each generator makes as many rows as there are members, and never a row that is a copy on purpose:

- ``noise``: a member's row with six cells in ten drawn anew from their columns;
- ``between``: each row lies between a member and one of the five closest other members, as SMOTE
  draws: cells of columns without order from either, the others on the line between them;
- ``trees``: columns one after the other from a decision tree on the columns before, five members to
  a leaf at least: how the R package synthpop works.

For each attack: the area under the curve, members against controls; the share of members found
where one control in a hundred is suspected; CPU seconds, the searches that attacks share counted
for the first that asks. Mean over seeds, and the range. A fourth release, ``fresh``, is made of
other persons of the table: there every area is near a half.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence, MembershipAttack
from attacks.engine.distances import Space, closest, space
from attacks.engine.table import CodedTable, by_row
from attacks.membership.classifier import Classifier
from attacks.membership.cliques import Cliques
from attacks.membership.density import Density
from attacks.membership.distance import CalibratedDistance, Distance
from attacks.membership.gen_lra import GenLra
from attacks.membership.marginal import Marginal
from attacks.stats import ranking
from dpsynth.bench.datasets import Dataset, load

Codes = NDArray[np.int32]
ATTACKS: tuple[MembershipAttack, ...] = (
    Distance(),
    CalibratedDistance(),
    Density(),
    GenLra(),
    Classifier(),
    Marginal(),
    Cliques(),
)
TABLES = ("adult", "diabetes130", "nhefs")
ROWS = 4_000  # members; as many controls, and as many in the population sample
REDRAWN = 0.6
FALSE_ALARMS = 0.01


def noise(members: Codes, within: Space, rng: np.random.Generator) -> Codes:
    """Return members with cells drawn anew."""
    released = members.copy()
    for place in range(len(within.columns)):
        anew = rng.random(len(members)) < REDRAWN
        released[anew, place] = rng.choice(members[:, place], int(anew.sum()))
    return released


def between(members: Codes, within: Space, rng: np.random.Generator) -> Codes:
    """Return rows between members and their neighbors."""
    found = closest(members, members, within, k=5, exclude_own=True).index
    other = members[found[np.arange(len(members)), rng.integers(0, 5, len(members))]]
    released = np.where(rng.random(members.shape) < 0.5, members, other)
    step = rng.random(len(members))
    for place in np.flatnonzero(within.ordered):
        mine, theirs = members[:, place], other[:, place]
        released[:, place] = np.round(mine + step * (theirs - mine))
    return released.astype(np.int32)


def trees(members: Codes, within: Space, rng: np.random.Generator) -> Codes:
    """Return rows drawn column by column from the leaves of decision trees."""
    from sklearn.tree import DecisionTreeRegressor

    rows, columns = len(members), len(within.columns)
    order = np.argsort([np.unique(members[:, place]).size for place in range(columns)])
    released = np.empty_like(members)
    released[:, order[0]] = rng.choice(members[:, order[0]], rows)
    for number in range(1, columns):
        before, place = order[:number], order[number]
        tree = DecisionTreeRegressor(min_samples_leaf=5, random_state=0)
        tree.fit(members[:, before], members[:, place])
        leaves = tree.apply(members[:, before])
        by_leaf = np.argsort(leaves, kind="stable")
        asked = tree.apply(released[:, before])
        first = np.searchsorted(leaves[by_leaf], asked, side="left")
        last = np.searchsorted(leaves[by_leaf], asked, side="right")
        drawn = first + (rng.random(rows) * (last - first)).astype(np.int64)
        released[:, place] = members[by_leaf[drawn], place]
    return released


GENERATORS: dict[str, Callable[[Codes, Space, np.random.Generator], Codes]] = {
    "noise": noise,
    "between": between,
    "trees": trees,
}


def played(
    table: str,
    generator: str,
    *,
    seed: int,
    rows: int,
    attacks: Sequence[MembershipAttack] = ATTACKS,
) -> dict[str, dict[str, float]]:
    """Return figures by attack of one game."""
    held = load(Dataset(name=table, bins=200), folder=Path())
    codes = np.column_stack(list(held.codes.values())).astype(np.int32)
    ordered = {name: name in held.ordered for name in held.codes}
    within = space(held.sizes, ordered, tuple(held.codes))
    rng = np.random.default_rng(seed)
    rows = min(rows, len(codes) // 4)
    drawn = codes[rng.permutation(len(codes))[: 4 * rows]]
    members, controls, others, fresh = (drawn[part * rows : (part + 1) * rows] for part in range(4))
    released = fresh if generator == "fresh" else GENERATORS[generator](members, within, rng)
    shuffled = rng.permutation(2 * rows)
    targets = by_row(within.columns, np.concatenate([members, controls])[shuffled])
    evidence = Evidence(
        release=by_row(within.columns, released),
        population=by_row(within.columns, others),
        sizes=held.sizes,
        ordered=ordered,
        seed=seed,
    )
    return {
        attack.name: _figures(attack, evidence, targets, is_member=shuffled < rows)
        for attack in attacks
    }


def _figures(
    attack: MembershipAttack,
    evidence: Evidence,
    targets: CodedTable,
    *,
    is_member: NDArray[np.bool_],
) -> dict[str, float]:
    started = time.process_time()
    scores = attack.score(evidence, targets).targets
    seconds = time.process_time() - started
    members, controls = scores[is_member], scores[~is_member]
    threshold = np.quantile(controls, 1 - FALSE_ALARMS)
    return {
        "auc": float(ranking.auc(members=members, controls=controls) or 0.5),
        "tpr": float((members > threshold).mean()),
        "cpu_seconds": seconds,
    }


def main() -> None:
    """Print the table, as text or as JSON."""
    parser = argparse.ArgumentParser(description="Membership attacks on generators that leak.")
    parser.add_argument("--table", action="append", help=f"one of DPSYNTH_DATA; {TABLES}")
    parser.add_argument("--generator", action="append", help="one of them; all if not given")
    parser.add_argument("--attack", action="append", help="by name; all if not given")
    parser.add_argument("--seed", action="append", type=int, help="0, 1 and 2 if not given")
    parser.add_argument("--rows", type=int, default=ROWS, help="members")
    parser.add_argument("--json", action="store_true", help="one JSON object a game")
    given = parser.parse_args()
    attacks = [each for each in ATTACKS if not given.attack or each.name in given.attack]
    for table in given.table or TABLES:
        for generator in given.generator or (*GENERATORS, "fresh"):
            games = [
                played(table, generator, seed=seed, rows=given.rows, attacks=attacks)
                for seed in given.seed or (0, 1, 2)
            ]
            if given.json:
                sys.stdout.write(
                    json.dumps({"table": table, "generator": generator, "games": games}) + "\n"
                )
                continue
            sys.stdout.write(f"{table}, {generator}\n")
            for attack in attacks:
                mine = [game[attack.name] for game in games]
                areas = [figures["auc"] for figures in mine]
                sys.stdout.write(
                    f"  {attack.name:32} AUC {np.mean(areas):.3f} "
                    f"({min(areas):.3f} to {max(areas):.3f}), "
                    f"found at 1 %: {np.mean([figures['tpr'] for figures in mine]):.3f}, "
                    f"{min(figures['cpu_seconds'] for figures in mine):.1f} CPU s\n"
                )


if __name__ == "__main__":
    main()
