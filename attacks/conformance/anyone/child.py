"""A process of its own: makes a mechanism, fits it with fresh noise, prints the sample's digest.

The table comes on standard input, as JSON.
"""

import io
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from attacks.conformance.anyone.making import made
from attacks.conformance.anyone.watch import watch


def main(target: str, rows: str) -> None:
    """Print the digest of one sample."""
    table = pd.read_json(io.StringIO(sys.stdin.read()), orient="table")
    with TemporaryDirectory() as folder:
        seen = watch(made(target), table, seed=None, rows=int(rows), folder=Path(folder))
    sys.stdout.write(seen.fingerprint + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
