"""How often whole records occur, beside what low-order marginals say of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence, Scores
from attacks.engine.counts import Words, occurrences, own_occurrences, record_words
from attacks.engine.released import Occurrences
from attacks.engine.stored import pairs_alike
from attacks.engine.table import CodedTable
from attacks.membership.coarse import Coarse

Values = NDArray[np.float64]
Counts = NDArray[np.int64]
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
    release = evidence.release
    population, sought = (
        (record_words(grouped.codes), record_words(fine.codes), fine.words)
        for fine, grouped in ((evidence.population, tables.population), (targets, tables.targets))
    )
    # How much likelier two released rows are to agree in codes than in content, in the logarithm:
    # the density that a record of exact content has above its codes.
    by_code = pairs_alike((record_words(codes) for _, codes in release.blocks()), rows=len(release))
    by_content = pairs_alike(release.word_blocks(), rows=len(release))
    finer = float(np.log((1 + by_code) / (1 + by_content)))
    persons = evidence.population.persons
    own_rows = np.bincount(persons, minlength=evidence.population.size)[persons]
    own = tuple(own_occurrences(words, persons) for words in population)
    densities = [_spread(table, tables) for table in (tables.targets, tables.population)]
    rows = len(release)
    sought_released, population_released = _in_release(evidence, tables, sought, population)
    sought_sampled, population_sampled = (
        [occurrences(mine, among=theirs) for mine, theirs in zip(words, population, strict=True)]
        for words in (sought, population)
    )
    others = (len(evidence.population) - own_rows).astype(np.float64)
    return LowOrder(
        targets_release=_frequencies(sought_released, density=densities[0], finer=finer, rows=rows),
        targets_population=_frequencies(
            sought_sampled, density=densities[0], finer=finer, rows=len(evidence.population)
        ),
        population_release=_frequencies(
            population_released, density=densities[1], finer=finer, rows=rows
        ),
        population_population=_frequencies(
            [seen - mine for seen, mine in zip(population_sampled, own, strict=True)],
            density=densities[1],
            finer=finer,
            rows=others,
        ),
    )


def _in_release(evidence: Evidence, tables: Coarse, *asked: _Three) -> tuple[list[Counts], ...]:
    """Return how often words of grouped codes, codes and content occur in the release."""
    seen = [[Occurrences(words) for words in three] for three in asked]
    blocks = zip(
        tables.release.blocks(),
        evidence.release.blocks(),
        evidence.release.word_blocks(),
        strict=True,
    )
    for (_, grouped), (_, fine), content in blocks:
        for place, words in enumerate((record_words(grouped), record_words(fine), content)):
            for three in seen:
                three[place].add(words)
    return tuple([one.counts for one in three] for three in seen)


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
    counts: list[Counts], *, density: Values, finer: float, rows: float | Values
) -> Values:
    estimates = []
    densities = (np.zeros_like(density), density, density + finer)
    for seen, above in zip(counts, densities, strict=True):
        with np.errstate(divide="ignore"):
            estimates.append(np.log(seen / np.maximum(rows, 1)) + above)
    together: Values = np.logaddexp.reduce(estimates)
    return together
