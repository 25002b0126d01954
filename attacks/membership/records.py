"""How often whole records occur, beside what low-order marginals say of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence, Scores
from attacks.engine.counts import Words, occurrences, own_occurrences, record_words
from attacks.engine.table import CodedTable
from attacks.membership.coarse import Coarse

Values = NDArray[np.float64]
_Three = tuple[Words, Words, Words]


@dataclass(frozen=True, kw_only=True, eq=False)
class LowOrder:
    """Log-likelihoods by row in groups of codes, without the row's own person where in a sample.

    Args:
        targets_release: of the targets, under the release.
        targets_population: of the targets, under the population.
        population_release: of the population's rows, under the release.
        population_population: of the population's rows, under the others of the population.
    """

    targets_release: Values
    targets_population: Values
    population_release: Values
    population_population: Values


def with_records(low: LowOrder, evidence: Evidence, targets: CodedTable, tables: Coarse) -> Scores:
    """Return one score a person: the log-ratio of two mixtures, of release and of population.

    Each is an even mixture of four estimates of the probability of a row: the low-order one; the
    frequency of the whole grouped record; of the whole record, code for code; and of its exact
    content, digit for digit. The last three see rows that were copied.
    """
    seen = evidence.once(
        ("membership/records", targets), lambda: _records(evidence, targets, tables)
    )
    sought = _mixed(low.targets_release, seen.targets_release) - _mixed(
        low.targets_population, seen.targets_population
    )
    sample = _mixed(low.population_release, seen.population_release) - _mixed(
        low.population_population, seen.population_population
    )
    return Scores(
        targets=targets.mean_by_person(sought),
        population=evidence.population.mean_by_person(sample),
    )


def _mixed(low: Values, records: Values) -> Values:
    mixture: Values = np.logaddexp(low, records)
    return mixture


def _records(evidence: Evidence, targets: CodedTable, tables: Coarse) -> LowOrder:
    """Return the logarithm of the sum of the three frequencies of whole records."""
    fine = (evidence.release, evidence.population, targets)
    release, population, sought = (
        (record_words(b.codes), record_words(a.codes), a.words)
        for a, b in zip(fine, (tables.release, tables.population, tables.targets), strict=True)
    )
    # How much likelier two released rows are to agree in codes than in content, in the logarithm:
    # the density that a record of exact content has above its codes.
    finer = float(np.log((1 + _agreeing(release[1])) / (1 + _agreeing(release[2]))))
    persons = evidence.population.persons
    own_rows = np.bincount(persons, minlength=evidence.population.size)[persons]
    own = tuple(own_occurrences(words, persons) for words in population)
    densities = [_spread(table, tables) for table in (tables.targets, tables.population)]
    rows = len(evidence.release)
    others = (len(evidence.population) - own_rows).astype(np.float64)
    return LowOrder(
        targets_release=_frequencies(sought, release, density=densities[0], finer=finer, rows=rows),
        targets_population=_frequencies(
            sought, population, density=densities[0], finer=finer, rows=len(evidence.population)
        ),
        population_release=_frequencies(
            population, release, density=densities[1], finer=finer, rows=rows
        ),
        population_population=_frequencies(
            population, population, density=densities[1], finer=finer, rows=others, own=own
        ),
    )


def _spread(table: CodedTable, tables: Coarse) -> Values:
    """Return by row the logarithm of how many code records share its grouped one.

    The frequency of a code within its group is taken as even: this turns the frequency of a whole
    record into a density on the scale of the grouped ones.
    """
    spread = np.zeros(len(table))
    for place, grouping in enumerate(tables.groupings):
        spread += np.log(grouping.widths)[table.codes[:, place]]
    return spread


def _frequencies(
    words: _Three,
    among: _Three,
    *,
    density: Values,
    finer: float,
    rows: float | Values,
    own: tuple[NDArray[np.int64], ...] | None = None,
) -> Values:
    estimates = []
    for place, above in enumerate((np.zeros_like(density), density, density + finer)):
        seen = occurrences(words[place], among=among[place])
        if own is not None:
            seen = seen - own[place]
        with np.errstate(divide="ignore"):
            estimates.append(np.log(seen / np.maximum(rows, 1)) + above)
    together: Values = np.logaddexp.reduce(estimates)
    return together


def _agreeing(words: Words) -> int:
    """Return how many pairs of rows are the same."""
    _, counts = np.unique(words, return_counts=True)
    return int((counts * (counts - 1) // 2).sum())
