"""A synthesizer of dpsynth in the protocol that everybody's goes through."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dpsynth.testing.listening import Heard

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnFit:
    """A model, with what its ledger shows.

    Attributes:
        model: as fitted.
        events: of the ledger, in order.
        transcript: counts as released, where every event released one vector; else None.
    """

    model: Any
    events: tuple[dict[str, str], ...]
    transcript: Sequence[Any] | None

    def sample(self, rows: int | None, *, seed: int | None) -> "pd.DataFrame":
        """Draw rows; by default as many as the noisy counts add up to."""
        count = max(1, round(float(self.model.total))) if rows is None else rows
        drawn: pd.DataFrame = self.model.sample(count, seed=seed)
        return drawn


@dataclass(frozen=True, kw_only=True, eq=False)
class Own:
    """A synthesizer with a schema and a claim.

    Args:
        synthesizer: of dpsynth.
        schema: the declared columns and unit.
        epsilon: of the plan, exact text.
        delta: of the plan, exact text.
    """

    synthesizer: Any
    schema: "Schema"
    epsilon: str
    delta: str

    @cached_property
    def _plan(self) -> Any:
        return self.synthesizer.plan(self.schema, epsilon=self.epsilon, delta=self.delta)

    def fit(self, frame: "pd.DataFrame", *, seed: int | None) -> OwnFit:
        """Fit as a release does, but with a ledger in memory that certifies nothing."""
        from dpsynth.testing.rerun import fit_seeded

        heard = Heard()
        model, _ = fit_seeded(
            self.synthesizer,
            self.schema,
            self._plan,
            frame,
            lambda source, _: source,
            seed=seed,
            heard=heard,
        )
        extract = model.ledger_extract or {}
        events = tuple(dict(each["event"]) for each in extract.get("entries", ()))
        # Listeners note selections and steps apart: only where all are vectors do places agree.
        whole = len(heard.answered) == len(events)
        answers = [each.released for each in heard.answered] if whole else None
        return OwnFit(model=model, events=events, transcript=answers)
