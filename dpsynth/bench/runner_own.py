"""Run a synthesizer of dpsynth, or the floor, on a table of codes; executed by the harness.

The rows are codes already, as every peer gets them, so only the mechanism is measured: accounting,
plan, fit and sample. As many rows are drawn as the noisy estimate says.
"""

from collections.abc import Mapping
from fractions import Fraction
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.synthesizers.base import Learned

FLOOR = "resample"
ROOM = 100  # times epsilon that the ledger of a run may hold
_OF_TRAINING = ("torch", "dp_accounting.pld", "dpsynth.privacy.dpsgd.step")


def load(name: str) -> dict[str, str]:
    """Import what a run needs, and return versions."""
    import dpsynth
    import dpsynth.privacy.curator
    import dpsynth.sources.frame
    from dpsynth.synthesizers import registry

    if name != FLOOR and getattr(registry.get(name), "trained", False):
        for module in _OF_TRAINING:
            import_module(module)
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
            ``sizes`` and ``ordered`` of the domain, ``seed`` of the noise or None; where a plan
            needs them, ``expected_rows`` and ``target``.
        frame: codes.
    """
    from dpsynth import synthesizer
    from dpsynth.domain import Domain, PrivacyUnit
    from dpsynth.privacy.accounting import rho_from_epsilon, split_trained, total_rho
    from dpsynth.privacy.curator import Curator
    from dpsynth.privacy.ledger import Ledger
    from dpsynth.privacy.randomness import PrivacyRandom, SeededRandom
    from dpsynth.sources.frame import FrameSource
    from dpsynth.synthesizers.base import Budget

    domain = Domain(sizes=job["sizes"], ordered=frozenset(job["ordered"]))
    epsilon, delta = Fraction(job["epsilon"]), Fraction(job["delta"])
    unit, seed = PrivacyUnit(), job["seed"]
    method = synthesizer(job["name"], **job["settings"])
    if delta:
        budget = Budget(
            rho=rho_from_epsilon(epsilon, delta),
            epsilon=epsilon,
            delta=delta,
            expected_rows=job.get("expected_rows"),
            target=job.get("target"),
        )
        planned = method.bill(domain, unit=unit, budget=budget)
    else:
        planned = method.pure_steps(domain, unit=unit, epsilon=epsilon)
    trained, others = split_trained(step.event for step in planned)
    rho = total_rho(others)
    # In memory, and with a cap that cannot refuse: the subject is quality, not the ledger.
    ledger = Ledger.in_memory(cap_epsilon=ROOM * epsilon, cap_delta=delta or Fraction(1, 10**9))
    account = ledger.open_release(rho=rho, trained=trained, seeded=seed is not None)
    curator = Curator(
        FrameSource({name: frame[name].to_numpy() for name in domain.columns}, domain),
        unit=unit,
        account=account,
        rng=PrivacyRandom() if seed is None else SeededRandom(seed),
    )
    if delta:
        learned = method.spend(curator, budget=budget, planned=domain)
        assert trained or rho == budget.rho, "the plan is not the budget"
    else:
        learned = method.pure_learn(curator, epsilon=epsilon)
    assert account.left == 0, "the plan was not spent exactly"
    return learned
