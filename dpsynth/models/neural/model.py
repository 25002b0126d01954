"""A trained network as a model of a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.errors import IntegrityError, UsageError
from dpsynth.models.graphical.raking import Correction, corrected
from dpsynth.models.neural.drawing import Drawn, Factor, Rules, draw, log_likelihood
from dpsynth.models.neural.network import Array, Network, network_class
from dpsynth.models.protocol import Codes

FORMAT = "dpsynth-neural/1"
Expected = tuple[type[np.generic], tuple[int, ...]]
_TOLERANCE = 1e-6  # by which shares read from a file may miss 1
_TIMES = 2  # as many candidates as rows, to meet margins with
_LEAST_POOL = 10_000
_SEEN = 2**14  # rows that chances and marginals are estimated from
_MOST_TIMES = 2_000  # candidates for a row that meets a condition
_LEAST_CANDIDATES = 2**10
_MOST_CANDIDATES = 2**16  # at once


@dataclass(frozen=True, kw_only=True, eq=False)
class NeuralModel:
    """A distribution over all columns, drawn from a network one column after another.

    Holds released numbers only: it may be saved, published and sampled without end.

    Args:
        domain: columns, sizes, and what cannot occur: such codes get no share, and the others
            theirs scaled up.
        total: number of rows, estimated with noise; above 0.
        order: the columns as the network takes them. Conditions on the first of them cost nothing.
        network: what gives the shares of every code.
        margins: of every column the share of each code, or none at all: whole samples meet them
            up to what whole rows leave.
        corrections: tables over several columns that whole samples are re-weighted to as well.
            Likelihoods and conditional samples come from the network alone.

    Raises:
        ValueError: the parts do not fit each other, or a number is not finite.
    """

    kind: ClassVar[str] = "neural"
    domain: Domain
    total: float
    order: tuple[str, ...]
    network: Network
    margins: Mapping[str, Array] = field(default_factory=dict)
    corrections: Sequence[Correction] = ()
    _rules: Rules = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.total) and self.total > 0):
            raise ValueError("total must be a number above 0")
        if sorted(self.order) != sorted(self.domain.columns):
            raise ValueError("order must name every column once")
        if self.network.sizes != self.domain.shape(self.order):
            raise ValueError("the network does not fit the domain")
        if not all(np.isfinite(each).all() for each in self.network.arrays().values()):
            raise ValueError("the numbers of a network must be finite")
        if self.margins and set(self.margins) != set(self.domain.columns):
            raise ValueError("there must be margins of all columns, or of none")
        for name, shares in self.margins.items():
            if shares.shape != (self.domain.sizes[name],) or not (shares >= 0).all():
                raise ValueError(f"the margin of {name!r} does not fit the domain")
            if abs(float(shares.sum()) - 1) > _TOLERANCE:
                raise ValueError("the shares of a margin must sum to 1")
        for each in self.corrections:
            if each.shares.shape != self.domain.shape(each.clique):
                raise ValueError("a correction does not fit the domain")
        sizes = self.domain.sizes
        zeros = [self._factor(zero.columns, zero.allowed(sizes)) for zero in self.domain.zeros]
        object.__setattr__(self, "_rules", Rules.of(zeros, self.network.sizes))

    def marginal(self, clique: Sequence[str]) -> Array:
        """Return expected rows per cell, as a fixed draw of many rows has them.

        Raises:
            KeyError: a column that the domain does not have.
        """
        wanted = tuple(clique)
        if not wanted or len(set(wanted)) != len(wanted):
            raise ValueError("clique must name at least one column, each once")
        for name in wanted:
            if name not in self.domain.sizes:
                raise KeyError(f"not in the domain: {name!r}")
        shape = self.domain.shape(wanted)
        cells = np.ravel_multi_index([self._seen[name] for name in wanted], shape)
        counts = np.bincount(cells, minlength=self.domain.size(wanted)).reshape(shape)
        return np.asarray(counts * (self.total / counts.sum()))

    def sample(
        self,
        rows: int,
        rng: np.random.Generator,
        *,
        likelihood: Mapping[tuple[str, ...], Array] | None = None,
    ) -> Codes:
        """Draw rows; whole samples meet the margins and corrections.

        Args:
            rows: how many, at least 0.
            rng: post-processing randomness; the same generator state gives the same rows.
            likelihood: tables over a few columns, in [0, 1]: the chance that a row with these
                codes is to be kept. On the first columns of ``order`` that is exact, and free.
                Elsewhere rows are rejected, by the largest chance that was seen: exact but for
                that.

        Returns:
            Codes by column, in the domain's order, in the narrowest unsigned type.

        Raises:
            UsageError: fewer than one row in 2,000 would be kept.

        Source:
            Of rejection: Caffo, Booth and Davis (2002), "Empirical supremum rejection sampling".
        """
        if rows < 0:
            raise ValueError("rows must be at least 0")
        if likelihood or not self.margins or not rows:
            return self._sample(rows, rng, likelihood or {})
        candidates = self._sample(_candidates(rows), rng, {})
        taken = corrected(
            candidates,
            self.domain,
            list(self.corrections),
            {name: self.margins[name] for name in self.domain.columns},
            total=self.total,
            rows=rows,
            rng=rng,
        )
        return {name: codes[taken] for name, codes in candidates.items()}

    def _sample(
        self, rows: int, rng: np.random.Generator, likelihood: Mapping[tuple[str, ...], Array]
    ) -> Codes:
        """Draw rows from the network, and keep such as meet the condition."""
        condition = self._condition(likelihood)
        kept: list[NDArray[np.int64]] = [np.zeros((0, len(self.order)), dtype=np.int64)]
        held: list[Array] = [np.zeros(0)]  # chance of each kept row, as the condition has it
        most, have, tried = 0.0, 0, 0
        while have < rows:
            if tried > _MOST_TIMES * rows + _MOST_CANDIDATES:
                raise _too_rare(likelihood)
            wanted = rows - have if not tried else max(rows - have, _LEAST_CANDIDATES)
            if have and tried > have:
                wanted = min(wanted * tried // have, _MOST_CANDIDATES)
            drawn = self._draw(wanted, rng, condition)
            tried += wanted
            largest = max(most, float(drawn.weights.max(initial=0.0)))
            if largest > most > 0:  # those kept so far were kept too easily
                stay = rng.random(have) < most / largest
                kept, held = [np.concatenate(kept)[stay]], [np.concatenate(held)[stay]]
            most = largest
            taken = drawn.weights > 0
            if (drawn.weights != most).any():
                taken &= rng.random(wanted) * most < drawn.weights
            kept.append(drawn.codes[taken])
            held.append(drawn.weights[taken])
            have = sum(len(each) for each in kept)
        return self._columns(np.concatenate(kept)[:rows])

    def check_held(self, likelihood: Mapping[tuple[str, ...], Array]) -> None:
        """Accept every condition: one that holds too rarely is found while drawing."""

    def log_chance(self, likelihood: Mapping[tuple[str, ...], Array]) -> float:
        """Return the logarithm of the share of rows kept.

        Exact where the condition is on the first column alone; otherwise estimated from a fixed
        draw.
        """
        drawn = self._draw(_SEEN, np.random.default_rng(0), self._condition(likelihood))
        with np.errstate(divide="ignore"):
            return float(np.log(drawn.weights.mean()))

    def log_likelihood(self, codes: Mapping[str, NDArray[np.integer[Any]]]) -> Array:
        """Return the natural logarithm of every record's probability, exactly.

        Args:
            codes: by column of the domain, each of shape ``(records,)``.

        Raises:
            UsageError: the network is of a kind that cannot tell.
        """
        if not self.network.exact:
            raise UsageError(
                f"a model of the kind {self.network.kind!r} does not tell how likely a row is; "
                "use one of made or transformer, or a marginal method"
            )
        lines = np.stack([codes[name].astype(np.int64) for name in self.order], axis=1)
        return log_likelihood(self.network, lines, rules=self._rules)

    def with_zeros(self, domain: Domain) -> Self:
        """Return the model over ``domain``; what that forbids gets no share."""
        return replace(self, domain=domain)

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return a JSON-able header and the arrays that it names."""
        header = {
            "format": FORMAT,
            "total": float(self.total),
            "sizes": [[name, size] for name, size in self.domain.sizes.items()],
            "ordered": sorted(self.domain.ordered),
            "order": list(self.order),
            "network": {"kind": self.network.kind, **self.network.header()},
            "margins": bool(self.margins),
            "corrections": [
                {"clique": list(each.clique), "stddev": float(each.stddev)}
                for each in self.corrections
            ],
        }
        arrays: dict[str, NDArray[Any]] = dict(self.network.arrays())
        for index, name in enumerate(self.domain.columns if self.margins else ()):
            arrays[f"margin_{index}"] = np.asarray(self.margins[name], dtype=np.float64)
        for index, each in enumerate(self.corrections):
            arrays[f"correction_{index}"] = np.asarray(each.shares, dtype=np.float64)
        return header, arrays

    @classmethod
    def expected(cls, header: Mapping[str, Any]) -> dict[str, Expected]:
        """Return type and shape of every array of a header; makes no array.

        Raises:
            IntegrityError: the header is not that of a model.
        """
        try:
            return _Header.read(header).expected()
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("the header is not that of a neural model") from error

    @classmethod
    def from_arrays(cls, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Read what ``to_arrays`` wrote.

        Raises:
            IntegrityError: the header or an array is not that of a model.
        """
        found = {name: (each.dtype.type, each.shape) for name, each in arrays.items()}
        if found != cls.expected(header):
            raise IntegrityError("the arrays are not those that the header names")
        try:
            told = _Header.read(header)
            made = told.network.from_arrays(
                header["network"], told.sizes, {name: arrays[name] for name in told.shapes}
            )
            columns = told.domain.columns if told.margins else ()
            return cls(
                domain=told.domain,
                total=float(header["total"]),
                order=told.order,
                network=made,
                margins={name: arrays[f"margin_{at}"] for at, name in enumerate(columns)},
                corrections=[
                    Correction(clique=clique, shares=arrays[f"correction_{at}"], stddev=stddev)
                    for at, (clique, stddev) in enumerate(told.corrections)
                ],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"the neural model contradicts itself: {error}") from error

    @cached_property
    def _seen(self) -> Codes:
        return self.sample(_SEEN, np.random.default_rng(0))

    def _draw(self, rows: int, rng: np.random.Generator, condition: Sequence[Factor]) -> Drawn:
        return draw(self.network, rows, rng, rules=self._rules, condition=condition)

    def _condition(self, likelihood: Mapping[tuple[str, ...], Array]) -> list[Factor]:
        for clique, table in likelihood.items():
            if table.shape != self.domain.shape(clique):
                raise ValueError(f"a likelihood over {', '.join(clique)} does not fit the domain")
        return [self._factor(clique, table) for clique, table in likelihood.items()]

    def _factor(self, columns: Sequence[str], table: NDArray[Any]) -> Factor:
        return Factor.over([self.order.index(name) for name in columns], table)

    def _columns(self, codes: NDArray[np.int64]) -> Codes:
        places = {name: place for place, name in enumerate(self.order)}
        return {
            name: codes[:, places[name]].astype(np.min_scalar_type(size - 1))
            for name, size in self.domain.sizes.items()
        }


@dataclass(frozen=True, kw_only=True)
class _Header:
    """What the header of a model says of its arrays."""

    domain: Domain
    order: tuple[str, ...]
    network: type[Network]
    shapes: Mapping[str, tuple[int, ...]]
    margins: bool
    corrections: tuple[tuple[tuple[str, ...], float], ...]

    @classmethod
    def read(cls, header: Mapping[str, Any]) -> Self:
        if header["format"] != FORMAT or type(header["margins"]) is not bool:
            raise ValueError(f"the model is not in the format {FORMAT}")
        domain = Domain(
            sizes={str(name): int(size) for name, size in header["sizes"]},
            ordered=frozenset(str(name) for name in header["ordered"]),
        )
        order = tuple(str(name) for name in header["order"])
        network = network_class(header["network"]["kind"])
        return cls(
            domain=domain,
            order=order,
            network=network,
            shapes=network.shapes(header["network"], domain.shape(order)),
            margins=header["margins"],
            corrections=tuple(
                (tuple(str(name) for name in each["clique"]), float(each["stddev"]))
                for each in header["corrections"]
            ),
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.domain.shape(self.order)

    def expected(self) -> dict[str, Expected]:
        found: dict[str, Expected] = {
            name: (np.float32, shape) for name, shape in self.shapes.items()
        }
        for index, size in enumerate(self.domain.sizes.values() if self.margins else ()):
            found[f"margin_{index}"] = np.float64, (size,)
        for index, (clique, _) in enumerate(self.corrections):
            found[f"correction_{index}"] = np.float64, self.domain.shape(clique)
        return found


def _candidates(rows: int) -> int:
    """Return how many rows to draw in order to leave ``rows`` of them."""
    return max(_TIMES * rows, min(_LEAST_POOL, 64 * rows))


def _too_rare(likelihood: Mapping[tuple[str, ...], Array]) -> UsageError:
    names = ", ".join(repr(name) for clique in likelihood for name in clique)
    if not names:
        return UsageError(
            f"fewer than one row in {_MOST_TIMES:,} of this model keeps the declared rules: "
            "declare fewer of them, or choose a marginal method"
        )
    return UsageError(
        f"fewer than one row in {_MOST_TIMES:,} of this model meets what is given for {names}; fit "
        "with these columns as `first`, and such rows are drawn directly"
    )
