"""Every hidden column, guessed from the closest released record by all the other columns."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from attacks import games
from attacks.base import Evidence, Guesses, NotApplicable, TooLittle
from attacks.engine.distances import Neighbors, closest_without_each_in, space
from attacks.observed import Observed, Stage, View
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel

BY = "all but one column"


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """Guess what the one closest released record says, for someone who knows all but one column.

    The holder of another registry. For each secret all the other columns are known and the closest
    record by them is looked for; one pass over the release serves every secret. A guess is
    confident where the record agrees in every known column.

    Args:
        every_column: guess the columns that are not declared sensitive as well. Each adds tests to
            the family, so that each must be clearer to be found.

    Source:
        The inference attack of anonymeter (Giomi et al. 2023), which knows some columns and takes
        the closest record by Gower's distance; here for all secrets at once, a missing value being
        a level of its own.
    """

    every_column: bool = False

    name: ClassVar[str] = "attribute/nearest"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.ATTRIBUTE,
        generator=GeneratorAccess.NO_BOX,
        data=DataKnowledge.NOTHING,
    )

    def guess_each(
        self, evidence: Evidence, stage: Stage, secrets: tuple[str, ...]
    ) -> dict[str, Guesses]:
        """Return one guess a person and secret, each from the columns beside that secret alone.

        Raises:
            TooLittle: the release has no rows.
        """
        release = evidence.release
        if not len(release):
            raise TooLittle("the release has no rows to learn from")
        found = evidence.once(
            ("closest without each", stage.one_row), lambda: _closest(evidence, stage)
        )
        guesses = {}
        for secret in secrets:
            place = release.columns.index(secret)
            guesses[secret] = Guesses(
                values=release.at(found.index[place], (secret,))[:, 0].astype(np.int64),
                confident=np.asarray(found.distance[place] == 0),
            )
        return guesses


def play(attack: Nearest, evidence: Evidence, stage: Stage) -> list[Observed]:
    """Play the attribute game for an attacker who knows all columns but the one to be guessed.

    Args:
        attack: guesses every secret in one pass.
        evidence: the release.
        stage: who is attacked; the secrets of its views are what is guessed.

    Raises:
        NotApplicable: there is no second column, or no sensitive one.
        TooLittle: the release has no rows.
    """
    columns = evidence.release.columns
    declared = {secret for view in stage.views for secret in view.secrets}
    secrets = tuple(name for name in columns if attack.every_column or name in declared)
    if len(columns) < 2 or not secrets:
        raise NotApplicable("the schema names no sensitive column, or has no column beside it")
    said = attack.guess_each(evidence, stage, secrets)
    lines: list[Observed] = []
    for secret in secrets:
        group = games.code_groups(evidence, secret)
        lines += games.judged(
            attack,
            View(name=BY, known=tuple(c for c in columns if c != secret), secrets=(secret,)),
            secret,
            replace(said[secret], values=group[said[secret].values].astype(np.int64)),
            truth=group[stage.one_row.codes[:, columns.index(secret)]],
            common=games.commonest(evidence, secret, group),
        )
    return lines


def _closest(evidence: Evidence, stage: Stage) -> Neighbors:
    columns = evidence.release.columns
    return closest_without_each_in(
        stage.one_row.codes,
        evidence.release,
        space(evidence.sizes, evidence.ordered, columns, missing=evidence.missing),
    )
