"""A short way to write a planted bug down."""

from attacks.mutants.base import Maker, Mutant, patches


def planted(
    name: str, sentence: str, component: str, audit: str, subject: str, *pairs: tuple[str, Maker]
) -> Mutant:
    """Return a mutant that makes the replacements ``pairs`` together; see ``Mutant``."""
    return Mutant(
        name=name,
        sentence=sentence,
        component=component,
        audit=audit,
        subject=subject,
        patch=patches(*pairs),
    )
