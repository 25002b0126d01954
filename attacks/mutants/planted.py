"""Mutants that somebody else wrote, from a Python file of theirs."""

from pathlib import Path
from runpy import run_path

from attacks.mutants.base import Mutant
from attacks.mutants.catalogue import CONTROLS, MUTANTS
from attacks.mutants.subjects import SUBJECTS
from dpsynth.errors import UsageError


def read(path: Path) -> tuple[Mutant, ...]:
    """Return the mutants of a Python file, which is executed.

    Raises:
        UsageError: there is no such file, or it holds no ``MUTANTS``, or one that has a name which
            is taken or a subject that the zoo lacks.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path} to take mutants from")
    found = tuple(run_path(str(path)).get("MUTANTS", ()))
    if not found or not all(isinstance(each, Mutant) for each in found):
        raise UsageError(f"{path} must hold MUTANTS, a sequence of attacks.mutants.base.Mutant")
    taken = {*(each.name for each in CONTROLS), *(each.name for each in MUTANTS)}
    for each in found:
        if each.name in taken:
            raise UsageError(f"the name {each.name} is taken; give the mutant another")
        if each.subject not in SUBJECTS:
            known = ", ".join(SUBJECTS)
            raise UsageError(f"{each.name} has the subject {each.subject}; there are: {known}")
        taken.add(each.name)
    return found
