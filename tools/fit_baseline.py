"""Record how long a fit takes, in units of a fixed piece of work, for the gate of the tests.

    python tools/fit_baseline.py --write [NAME...]

Least of three ratios for each synthesizer on RAND HIE from statsmodels at epsilon 1, fit and
sample. Renew it when a fit has become faster, and when it had to become slower, with the reason in
the commit. Names that are recorded are renewed where none are given.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from dpsynth.bench import provenance, runner_own
from dpsynth.bench.packaged import from_package
from dpsynth.bench.paired import paired_ratio

BASELINE = Path(__file__).parent.parent / "tests" / "benchmarks" / "baseline.json"


def main() -> None:
    """Print, or write."""
    names = [word for word in sys.argv[1:] if not word.startswith("-")]
    if BASELINE.exists() and not names:
        names = sorted(json.loads(BASELINE.read_text(encoding="utf-8"))["ratios"])
    table = from_package("statsmodels", "randhie", bins=32)
    rows = pd.DataFrame(dict(table.codes))
    given = {"settings": {}, "epsilon": "1", "delta": "1e-9", "seed": 200}
    given |= {"sizes": dict(table.sizes), "ordered": list(table.ordered)}
    ratios = {}
    for name in names:
        job = {"name": name, **given}
        found = [paired_ratio(lambda: runner_own.synthesize(job, rows)) for _ in range(3)]  # noqa: B023
        ratios[name] = round(min(found), 3)
    held = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": provenance.commit(),
        "machine": provenance.machine(),
        "ratios": ratios,
    }
    text = json.dumps(held, indent=2) + "\n"
    if "--write" in sys.argv:
        BASELINE.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
