"""Draws of the mechanisms at frozen inputs, from a known seed: for tests of their laws.

Each goes through the mechanism that a release uses, so that a factor that is wrong there shows.
What a seed made protects nobody; the operating system's source is not what these draws test.
"""

import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.privacy.accounting import total_rho
from dpsynth.privacy.mechanisms import (
    DiscreteGaussian,
    DiscreteLaplace,
    ExponentialSelection,
    PartitionSelection,
)
from dpsynth.privacy.queries import MarginalErrorQuery, MarginalQuery
from dpsynth.privacy.randomness import PrivacyRandom, SeededRandom
from dpsynth.testing.worlds import GeneratedSource, curator_over

if TYPE_CHECKING:
    from dpsynth.privacy.dpsgd.step import PrivateGradients


_WIDE = Fraction(2**30)  # noise of which four draws are never the same twice
_HIGH = 2**40


def gaussian(sigma_squared: Fraction, *, size: int, seed: int) -> NDArray[np.int64]:
    """Return what ``DiscreteGaussian`` adds to ``size`` counts of 0."""
    zeros = np.zeros(size, dtype=np.int64)
    return DiscreteGaussian(sigma_squared=sigma_squared).release(zeros, rng=SeededRandom(seed))


def laplace(scale: Fraction, *, size: int, seed: int) -> NDArray[np.int64]:
    """Return what ``DiscreteLaplace`` adds to ``size`` counts of 0."""
    zeros = np.zeros(size, dtype=np.int64)
    return DiscreteLaplace(scale=scale).release(zeros, rng=SeededRandom(seed))


def calls(
    event: Mapping[str, str], counts: Sequence[NDArray[np.int64]], *, seed: int
) -> list[NDArray[Any]]:
    """Return what the mechanism of ``event`` adds to each of several vectors, one after the other.

    One mechanism and one source of randomness for all of them, as within a release.

    Args:
        event: Gaussian or Laplace noise on counts, as a document.
        counts: frozen inputs.
        seed: of the noise.
    """
    mechanism, rng = _additive(event), SeededRandom(seed)
    return [mechanism.release(each.copy(), rng=rng) - each for each in counts]


def measured(
    event: Mapping[str, str], counts: Sequence[NDArray[np.int64]], *, first: int, seed: int
) -> list[NDArray[Any]]:
    """Return what a curator adds to each of several tables, that it is asked for in two calls.

    Args:
        event: as for ``calls``.
        counts: frozen tables.
        first: how many of them it is asked for in the first call.
        seed: of the noise.
    """
    mechanism, domain = (
        _additive(event),
        Domain(sizes={f"t{at}": each.size for at, each in enumerate(counts)}),
    )
    queries = [MarginalQuery(clique=(name,), domain=domain) for name in domain.columns]
    frozen = dict(zip(domain.columns, counts, strict=True))
    rho = total_rho(query.event(mechanism, PrivacyUnit()) for query in queries)
    curator = curator_over(
        frozen, domain, rho, source=lambda held, known: _Frozen(held, known), seed=seed
    )
    answers = [
        *curator.measure(queries[:first], mechanism),
        *curator.measure(queries[first:], mechanism),
    ]
    return [answer.values - each for answer, each in zip(answers, counts, strict=True)]


class _Frozen(GeneratedSource):
    """Tables that are what they are, behind the protocol of a table source."""

    def count(self, clique: tuple[str, ...]) -> NDArray[np.int64]:
        """Return the table."""
        return self._codes[clique[0]].copy()


def _additive(event: Mapping[str, str]) -> DiscreteGaussian | DiscreteLaplace:
    if "sigma_squared" in event:
        return DiscreteGaussian(sigma_squared=Fraction(event["sigma_squared"]))
    return DiscreteLaplace(scale=Fraction(event["scale"]))


def selections(
    epsilon: Fraction,
    scores: NDArray[np.int64],
    *,
    sensitivity: Fraction,
    draws: int,
    seed: int,
) -> NDArray[np.int64]:
    """Return how often ``ExponentialSelection`` chooses each of ``scores``."""
    mechanism, rng = ExponentialSelection(epsilon=epsilon), SeededRandom(seed)
    chosen = [mechanism.select(scores, sensitivity=sensitivity, rng=rng) for _ in range(draws)]
    return np.bincount(np.array(chosen, dtype=np.int64), minlength=scores.size)


def scored(event: Mapping[str, str], scores: NDArray[np.int64], *, seed: int) -> NDArray[np.int64]:
    """Return what a curator adds to the scores of candidates that it releases together.

    Args:
        event: Gaussian noise on scores, as a document.
        scores: frozen.
        seed: of the noise.
    """
    mechanism = DiscreteGaussian(sigma_squared=Fraction(event["sigma_squared"]))
    query, tables = _candidates(scores)
    squared = query.l2_sensitivity_squared(PrivacyUnit())
    rho = total_rho([mechanism.event(l2_sensitivity_squared=squared)])
    curator = curator_over(
        tables, query.domain, rho, source=lambda held, known: _Frozen(held, known), seed=seed
    )
    return curator.score(query, mechanism, label="scores") - scores


def _candidates(
    scores: NDArray[np.int64],
) -> tuple[MarginalErrorQuery, dict[str, NDArray[np.int64]]]:
    """Return candidates of these scores: tables of one cell, counted from the least on."""
    least = int(scores.min())
    domain = Domain(sizes={f"t{at}": 1 for at in range(scores.size)})
    query = MarginalErrorQuery(
        cliques=tuple((name,) for name in domain.columns),
        references=tuple(np.zeros(1, dtype=np.int64) for _ in range(scores.size)),
        resolution=1,
        domain=domain,
        offsets=(least,) * scores.size,
    )
    return query, {name: scores[at : at + 1] - least for at, name in enumerate(domain.columns)}


def choices(
    epsilon: Fraction, scores: NDArray[np.int64], *, rounds: int, seed: int
) -> NDArray[np.int64]:
    """Return what a curator chooses in ``rounds`` paid choices among candidates of these scores.

    Each candidate is a table of one cell, whose count is how far its score lies above the least.

    Args:
        epsilon: of each choice.
        scores: frozen; of sensitivity 1.
        rounds: how many choices.
        seed: of the noise.
    """
    query, tables = _candidates(scores)
    mechanism = ExponentialSelection(epsilon=epsilon)
    rho = total_rho([mechanism.event()] * rounds)
    curator = curator_over(
        tables, query.domain, rho, source=lambda held, known: _Frozen(held, known), seed=seed
    )
    selection = curator.select(query, mechanism, rounds=rounds, label="choice")
    everyone = list(range(scores.size))
    return np.array([selection.pick(everyone) for _ in range(rounds)], dtype=np.int64)


def values_kept(
    event: Mapping[str, str], units: Sequence[NDArray[np.int64]], *, seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the places and noisy counts that ``PartitionSelection`` releases, call by call.

    Args:
        event: the planned selection, as a document.
        units: how many units hold each value, a vector a call.
        seed: of the noise.
    """
    mechanism, rng = _selecting(event), SeededRandom(seed)
    return [mechanism.release(each.copy(), rng=rng) for each in units]


def released_values(
    event: Mapping[str, str], *, units: int, size: int, seed: int
) -> NDArray[np.int64]:
    """Return the noisy counts that ``PartitionSelection`` releases of ``size`` values.

    Args:
        event: the planned selection, as a document.
        units: how many units hold each value.
        size: how many values there are.
        seed: of the noise.
    """
    counts = np.full(size, units, dtype=np.int64)
    return _selecting(event).release(counts, rng=SeededRandom(seed))[1]


def _selecting(event: Mapping[str, str]) -> PartitionSelection:
    return PartitionSelection(
        sigma_squared=Fraction(event["sigma_squared"]),
        threshold=int(Fraction(event["threshold"])),
        delta=Fraction(event["delta"]),
    )


def fresh_words(count: int) -> NDArray[np.uint64]:
    """Return words of a release's own source of randomness: another such object every time."""
    return PrivacyRandom().words(count)


def fresh_noise() -> dict[str, tuple[int, ...]]:
    """Return four draws of each mechanism with a release's own source of randomness.

    So wide that they never come up twice by chance: each name stands for 48 bits or more.
    """
    zeros = np.zeros(4, dtype=np.int64)
    alike = np.zeros(4_096, dtype=np.int64)
    choice, one = ExponentialSelection(epsilon=Fraction(1)), Fraction(1)
    wide = PartitionSelection(sigma_squared=_WIDE**2, threshold=2, delta=Fraction(1, 2))
    high = np.full(4, _HIGH, dtype=np.int64)
    held = {
        "gaussian": DiscreteGaussian(sigma_squared=_WIDE**2).release(zeros, rng=PrivacyRandom()),
        "laplace": DiscreteLaplace(scale=_WIDE).release(zeros, rng=PrivacyRandom()),
        "choices": np.array(
            [choice.select(alike, sensitivity=one, rng=PrivacyRandom()) for _ in range(4)]
        ),
        "values": wide.release(high, rng=PrivacyRandom())[1],
    }
    return {name: tuple(each.tolist()) for name, each in held.items()}


def forked_words(count: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return words of one source in this process and in a copy of it; None where none can be made.

    The copy is made after the source, as where a pool of workers is.
    """
    if not hasattr(os, "fork"):
        return None
    source = PrivacyRandom()
    source.words(count)
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.write(theirs, source.words(count).tobytes())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as stream:
        copied = np.frombuffer(stream.read(), dtype=np.uint64)
    os.waitpid(child, 0)
    return tuple(source.words(count).tolist()), tuple(copied.tolist())


def trained(event: Mapping[str, str], *, size: int, seed: int) -> NDArray[np.float64]:
    """Return what one step of a training releases of ``size`` sums over nobody, in clip norms.

    Raises:
        ImportError: torch is not installed.
    """
    import torch

    private = _training(event, units=0, steps=1, seed=seed)
    model = torch.nn.Linear(size, 1, bias=False)
    found = private.release(model, lambda held, rows: held(rows.float())[:, 0])["weight"]
    return np.asarray(found.double().numpy().ravel() * private.rule.divisor)


def trained_totals(
    event: Mapping[str, str], *, units: int, steps: int, seed: int
) -> NDArray[np.float64]:
    """Return the sums that steps of a training release where each unit in a batch adds a clip norm.

    That is the size of each batch, with the noise of one number. ``units`` are made up.

    Raises:
        ImportError: torch is not installed.
    """
    import torch

    private = _training(event, units=units, steps=steps, seed=seed)
    model = torch.nn.Linear(1, 1, bias=False)
    found = [
        float(private.release(model, lambda held, rows: 2 * held(rows + 1.0)[:, 0])["weight"])
        for _ in range(steps)
    ]
    return np.array(found) * private.rule.divisor


def trained_groups(
    event: Mapping[str, str], *, groups: int, units: int, steps: int, seed: int
) -> NDArray[np.float64]:
    """Return how many units of each group were in each batch, shape ``(steps, groups)``, noisy.

    Every unit adds a clip norm to the number of its group; ``units`` of each group are made up.

    Raises:
        ImportError: torch is not installed.
    """
    import torch

    whose = np.arange(groups * units, dtype=np.int64) % groups
    private = _training(event, units=whose.size, steps=steps, seed=seed, codes=whose)
    model = torch.nn.Linear(groups, 1, bias=False)

    def loss(held: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
        return 2 * held(torch.nn.functional.one_hot(rows[:, 0], groups).float())[:, 0]

    found = [private.release(model, loss)["weight"] for _ in range(steps)]
    return np.array([each.double().numpy().ravel() for each in found]) * private.rule.divisor


def trained_members(
    event: Mapping[str, str], *, units: int, declared: int, steps: int, seed: int
) -> NDArray[np.bool_]:
    """Return which units were in which batch, shape ``(steps, units)``.

    Every unit adds a clip norm to a number of its own, and the noise is a thousandth of that:
    what is read is what went into the sums.

    Args:
        event: the planned training, as a document; its noise is left aside.
        units: how many there are, made up.
        declared: how many were said to be there.
        steps: how many batches.
        seed: of the coins.

    Raises:
        ImportError: torch is not installed.
    """
    import torch

    whose = np.arange(units, dtype=np.int64)
    quiet = {**event, "noise_multiplier": "1/1024"}
    private = _training(quiet, units=units, steps=steps, seed=seed, codes=whose, declared=declared)
    model = torch.nn.Linear(units, 1, bias=False)

    def loss(held: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
        return 2 * held(torch.nn.functional.one_hot(rows[:, 0], units).float())[:, 0]

    found = [private.release(model, loss)["weight"].double().numpy() for _ in range(steps)]
    return np.array(found).reshape(steps, units) * private.rule.divisor > 0.5


def trained_steps(
    event: Mapping[str, str], *, size: int, steps: int, seed: int
) -> NDArray[np.float64]:
    """Return what steps of one training release of ``size`` sums over nobody, in clip norms.

    Shape ``(steps, size)``.

    Raises:
        ImportError: torch is not installed.
    """
    import torch

    private = _training(event, units=0, steps=steps, seed=seed)
    model = torch.nn.Linear(size, 1, bias=False)

    def loss(held: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
        return held(rows.float())[:, 0]

    found = [private.release(model, loss)["weight"].double().numpy() for _ in range(steps)]
    return np.array(found).reshape(steps, size) * private.rule.divisor


def _training(
    event: Mapping[str, str],
    *,
    units: int,
    steps: int,
    seed: int,
    codes: NDArray[np.int64] | None = None,
    declared: int | None = None,
) -> "PrivateGradients":
    from dpsynth.privacy.dpsgd.engines import engine_of
    from dpsynth.privacy.dpsgd.rule import StepRule
    from dpsynth.privacy.dpsgd.step import PrivateGradients
    from dpsynth.privacy.dpsgd.stream import KeyedStream
    from dpsynth.privacy.source import UnitRows

    rule = StepRule(
        rate=Fraction(event["rate"]),
        noise_multiplier=Fraction(event["noise_multiplier"]),
        clip=1.0,
        steps=steps,
        expected_units=max(units, 1) if declared is None else declared,
    )
    held = np.zeros(units, dtype=np.int64) if codes is None else codes
    return PrivateGradients(
        UnitRows(codes=held[:, None], units=np.arange(units)),
        max_rows=1,
        rule=rule,
        engine=engine_of("book_keeping"),
        stream=KeyedStream.fresh(SeededRandom(seed)),
    )
