"""What an attack that singles out is: it states conditions from the release, and sees nobody."""

from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence, TooLittle
from attacks.engine.predicates import Predicates
from attacks.engine.released import Released
from attacks.threat_model import ThreatModel

_SHUFFLED = 1 << 22  # records, at most, whose numbers are all put in random order


class SinglingOutAttack(Protocol):
    """States conditions that it expects one person to meet; never handed a person."""

    name: ClassVar[str]
    threat_model: ClassVar[ThreatModel]

    @property
    def point(self) -> str:
        """Name of the operating point."""
        ...

    def predicates(self, evidence: Evidence) -> Predicates:
        """Return conditions, each of which one released record alone meets."""
        ...


def distinct_records(evidence: Evidence) -> Released:
    """Return the release with every record once: one that stands there twice is still one record.

    Raises:
        TooLittle: the release has no rows.
    """
    release = evidence.release
    if not len(release) or not release.columns:
        raise TooLittle("the release has no rows to make a condition from")
    return evidence.once(("distinct records", release), release.distinct)


def drawn(count: int, *, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return at most ``most`` of ``count`` records in random order, no record twice.

    Of very many, without putting all their numbers in order first.
    """
    if count <= _SHUFFLED:
        return rng.permutation(count)[:most]
    return rng.choice(count, min(count, most), replace=False)


def last_codes(evidence: Evidence) -> NDArray[np.int32]:
    """Return by column the greatest code that is not the missing level; -1 where there is none."""
    return np.array(
        [
            evidence.sizes[name] - 1 - (name in evidence.missing)
            for name in evidence.release.columns
        ],
        dtype=np.int32,
    )


def stated(
    places: NDArray[np.int32],
    codes: NDArray[np.int32],
    *,
    upward: NDArray[np.bool_],
    downward: NDArray[np.bool_],
    last: NDArray[np.int32],
) -> Predicates:
    """Return conditions on codes: equal, at least, or at most.

    Args:
        places: shape ``(predicates, conditions)``, the columns.
        codes: of the same shape, the code that each condition is about.
        upward: of the same shape, whether larger codes meet it too.
        downward: of the same shape, whether smaller codes meet it too.
        last: by column, the greatest code that is not the missing level; a condition on the
            missing level is met by nothing else.
    """
    last = last[places]
    missing = codes > last
    return Predicates(
        columns=places,
        low=np.where(downward & ~missing, 0, codes).astype(np.int32),
        high=np.where(upward & ~missing, last, codes).astype(np.int32),
    )
