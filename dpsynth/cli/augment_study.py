"""``dpsynth augment-study``: do synthetic rows help where real ones are few? Internal."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from dpsynth.cli import console, parse
from dpsynth.cli.evaluate import INTERNAL, UNREGISTERED, Reports
from dpsynth.cli.options import (
    DEFAULT_SYNTHESIZER,
    Json,
    LookLedger,
    NewFolder,
    PositiveValues,
    Settings,
    SynthesizerName,
    TableFile,
    TaskColumn,
)
from dpsynth.cli.sample import model_folder
from dpsynth.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.synthesizers.fitted import FittedModel
    from dpsynth.utility.augmentation.study import Findings

RESULT = "study.json"
_SIZES = "50,100,200,500,1000,2000,5000,10000"
_FEWEST_SEEDS = 10


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("augment-study")(augment_study)


def augment_study(
    table: TableFile,
    out: NewFolder,
    model: Annotated[
        list[Path] | None,
        typer.Option(
            "--model",
            metavar="DIR",
            help="Another holder's release, or a fitted model; of several each seed takes one.",
        ),
    ] = None,
    other_site: Annotated[
        bool,
        typer.Option("--other-site", help="With --model: it was learnt at another kind of site."),
    ] = False,
    schema: Annotated[
        Path | None,
        typer.Option(
            "--schema", metavar="FILE", help="Declared columns; those of --model if not given."
        ),
    ] = None,
    epsilon: Annotated[
        str | None,
        typer.Option(
            "--epsilon",
            metavar="E",
            help="Without --model: of releases of the very rows that they are added to.",
        ),
    ] = None,
    delta: Annotated[
        str, typer.Option("--delta", metavar="D", help="Of these releases; exact, such as 1e-9.")
    ] = "1e-6",
    synthesizer: SynthesizerName = DEFAULT_SYNTHESIZER,
    settings: Settings = None,
    task: TaskColumn = None,
    positive: PositiveValues = None,
    classifier: Annotated[
        list[str] | None,
        typer.Option(
            "--classifier",
            metavar="NAME",
            help="logistic, boosting or network; repeatable. The first two if not given.",
        ),
    ] = None,
    sizes: Annotated[
        str, typer.Option("--sizes", metavar="N,N", help="Numbers of real rows to learn from.")
    ] = _SIZES,
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", min=1, help="Splits and draws; 10 or more.")
    ] = _FEWEST_SEEDS,
    ratio: Annotated[
        list[int] | None,
        typer.Option(
            "--ratio",
            metavar="R",
            min=1,
            help="Synthetic rows for each real one; repeatable. 1 and 5 if not given.",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            metavar="NAME",
            help='Only these ways to train, such as "real only" and "SMOTE"; repeatable.',
        ),
    ] = None,
    figure: Annotated[
        str, typer.Option("--figure", metavar="NAME", help="Of merit, such as auprc or brier.")
    ] = "auroc",
    drawn: Annotated[
        int,
        typer.Option(
            "--drawn", metavar="N", min=1, help="Synthetic rows where a method takes many."
        ),
    ] = 5000,
    test: Annotated[
        Path | None,
        typer.Option("--test", metavar="FILE", help="Real rows of other persons to test on."),
    ] = None,
    test_share: Annotated[
        str,
        typer.Option("--test-share", metavar="S", help="Without --test: persons set aside for it."),
    ] = "0.3",
    ledger: LookLedger = None,
    json: Json = False,
) -> None:
    """Draw learning curves of TABLE's real rows, alone and with synthetic ones added.

    Each method trains on the same n real rows and is tested on other real rows, over many seeds;
    class weights, oversampling and SMOTE stand beside. Releases made here are thrown away, with
    their ledgers. All of it is a function of real rows outside any guarantee: it is for the
    custodian alone, and must not decide whether a release is published.
    """
    share = parse.share("--test-share", test_share)
    wanted = _budget(model, epsilon, delta, other_site=other_site)
    if not model and schema is None:
        raise UsageError("without --model the columns must be declared: give --schema")
    console.refuse_existing(out)

    from dpsynth.utility.augmentation.curves import LARGER_HOLDER, SAME_ROWS, TRANSFER
    from dpsynth.utility.augmentation.study import RATIOS, Study

    design = (TRANSFER if other_site else LARGER_HOLDER) if model else SAME_ROWS
    asked = Study(
        design=design,
        classifiers=tuple(dict.fromkeys(classifier or ("logistic", "boosting"))),
        sizes=_numbers(sizes),
        seeds=tuple(range(seeds)),
        ratios=tuple(ratio or RATIOS),
        methods=None if method is None else tuple(dict.fromkeys(method)),
        figure=figure,
        drawn=drawn,
        test_share=float(share),
    )
    asked.require_installed()
    if seeds < _FEWEST_SEEDS:
        console.warn(f"{seeds} seeds tell little; {_FEWEST_SEEDS} or more are better")
    if ledger is None:
        console.warn(UNREGISTERED)

    import dpsynth
    from dpsynth.release import atomic, bundle, canonical
    from dpsynth.release.pipeline import find_gate
    from dpsynth.utility.augmentation.study import augmentation_study
    from dpsynth.utility.downstream.task import Task

    with console.Steps() as step, TemporaryDirectory(prefix="dpsynth-study-") as folder:
        models = []
        if model:
            step("reading the model")
            models = [dpsynth.load_model(model_folder(each)) for each in model]
        declared = models[0].full_schema if schema is None else dpsynth.Schema.read(schema)
        declared.require_closed()
        aim = Task.of(declared, task, positive=tuple(positive or ()))
        release = _drawn_from(models)
        if wanted is not None:
            chosen = {"target": aim.target} if _takes_target(synthesizer) else {}
            release = _fitted(
                dpsynth.synthesizer(synthesizer, **(chosen | parse.settings(settings))),
                declared,
                *wanted,
                Path(folder),
            )
        step("reading the real rows")
        rows = dpsynth.read_table(table, declared)
        others = None if test is None else dpsynth.read_table(test, declared)
        if ledger is not None:
            step("registering the look in the ledger")
            with dpsynth.Ledger.open(ledger) as book:
                book.record_look(subject=table.name, reason="augmentation study")
        step("training on real rows, alone and with synthetic ones")
        found = augmentation_study(
            asked, rows, declared, aim, release=release, test=others, progress=step.parts()
        )
        step("writing the internal report")
        document = found.to_dict()
        with atomic.folder(out, mode=bundle.PRIVATE_MODE) as building:
            atomic.write_bytes(building / RESULT, canonical.dumps(document), mode=0o600)
            cast("Reports", find_gate()).report_utility(document, building)
    console.emit(
        {**_short(document), "directory": str(out)},
        as_json=json,
        text=lambda: "\n".join([*_text(found), f"{out}/report.html, {INTERNAL}"]),
    )


def _budget(
    model: list[Path] | None, epsilon: str | None, delta: str, *, other_site: bool
) -> tuple[Any, Any] | None:
    """Return epsilon and delta of releases that are made here; None where some are given."""
    if model and epsilon is not None:
        raise UsageError("--model takes releases as they are, --epsilon makes them: give one")
    if model:
        return None
    if other_site:
        raise UsageError("--other-site is said of a --model, and there is none")
    if epsilon is None:
        raise UsageError(
            "give --model, another holder's release, or --epsilon, and each release is learnt on "
            "the very rows that it is added to"
        )
    return parse.above_zero("--epsilon", epsilon), parse.from_zero_to_one("--delta", delta)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError("--sizes must be whole numbers, parted by commas") from None


def _takes_target(name: str) -> bool:
    import dpsynth

    return hasattr(dpsynth.synthesizer(name), "target")


def _drawn_from(models: "list[FittedModel]") -> "Callable[..., FittedModel]":
    return lambda _, seed: models[seed % len(models)]


def _fitted(
    synthesizer: Any, schema: "Schema", epsilon: Any, delta: Any, folder: Path
) -> "Callable[..., FittedModel]":
    """Return what fits a release of the rows that it is given, with a ledger to throw away."""
    import dpsynth

    made = [0]

    def release(rows: "pd.DataFrame", seed: int) -> "FittedModel":
        del seed  # the noise is the operating system's
        made[0] += 1
        path = folder / f"{made[0]}.sqlite"
        book = dpsynth.Ledger.create(path, cap_epsilon=epsilon, cap_delta=delta)
        with book:
            found: FittedModel = synthesizer.fit(
                rows, schema=schema, epsilon=epsilon, delta=delta, ledger=book
            )
        return found

    return release


def _short(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without single runs; these are in the file."""
    return {key: held for key, held in document.items() if key != "runs"}


def _text(found: "Findings") -> list[str]:
    """Return the curves as tables, and what they say in words."""
    lines: list[str] = []
    for section in found.sections:
        curves = section.tables["learning_curves"]
        sizes = sorted({point["n"] for points in curves.values() for point in points})
        rows = [
            [method, *(_cell(points, size) for size in sizes)] for method, points in curves.items()
        ]
        header = (f"{found.study.figure} by real rows", *(f"{size:,}" for size in sizes))
        lines += [section.title, ""]
        lines += [console.table(header, rows, right=range(1, len(header))), ""]
        lines += [*(f"- {note}" for note in section.notes), ""]
    return lines


def _cell(points: list[dict[str, Any]], size: int) -> str:
    for point in points:
        if point["n"] == size:
            return f"{point['mean']:.3f} ± {point['high'] - point['mean']:.3f}"
    return ""
