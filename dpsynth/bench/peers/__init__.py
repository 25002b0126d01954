"""Other people's packages, each in an environment of its own; the library imports none.

A peer is one requirement set, pinned as it was seen to run, and one runner script that the peer's
own Python executes. Rows go there and back as Parquet, everything else as JSON.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dpsynth.errors import UnfitEnvironmentError, UnknownNameError, UsageError

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A package that synthesizes tables, attacks them, or measures how close they are.

    Attributes:
        name: of its distribution, and of its environment's folder.
        runner: file that drives it.
        license: of the package, as it states it.
        synthesizers: those that the runner can drive.
        attacks: those that the runner can drive.
        measures: likewise, of utility.
    """

    name: str
    runner: str
    license: str
    synthesizers: tuple[str, ...] = ()
    attacks: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()

    @property
    def requirements(self) -> Path:
        """The pinned set."""
        return HERE / f"{self.name}.txt"


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name="anonymeter",
            runner="runner_anonymeter.py",
            attacks=("inference", "linkability", "singling-out"),
            license="BSD-3-Clause-Clear",
        ),
        Peer(
            name="dpmm",
            runner="runner_dpmm.py",
            synthesizers=("aim", "mst", "privbayes"),
            license="Apache-2.0",
        ),
        Peer(
            name="mbi",
            runner="runner_mbi.py",
            synthesizers=("independent", "mst"),
            license="Apache-2.0",
        ),
        Peer(
            name="opendp",
            runner="runner_opendp.py",
            synthesizers=("aim", "mst"),
            license="MIT",
        ),
        Peer(
            name="privsyn-core",
            runner="runner_privsyn.py",
            synthesizers=("privsyn",),
            license="not stated",
        ),
        Peer(
            name="sdmetrics",
            runner="runner_sdmetrics.py",
            measures=("area", "tables"),
            license="MIT",
        ),
        Peer(
            name="smartnoise-synth",
            runner="runner_smartnoise.py",
            synthesizers=("aim", "dpctgan", "mst", "mwem", "patectgan"),
            license="MIT",
        ),
    )
}


def require(peer: str, synthesizer: str | None = None) -> Peer:
    """Return a peer by name.

    Raises:
        UnknownNameError: there is no such peer, or it has no such synthesizer.
    """
    if peer not in PEERS:
        raise UnknownNameError(f"no peer is called {peer!r}; there are: {', '.join(PEERS)}")
    found = PEERS[peer]
    if synthesizer is not None and synthesizer not in found.synthesizers:
        known = ", ".join(found.synthesizers) or "none"
        raise UnknownNameError(f"{peer} has no synthesizer {synthesizer!r}; there are: {known}")
    return found


def runner(peer: str) -> Path:
    """Return the script that drives a peer."""
    return HERE / require(peer).runner


def interpreter(peer: str, folder: Path) -> Path:
    """Return the peer's own Python, whether or not it is there yet."""
    return folder.absolute() / require(peer).name / "bin" / "python"


def installed(folder: Path) -> dict[str, bool]:
    """Return which peers have an environment in ``folder``."""
    return {name: interpreter(name, folder).exists() for name in PEERS}


def install(peer: str, *, folder: Path, progress: Callable[[str], None] = lambda _: None) -> Path:
    """Make the environment of a peer from its pinned requirements, and return its folder.

    Raises:
        UsageError: it is there already.
        UnfitEnvironmentError: the packages cannot be installed; nothing is left behind.
    """
    found = require(peer)
    target = folder / found.name
    if target.exists():
        raise UsageError(f"{target} is there already; remove it to install {peer} anew")
    folder.mkdir(parents=True, exist_ok=True)
    python = interpreter(peer, folder)
    steps = {
        "making an environment": [sys.executable, "-m", "venv", str(target)],
        "installing": [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "-r",
            str(found.requirements),
        ],
    }
    try:
        for step, command in steps.items():
            progress(f"{step} for {peer}")
            done = subprocess.run(  # noqa: S603  # our own words
                command, capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                lines = [line for line in done.stderr.splitlines() if "ERROR" in line]
                said = lines[0] if lines else f"exit code {done.returncode}"
                raise UnfitEnvironmentError(f"{step} for {peer} failed: {said}")
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return target
