"""Run a synthesizer of dpsynth, or the floor, on a table of codes; executed by the harness.

The rows are codes already, as every peer gets them, so only the mechanism is measured: accounting,
plan, fit and sample. As many rows are drawn as the noisy estimate says.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.synthesizers.base import Learned

FLOOR = "resample"


def load(name: str) -> dict[str, str]:
    """Import what a run needs, and return versions."""
    from importlib.metadata import version

    import dpsynth
    import dpsynth.privacy.curator
    import dpsynth.sources.frame
    from dpsynth.synthesizers import registry

    if name != FLOOR:
        registry.get(name)
    return {
        "dpsynth": dpsynth.__version__,
        **{package: version(package) for package in ("numpy", "scipy", "pandas")},
    }


def synthesize(job: Mapping[str, Any], frame: "pd.DataFrame") -> "pd.DataFrame":
    """Fit once, sample once."""
    import pandas as pd

    rng = np.random.default_rng(job["seed"])
    if job["name"] == FLOOR:
        return frame.iloc[rng.integers(0, len(frame), len(frame))]
    return pd.DataFrame(_learnt(job, frame, rng))


def _learnt(
    job: Mapping[str, Any], frame: "pd.DataFrame", rng: np.random.Generator
) -> dict[str, Any]:
    learned = learn(job, frame)
    codes: dict[str, Any] = learned.model.sample(max(round(learned.model.total), 1), rng)
    for column, coarsening in learned.coarsenings.items():
        codes[column] = coarsening.expand(codes[column], rng)
    return {name: codes[name] for name in job["sizes"]}


def learn(job: Mapping[str, Any], frame: "pd.DataFrame") -> "Learned":
    """Plan and fit, by the plan's own bill.

    Args:
        job: ``name`` and ``settings`` of the synthesizer, ``epsilon`` and ``delta`` as exact text,
            ``sizes`` and ``ordered`` of the domain, ``seed`` of the noise or None.
        frame: codes.
    """
    from dpsynth import synthesizer
    from dpsynth.domain import Domain, PrivacyUnit
    from dpsynth.privacy.accounting import epsilon_from_rho, rho_from_epsilon, total_rho
    from dpsynth.privacy.curator import Curator
    from dpsynth.privacy.ledger import Ledger
    from dpsynth.privacy.randomness import PrivacyRandom, SeededRandom
    from dpsynth.sources.frame import FrameSource

    domain = Domain(sizes=job["sizes"], ordered=frozenset(job["ordered"]))
    epsilon, delta = Fraction(job["epsilon"]), Fraction(job["delta"])
    unit, seed = PrivacyUnit(), job["seed"]
    method = synthesizer(job["name"], **job["settings"])
    if delta:
        rho = rho_from_epsilon(epsilon, delta)
        planned = method.steps(domain, unit=unit, rho=rho)
    else:
        planned = method.pure_steps(domain, unit=unit, epsilon=epsilon)
        rho = total_rho(step.event for step in planned)
    # In memory, and with a cap that cannot refuse: the subject is quality, not the ledger.
    cap_delta = delta or Fraction(1, 10**9)
    ledger = Ledger.in_memory(cap_epsilon=epsilon_from_rho(2 * rho, cap_delta), cap_delta=cap_delta)
    account = ledger.open_release(rho=rho, seeded=seed is not None)
    curator = Curator(
        FrameSource({name: frame[name].to_numpy() for name in domain.columns}, domain),
        unit=unit,
        account=account,
        rng=PrivacyRandom() if seed is None else SeededRandom(seed),
    )
    learned = (
        method.learn(curator, rho=rho) if delta else method.pure_learn(curator, epsilon=epsilon)
    )
    assert total_rho(step.event for step in planned) == rho, "the plan is not the budget"
    assert account.left == 0, "the plan was not spent exactly"
    return learned
