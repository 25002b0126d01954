"""What a planted bug is: a patch of a correct mechanism, and the audit that must catch it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

Patch = Callable[[], AbstractContextManager[None]]
Maker = Callable[[Any], Any]  # from the right function to the broken one


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One planted privacy bug.

    Args:
        name: short, with hyphens.
        sentence: what is wrong.
        component: the component that is broken; see ``attacks.conformance.trial.Alarm``.
        audit: the audit that must name it; a key of ``attacks.conformance.audits.AUDITS``.
        subject: what is patched; a key of ``attacks.mutants.subjects.SUBJECTS``.
        patch: makes a context within which the bug is there.
    """

    name: str
    sentence: str
    component: str
    audit: str
    subject: str
    patch: Patch


@dataclass(frozen=True, kw_only=True)
class Control:
    """A correct mechanism, or a harmless change of one, that no audit may complain about.

    Args:
        name: short, with hyphens.
        sentence: what was changed.
        subject: what is patched.
        patch: makes a context within which the change is there.
        dear: a run of it takes twice as long as others, so that it is run less often.
    """

    name: str
    sentence: str
    subject: str
    patch: Patch
    dear: bool = False


@contextmanager
def replaced(target: str, make: Maker) -> Iterator[None]:
    """Put ``make(original)`` in the place of a function, method or attribute, for a while.

    Args:
        target: ``package.module:Class.method``, or a name that a module imported.
        make: from the original to what stands in its place; of a class method the plain function.
    """
    place, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner = resolve_name(f"{place}:{'.'.join(owners)}" if owners else place)
    held = vars(owner)[name]
    original = held.__func__ if isinstance(held, classmethod | staticmethod) else held
    if isinstance(held, property):
        made: Any = property(make(held.fget))
    else:
        made = make(original)
        if isinstance(held, classmethod | staticmethod):
            made = type(held)(made)
    setattr(owner, name, made)
    try:
        yield
    finally:
        setattr(owner, name, held)


def patches(*pairs: tuple[str, Maker]) -> Patch:
    """Return a patch that makes all replacements together."""

    @contextmanager
    def all_of_them() -> Iterator[None]:
        with ExitStack() as stack:
            for target, make in pairs:
                stack.enter_context(replaced(target, make))
            yield

    return all_of_them


def untouched() -> AbstractContextManager[None]:
    """Patch nothing."""
    return nullcontext()
