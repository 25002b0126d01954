"""Bugs of an adversary who knew the code and neither the audits nor the rest of the zoo."""

from attacks.mutants.base import Mutant
from attacks.mutants.catalogue.unlisted.accounts import UNLISTED_ACCOUNTS
from attacks.mutants.catalogue.unlisted.calls import UNLISTED_CALLS
from attacks.mutants.catalogue.unlisted.choices import UNLISTED_CHOICES
from attacks.mutants.catalogue.unlisted.held_out import HELD_OUT_MECHANISMS
from attacks.mutants.catalogue.unlisted.held_out_rows import HELD_OUT_ROWS
from attacks.mutants.catalogue.unlisted.leaks import UNLISTED_LEAKS
from attacks.mutants.catalogue.unlisted.noise import UNLISTED_NOISE
from attacks.mutants.catalogue.unlisted.questions import UNLISTED_QUESTIONS
from attacks.mutants.catalogue.unlisted.rows import UNLISTED_ROWS
from attacks.mutants.catalogue.unlisted.told import UNLISTED_TOLD
from attacks.mutants.catalogue.unlisted.words import UNLISTED_WORDS

__all__ = ["FIRST_ROUND", "SECOND_ROUND"]

FIRST_ROUND: tuple[Mutant, ...] = (
    *UNLISTED_NOISE,
    *UNLISTED_CALLS,
    *UNLISTED_CHOICES,
    *UNLISTED_QUESTIONS,
    *UNLISTED_LEAKS,
    *UNLISTED_TOLD,
    *UNLISTED_ROWS,
    *UNLISTED_WORDS,
    *UNLISTED_ACCOUNTS,
)
SECOND_ROUND: tuple[Mutant, ...] = (*HELD_OUT_MECHANISMS, *HELD_OUT_ROWS)
