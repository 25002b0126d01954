"""Singling out beside anonymeter 1.1.0: the same answers where its own are right.

    DPSYNTH_ANONYMETER=/path/to/its/python pytest -m nightly tests/nightly/test_anonymeter.py

anonymeter lives in an environment of its own, named by that variable. Its conditions on several
columns, its links and its guesses are held against ours where they are timed, in
benchmarks/attacks/against_anonymeter.py.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attacks.base import Evidence
from attacks.engine.encode import encode, missing, ordered, sizes
from attacks.engine.predicates import isolated
from attacks.engine.table import by_row, joined
from attacks.observed import Stage
from attacks.singling_out.game import singling_out
from attacks.singling_out.multivariate import Multivariate
from attacks.singling_out.univariate import Univariate
from dpsynth.schema import Schema

PYTHON = os.environ.get("DPSYNTH_ANONYMETER", "")
pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(
        not Path(PYTHON).is_file(),
        reason="DPSYNTH_ANONYMETER does not name the Python of an environment with anonymeter",
    ),
]
SURNAMES = ["O'Brien", "D'Arcy, Ann", 'Smith "Jo"', "Żak", "N'Golo", "O'Neil", "l'Hôpital", "Ng"]
SCHEMA = Schema.from_dict(
    {
        "columns": [
            {"name": "age", "kind": "integer", "bounds": [0, 99]},
            {"name": "change", "kind": "integer", "bounds": [-60, 60]},
            {"name": "days", "kind": "integer", "bounds": [0, 120]},
            {"name": "surname", "kind": "categorical", "values": SURNAMES},
            {"name": "ward", "kind": "categorical", "values": [f"ward {n}" for n in range(200)]},
        ]
    }
)
THEIRS = """
import json, sys
import numpy as np, pandas as pd
from anonymeter.evaluators import SinglingOutEvaluator
from anonymeter.evaluators import singling_out_evaluator as module

folder, mode, most, columns = sys.argv[1:]
release, members, controls = (
    pd.read_parquet(f"{folder}/{name}.parquet") for name in ("release", "members", "controls")
)
done = SinglingOutEvaluator(
    ori=members, syn=release, control=controls, n_attacks=int(most), n_cols=int(columns), seed=0,
    max_attempts=1_000,
)
made = []
generate = module._generate_singling_out_queries
module._generate_singling_out_queries = lambda **given: made.append(generate(**given)) or made[0]
done.evaluate(mode=mode)
counts = {"made": len(made[0])}
for name, part in (("members", done._ori), ("controls", done._control)):
    counts[name] = len(module._evaluate_queries_and_return_successful(df=part, queries=made[0]))
print(json.dumps(counts))
"""


def people(count, *, seed, surnames=SURNAMES):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": np.clip(rng.normal(50, 18, count).round(), 0, 99).astype(np.int64),
            "change": np.clip(rng.normal(0, 18, count).round(), -60, 60).astype(np.int64),
            "days": np.minimum(rng.exponential(20, count).round(), 120).astype(np.int64),
            "surname": rng.choice(surnames, count),
            "ward": [f"ward {n}" for n in np.minimum(rng.exponential(40, count), 199).astype(int)],
        }
    ).drop_duplicates(ignore_index=True)


def theirs(release, members, controls, *, mode, most, folder, columns=1):
    for name, frame in (("release", release), ("members", members), ("controls", controls)):
        frame.to_parquet(folder / f"{name}.parquet")
    done = subprocess.run(
        [PYTHON, "-I", "-c", THEIRS, str(folder), mode, str(most), str(columns)],
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def coded(frame):
    table = encode(frame, SCHEMA, name="table", persons=False)
    return by_row(table.columns, table.codes)


def evidence(release):
    return Evidence(
        release=release,
        population=release.take(np.empty(0, dtype=np.int64)),
        sizes=sizes(SCHEMA),
        ordered=ordered(SCHEMA),
        missing=missing(SCHEMA),
    )


def test_the_same_univariate_conditions_meet_as_many(tmp_path):
    release, members = people(1000, seed=1), people(800, seed=2)
    controls = people(800, seed=3).iloc[: len(members)]
    members = members.iloc[: len(controls)]  # else it fits a correction
    found = theirs(release, members, controls, mode="univariate", most=10**4, folder=tmp_path)
    made = Univariate().predicates(evidence(coded(release)))
    ours = {"made": len(made)}
    for name, frame in (("members", members), ("controls", controls)):
        ours[name] = int((isolated(made, coded(frame)) >= 0).sum())
    assert found == ours
    assert min(ours.values()) >= 5


def test_apostrophes_hide_a_copied_table_from_it_and_not_from_us(tmp_path):
    marked = [name for name in SURNAMES if "'" in name or '"' in name]
    members = people(600, seed=4, surnames=marked)
    controls = people(600, seed=5, surnames=marked).iloc[: len(members)]
    members = members.iloc[: len(controls)]
    found = theirs(
        members, members, controls, mode="multivariate", most=500, columns=5, folder=tmp_path
    )
    assert found == {"made": 0, "members": 0, "controls": 0}
    together = joined(coded(members), coded(controls))
    stage = Stage(targets=together, one_row=together, views=())
    (line,) = singling_out(Multivariate(conditions=5), evidence(coded(members)), stage)
    is_member = np.arange(together.size) < len(members)
    (share,) = (
        figure.value
        for figure in line.describe(is_member)
        if figure.name.startswith("share of conditions") and figure.group == "members"
    )
    assert share == 1
    assert line.hits[is_member].mean() > 0.5
    assert not line.hits[~is_member].any()
