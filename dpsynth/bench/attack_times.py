"""Recorded times of attacks and audits, as tables for a page."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]

# How many times faster than anonymeter 1.1.0 each attack was to be.
LEAST = {"inference": 100, "singling-out": 20, "linkability": 8}
_SAID = {
    "inference": "inference of every column by the other 14",
    "linkability": "linkability of two halves of the columns, 10 neighbors",
    "singling-out": "singling out by 4 columns",
}


def read(path: Path) -> list[Line]:
    """Return the lines of a file of results."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def beside_peer(lines: Sequence[Line]) -> str:
    """Return what each attack took here and in the peer, and how the answers compare."""
    peer = lines[0]["peer"] if lines else "peer"
    head = f"| attack | CPU s | MiB | {peer}: CPU s | {peer}: MiB | times faster | was to be |"
    rows = [head, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    rows += [
        f"| {_SAID[line['attack']]} | {line['cpu_seconds']:.2f} | {line['peak_mib']} | "
        f"{line['peer_cpu_seconds']:.1f} | {line['peer_peak_mib']} | "
        f"{line['times_faster']:.0f} | {LEAST[line['attack']]} |"
        for line in lines
    ]
    rows += ["", "What was compared of the answers:", ""]
    for line in lines:
        counts = ", ".join(
            f"{name.replace('_', ' ')} {count:,}" for name, count in line["answers"].items()
        )
        rows.append(f"- {line['attack']}: {counts}")
    return "\n".join([*rows, "", _made(lines, peer=peer), ""])


def audits(lines: Sequence[Line]) -> str:
    """Return what each audit took, and where the time of the first standard one went."""
    rows = [
        "| table | persons | columns | tier | CPU s | MiB | verdict |",
        "| --- | ---: | ---: | --- | ---: | ---: | --- |",
    ]
    rows += [
        f"| {line['table']} | {line['rows']:,} | {line['columns']} | {line['tier']} | "
        f"{line['cpu_seconds']:.1f} | {line['peak_mib']} | {line['verdict']} |"
        for line in lines
    ]
    for line in [each for each in lines if each["tier"] == "standard"][:1]:
        rows += ["", f"Where the time of `standard` on {line['table']} goes:", ""]
        rows += ["| step | CPU s |", "| --- | ---: |"]
        steps = sorted(line["steps"].items(), key=lambda step: -step[1])
        rows += [f"| {name} | {seconds:.2f} |" for name, seconds in steps]
    return "\n".join([*rows, "", _made(lines), ""])


def _made(lines: Sequence[Line], *, peer: str = "") -> str:
    """Say by what, where and when the lines were made."""
    parts = []
    for line in lines:
        text = f"Commit {line['commit']}, {line['date']}, {line['machine']}; "
        text += _packages(line["versions"])
        if peer:
            text += f"; the peer with {_packages(line['peer_versions'])}"
        parts.append(f"{text}.")
    return "\n".join(dict.fromkeys(parts))


def _packages(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))
