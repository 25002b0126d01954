"""Can somebody read the pages who does not see them, or does not see colors well?

Looked at in the page itself, for every plot: a name, a description, and its numbers in a table
below. Contrast is computed by the formula of WCAG 2.2 (1.4.3: 4.5 to 1 for text; 1.4.11: 3 to 1
for lines), of the colors that the style sheet states, on bright and dark screens.
"""

import itertools
import re
import runpy
from html.parser import HTMLParser
from pathlib import Path

import pytest

from attacks.report import canvas, render_internal, render_utility
from attacks.report.utility.series import looks

HERE = Path(__file__).parent
DOCUMENTS = runpy.run_path(str(HERE / "test_report_utility.py"))
STYLE = Path(canvas.__file__).parent / "templates" / "style.css.j2"
STUDY = {
    "format": "dpsynth-augmentation-study/1",
    "sections": [
        {
            "key": "augmentation",
            "title": "Augmentation: logistic regression, larger holder",
            "scores": [],
            "notes": ["Synthetic rows were not shown to help anywhere."],
            "tables": {
                "design": "larger holder",
                "model": "logistic",
                "figure": "auroc",
                "learning_curves": {
                    method: [
                        {"n": n, "mean": 0.6 + n / 9000, "low": 0.5, "high": 0.9}
                        for n in (50, 500, 2000)
                    ]
                    for method in ("real only", "SMOTE", "1 synthetic row a real one")
                },
                "table": {"columns": ["method", "verdict"], "rows": [["SMOTE", "helps"]]},
            },
        }
    ],
}


class Outline(HTMLParser):
    """What a screen reader goes through: headings, pictures, tables, in their order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.steps, self.open, self.lang = [], [], None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "html":
            self.lang = found.get("lang")
        if tag in {"h1", "h2", "h3", "h4", "svg", "table"}:
            self.steps.append({"tag": tag, "attributes": found, "text": {}, "scopes": []})
        if tag in {"title", "desc", "caption", "figcaption", "h1", "h2", "h3", "h4"}:
            self.open.append(tag)
        if tag == "th" and self.steps:
            self.steps[-1]["scopes"].append(found.get("scope"))

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data):
        if self.open and self.steps:
            held = self.steps[-1]["text"]
            held[self.open[-1]] = held.get(self.open[-1], "") + data


def pages(folder):
    """Return each kind of page that shows what real rows are good for."""
    evaluation = DOCUMENTS["evaluation_of"](6)
    made = {}
    for name, document in (("evaluation", evaluation), ("study", STUDY)):
        (folder / name).mkdir()
        render_utility(folder / name, document)
        made[name] = (folder / name / "report.html").read_text("utf-8")
    dossier = {"verdict": "PASS", "claim": "see certificate", "audit": {"results": []}}
    fidelity = {
        "measures": [{**DOCUMENTS["score"]("pairs", 0.1), "lower_is_better": True}],
        "columns": [DOCUMENTS["column"](place) for place in range(3)],
    }
    for name, more in (("dossier", {"evaluation": evaluation}), ("short", {"fidelity": fidelity})):
        (folder / name).mkdir()
        render_internal(folder / name, {**dossier, **more})
        made[name] = (folder / name / "report.html").read_text("utf-8")
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return pages(tmp_path_factory.mktemp("pages"))


each_page = pytest.mark.parametrize("name", ["evaluation", "study", "dossier", "short"])


@each_page
def test_every_plot_has_a_name_and_a_description_and_its_numbers_below(made, name):
    steps = Outline(made[name]).steps
    drawings = [place for place, step in enumerate(steps) if step["tag"] == "svg"]
    assert len(drawings) >= 2
    for place in drawings:
        step = steps[place]
        assert step["attributes"]["role"] == "img"
        assert step["attributes"]["aria-label"]
        assert step["text"]["title"].strip()
        assert len(step["text"]["desc"].strip()) >= 12
        # A table follows before the next heading; small plots stand in a row, each with its own.
        after = [each["tag"] for each in steps[place + 1 :]]
        upto = next((at for at, tag in enumerate(after) if tag in {"h1", "h2", "h3"}), len(after))
        assert "table" in after[:upto], step["text"]["title"]


@each_page
def test_headings_come_in_order_and_the_language_is_said(made, name):
    found = Outline(made[name])
    assert found.lang == "en"
    levels = [int(step["tag"][1]) for step in found.steps if re.fullmatch("h[1-4]", step["tag"])]
    assert levels[0] == 1
    assert levels.count(1) == 1
    for before, after in itertools.pairwise(levels):
        assert after <= before + 1, levels
    for step in found.steps:
        if re.fullmatch("h[1-4]", step["tag"]):
            assert step["text"][step["tag"]].strip()


@each_page
def test_every_table_says_what_it_holds_and_what_its_cells_belong_to(made, name):
    tables = [step for step in Outline(made[name]).steps if step["tag"] == "table"]
    assert tables
    for step in tables:
        assert step["text"].get("caption", "").strip()
        assert step["scopes"]
        assert set(step["scopes"]) <= {"col", "row"}


@each_page
def test_a_page_can_be_printed(made, name):
    style = made[name].partition("</style>")[0]
    printed = style[style.index("@media print") :]
    (whole,) = re.findall(
        r"^ *(figure, [^{]*)\{ break-inside: avoid; \}", printed, flags=re.MULTILINE
    )
    assert {"figure", "tr", ".tile > svg"} <= {each.strip() for each in whole.split(",")}
    assert ".wide-only { display: block; } .narrow-only { display: none; }" in printed
    assert "print-color-adjust: exact" in printed


# -- colors ----------------------------------------------------------------------------------------


def colors():
    """Return the named colors of both screens."""
    text = STYLE.read_text("utf-8")
    bright, dark = re.findall(r":root \{(.*?)\}", text, flags=re.DOTALL)
    named = re.compile(r"--([a-z0-9-]+): (#[0-9a-f]{6})")
    first = dict(named.findall(bright))
    return {"bright": first, "dark": first | dict(named.findall(dark))}


def luminance(color):
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_formula_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)


@pytest.mark.parametrize("screen", ["bright", "dark"])
def test_text_stands_out_from_what_it_stands_on(screen):
    found = colors()[screen]
    on = [
        *((ink, paper) for ink in ("ink", "muted", "accent") for paper in ("paper", "wash")),
        *((tone, paper) for tone in ("good", "bad", "open") for paper in ("paper", f"{tone}-wash")),
        ("ink", "track"),
        ("muted", "track"),
    ]
    for ink, paper in on:
        assert contrast(found[ink], found[paper]) >= 4.5, (ink, paper)
    assert contrast("#ffffff", found["alarm"]) >= 4.5  # the notice that the page is internal


@pytest.mark.parametrize("screen", ["bright", "dark"])
def test_lines_stand_out_from_the_paper(screen):
    found = colors()[screen]
    used = {
        look.color for look in looks(["real", "holdout", "synthetic", "mixed", "floor"]).values()
    }
    used |= {look.color for look in looks([f"method {place}" for place in range(8)]).values()}
    assert len(used) >= 7
    for color in used:
        assert contrast(found[canvas._NAMED[color]], found["paper"]) >= 3, canvas._NAMED[color]


def test_the_style_sheet_and_the_drawings_name_the_same_colors():
    bright = colors()["bright"]
    for color, name in canvas._NAMED.items():
        assert bright[name] == color, name
