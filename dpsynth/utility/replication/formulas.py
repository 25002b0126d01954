"""Formulas of named analyses: what they may hold, and which columns a coefficient is about.

statsmodels evaluates a formula as Python. A file of analyses may come from anybody, so only column
names, numbers, operators and a few functions are let through.
"""

import re
from collections.abc import Collection

from dpsynth.errors import UsageError

FUNCTIONS = {"C": "C", "I": "I", "log": "np.log", "log1p": "np.log1p", "sqrt": "np.sqrt",
             "exp": "np.exp"}  # fmt: skip
_TOKEN = re.compile(r"\s*(?:(?P<name>[^\W\d]\w*)|(?P<number>\d+(?:\.\d+)?)|(?P<sign>[-+*/:()~^]))")
_LEVEL = re.compile(r"\[[^\]]*\]")
_NAME = re.compile(r"[^\W\d]\w*")


def checked(formula: str, columns: Collection[str], *, analysis: str) -> str:
    """Return ``formula`` as statsmodels reads it, or refuse what is not let through.

    Args:
        formula: such as ``ill ~ smoker + age + C(site)``.
        columns: names that it may use.
        analysis: whose formula it is, for the refusal.

    Raises:
        UsageError: it names no column of the table, or holds something else.
    """
    parts, at = [], 0
    text = formula.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise UsageError(
                f"the formula of {analysis!r} may hold names of columns, numbers, the operators "
                f"~ + - * / : ^ ( ) and {', '.join(FUNCTIONS)}, and nothing else"
            )
        at = found.end()
        name = found["name"]
        called = name is not None and text[at:].lstrip().startswith("(")
        if name is None:
            parts.append("**" if found["sign"] == "^" else found[0].strip())
        elif called and name in FUNCTIONS:
            parts.append(FUNCTIONS[name])
        elif name in columns and not called:
            parts.append(name)
        else:
            raise UsageError(
                f"the formula of {analysis!r} names {name!r}, which is no declared column"
                + (f" and none of {', '.join(FUNCTIONS)}" if called else "")
            )
    joined = " ".join(parts)
    if joined.count("~") != 1:
        raise UsageError(f"the formula of {analysis!r} must have one ~, as in ill ~ smoker + age")
    return joined


def columns_of(text: str, columns: Collection[str]) -> tuple[str, ...]:
    """Return the columns that a formula or the name of a coefficient speaks of, each once."""
    found = _NAME.findall(_LEVEL.sub("", text))
    return tuple(dict.fromkeys(name for name in found if name in columns))
