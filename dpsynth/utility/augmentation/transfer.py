"""From one site to another: learn on the release of site A, fine-tune on n rows of site B."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from dpsynth.utility.augmentation.curves import (
    SEEDS,
    TRANSFER,
    Experiment,
    Run,
    Split,
    learning_curves,
)
from dpsynth.utility.augmentation.methods import REAL_ONLY
from dpsynth.utility.augmentation.mixing import Generator
from dpsynth.utility.downstream.task import Task

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

SIZES = (20, 50, 100)
METHODS = (REAL_ONLY, "synthetic only", "1 synthetic row a real one", "5 synthetic rows a real one")
TUNED = "fine-tuned"


def transfer(
    release: Callable[[int], Generator],
    site: Callable[[int], Split],
    schema: "Schema",
    task: Task,
    *,
    model: str = "boosting",
    sizes: tuple[int, ...] = SIZES,
    seeds: tuple[int, ...] = SEEDS,
    drawn: int = 2000,
    progress: Callable[[str], None] | None = None,
) -> list[Run]:
    """Take a release of site A to site B, for every seed and number of rows that B spares.

    Args:
        release: by seed, the model that site A released; the same one every time, or one of several
            releases so that their noise is among what varies.
        site: by seed, rows of site B to learn from and others of B to test on.
        schema: declares the columns of both; leave out the one that names the site.
        task: what is predicted.
        model: the classifier; "boosting" and "network" can be fine-tuned.
        sizes: rows of site B.
        seeds: one run of every method and size for each.
        drawn: synthetic rows of site A to train on.
        progress: is told each size as it begins.

    Privacy:
        What is trained on the release alone is as public as the release. Rows of B that it is
        fine-tuned on are not protected, and neither are the figures.

    Returns:
        Runs as ``learning_curves`` has them: B's rows alone, the release of A alone, both mixed,
        and trained on the release and fine-tuned on the rows of B.
    """
    tuned = () if model == "logistic" else (TUNED,)
    experiment = Experiment(
        design=TRANSFER,
        model=model,
        methods=(*METHODS, *tuned),
        sizes=sizes,
        seeds=seeds,
        drawn=drawn,
    )

    def of_a(_: "pd.DataFrame | None", seed: int) -> Generator:
        return release(seed)

    return learning_curves(
        experiment, split=site, release=of_a, schema=schema, task=task, progress=progress
    )
