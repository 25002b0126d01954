"""Print the commands section of docs/reference/cli.md, or renew it in place with --write."""

import sys
from pathlib import Path
from typing import Any

import typer

from dpsynth.cli.app import build

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"
BEGIN = "<!-- commands: written by tools/cli_reference.py --write -->\n"


def main() -> None:
    """Print, or write."""
    if "--write" in sys.argv:
        PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        sys.stdout.write(commands())


def renewed(page: str) -> str:
    """Return the page with its commands section as the program is now."""
    return page.partition(BEGIN)[0] + BEGIN + commands()


def commands() -> str:
    """Return the reference of every command, in the order of the program's help."""
    found = list(_leaves(typer.main.get_command(build()), "dpsynth"))
    return "\n".join(_section(path, command) for path, command in found)


def _leaves(command: Any, path: str) -> Any:
    inside = getattr(command, "commands", None)
    if inside is None:
        yield path, command
        return
    for name, child in inside.items():
        yield from _leaves(child, f"{path} {name}")


def _section(path: str, command: Any) -> str:
    parameters = [found for found in command.params if found.name != "help"]
    arguments = [found for found in parameters if found.param_type_name == "argument"]
    usage = " ".join([path, *(_shown(found) for found in arguments), "[OPTIONS]"])
    help_text = " ".join(str(command.help).split())
    lines = [f"### {path}", "", help_text, "", f"`{usage}`", ""]
    lines += ["| argument or option | | meaning |", "| --- | --- | --- |"]
    for found in parameters:
        name = ", ".join(found.opts) if found not in arguments else _shown(found)
        metavar = f" {found.metavar}" if found not in arguments and found.metavar else ""
        lines.append(f"| `{name}{metavar}` | {_need(found)} | {found.help} |")
    return "\n".join(lines) + "\n"


def _shown(argument: Any) -> str:
    return str(argument.metavar or argument.name).strip("[]")


def _need(parameter: Any) -> str:
    if parameter.required:
        return "required"
    default = parameter.default
    if default is None or default is False:
        return ""
    return f"default {getattr(default, 'value', default)}"


if __name__ == "__main__":
    main()
