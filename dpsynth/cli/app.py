"""The program ``dpsynth``: its commands, and the one place where errors become exit codes."""

import json
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib.metadata import entry_points

import typer

from dpsynth.cli import (
    augment,
    augment_study,
    bench,
    demo,
    doctor,
    evaluate,
    fit,
    ledger,
    plan,
    release,
    replicate,
    sample,
    schema,
)
from dpsynth.cli.exits import Exit
from dpsynth.errors import DpsynthError

# typer gives no public name to the root of its usage errors; BadParameter is public, and its bases
# are UsageError and ClickException in every release that we support.
_USAGE_ERRORS: tuple[type[Exception], ...] = tuple(
    base for base in typer.BadParameter.__mro__ if base.__name__ in {"UsageError", "ClickException"}
)
_INTERRUPTED = "interrupted; whatever the ledger was charged stays charged"


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"dpsynth {version('dpsynth')}")
        raise typer.Exit


def build() -> typer.Typer:
    """Return the whole application: our own commands, then those of installed packages."""
    app = typer.Typer(
        name="dpsynth",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        help="Differentially private synthetic data, attacked and certified.",
        epilog="Exit codes: 0 done, 1 gate failed, 2 usage, 3 budget, 4 data or schema, "
        "5 integrity, 6 environment, 70 internal error, 130 interrupted.",
    )

    @app.callback()
    def _root(
        version: bool = typer.Option(
            False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
        ),
    ) -> None:
        """Differentially private synthetic data, attacked and certified."""

    for module in (
        schema,
        plan,
        release,
        fit,
        sample,
        evaluate,
        augment,
        augment_study,
        replicate,
        ledger,
        bench,
        demo,
        doctor,
    ):
        module.register(app)
    for entry in sorted(entry_points(group="dpsynth.commands"), key=lambda found: found.name):
        entry.load()(app)
    return app


def _report(message: str, code: Exit | int, *, kind: str, as_json: bool) -> int:
    """Say one sentence on standard error, and the same as JSON where that was asked for."""
    sys.stderr.write(f"dpsynth: {message}\n")
    if as_json:
        failure = {"error": message, "kind": kind, "exit_code": int(code)}
        sys.stdout.write(json.dumps(failure, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    return int(code)


def _place(error: BaseException) -> str:
    """Name where an unexpected error arose, without its message, which could hold a value."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "dpsynth" in frame.filename or "attacks" in frame.filename]
    if not ours:
        return "outside dpsynth"
    return f"{os.path.basename(ours[-1].filename)}, line {ours[-1].lineno}"  # noqa: PTH119 - text only


def main(arguments: Sequence[str] | None = None, *, stand_in: object = None) -> int:
    """Run one command and return its exit code; the entry point of the program.

    Args:
        arguments: of the command line; those of the process where not given.
        stand_in: what makes releases in a rehearsal, in the place of ``dpsynth.make_release``.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    debug = bool(os.environ.get("DPSYNTH_DEBUG"))
    try:
        with warnings.catch_warnings():
            if not debug:
                # A warning of a library may quote what it read.
                warnings.simplefilter("ignore")
            command = typer.main.get_command(build())
            code = command.main(
                args=given, prog_name="dpsynth", standalone_mode=False, obj=stand_in
            )
            sys.stdout.flush()
    except DpsynthError as error:
        if debug:
            traceback.print_exc()
        return _report(str(error), error.exit_code, kind=type(error).__name__, as_json=as_json)
    except _USAGE_ERRORS as error:
        message = error.format_message()  # type: ignore[attr-defined]  # all of them have it
        if type(error).__name__ == "NoArgsIsHelpError":  # its message is the whole help
            sys.stderr.write(f"{message}\n")
            return int(Exit.USAGE)
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "dpsynth"
        sentence = f"{message[0].lower()}{message[1:].rstrip('.')}; see: {path} --help"
        return _report(sentence, Exit.USAGE, kind="UsageError", as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return _report(_INTERRUPTED, Exit.INTERRUPTED, kind="Interrupted", as_json=as_json)
    except BrokenPipeError:
        # Whoever read our output has gone; writing more would only raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.INTERRUPTED)
    except OSError as error:
        if debug:
            traceback.print_exc()
        where = f" ({error.filename})" if error.filename else ""
        sentence = f"the system refused: {error.strerror or type(error).__name__}{where}"
        return _report(sentence, Exit.ENVIRONMENT, kind="OSError", as_json=as_json)
    except MemoryError:
        sentence = (
            "this machine has too little memory for the run; see dpsynth plan for an estimate"
        )
        return _report(sentence, Exit.ENVIRONMENT, kind="MemoryError", as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the last line of defense: no traceback with values
        if debug:
            traceback.print_exc()
        sentence = (
            f"internal error: {type(error).__name__} in {_place(error)}; please report it "
            "(DPSYNTH_DEBUG=1 prints the traceback, which may show values from the rows)"
        )
        return _report(sentence, Exit.INTERNAL, kind=type(error).__name__, as_json=as_json)
    if code == Exit.INTERRUPTED:
        return _report(_INTERRUPTED, Exit.INTERRUPTED, kind="Interrupted", as_json=as_json)
    return int(code) if isinstance(code, int) else int(Exit.DONE)
