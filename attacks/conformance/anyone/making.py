"""A mechanism by its name."""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpsynth.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from attacks.conformance.anyone.protocol import Mechanism


def made(target: str) -> "Mechanism":
    """Return what ``module:name`` makes, or what it is where it can be fitted as it stands.

    The working directory is looked in first, as ``python -m`` does.

    Raises:
        UsageError: it is not written so.
        UnknownNameError: there is no such module or name in it.
    """
    module, colon, name = target.partition(":")
    if not (module and colon and name):
        raise UsageError(f"write module:name, for what makes the mechanism; not {target!r}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise UnknownNameError(f"nothing is called {target!r}: {error}") from error
    return instance(found)


def instance(found: Any) -> "Mechanism":
    """Return a mechanism: ``found`` itself, or what it makes when called without arguments.

    Raises:
        UsageError: neither has a method ``fit``.
    """
    has_fit = hasattr(found, "fit") and not isinstance(found, type)
    mechanism = found if has_fit or not callable(found) else found()
    if not callable(getattr(mechanism, "fit", None)):
        raise UsageError("a mechanism has a method fit(frame, *, seed); this object has none")
    return mechanism  # type: ignore[no-any-return]  # what it lacks beyond that, the trial shows
