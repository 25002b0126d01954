"""Run a synthesizer of dpsynth, or a reference, on raw rows; executed by the harness.

What a user of the library does: plan from the schema, code the rows, fit, sample, decode. The
references are not private and cost nothing.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.bench import runner_own

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.synthesizers.fitted import FittedModel


def load(name: str) -> dict[str, str]:
    """Import what a run needs, and return versions."""
    from importlib import import_module

    from dpsynth.bench.suite import REFERENCES

    for module in ("encoding.table", "synthesizers.facade", "synthesizers.fitted"):
        import_module(f"dpsynth.{module}")
    return runner_own.load(runner_own.FLOOR if name in REFERENCES else name)


def fit(job: Mapping[str, Any], frame: "pd.DataFrame") -> "pd.DataFrame | FittedModel":
    """Learn a model, or make the rows of a reference."""
    from dpsynth.bench.suite import REFERENCES
    from dpsynth.schema import Schema

    schema = Schema.from_dict(job["schema"])
    if job["name"] in REFERENCES:
        return reference(job, frame, schema)
    return fitted(job, frame, schema)


def sample(job: Mapping[str, Any], made: "pd.DataFrame | FittedModel") -> "pd.DataFrame":
    """Draw as many rows as the noisy answers speak for."""
    import pandas as pd

    return made if isinstance(made, pd.DataFrame) else made.sample(seed=job["seed"])


def fitted(job: Mapping[str, Any], frame: "pd.DataFrame", schema: "Schema") -> "FittedModel":
    """Plan and fit with a ledger in memory, and noise from the seed of the job if it has one."""
    from dpsynth import synthesizer
    from dpsynth.privacy.ledger import Ledger
    from dpsynth.privacy.randomness import PrivacyRandom, SeededRandom
    from dpsynth.sources.frame import prepare

    epsilon, delta, seed = Fraction(job["epsilon"]), Fraction(job["delta"]), job["seed"]
    method = synthesizer(job["name"], **job["settings"])
    plan = method.plan(schema, epsilon=epsilon, delta=delta)
    with Ledger.in_memory(
        cap_epsilon=runner_own.ROOM * epsilon,
        cap_delta=2 * delta or Fraction(1, 10**9),
        open_categories=plan.reserved_delta > 0,
    ) as ledger:
        account = plan.open(ledger, seeded=seed is not None)
        prepared = prepare(frame, schema, key=ledger.keyed)
        return method.fit_prepared(
            prepared,
            schema=schema,
            plan=plan,
            account=account,
            rng=PrivacyRandom() if seed is None else SeededRandom(seed),
        )


def reference(job: Mapping[str, Any], frame: "pd.DataFrame", schema: "Schema") -> "pd.DataFrame":
    """Return rows that no mechanism made.

    Raises:
        ValueError: nothing was held out, and these are the rows asked for.
    """
    import pandas as pd

    from dpsynth.encoding.table import decode_table, encode_table

    rng = np.random.default_rng(job["seed"])
    name = job["name"]
    if name == "resample":
        return frame.iloc[rng.integers(0, len(frame), len(frame))]
    if name == "test":
        if job["heldout"] is None:
            raise ValueError("the protocol holds no rows out")
        return pd.read_parquet(job["heldout"])
    if name == "recoded":
        return decode_table(encode_table(frame, schema).codes, schema, rng)
    if name == "shuffled":
        return pd.DataFrame(
            {each: frame[each].iloc[rng.permutation(len(frame))].to_numpy() for each in frame}
        )
    return frame
