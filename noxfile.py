"""Runs that need an environment of their own.

nox itself cannot live in .venv: dp-accounting, which the tests compare with, needs attrs below 24
and nox a newer one. Run it from its own environment: `pipx run nox -s nightly`.
"""

import nox

nox.options.sessions = ["py312", "py313", "pandas2"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True  # a run that was skipped is not a run that passed


@nox.session(python="3.11")
def nightly(session: nox.Session) -> None:
    session.install("--constraint", "constraints.txt", "--editable", ".[dev]")
    session.run(
        "pytest", "-n", "2", "--dist", "loadgroup", "-m", "nightly or not nightly",
        *session.posargs,
        env={"DPSYNTH_KILLS": "1000"},
    )  # fmt: skip


@nox.session(python="3.12")
def py312(session: nox.Session) -> None:
    session.install("--editable", ".[dev]")
    session.run("pytest", "-n", "2", "--dist", "loadgroup", *session.posargs)


@nox.session(python="3.13")
def py313(session: nox.Session) -> None:
    session.install("--editable", ".[dev]")
    session.run("pytest", "-n", "2", "--dist", "loadgroup", *session.posargs)


@nox.session(python="3.11")
def pandas2(session: nox.Session) -> None:
    """The oldest pandas and numpy that we support."""
    session.install("--editable", ".[dev]", "pandas==2.3.*", "numpy==2.0.*")
    session.run("pytest", "-n", "2", "--dist", "loadgroup", *session.posargs)
