"""Where a result comes from: the commit of the code and the kind of machine."""

import os
import platform
import subprocess
from pathlib import Path

HERE = Path(__file__).parent


def commit() -> str:
    """Return the commit of the code, with "+" where files differ from it, or "unknown"."""
    package = HERE.parent
    if _git("ls-files", "--error-unmatch", "__init__.py", cwd=package) is None:
        return "unknown"
    found = _git("rev-parse", "--short", "HEAD", cwd=package)
    changed = _git("status", "--porcelain", "--", ".", cwd=package)
    return "unknown" if found is None else found + ("+" if changed else "")


def _git(*words: str, cwd: Path) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  # fixed words
            ["git", *words],  # noqa: S607  # whichever git the path has
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd,
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def machine() -> str:
    """Return the kind of machine, for people: processor and number of cores."""
    model = platform.machine()
    about = Path("/proc/cpuinfo")
    if about.is_file():
        lines = about.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores"
