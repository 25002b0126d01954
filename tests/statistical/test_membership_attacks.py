"""Do the membership attacks stay quiet where nothing leaked?

Members, controls, the population sample and the release are four samples of one population, 80
games each. Of each attack:

- the rank test of members against controls may reject at 5 % in 4 of 80 games on average; more than
  13 happen less than once in ten thousand runs;
- its p-values are uniform: their largest distance from the diagonal leaves the limit of Dvoretzky,
  Kiefer and Wolfowitz with probability 1e-4 at most, plus the steps of a discrete test;
- a control passes the 6th largest of 100 persons of the population with probability 6/101, and
  their median with 1/2. Over 80 games of 60 controls, four standard deviations are 0.017 and 0.036
  (both the threshold and the count vary): left less than once in ten thousand runs each.

Seeds are fixed. Five attacks in two units: less than one run in a hundred goes red by chance.
"""

import numpy as np
import pytest

from attacks.base import Evidence
from attacks.engine.table import CodedTable, by_row, record_words
from attacks.membership.classifier import Classifier
from attacks.membership.density import Density
from attacks.membership.distance import CalibratedDistance, Distance
from attacks.membership.gen_lra import GenLra
from attacks.stats import laws, ranking

GAMES = 80
SIZES = {"a": 20, "b": 3, "c": 5, "d": 6, "e": 9}
COLUMNS = tuple(SIZES)
ATTACKS = (Distance(), CalibratedDistance(), Density(), GenLra(), Classifier(trees=3))


def people(count, rng):
    columns = [rng.integers(0, SIZES["a"], count)]
    for size in list(SIZES.values())[1:]:
        copied = rng.random(count) < 0.6
        columns.append(np.where(copied, columns[-1] % size, rng.integers(0, size, count)))
    return np.column_stack(columns).astype(np.int32)


def table(count, rng, *, unit):
    codes = people(count, rng)
    if unit == "row":
        return by_row(COLUMNS, codes)
    rows = rng.integers(1, 4, count)
    repeated = np.repeat(codes, rows, axis=0)
    repeated[:, -1] = rng.integers(0, SIZES["e"], len(repeated))
    return CodedTable(
        columns=COLUMNS,
        codes=repeated,
        words=record_words(repeated),
        persons=np.repeat(np.arange(count), rows),
        size=count,
    )


@pytest.mark.parametrize("unit", ["row", "person"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_quiet_where_nothing_leaked(attack, unit):
    rng = np.random.default_rng([len(attack.name), unit == "row"])
    p_values, few, half = [], [], []
    for game in range(GAMES):
        targets = table(120, rng, unit=unit)
        population = table(100, rng, unit=unit)
        held = Evidence(
            release=by_row(COLUMNS, table(150, rng, unit=unit).codes),
            population=population,
            sizes=SIZES,
            ordered=dict.fromkeys(COLUMNS, False) | {"a": True},
            seed=game,
        )
        said = attack.score(held, targets)
        members, controls = said.targets[:60], said.targets[60:]
        p_values.append(
            ranking.permutation_p_value(
                members=members, controls=controls, permutations=199, rng=rng
            )
        )
        # Ties are parted at random: how often a threshold is passed is then exact.
        noisy = rng.random(said.population.size) * 1e-9 + said.population
        suspected = rng.random(60) * 1e-9 + controls
        few.append(np.mean(suspected > np.sort(noisy)[-6]))
        half.append(np.mean(suspected > np.median(noisy)))
    assert np.sum(np.array(p_values) <= 0.05) <= 13
    # Each p-value is one of 200, so 1/200 is the step; ties only make it larger.
    upto = np.arange(1, GAMES + 1) / GAMES
    early = np.max(upto - np.sort(p_values))
    assert early <= laws.gap_limit(draws=GAMES, false_alarm=1e-4) + 1 / 200
    assert abs(np.mean(few) - 6 / 101) <= 0.017
    assert abs(np.mean(half) - 1 / 2) <= 0.036


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_generator_that_copies_two_in_three_is_seen_every_time(attack):
    """The same games with a leak: what stays quiet above must not be deaf."""
    rng = np.random.default_rng(9)
    p_values = []
    for game in range(20):
        targets = by_row(COLUMNS, people(240, rng))
        fresh = people(120, rng)
        copied = np.arange(120) % 3 > 0
        held = Evidence(
            release=by_row(COLUMNS, np.where(copied[:, None], targets.codes[:120], fresh)),
            population=by_row(COLUMNS, people(100, rng)),
            sizes=SIZES,
            ordered=dict.fromkeys(COLUMNS, False) | {"a": True},
            seed=game,
        )
        said = attack.score(held, targets).targets
        p_values.append(
            ranking.permutation_p_value(
                members=said[:120], controls=said[120:], permutations=199, rng=rng
            )
        )
    assert max(p_values) <= 0.05
