"""The tables of the study of classifiers: means, ranges, failures, and what is missing."""

import pytest

from dpsynth.bench import classifiers


def run(label, epsilon, seed, area, *, dataset="adult", peer=None, **more):
    kinds = ("private",) if peer else tuple(classifiers.MODELS)
    areas = {f"{kind}_{figure}": area for kind in kinds for figure in classifiers.FIGURES}
    return {
        "dataset": dataset,
        "rows": 1000,
        "columns": 5,
        "synthesizer": label,
        "peer": peer,
        "epsilon": epsilon,
        "delta": None if epsilon is None else "1e-6",
        "seed": seed,
        "status": "ok",
        "failure": None,
        "commit": "abc",
        "machine": "a machine",
        **areas,
        **more,
    }


def failed(label, epsilon, seed):
    held = run(label, epsilon, seed, 0.0)
    kept = {key: value for key, value in held.items() if not isinstance(value, float)}
    return kept | {"status": "failed", "failure": "too many combinations"}


RECORDS = [
    run("auto", "1", 1, 0.88),
    run("auto", "1", 2, 0.92),
    run("mst", "1", 1, 0.80),
    run("diffprivlib-nb", "1", 1, 0.95, peer="diffprivlib"),
    failed("direct", "1", 1),
    run("auto", "0.5", 1, 0.70),
    run("train", None, 1, 0.95),
    run("shuffled", None, 1, 0.5),
]


def test_rows_show_mean_and_range_and_stand_in_order():
    text = classifiers.figures(RECORDS)
    found = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    rows = [cells[:4] for cells in found if len(cells) > 3][2:]
    assert rows == [
        ["none", "real rows", "1", "0.950"],
        ["none", "real rows, columns independent", "1", "0.500"],
        ["0.5", "auto", "1", "0.700"],
        ["1", "auto", "2", "0.900 (0.880 to 0.920)"],
        ["1", "mst", "1", "0.800"],
        ["1", "direct", "0", "failed: too many combinations"],
        ["1", "diffprivlib-nb", "1", "0.950"],
    ]
    assert len({len(cells) for cells in found if cells}) == 1
    assert "delta 1e-6; seeds 1 to 2; commit abc; a machine." in text


def test_the_three_classifiers_leave_out_private_ones_and_failures():
    text = classifiers.models(RECORDS)
    assert "diffprivlib" not in text
    assert "direct" not in text
    assert text.count("| 0.900 (0.880 to 0.920) ") == 3


def test_what_is_reached_is_a_share_of_what_real_rows_give():
    assert "| adult | 1 | 2 | 0.9500 | 0.9000 | 94.7% | 92.6% |" in classifiers.reached(
        RECORDS, "auto"
    )
    assert "| adult |" not in classifiers.reached(RECORDS[:-2], "auto")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ([("adult", "1", "mst", 1)], "All 1 runs"),
        ([("adult", "1", "mst", 1), ("adult", "1", "mst", 3)], "* adult, epsilon 1: mst, 1 of 2"),
        ([("adult", "3", "mst", 1)], "1 of the 1 runs of the study are not recorded yet:"),
        ([("adult", "3", "mst", 1)], "* adult, epsilon 3: all"),
    ],
)
def test_what_is_missing_is_listed(wanted, said):
    assert said in classifiers.missing(RECORDS, wanted)
