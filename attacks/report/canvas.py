"""A sheet to draw on that becomes an inline SVG: same calls, same bytes.

matplotlib lays the shapes down; this module turns off what would let a name or a machine into
the file: math parsing, dates, random ids, and fonts (text stays text, in the page's own font).
"""

import re
import warnings
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

from attacks.report.wording import clean, shorten

if TYPE_CHECKING:
    from markupsafe import Markup

INK = "#1d2a35"
MUTED = "#55636f"
FAINT = "#c9d1d7"
HAIR = "#dde3e7"
ACCENT = "#1f6a72"
SOFT = "#d6e6e7"
PALE = "#8fb9bd"
WARM = "#a65a1f"
BEFORE = "#84929d"
TRACK = "#f1f4f5"
PAPER = "#ffffff"
GOOD = "#23694a"
BAD = "#a3271f"
OPEN = "#83540d"
HEAT = (
    "#f2f6f6", "#dcebec", "#bddadd", "#97c3c8", "#6ca8ae", "#458d94", "#23707a", "#0f4248",
)  # fmt: skip
LESS = ("#f6e6da", "#e6bf9e", "#cb8a56", "#a5581c")
MORE = ("#dfecee", "#a5ccd0", "#5f9fa6", "#216b74")

# The page names each of these colors, once for light and once for dark screens.
_NAMED = {
    INK: "ink",
    MUTED: "muted",
    FAINT: "faint",
    HAIR: "hair",
    ACCENT: "accent",
    SOFT: "soft",
    PALE: "pale",
    WARM: "warm",
    BEFORE: "before",
    TRACK: "track",
    PAPER: "paper",
    GOOD: "good",
    BAD: "bad",
    OPEN: "open",
    **{color: f"heat-{place}" for place, color in enumerate(HEAT)},
    **{color: f"less-{place}" for place, color in enumerate(LESS)},
    **{color: f"more-{place}" for place, color in enumerate(MORE)},
}

_LETTER = 0.56  # width of an average letter over its size, in the fonts that the page asks for


def letters(room: float, *, size: float) -> int:
    """Return how many letters of a size fit into so many pixels, about, and at least one."""
    return max(1, int(room / (size * _LETTER)))


class Canvas:
    """A sheet of ``width`` x ``height`` pixels with the origin in the upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure
        from matplotlib.transforms import Affine2D

        self.width = width
        self.height = height
        self._figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        self._drawn = 0
        self._flip = Affine2D().scale(1, -1).translate(0, height)

    def _add(self, artist: Any) -> None:
        artist.set_transform(self._flip)
        self._place(artist)

    def _place(self, artist: Any) -> None:
        self._drawn += 1
        artist.set_zorder(self._drawn)  # what is drawn later lies on top, whatever its kind
        self._figure.add_artist(artist)

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str = ACCENT,
        line: str | None = None,
    ) -> None:
        """Draw a filled rectangle, with an outline if ``line`` names a color."""
        self.polygon(
            [(x, y), (x + width, y), (x + width, y + height), (x, y + height)],
            fill=fill,
            line=line,
        )

    def bars(self, boxes: list[tuple[float, float, float, float]], *, fill: str = ACCENT) -> None:
        """Draw many rectangles ``(x, y, width, height)`` of one color as one shape."""
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        corners: list[tuple[float, float]] = []
        codes: list[Any] = []
        for x, y, width, height in boxes:
            corners += [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
            codes += [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
        if boxes:
            self._add(PathPatch(Path(corners, codes), facecolor=fill, edgecolor="none"))

    def polygon(
        self, points: list[tuple[float, float]], *, fill: str, line: str | None = None
    ) -> None:
        """Draw a filled outline."""
        from matplotlib.patches import Polygon

        edge = line or "none"
        self._add(Polygon(points, closed=True, facecolor=fill, edgecolor=edge, linewidth=1))

    def line(
        self,
        points: list[tuple[float, float]],
        *,
        color: str = INK,
        width: float = 1,
        dashed: bool = False,
    ) -> None:
        """Draw a line through ``points``."""
        from matplotlib.lines import Line2D

        xs, ys = [point[0] for point in points], [point[1] for point in points]
        style: Any = (0, (3, 3)) if dashed else "solid"
        self._add(Line2D(xs, ys, color=color, linewidth=width, linestyle=style))

    def dot(self, x: float, y: float, *, color: str = ACCENT, radius: float = 4) -> None:
        """Draw a filled circle with a light rim."""
        from matplotlib.patches import Circle

        self._add(Circle((x, y), radius, facecolor=color, edgecolor=PAPER, linewidth=1))

    def diamond(self, x: float, y: float, *, color: str = ACCENT, radius: float = 4.5) -> None:
        """Draw a filled square on its corner with a light rim."""
        corners = [(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)]
        self.polygon(corners, fill=color, line=PAPER)

    def text(
        self,
        x: float,
        y: float,
        words: object,
        *,
        size: float = 12,
        color: str = INK,
        anchor: str = "left",
        bold: bool = False,
        room: float | None = None,
    ) -> None:
        """Write one line, cut to ``room`` pixels; ``y`` is its base line."""
        from matplotlib.text import Text

        shown = clean(words)
        if room is not None:
            shown = shorten(shown, letters(room, size=size))
        self._place(
            Text(
                x,
                self.height - y,
                shown,
                fontsize=size,
                color=color,
                ha=anchor,
                va="baseline",
                fontweight="bold" if bold else "normal",
                parse_math=False,
                transform=None,
            )
        )

    def svg(self, *, ident: str, title: str, description: str) -> "Markup":
        """Return the sheet as markup, with its title and description for a screen reader.

        Args:
            ident: a name of our own for this chart, unique in the page.
            title: what the chart shows, in a few words.
            description: what a reader would take from it, in a sentence.
        """
        import matplotlib as mpl
        from markupsafe import Markup

        buffer = BytesIO()
        settings: Any = {
            "svg.fonttype": "none",
            "svg.hashsalt": ident,
            "text.usetex": False,
            "text.parse_math": False,
            "path.simplify": False,
            "font.family": ["DejaVu Sans"],
        }
        nothing: Any = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        with mpl.rc_context(settings), warnings.catch_warnings():
            # A name in a script that the bundled font lacks is still written as text.
            warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
            self._figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
        self._figure.clear()
        drawn = buffer.getvalue().decode("utf-8")
        return Markup(_inline(drawn, self, ident, clean(title), clean(description)))  # noqa: S704


# What matplotlib writes and a page of our own does not need: wrappers, newlines inside paths, fonts
# (the page sets them), a rotation by nothing, and the empty background.
_TIDY = (
    (r"<metadata>.*?</metadata>|<!--.*?-->|<defs>.*?</defs>", ""),
    (r"</?g\b[^>]*>", ""),
    (r' transform="rotate\(-0 [^"]*\)"', ""),
    (r"font-family: [^;]*; ", ""),
    (r"; stroke-linejoin: miter|; stroke-linecap: square|; stroke-dashoffset: 0", ""),
    (r'<path d="[^"]*" style="fill: none"/>', ""),
    (r"\s*\n\s*(?=[MLCQz])", " "),
    (r"\s+(?=[\"<])", ""),
    (r"(?<=>)\s+", ""),
    (r"(\.\d{2})\d+", r"\1"),
)


def _by_name(found: re.Match[str]) -> str:
    """Let the page choose the color, where it has a name there."""
    name = _NAMED.get(found.group())
    return f"var(--{name})" if name else found.group()


def _inline(drawn: str, sheet: Canvas, ident: str, title: str, description: str) -> str:
    """Keep what is inside the drawing, and name it."""
    body = drawn[drawn.index(">", drawn.index("<svg")) + 1 : drawn.rindex("</svg>")]
    # Words are set aside while the drawing is tidied, so that no name is ever rewritten.
    words: list[str] = []

    def aside(found: re.Match[str]) -> str:
        words.append(found.group(2))
        return f"{found.group(1)}@{len(words) - 1}@</text>"

    body = re.sub(r"(<text\b[^>]*>)([^<]*)</text>", aside, body)
    for pattern, instead in _TIDY:
        body = re.sub(pattern, instead, body, flags=re.DOTALL)
    body = re.sub(r"#[0-9a-f]{6}", _by_name, body)
    body = re.sub(r">@(\d+)@<", lambda found: f">{words[int(found.group(1))]}<", body)
    label = escape(title, quote=True)
    return (
        f'<svg role="img" aria-label="{label}" aria-describedby="{ident}-desc" '
        f'width="{sheet.width:g}" height="{sheet.height:g}" '
        f'viewBox="0 0 {sheet.width:g} {sheet.height:g}">\n'
        f'<title>{label}</title><desc id="{ident}-desc">{escape(description)}</desc>\n'
        f"{body}\n</svg>"
    )
