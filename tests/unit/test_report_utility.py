"""The utility page: every figure is named, described, in numbers, and says nothing in public."""

import json
import re
import runpy
from math import exp
from pathlib import Path

import numpy as np
import pytest

from attacks.gate import Gate
from attacks.report import render_internal, render_public, render_utility
from attacks.report.utility import coefficients, curves, figures, heat, view
from attacks.report.wording import measured

Page = runpy.run_path(str(Path(__file__).with_name("strict_page.py")))["Page"]
HOSTILE = "<script>alert(1)</script> $\\frac pay\u202egpj"


def score(name, value, **changed):
    found = {"name": name, "value": value, "ceiling": 0.01, "floor": 0.12, "better": "lower"}
    return {**found, "low": value * 0.9, "high": value * 1.1, "group": "", "note": "", **changed}


def section(key, **changed):
    return {"key": key, "title": f"About {key}", "scores": [], "tables": {}, "notes": [], **changed}


def column(place, *, levels=12, name=None):
    shares = np.random.default_rng(place).dirichlet(np.ones(levels), size=3)
    return {
        "name": name or f"column number {place} of a wide table",
        "kind": "integer" if place % 2 else "categorical",
        "ordered": bool(place % 2),
        "labels": [f"value {level}" for level in range(levels)],
        **{
            which: [round(float(share), 6) for share in shares[at]]
            for at, which in enumerate(("real", "synthetic", "holdout"))
        },
    }


def square(names, *, seed):
    drawn = np.random.default_rng(seed).random((len(names), len(names))).round(6)
    drawn = (drawn + drawn.T) / 2
    return [
        [None if a == b else float(drawn[a, b]) for b in range(len(names))]
        for a in range(len(names))
    ]


def survival(rate):
    return [[float(time), exp(-rate * time)] for time in range(0, 5000, 10)]


def roc(power):
    return [[x / 50, (x / 50) ** power] for x in range(51)]


def evaluation_of(columns=6, *, name=None):
    """Return a document with every kind of figure that a section can ask for."""
    names = [name or f"column number {place} of a wide table" for place in range(columns)]
    groups = [
        {
            "column": "site",
            "group": f"site = {label}",
            "label": label,
            "rows": {"real": 900 - 290 * place, "synthetic": 880 - 280 * place, "holdout": 300},
            "shares": {"real": 0.6 - 0.2 * place, "synthetic": 0.54 - 0.15 * place, "holdout": 0.6},
            "small": place == 2,
        }
        for place, label in enumerate(["Basel", "Chur", name or "Davos"])
    ]
    return {
        "format": "dpsynth-evaluation/1",
        "rows": {"synthetic": 1770, "real": 1830, "holdout": 900, "floor": 1770},
        "seed": 3,
        "sections": [
            section(
                "marginals",
                scores=[
                    score("mean total variation, single columns", 0.021),
                    score("mean total variation, pairs of columns", 0.034, floor=None),
                    score("one column", 0.4, group=names[0], note=name or "a note of its own"),
                ],
                tables={
                    "columns": [column(place, name=name) for place in range(columns)],
                    "pairs": {"columns": names, "distance": square(names, seed=1)},
                    "subsamples": {"1": {"shares": [0.1, 1.0], "distances": [0.2, 0.0]}},
                    "worst": [{"columns": names[:2], "value": 0.4, "ceiling": 0.1, "floor": None}],
                },
                notes=["Intervals: 95 %.", name or "Read with care."],
            ),
            section(
                "associations",
                scores=[score("mean difference", 0.02)],
                tables={
                    "association": {
                        "columns": names,
                        "real": square(names, seed=2),
                        "synthetic": square(names, seed=3),
                    }
                },
            ),
            section(
                "downstream",
                scores=[score("AUROC", 0.83, better="higher", floor=0.5, ceiling=0.9)],
                tables={
                    "roc": {
                        model: {"real": roc(0.2), "synthetic": roc(0.3), "mixed": roc(0.25)}
                        for model in ("logistic regression", name or "gradient boosting")
                    },
                    "calibration": {
                        "logistic regression": {
                            "real": [[0.1, 0.12], [0.5, 0.49], [0.9, 0.91]],
                            "synthetic": [[0.1, 0.2], [0.5, 0.4], [0.9, 0.7]],
                        }
                    },
                    "table": {"columns": ["model", "AUROC"], "rows": [["boosting", 0.9123]]},
                },
            ),
            section(
                "augmentation",
                tables={
                    "learning_curves": {
                        method: [
                            {"n": n, "mean": 0.6 + gain * place, "low": 0.5, "high": 0.9}
                            for place, n in enumerate((50, 100, 500, 1000, 10000))
                        ]
                        for method, gain in (("real only", 0.05), ("real + synthetic", 0.06))
                    }
                },
            ),
            section(
                "survival",
                scores=[score("log-rank", 3.4, note="p = 0.06")],
                tables={
                    "curves": {
                        "x": "futime",
                        "y": "share without death",
                        "lines": {"real": survival(1e-4), "synthetic": survival(2e-4)},
                    }
                },
            ),
            section(
                "replication",
                tables={
                    "coefficients": [
                        {
                            "name": f"term {place}",
                            "real": {"value": 0.5 * place, "low": 0.5 * place - 1, "high": 3.0},
                            "synthetic": [0.4 * place, 0.4 * place - 1, 0.4 * place + 1],
                            "holdout": None,
                        }
                        for place in range(-2, 3)
                    ]
                },
            ),
            section(
                "subgroups",
                scores=[
                    score("difference of the share", 0.02, group=group["group"]) for group in groups
                ],
                tables={"groups": groups},
            ),
        ],
    }


def written(folder):
    return (folder / "report.html").read_text("utf-8"), (folder / "summary.md").read_text("utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("utility")
    Gate().report_utility(evaluation_of(), folder)
    return written(folder)[0]


def test_every_figure_is_named_described_and_followed_by_its_numbers(page):
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawings) > 25
    for drawing in drawings:
        assert 'role="img"' in drawing
        assert re.search(r'aria-label="[^"]+"', drawing)
        assert re.search(r"<title>[^<]+</title>", drawing)
        assert re.search(r"<desc [^>]*>[^<]{12,}</desc>", drawing)
    for part in page.split("<h3>")[1:]:
        assert part.count("<table") or "tiles" in part or "<svg" not in part
        if "<svg" in part:
            assert "<table" in part[part.index("<svg") :]


def test_the_numbers_below_a_figure_are_those_of_the_document(page):
    words = Page(page).text
    # The area under x^0.2 is 1 / 1.2 = 0.8333, a little less where it is joined by lines.
    assert re.search(r"logistic regression real 0\.83\d\d", words)
    # At 20 % false alarms x^0.2 is 0.725.
    assert "72.5\N{NO-BREAK SPACE}%" in words
    # exp(-0.0002 * 2000) of the synthetic rows are left, exp(-0.0001 * 2000) of the real ones.
    assert "2,000 0.8187 0.6703" in words
    assert "−1.0000 (−2.0000 to 3.0000) −0.8000 (−1.8000 to 0.2000)" in words
    assert "0.8000 (0.5000 to 0.9000)" in words
    assert "0.0210 0.0189 to 0.0231 0.0100" in words


def test_a_score_stands_between_its_floor_and_its_ceiling(page):
    drawn = page[page.index("floor, this table, ceiling") :]
    for words in ("0.0210 (0.0189 to 0.0231), floor 0.1200, ceiling 0.0100", "floor not measured"):
        assert words in drawn
    assert drawn.index(">floor</text>") < drawn.index(">this table</text>")


def test_heat_maps_show_the_difference_of_synthetic_less_real(page):
    first, second = square(["a", "b", "c"], seed=2), square(["a", "b", "c"], seed=3)
    (found,) = figures.figures(
        {"association": {"columns": ["a", "b", "c"], "real": first, "synthetic": second}}, ident="x"
    )
    assert [name for name, _ in found["panels"]] == [
        "real",
        "synthetic",
        "difference: synthetic less real",
    ]
    apart = {(a, b): second[a][b] - first[a][b] for a in range(3) for b in range(a)}
    worst = max(apart, key=lambda pair: abs(apart[pair]))
    assert found["numbers"][0]["rows"][0][-1] == measured(apart[worst])
    assert {found["numbers"][0]["rows"][0][0], found["numbers"][0]["rows"][0][1]} == {
        "abc"[place] for place in worst
    }


def test_a_color_says_how_large_a_number_is():
    assert heat.UNIT.color(0.0) == heat.HEAT[0]
    assert heat.UNIT.color(0.05) == heat.HEAT[1]
    assert heat.UNIT.color(1.0) == heat.HEAT[-1]
    assert heat.CHANGE.color(-0.3) == heat.LESS[-1]
    assert heat.CHANGE.color(0.3) == heat.MORE[-1]
    assert heat.CHANGE.color(0.019) == heat.CHANGE.color(-0.019) == heat.TRACK
    assert len(heat.UNIT.legend()) == len(heat.HEAT)
    assert len(heat.CHANGE.legend()) == 2 * len(heat.MORE) + 1


def test_small_groups_are_marked_and_shown(page):
    words = Page(page).text
    assert "3 groups, 1 small group" in words
    assert "Davos small" in words
    # 320 real rows, its drift, and the score of its own
    assert "320 320 300 0.0200" in words
    assert "the largest drift is Basel: 6.0\N{NO-BREAK SPACE}% of all rows less" in page


def test_hostile_names_are_text_and_nothing_can_act(tmp_path):
    render_utility(tmp_path, evaluation_of(3, name=HOSTILE))
    text, short = written(tmp_path)
    found = Page(text)
    assert len(found.ids) == len(set(found.ids))
    assert not set(found.tags) & {"script", "iframe", "object", "embed", "img", "link", "base"}
    assert "<script>alert(1)</script>" in found.text
    for held in (text, short):
        assert "\u202e" not in held
    assert "<script" not in text
    assert "\\<script\\>" in short
    for name, value in found.attributes:
        assert not name.startswith("on")
        if name in {"href", "src"}:
            assert value[1:] in found.ids


METRICS = [
    ("Shares, and the target", ["drift of the share"]),
    *(
        (f"Metric number {place}", [f"score {at} of metric number {place}" for at in range(2)])
        for place in range(10)
    ),
]


def grouped(*, columns, groups, instead=()):
    """Return the section on subgroups with every metric of every group."""
    names = [
        (f"column {column}", f"group {group}")
        for column in range(columns)
        for group in range(groups)
    ]
    return section(
        "subgroups",
        scores=[
            score(name, 0.1234, group=f"{column} = {group}")
            for column, group in names
            for title, held in METRICS
            if (column, group, title) not in instead
            for name in held
        ],
        tables={
            "groups": [
                {
                    "column": column,
                    "group": f"{column} = {group}",
                    "label": group,
                    "rows": {"real": 900, "synthetic": 880, "holdout": 300},
                    "shares": {"real": 0.1, "synthetic": 0.1, "holdout": 0.1},
                    "small": False,
                    "instead": {
                        title: "not measured: fewer than 100 rows of the group in a table"
                        for title, _ in METRICS
                        if (column, group, title) in instead
                    },
                }
                for column, group in names
            ],
            "metrics": [{"title": title, "names": held} for title, held in METRICS],
        },
    )


def test_each_metric_of_a_group_has_a_table_and_words_where_there_is_no_number(tmp_path):
    without = {("column 0", "group 1", "Metric number 3")}
    found = grouped(columns=2, groups=3, instead=without)
    render_utility(tmp_path, {"sections": [found]})
    text = written(tmp_path)[0]
    for place in range(2):
        for title, names in METRICS[1:]:
            start = text.index(f"{title}, among the rows of each group of column {place}")
            table = text[start : text.index("</table>", start)]
            for name in names:
                assert f">{name}</th>" in table
            assert table.count("<strong>0.1234</strong>") == len(names) * 3 - 2 * (
                (f"column {place}", "group 1", title) in without
            )
            assert ("fewer than 100 rows" in table) == (title == METRICS[4][0] and place == 0)
    # The first table has the shares, and nothing that has a table of its own.
    start = text.index("Groups of column 1: rows, and each score")
    first = text[start : text.index("</table>", start)]
    assert ">drift of the share</th>" in first
    assert "metric number" not in first
    assert "Metrics" not in Page(text).text  # no second time as plain numbers


def test_fifty_columns_stay_below_two_megabytes(tmp_path):
    document = evaluation_of(50)
    document["sections"][-1] = grouped(columns=8, groups=12)
    document["sections"][0]["tables"]["columns"] = [column(place, levels=32) for place in range(50)]
    render_utility(tmp_path, document)
    assert (tmp_path / "report.html").stat().st_size <= 2 * 2**20
    assert written(tmp_path)[0].count('<div class="tile">') == 50


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"sections": [None, 3, {"key": "x"}]},
        {"sections": [{"key": "x", "scores": [{}], "tables": {"columns": 3, "roc": [1]}}]},
        {"sections": [{"tables": {"roc": {"a": {}}, "coefficients": [{}], "groups": [{}]}}]},
        {"sections": [{"tables": {"learning_curves": {"m": [{"n": 1}]}, "curves": {"lines": {}}}}]},
    ],
)
def test_a_document_of_another_shape_is_shown_as_far_as_it_goes(tmp_path, document):
    render_utility(tmp_path, document)
    assert "Internal" in Page(written(tmp_path)[0]).text


def test_a_line_is_thinned_without_losing_its_ends():
    points = [(float(x), float(x) ** 2) for x in range(5000)]
    kept = curves.thinned(points)
    assert len(kept) <= curves.MOST + 1
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert set(kept) <= set(points)


def test_ticks_are_round_and_few():
    assert curves.ticks(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert curves.ticks(0.0, 5000.0) == [0, 1000, 2000, 3000, 4000, 5000]
    for low, high in ((-0.37, 0.91), (0.61, 0.63), (0.0, 3.0)):
        found = curves.ticks(low, high)
        assert 2 <= len(found) <= 7
        assert low <= found[0] <= found[-1] <= high + 1e-9


def test_one_wide_interval_does_not_hide_the_other_coefficients():
    def one(value, low, high):
        estimate = coefficients.Estimate(value=value, low=low, high=high)
        return coefficients.Coefficient(name="x", real=estimate, synthetic=None, holdout=None)

    low, high = coefficients.reach([one(1.0, 0.5, 1.5), one(0.2, -500.0, 900.0)])
    assert -2 < low < 0
    assert 1.5 < high < 3


def test_the_internal_report_of_a_release_shows_the_same_sections(tmp_path):
    dossier = {"verdict": "PASS", "claim": "see certificate", "audit": {"results": []}}
    document = evaluation_of(3)
    render_internal(tmp_path, {**dossier, "evaluation": document})
    text = written(tmp_path)[0]
    for shown in view.view_of(document)["sections"]:
        assert f'<section id="{shown["anchor"]}">' in text
    (tmp_path / "evaluation.json").write_text(json.dumps(document))
    render_internal(tmp_path, dossier)
    assert written(tmp_path)[0] == text


def test_the_public_report_has_none_of_it(tmp_path):
    folder = tmp_path / "public"
    folder.mkdir()
    render_public(folder, {})
    before = written(folder)
    for place in (folder, tmp_path / "internal"):
        place.mkdir(exist_ok=True)
        for name in ("evaluation.json", "fidelity.json"):
            (place / name).write_text(json.dumps(evaluation_of(3)))
    render_public(folder, {"evaluation": evaluation_of(3), "fidelity": {"measures": [{}]}})
    assert written(folder) == before
    assert "ceiling" not in Page(before[0]).text
