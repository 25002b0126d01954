"""What a fit of ``auto`` pays for what: every scale, fixed by public facts before any answer."""

from dataclasses import dataclass
from fractions import Fraction

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.privacy.mechanisms import DiscreteGaussian
from dpsynth.privacy.queries import MarginalQuery
from dpsynth.synthesizers.base import Step
from dpsynth.synthesizers.one_way import OneWayPhase

RESOLUTION = 64  # how finely a reference states fractions of a row
SCORES = f"distances of all pairs from independence, in 1/{RESOLUTION} rows"


@dataclass(frozen=True, kw_only=True)
class Bill:
    """Every mechanism of a fit, with its scale; the last two are None where there is no pair.

    Attributes:
        columns: those with more than one code.
        square: squared L2 sensitivity of one table, in rows squared; 0 where there is no pair.
        one_way: the histograms.
        scoring: of the distances of all pairs, in 1/``RESOLUTION`` rows.
        measuring: of one answer.
        units: how many answers there are.
    """

    columns: tuple[str, ...]
    square: Fraction
    one_way: OneWayPhase
    scoring: DiscreteGaussian | None
    measuring: DiscreteGaussian | None
    units: int

    @classmethod
    def split(
        cls,
        domain: Domain,
        *,
        unit: PrivacyUnit,
        rho: Fraction,
        one_way_share: Fraction | None,
        selection_share: Fraction,
        units_per_column: int,
    ) -> "Bill":
        """Split ``rho`` by the settings of the same names in ``Auto``."""
        columns = tuple(name for name in domain.columns if domain.sizes[name] > 1)
        pairs = _pairs(columns)
        if not pairs:
            return cls(
                columns=columns,
                square=Fraction(0),
                one_way=OneWayPhase.split(domain, unit=unit, rho=rho),
                scoring=None,
                measuring=None,
                units=0,
            )
        share = one_way_share or default_one_way_share(rho)
        units = units_per_column * len(columns)
        square = MarginalQuery(clique=columns[:2], domain=domain).l2_sensitivity_squared(unit)
        left = rho * (1 - share - selection_share)
        scores = pairs * RESOLUTION**2 * square
        return cls(
            columns=columns,
            square=square,
            one_way=OneWayPhase.split(domain, unit=unit, rho=rho * share),
            scoring=DiscreteGaussian(sigma_squared=scores / (2 * rho * selection_share)),
            measuring=DiscreteGaussian(sigma_squared=square * units / (2 * left)),
            units=units,
        )

    def steps(self) -> tuple[Step, ...]:
        """List the charges, as the ledger will show them."""
        steps = list(self.one_way.steps())
        if self.scoring is not None and self.measuring is not None:
            squares = _pairs(self.columns) * RESOLUTION**2 * self.square
            scores = self.scoring.event(l2_sensitivity_squared=squares)
            table = self.measuring.event(l2_sensitivity_squared=self.square)
            steps.append(Step(phase="select", label=SCORES, event=scores))
            steps += [
                Step(phase="tables", label=f"answer {n} of {self.units}", event=table)
                for n in range(1, self.units + 1)
            ]
        return tuple(steps)


def default_one_way_share(rho: Fraction) -> Fraction:
    """Return the histograms' share of the budget: least where rho is about a tenth.

    Two thirds where rho is about 1e-4: what the columns look like is hardly known, and no table of
    pairs repairs it. Nine twentieths from rho = 1 on: pairs are known so well that their errors
    hardly change, and columns come as close as a tree of pairs brings them. By integers: the same
    on every machine.
    """
    halvings = rho.denominator.bit_length() - rho.numerator.bit_length()
    scarce = Fraction(1, 10) + Fraction(halvings, 24)
    plenty = Fraction(9, 20) - Fraction(max(halvings, 0), 16)
    return min(max(scarce, plenty), Fraction(2, 3))


def _pairs(columns: tuple[str, ...]) -> int:
    return len(columns) * (len(columns) - 1) // 2
