"""A trained network as a model of a table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.errors import IntegrityError, UsageError
from dpsynth.models.neural.correction import Targets
from dpsynth.models.neural.drawing import Drawn, Factor, Rules, draw, log_likelihood
from dpsynth.models.neural.network import Array, Network, network_class
from dpsynth.models.protocol import CORRECTED_ROWS, Codes, in_parts, joined

FORMAT = "dpsynth-neural/1"
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
        targets: noisy tables that whole samples are held against; none where None. Likelihoods
            and conditional samples come from the network alone.

    Raises:
        ValueError: the parts do not fit each other, or a number is not finite.
    """

    kind: ClassVar[str] = "neural"
    domain: Domain
    total: float
    order: tuple[str, ...]
    network: Network
    targets: Targets | None = None
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
        if self.targets is not None:
            self.targets.require_fits(self.domain)
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
        """Draw rows; whole samples are held against the targets.

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
        return joined(self.blocks(rows, rng, likelihood=likelihood))

    def blocks(
        self,
        rows: int,
        rng: np.random.Generator,
        *,
        likelihood: Mapping[tuple[str, ...], Array] | None = None,
    ) -> Iterator[Codes]:
        """Yield the rows of ``sample`` in parts, without ever holding all of them; the same rows.

        Targets are followed in every 2**20 rows by themselves.
        """
        if rows < 0:
            raise ValueError("rows must be at least 0")
        for part in in_parts(rows, CORRECTED_ROWS):
            if likelihood or self.targets is None or not part:
                yield self._sample(part, rng, likelihood or {})
                continue
            candidates = self._sample(self.targets.candidates_for(part), rng, {})
            taken = self.targets.taken(candidates, self.domain, rows=part, rng=rng)
            yield {name: codes[taken] for name, codes in candidates.items()}

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
        header: dict[str, Any] = {
            "format": FORMAT,
            "total": float(self.total),
            "sizes": [[name, size] for name, size in self.domain.sizes.items()],
            "ordered": sorted(self.domain.ordered),
            "order": list(self.order),
            "network": {"kind": self.network.kind, **self.network.header()},
        }
        arrays: dict[str, NDArray[Any]] = dict(self.network.arrays())
        if self.targets is not None:
            header["targets"] = self.targets.header()
            arrays |= {f"targets/{name}": each for name, each in self.targets.arrays().items()}
        return header, arrays

    @classmethod
    def shapes(cls, header: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the arrays of a header, all float32; makes no array.

        Raises:
            IntegrityError: the header is not that of a model.
        """
        try:
            return dict(_Header.read(header).shapes)
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("the header is not that of a neural model") from error

    @classmethod
    def from_arrays(cls, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Read what ``to_arrays`` wrote.

        Raises:
            IntegrityError: the header or an array is not that of a model.
        """
        if {name: each.shape for name, each in arrays.items()} != cls.shapes(header) or any(
            each.dtype != np.float32 for each in arrays.values()
        ):
            raise IntegrityError("the arrays are not those that the header names")
        try:
            told = _Header.read(header)
            parts: dict[str, dict[str, NDArray[Any]]] = {"": {}, "targets": {}}
            for name, array in arrays.items():
                part, _, short = name.rpartition("/")
                parts[part][short] = array
            return cls(
                domain=told.domain,
                total=float(header["total"]),
                order=told.order,
                network=told.network.from_arrays(header["network"], told.sizes, parts[""]),
                targets=Targets.from_arrays(header["targets"], parts["targets"])
                if "targets" in header
                else None,
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

    @classmethod
    def read(cls, header: Mapping[str, Any]) -> Self:
        if header["format"] != FORMAT:
            raise ValueError(f"the model is not in the format {FORMAT}")
        domain = Domain(
            sizes={str(name): int(size) for name, size in header["sizes"]},
            ordered=frozenset(str(name) for name in header["ordered"]),
        )
        order = tuple(str(name) for name in header["order"])
        network = network_class(header["network"]["kind"])
        shapes = network.shapes(header["network"], domain.shape(order))
        if any("/" in name for name in shapes):
            raise ValueError("arrays of a network stand in no part")
        if "targets" in header:
            held = Targets.shapes(header["targets"], domain.sizes)
            shapes |= {f"targets/{name}": shape for name, shape in held.items()}
        return cls(domain=domain, order=order, network=network, shapes=shapes)

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.domain.shape(self.order)


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
