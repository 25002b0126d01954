"""One fit, as somebody sees it who may not see the rows: answers, words, files, how it ended."""

import hashlib
import io
import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attacks.conformance.anyone.protocol import Mechanism, events_of, transcript_of
from dpsynth.testing.logged import Lines

if TYPE_CHECKING:
    import pandas as pd

_WORD = re.compile(r"[^\s,;:()\[\]{}'\"=<>]+")
_MOST_WORDS = 400
ADDRESS = re.compile(r"0x[0-9a-f]+")


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What one fit and its samples show.

    Attributes:
        ended: "well", or the type of what was raised, and where.
        said: warnings, log lines, output and the text of what was raised.
        events: what was charged, or None where nothing is stated.
        given: the rows that came when none were asked for, or None.
        frame: the rows that were asked for, or None.
        layout: columns, their types and categories, index and attributes of the sample, as text.
        files: names and digests of files that were left behind.
        held: the content of these files, and what was said: where raw values are looked for.
        transcript: noisy answers, or None.
    """

    ended: str
    said: str
    events: tuple[dict[str, str], ...] | None
    given: "pd.DataFrame | None" = field(repr=False)
    frame: "pd.DataFrame | None" = field(repr=False)
    layout: str
    files: tuple[tuple[str, str], ...]
    held: bytes = field(repr=False)
    transcript: tuple[Any, ...] | None = field(repr=False)

    @property
    def default_rows(self) -> int | None:
        """How many rows came when none were asked for, or None."""
        return None if self.given is None else len(self.given)

    @property
    def words(self) -> frozenset[str]:
        """The words and numbers that were said."""
        return frozenset(_WORD.findall(self.said)[:_MOST_WORDS])

    @property
    def fingerprint(self) -> str:
        """A digest of the sample."""
        if self.frame is None:
            return ""
        text = self.frame.to_csv(index=False, float_format="%.17g")
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def conduct(self) -> dict[str, object]:
        """Return what must not follow the rows, noise or not."""
        return {
            "how the fit ended": self.ended,
            "warnings, log lines or output": ADDRESS.sub("", self.said),
            "columns, types, categories or index of the sample": self.layout,
            "whether rows are given when none are asked for": self.default_rows is None,
            "files left behind": self.files,
            "what was charged": None if self.events is None else repr(self.events),
        }


@contextmanager
def _elsewhere(folder: Path) -> Iterator[None]:
    """Make ``folder`` the working directory."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def watch(
    mechanism: Mechanism,
    table: "pd.DataFrame",
    *,
    seed: int | None,
    rows: int,
    folder: Path,
    draws: int = 0,
) -> Seen:
    """Fit once on a copy of ``table``, sample, and return all that can be seen of it.

    Args:
        mechanism: what is on trial.
        table: made-up rows.
        seed: of the fit.
        rows: to be sampled.
        folder: an empty folder; what is left there is noted and removed.
        draws: seed of the sample; the same for all fits, so that samples differ by the fit alone.
    """
    lines, out = Lines(), io.StringIO()
    ended, raised, fitted, frame, given = "well", "", None, None, None
    root = logging.getLogger()
    level = root.level
    root.addHandler(lines)
    root.setLevel(logging.INFO)
    try:
        with (
            _elsewhere(folder),
            warnings.catch_warnings(record=True) as warned,
            redirect_stdout(out),
            redirect_stderr(out),
        ):
            warnings.simplefilter("always")
            try:
                fitted = mechanism.fit(table.copy(), seed=seed)
            except Exception as fault:  # noqa: BLE001  # whatever it is, it can be seen
                ended, raised = f"{type(fault).__name__} in fit", str(fault)
            if fitted is not None:
                try:
                    frame = fitted.sample(rows, seed=draws)
                except Exception as fault:  # noqa: BLE001
                    ended, raised = f"{type(fault).__name__} in sample", str(fault)
                try:
                    given = fitted.sample(None, seed=draws)
                except Exception:  # noqa: BLE001  # it need not know by itself how many
                    given = None
    finally:
        root.setLevel(level)
        root.removeHandler(lines)
    texts = [f"{type(each.message).__name__} {each.message}" for each in warned]
    said = "\n".join([*texts, *lines.held, out.getvalue(), raised]).strip()
    files, content = _left(folder)
    events = None if fitted is None else events_of(fitted)
    answers = None if fitted is None else transcript_of(fitted)
    return Seen(
        ended=ended,
        said=said,
        events=events,
        given=given,
        frame=frame,
        layout="" if frame is None else _layout(frame),
        files=files,
        held=content + said.encode() + repr(events).encode(),
        transcript=None if answers is None else tuple(answers),
    )


def _left(folder: Path) -> tuple[tuple[tuple[str, str], ...], bytes]:
    found, content = [], b""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
            continue
        held = path.read_bytes()
        found.append((str(path.relative_to(folder)), hashlib.sha256(held).hexdigest()[:16]))
        content += held
        path.unlink()
    return tuple(sorted(found)), content


def _layout(frame: "pd.DataFrame") -> str:
    parts = []
    for name in frame.columns:
        dtype = frame[name].dtype
        categories = getattr(dtype, "categories", None)
        parts.append(f"{name}: {dtype} {'' if categories is None else list(categories)}")
    index = frame.index
    usual = len(index) == 0 or bool((np.asarray(index) == np.arange(len(index))).all())
    parts.append(f"index {type(index).__name__} {'in order' if usual else 'its own'}")
    parts.append(f"attributes {frame.attrs!r}")
    return "; ".join(parts)
