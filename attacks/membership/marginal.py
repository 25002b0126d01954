"""Membership by likelihood under the released table's marginals."""

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence, Scores
from attacks.engine.counts import Words, occurrences, own_occurrences, record_words
from attacks.engine.table import CodedTable, Grouping, grouped, grouping
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Marginal:
    """Suspect a target whom the release makes likelier than the population does.

    The score of a row is ``log p(row | release) - log p(row | population)``, and of a person the
    mean over their rows. Each ``p`` is an even mixture of four estimates, from low order to high:

    1. the composite likelihood of all pairs of columns, grouped where a column has many codes:
       the product of the pair frequencies to the power ``1 / (columns - 1)``, so that every column
       counts once;
    2. the frequency of the whole grouped record;
    3. the frequency of the whole record, code for code;
    4. the frequency of its exact content, digit for digit.

    The first sees what a model of marginals over-fits, a little of every member; the others see
    rows that were copied. The pair frequencies of the population count the release as well as the
    sample: under no leak both are samples of one population, and a small one is not to be believed
    against a large one.

    Source:
        The density ratio is that of DOMIAS (van Breugel et al. 2023, arXiv:2302.12580); marginals
        as its estimate follow MAMA-MIA (Golob et al. 2025) and TAMIS (Andrey et al. 2025).
    """

    name: ClassVar[str] = "membership/marginal"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.MEMBERSHIP,
        generator=GeneratorAccess.CALIBRATED,
        data=DataKnowledge.POPULATION_SAMPLE,
    )

    def score(self, evidence: Evidence, targets: CodedTable) -> Scores:
        """Return one score a person; see ``attacks.base.MembershipAttack``."""
        release, population = evidence.release, evidence.population
        if not len(release) or not release.columns:
            return Scores(targets=np.zeros(targets.size), population=np.zeros(population.size))
        groupings = {
            name: grouping(
                release.codes[:, place], size=evidence.sizes[name], ordered=evidence.ordered[name]
            )
            for place, name in enumerate(release.columns)
        }
        coarse = (
            grouped(release, groupings),
            grouped(population, groupings),
            grouped(targets, groupings),
        )
        pairs = _pairs(*coarse, widths=[groupings[name].size for name in release.columns])
        rows = _mixed(
            fine=(release, population, targets), coarse=coarse, pairs=pairs, groupings=groupings
        )
        return Scores(
            targets=targets.mean_by_person(rows.targets),
            population=population.mean_by_person(rows.population),
        )


@dataclass(frozen=True, kw_only=True)
class _Pairs:
    """Composite log-likelihoods by row, under the release and under the population."""

    targets_release: Values
    targets_population: Values
    population_release: Values
    population_population: Values


def _pairs(
    release: CodedTable, population: CodedTable, targets: CodedTable, *, widths: list[int]
) -> _Pairs:
    columns = range(len(widths))
    # A table of one column has no pairs: the column itself takes their place.
    chosen: list[tuple[int, ...]] = [*combinations(columns, 2)] or [(0,)]
    share = 1 / max(1, len(widths) - 1)
    tables = [np.ascontiguousarray(t.codes.T) for t in (release, population, targets)]
    sums = [np.zeros(len(table)) for table in (targets, targets, population, population)]
    own_rows = np.bincount(population.persons, minlength=population.size)[population.persons]
    by_row = population.size == len(population)
    both = len(release) + len(population)
    for clique in chosen:
        size = int(np.prod([widths[place] for place in clique]))
        released, sample, sought = (_cells(table, clique, widths) for table in tables)
        in_release = np.bincount(released, minlength=size)
        in_both = in_release + np.bincount(sample, minlength=size)
        # One row, spread evenly, so that no cell has probability 0.
        chance = (in_both + 1 / size) / (both + 1)
        own = 1 if by_row else own_occurrences(sample.astype(np.uint64), population.persons)
        left = (in_both[sample] - own + 1 / size) / (both - own_rows + 1)
        # One more row on either side: where less than one is expected, none is no evidence.
        excess = np.log((in_release + 1) / (len(release) * chance + 1))
        sums[0] += np.log(chance)[sought]
        sums[1] += excess[sought]
        sums[2] += np.log(left)
        sums[3] += np.log((in_release[sample] + 1) / (len(release) * left + 1))
    return _Pairs(
        targets_release=(sums[0] + sums[1]) * share,
        targets_population=sums[0] * share,
        population_release=(sums[2] + sums[3]) * share,
        population_population=sums[2] * share,
    )


def _cells(
    columns: NDArray[np.int32], clique: tuple[int, ...], widths: list[int]
) -> NDArray[np.int32]:
    cells: NDArray[np.int32] = columns[clique[0]]
    for place in clique[1:]:
        cells = cells * np.int32(widths[place]) + columns[place]
    return cells


def _mixed(
    *,
    fine: tuple[CodedTable, CodedTable, CodedTable],
    coarse: tuple[CodedTable, CodedTable, CodedTable],
    pairs: _Pairs,
    groupings: dict[str, Grouping],
) -> Scores:
    """Return the score of each row of the targets and of the population."""
    release, population, targets = (
        (record_words(b.codes), record_words(a.codes), a.words)
        for a, b in zip(fine, coarse, strict=True)
    )
    # How much likelier two released rows are to agree in codes than in content, in the logarithm:
    # the density that a record of exact content has above its codes.
    finer = float(np.log((1 + _agreeing(release[1])) / (1 + _agreeing(release[2]))))
    persons = fine[1].persons
    rows_release, rows_population = len(fine[0]), len(fine[1])
    own_rows = np.bincount(persons, minlength=fine[1].size)[persons].astype(np.float64)

    def under(
        words: tuple[Words, Words, Words],
        among: tuple[Words, Words, Words],
        *,
        rows: Values,
        pairs: Values,
        spread: Values,
        own: bool,
    ) -> Values:
        estimates = [pairs]
        for place, density in enumerate((np.zeros_like(spread), spread, spread + finer)):
            seen = occurrences(words[place], among=among[place])
            if own:
                seen = seen - own_occurrences(words[place], persons)
            with np.errstate(divide="ignore"):
                estimates.append(np.log(seen / np.maximum(rows, 1)) + density)
        mixture: Values = np.logaddexp.reduce(estimates)
        return mixture

    scores = []
    for words, table, own in ((targets, coarse[2], False), (population, coarse[1], True)):
        # The frequency of a code within its group is taken as even: this turns the frequency of
        # a whole record into a density on the scale of the grouped ones.
        spread = np.zeros(len(table))
        for place, name in enumerate(table.columns):
            spread += np.log(groupings[name].widths)[table.codes[:, place]]
        log_release = under(
            words,
            release,
            rows=np.full(len(table), float(rows_release)),
            pairs=pairs.population_release if own else pairs.targets_release,
            spread=spread,
            own=False,
        )
        log_population = under(
            words,
            population,
            rows=rows_population - own_rows if own else np.full(len(table), float(rows_population)),
            pairs=pairs.population_population if own else pairs.targets_population,
            spread=spread,
            own=own,
        )
        scores.append(log_release - log_population)
    return Scores(targets=scores[0], population=scores[1])


def _agreeing(words: Words) -> int:
    """Return how many pairs of rows are the same."""
    _, counts = np.unique(words, return_counts=True)
    return int((counts * (counts - 1) // 2).sum())
