"""How often 95 % intervals of a logistic regression hold the truth, release after release.

    python benchmarks/utility/coverage.py --design six --synthesizer direct --repetitions 300

Persons are drawn from a known law, in which a logistic regression is true; each repetition draws
new ones, releases them at epsilon 1, and fits the regression to combined copies, to one sample
taken for real, and to the persons themselves. Prints one line of Markdown and, with --out, appends
a JSON line. Seeds from 10,000 on; those below were for trying things out.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

import dpsynth
from dpsynth.utility.replication.analyses import Analysis, Estimates, prepared, run
from dpsynth.utility.replication.coverage import Z, binomial_interval
from dpsynth.utility.replication.lines import combine

FIRST_SEED = 10_000
DELTA = "1e-6"
_NEWTON = 30  # steps at most
LEVELS = {2: None, 3: ["low", "mid", "high"], 4: ["a", "b", "c", "d"]}


@dataclass(frozen=True)
class Design:
    """A law of persons: covariates along a chain, then the outcome.

    Attributes:
        rows: persons.
        sizes: levels of each covariate.
        effects: by covariate, what every level but the first adds to the log-odds.
        intercept: log-odds of the outcome where all covariates are at their first level.
        hidden: the third covariate follows the first two together and neither alone.
    """

    rows: int
    sizes: tuple[int, ...]
    effects: tuple[tuple[float, ...], ...]
    intercept: float = -0.7
    hidden: bool = False
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(f"x{n}" for n in range(1, len(self.sizes) + 1)))

    def codes(self, rng):
        """Draw the covariates' codes, one array a column."""
        found = []
        for at, size in enumerate(self.sizes):
            weights = np.linspace(1.4, 0.7, size)
            weights = np.tile(weights / weights.sum(), (self.rows, 1))
            if found and at % 3:  # every third one starts a new chain
                near = found[-1] % size
                weights[np.arange(self.rows), near] += 0.5
            if self.hidden and at == 2:
                weights = np.where((found[0] ^ found[1])[:, None] == np.arange(2), 0.85, 0.15)
            weights /= weights.sum(1, keepdims=True)
            found.append((rng.random((self.rows, 1)) > np.cumsum(weights, 1)[:, :-1]).sum(1))
        return found

    def people(self, rng):
        """Draw persons as a table."""
        codes = self.codes(rng)
        odds = np.full(self.rows, self.intercept)
        for each, effects in zip(codes, self.effects, strict=True):
            odds += np.array([0.0, *effects])[each]
        columns = {
            name: each.astype(bool) if size == 2 else np.array(LEVELS[size])[each]
            for name, each, size in zip(self.names, codes, self.sizes, strict=True)
        }
        return pd.DataFrame({**columns, "y": rng.random(self.rows) < 1 / (1 + np.exp(-odds))})

    def schema(self):
        """Declare the columns."""
        columns = [
            {"name": name, "kind": "boolean"}
            if size == 2
            else {"name": name, "kind": "categorical", "values": LEVELS[size]}
            for name, size in zip(self.names, self.sizes, strict=True)
        ]
        columns.append({"name": "y", "kind": "boolean"})
        return dpsynth.Schema.from_dict(
            {"format": "dpsynth-schema/1", "expected_rows": self.rows, "columns": columns}
        )

    def regression(self, table):
        """Fit the logistic regression to distinct rows and their counts, by Newton's method."""
        columns = [
            _codes(table[name], size) for name, size in zip(self.names, self.sizes, strict=True)
        ]
        columns.append(table["y"].to_numpy().astype(np.int64))
        shape = (*self.sizes, 2)
        counts = np.bincount(np.ravel_multi_index(columns, shape), minlength=int(np.prod(shape)))
        places = np.flatnonzero(counts)
        *levels, outcome = np.unravel_index(places, shape)
        weights, names, design = counts[places], ["Intercept"], [np.ones(places.size)]
        for name, size, held in zip(self.names, self.sizes, levels, strict=True):
            for level in range(1, size):
                names.append(name if size == 2 else f"{name}[T.{LEVELS[size][level]}]")
                design.append(held == level)
        rows = np.column_stack(design).astype(float)
        values = np.zeros(len(names))
        for _ in range(_NEWTON):
            chance = 1 / (1 + np.exp(-rows @ values))
            curvature = (rows * (weights * chance * (1 - chance))[:, None]).T @ rows
            try:
                step = np.linalg.solve(curvature, rows.T @ (weights * (outcome - chance)))
            except np.linalg.LinAlgError:
                return Estimates(names=(), values=np.zeros(0), variances=np.zeros(0))
            values = values + step
            if np.abs(step).max() < 1e-10:
                break
        variances = np.diag(np.linalg.inv(curvature))
        return Estimates(names=tuple(names), values=values, variances=variances)

    def truth(self):
        """Return the true coefficients by name."""
        found = {}
        for name, size, effects in zip(self.names, self.sizes, self.effects, strict=True):
            for level, effect in enumerate(effects, 1):
                found[name if size == 2 else f"{name}[T.{LEVELS[size][level]}]"] = effect
        return found


DESIGNS = {
    "five": Design(2_000, (2,) * 5, ((0.8,), (-0.6,), (0.5,), (0.0,), (0.4,))),
    "six": Design(
        5_000,
        (2, 2, 3, 2, 4, 2),
        ((0.8,), (-0.6,), (0.5, 0.9), (0.0,), (0.3, 0.0, -0.5), (-0.3,)),
    ),
    "eight": Design(
        10_000,
        (2,) * 8,
        ((0.8,), (-0.6,), (0.5,), (0.0,), (0.4,), (-0.3,), (0.2,), (0.0,)),
    ),
    "hidden": Design(5_000, (2,) * 5, ((0.8,), (-0.6,), (0.5,), (0.0,), (0.4,)), hidden=True),
}


@dataclass
class Tally:
    """Counts over all repetitions."""

    held: dict = field(default_factory=dict)
    told: dict = field(default_factory=dict)
    widths: dict = field(default_factory=dict)

    def add(self, name, low, high, truth, width_of_real):
        """Count one interval."""
        self.told[name] = self.told.get(name, 0) + 1
        self.held[name] = self.held.get(name, 0) + (low <= truth <= high)
        self.widths.setdefault(name, []).append((high - low) / width_of_real)

    def summary(self):
        """Return shares over all coefficients, and the median width against real rows."""
        held, told = sum(self.held.values()), sum(self.told.values())
        shares = {name: self.held[name] / self.told[name] for name in self.told}
        return {
            "coverage": held / told,
            "least": min(shares.values()),
            "most": max(shares.values()),
            "by_coefficient": shares,
            "width": float(np.median([w for each in self.widths.values() for w in each])),
        }


def main():
    """Repeat, count and report."""
    arguments = _arguments()
    design = DESIGNS[arguments.design]
    schema, truth = design.schema(), design.truth()
    analysis = Analysis(
        name="outcome", formula="y ~ " + " + ".join(design.names), family="binomial"
    )
    columns = [*design.names, "y"]
    tallies = {key: Tally() for key in ("copies", "one sample", "real", "measured", "others")}
    nulls = {"copies": [0, 0], "one sample": [0, 0]}
    shares_per_release = []
    started = time.process_time()
    for repetition in range(arguments.repetitions):
        rng = np.random.default_rng(arguments.first_seed + repetition)
        people = design.people(rng)
        model = released(people, schema, arguments)
        drawn = model.sample_copies(
            arguments.copies,
            arguments.rows_times * round(model.total),
            seed=int(rng.integers(2**62)),
            interactions=arguments.interactions,
        )
        found = [design.regression(each) for each in drawn.tables]
        alone = design.regression(model.sample(seed=int(rng.integers(2**62))))
        real = design.regression(people)
        if not repetition:
            require_same(real, run(analysis, prepared(people, schema, columns)))
        good = []
        for name, value in truth.items():
            fact = real.of(name)
            if fact is None:
                continue
            width = 2 * Z * fact[1] ** 0.5
            for key, told in (("one sample", alone.of(name)), ("real", fact)):
                # A sample that cannot tell of a coefficient says that there is none.
                estimate, variance = told or (0.0, 0.0)
                half = Z * variance**0.5
                tallies[key].add(name, estimate - half, estimate + half, value, width)
                if key in nulls and value == 0:
                    nulls[key][0] += abs(estimate) > half
                    nulls[key][1] += 1
            both = combine(found, name, rows_ratio=drawn.rows / drawn.total)
            if both is None:
                continue
            tallies["copies"].add(name, both.low, both.high, value, width)
            good.append(both.low <= value <= both.high)
            which = "measured" if drawn.supports("y", name.split("[")[0]) else "others"
            tallies[which].add(name, both.low, both.high, value, width)
            if value == 0:
                nulls["copies"][0] += not both.low <= 0 <= both.high
                nulls["copies"][1] += 1
        shares_per_release.append(float(np.mean(good)) if good else float("nan"))
    report(arguments, design, tallies, nulls, shares_per_release, time.process_time() - started)


def _codes(column, size):
    if size == 2:
        return column.to_numpy().astype(np.int64)
    return pd.Categorical(column, categories=LEVELS[size]).codes.astype(np.int64)


def require_same(quick, slow):
    """Newton's method above finds what statsmodels finds."""
    for name in slow.names:
        assert np.allclose(quick.of(name), slow.of(name), rtol=1e-6, atol=1e-8), name


def released(people, schema, arguments):
    """Release artificial persons, with a ledger of their own."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "people.ledger"
        dpsynth.Ledger.create(path, cap_epsilon=arguments.epsilon, cap_delta=DELTA).close()
        return dpsynth.synthesizer(arguments.synthesizer).fit(
            people, schema=schema, epsilon=arguments.epsilon, delta=DELTA, ledger=path
        )


def report(arguments, design, tallies, nulls, shares, seconds):
    """Print one line of a table, and append the whole as JSON."""
    # Coefficients of one release go together, so releases are what is counted as independent.
    center, error = np.nanmean(shares), np.nanstd(shares, ddof=1) / np.isfinite(shares).sum() ** 0.5
    document = {
        **vars(arguments),
        "out": None,
        "rows": design.rows,
        "coverage": float(center),
        "low": float(center - Z * error),
        "high": float(center + Z * error),
        "type_one": {key: hits / max(of, 1) for key, (hits, of) in nulls.items()},
        "type_one_interval": list(binomial_interval(*nulls["copies"])),
        "cpu_seconds": round(seconds),
        **{key: each.summary() for key, each in tallies.items() if each.told},
    }
    copies, alone = document["copies"], document["one sample"]
    measured = {key: document.get(key, {}).get("coverage") for key in ("measured", "others")}
    sys.stdout.write(
        f"| {arguments.design} | {design.rows:,} | {arguments.synthesizer} | "
        f"{document['coverage']:.3f} ({document['low']:.3f} to {document['high']:.3f}) | "
        f"{copies['least']:.3f} to {copies['most']:.3f} | {_share(measured['measured'])} | "
        f"{_share(measured['others'])} | {copies['width']:.2f} | {alone['coverage']:.3f} | "
        f"{document['type_one']['copies']:.3f} | {document['type_one']['one sample']:.3f} |\n"
    )
    if arguments.out is not None:
        with arguments.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(document, sort_keys=True) + "\n")


def _share(value):
    return "-" if value is None else f"{value:.3f}"


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--design", choices=DESIGNS, default="six")
    parser.add_argument("--synthesizer", default="direct")
    parser.add_argument("--epsilon", default="1")
    parser.add_argument("--copies", type=int, default=40)
    parser.add_argument("--rows-times", type=int, default=1, help="rows of a copy over the total")
    parser.add_argument("--interactions", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=300)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
