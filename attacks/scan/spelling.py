"""One spelling of a cell, so that a value is found again whatever case or spaces it comes with."""

import re
from unicodedata import normalize

from dpsynth.encoding import cells

_DATE = re.compile(
    r"[0-9]{4}([-/.])[0-9]{1,2}\1[0-9]{1,2}.*|[0-9]{1,2}([-/.])[0-9]{1,2}\2[0-9]{2,4}.*"
)


def text_in_one_spelling(cell: object) -> str | None:
    """Return the one spelling of a cell, or None where it is missing, unreadable or a date."""
    text = cells.text_of(cell)
    if text is None or text == cells.UNREADABLE:
        return None
    text = normalize("NFKC", cells.as_whole_text(text) or text).casefold().strip()
    return None if not text or _DATE.fullmatch(text) else text
