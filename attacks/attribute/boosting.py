"""A hidden column, guessed by gradient boosting trained on the release."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from attacks.attribute.confidence import level
from attacks.base import Evidence, Guesses, TooLittle
from attacks.engine.released import Counts, column_counts
from attacks.engine.table import Codes
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel

_FEWEST_ROWS = 20
_FEW = 32
_CATEGORIES = 250  # of a column, at most: the trees take 255


@dataclass(frozen=True, kw_only=True)
class Boosting:
    """Guess what trees say that were trained on the released records.

    Where the vote of the nearest records needs a record that agrees, trees also use what the
    columns say one by one. Unordered columns are handed over as categories, ordered ones as
    numbers; a missing value is a code of its own. Trees are large and leaves may hold one record:
    a model that learns the release by heart guesses strangers a little worse, and members whose
    records the release repeats much better, and it is the difference that counts.

    Args:
        rows: released rows to train on, at most; a random choice of them where there are more.
        rounds: of boosting, divided by the number of codes to be told apart where there are many.
        codes: of the hidden column that are told apart, the most common ones; a rarer one is never
            guessed.

    Source:
        Friedman (2001), Greedy function approximation: a gradient boosting machine; the histogram
        trees of scikit-learn.
    """

    rows: int = 30_000
    rounds: int = 60
    codes: int = 8

    name: ClassVar[str] = "attribute/boosting"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.ATTRIBUTE,
        generator=GeneratorAccess.NO_BOX,
        data=DataKnowledge.NOTHING,
    )

    def guess(
        self, evidence: Evidence, targets: Codes, known: tuple[str, ...], secrets: tuple[str, ...]
    ) -> dict[str, Guesses]:
        """Return one guess a target and secret; see ``attacks.base.AttributeAttack``.

        Raises:
            TooLittle: the release has too few rows to learn from.
        """
        release = evidence.release
        if len(release) < _FEWEST_ROWS:
            raise TooLittle(f"the release has fewer than {_FEWEST_ROWS} rows to learn from")
        rng = evidence.rng(self.name)
        rows = np.arange(min(len(release), self.rows))
        if len(release) > self.rows:
            rows = np.sort(rng.choice(len(release), size=self.rows, replace=False))
        seed = int(rng.integers(2**31))
        learnt = release.at(rows, (*known, *secrets))
        features, asked, categorical = _features(evidence, known, learnt[:, : len(known)], targets)
        # People who look alike are asked about once.
        different, back = np.unique(asked, axis=0, return_inverse=True)
        guesses = {}
        for place, secret in enumerate(secrets, start=len(known)):
            values, sure = self._told(features, learnt[:, place], different, categorical, seed=seed)
            # The level follows the whole column: it does not depend on which rows were drawn.
            counts = column_counts(release, secret, size=evidence.sizes[secret])
            confident = sure > level(counts)
            guesses[secret] = Guesses(
                values=values[back.ravel()], confident=confident[back.ravel()]
            )
        return guesses

    def _told(
        self,
        features: NDArray[np.float32],
        secret: NDArray[np.int32],
        asked: NDArray[np.float32],
        categorical: list[bool],
        *,
        seed: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the most probable code of each of ``asked``, and its probability."""
        counts = np.bincount(secret)
        common = np.argsort(-counts, kind="stable")[: self.codes]
        common = common[counts[common] > 0]
        if common.size < 2:
            return np.full(len(asked), common[0], dtype=np.int64), np.zeros(len(asked))
        # Rarer codes are trained on as one, so that they are not taken for a common one.
        labels = np.where(np.isin(secret, common), secret, -1)
        classes, probabilities = _trained(
            features,
            labels,
            asked,
            categorical,
            rounds=max(10, self.rounds // max(1, common.size - 1)),
            seed=seed,
        )
        probabilities[:, classes < 0] = 0.0
        best = np.argmax(probabilities, axis=1)
        return classes[best].astype(np.int64), probabilities[np.arange(len(asked)), best]


def _trained(
    features: NDArray[np.float32],
    labels: NDArray[np.int32],
    asked: NDArray[np.float32],
    categorical: list[bool],
    *,
    rounds: int,
    seed: int,
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return the classes, and the probability of each for everyone who is asked about."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    model: Any = HistGradientBoostingClassifier(
        max_iter=rounds,
        learning_rate=0.3,
        max_leaf_nodes=255,
        min_samples_leaf=1,
        l2_regularization=0.1,
        categorical_features=categorical,
        early_stopping=False,
        random_state=seed,
    )
    # One thread: sums over threads come out in another order each time.
    with threadpool_limits(limits=1):
        model.fit(features, labels)
        probabilities: NDArray[np.float64] = model.predict_proba(asked)
    return model.classes_, probabilities


def _features(
    evidence: Evidence, known: tuple[str, ...], released: Codes, targets: Codes
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[bool]]:
    """Return released rows and the targets as features, and which of them are categories.

    A column of many unordered codes is handed over as numbers too: trees put categories of fewer
    than ten records together, but may cut any number off.
    """
    held = [column_counts(evidence.release, name, size=evidence.sizes[name]) for name in known]
    told = [place for place, counts in enumerate(held) if np.count_nonzero(counts) > 1]
    told = told or [0]
    columns: list[NDArray[Any]] = []
    asked: list[NDArray[Any]] = []
    categorical: list[bool] = []
    for place in told:
        name = known[place]
        shown, wanted = released[:, place], targets[:, place]
        if evidence.ordered[name] or evidence.sizes[name] > _FEW:
            columns.append(shown)
            asked.append(wanted)
            categorical.append(False)
        if not evidence.ordered[name]:
            category = _categories(held[place])
            columns.append(category[shown])
            asked.append(category[wanted])
            categorical.append(True)
    return (
        np.column_stack(columns).astype(np.float32),
        np.column_stack(asked).astype(np.float32),
        categorical,
    )


def _categories(counts: Counts) -> NDArray[np.int64]:
    """Return the category of every code: one of its own for the common ones, 0 for the rest."""
    common = np.argsort(-counts, kind="stable")[: _CATEGORIES - 1]
    common = common[counts[common] > 0]
    category = np.zeros(counts.size, dtype=np.int64)
    category[common] = 1 + np.arange(common.size)
    return category
