"""What an object must offer to be put on trial: fit on a frame, say what it cost, sample.

Nothing here has to be imported or inherited: an object that has these methods is a mechanism.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd

Event = Mapping[str, Any]


class Fitted(Protocol):
    """What a fit returns.

    Two attributes are optional, and make the trial sharper where they are there:

    - ``events``, a sequence of mappings: what the fit was charged for, each as the ledger of
      dpsynth writes it. Without it the claim is the (epsilon, delta) that the trial is told. An
      empty sequence says that nothing was charged, and is held to that.
    - ``transcript``, a sequence of arrays: the noisy answers as they were released, for each event
      in order, None where there is none. Numbers only, and the same shapes in every fit.
    """

    def sample(self, rows: int | None, *, seed: int | None) -> "pd.DataFrame":
        """Return synthetic rows.

        Args:
            rows: how many; None for as many as the mechanism would give by itself.
            seed: of the draws from what was fitted, or None.
        """
        ...


class Mechanism(Protocol):
    """What is put on trial."""

    def fit(self, frame: "pd.DataFrame", *, seed: int | None) -> Fitted:
        """Learn from ``frame``.

        Args:
            frame: made-up rows with the columns of the specification.
            seed: of all noise, another one for every fit; None for fresh noise, as in a release.
        """
        ...


def events_of(fitted: Fitted) -> tuple[dict[str, str], ...] | None:
    """Return the events of a fit as exact text, or None where it states none.

    Two short forms are written out: ``pure/v1`` with an ``epsilon``, for a mechanism that is
    epsilon-DP by itself; and ``gaussian/v1`` with ``sigma_squared`` and
    ``l2_sensitivity_squared``, for noise on real numbers, which keeps every claim that the same
    noise on whole numbers keeps.
    """
    found = getattr(fitted, "events", None)
    if found is None:
        return None
    return tuple(_written(event) for event in found)


def _written(event: Event) -> dict[str, str]:
    words = {str(name): str(value) for name, value in event.items()}
    if words.get("kind") == "pure/v1":
        return {
            "kind": "discrete_laplace/v1",
            "scale": "1",
            "l1_sensitivity": words.get("epsilon", ""),
        }
    if words.get("kind") == "gaussian/v1":
        return {**words, "kind": "discrete_gaussian/v1"}
    return words


def transcript_of(fitted: Fitted) -> Sequence[Any] | None:
    """Return the noisy answers of a fit, or None where it shows none."""
    found: Sequence[Any] | None = getattr(fitted, "transcript", None)
    return found
