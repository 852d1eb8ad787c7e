"""Rows: lines with what separates them from the line before, in one form for text and PDF.

Takes a document's lines, gives rows and the measures that tell a paragraph's end from its middle.
Leaves to others what a row means.
"""

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ingest.datatypes import Document, Line, Span

__all__ = [
    "Gap",
    "Layout",
    "Row",
    "first_word",
    "join_spans",
    "measure",
    "most_frequent_size",
    "row_key",
    "title_key",
]

WIDE_GAP = 1.22  # times the usual distance of two lines: from here on it is a space between paragraphs
FULL_LINE = 0.94  # of the usual width in characters; letters differ in width, so not 1

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
_NUMBER_BEFORE = re.compile(r"\A\s*(?:\d{1,2}(?:\.\d{1,2})*[.)]?|[IVX]+\.)\s+")
_BRACKETS_AFTER = re.compile(r"(?<!\s)\s*+\([^()]*\)\s*$")  # looks back to be linear in a run of spaces


class Gap(StrEnum):
    """What stands between a row and the row before it."""

    NONE = "none"
    SPACE = "space"
    PAGE = "page"  # a page or a column ends here, so the space cannot be seen


@dataclass(frozen=True, slots=True)
class Row:
    """A line and what separates it from the line before.

    :param indent: Left edge: points in a PDF, characters in text.
    """

    line: Line
    gap: Gap
    indent: float

    @property
    def text(self) -> str:
        """The line as printed."""
        return self.line.text

    @property
    def page_index(self) -> int:
        """The page that the row stands on."""
        return self.line.span.page_index

    @property
    def is_bold(self) -> bool:
        """Whether the whole line is bold."""
        return 0 < len(self.text) <= self.line.bold_until


@dataclass(frozen=True, slots=True)
class Layout:
    """The rows of a document with its usual size of type and length of line.

    :param body_size: Most frequent font size in points, 0.0 without typography.
    :param width: Usual length in characters of a line that the writer did not end.
    :param has_spaced_paragraphs: True where paragraphs are parted by space and not only by a short line.
    """

    rows: tuple[Row, ...]
    body_size: float
    width: int
    has_typography: bool
    has_spaced_paragraphs: bool

    def fills_line(self, row: Row, following: Row) -> bool:
        """Tell whether the next row's first word had no room on this row."""
        return len(row.text) + 1 + len(first_word(following.text)) > FULL_LINE * self.width


def measure(document: Document) -> Layout:
    """Build the rows of a document.

    :param document: A document that is not Markdown.
    :return: Its rows in reading order with its measures.
    """
    body_size = most_frequent_size(document.lines)
    pitch = _usual_pitch(document.lines, body_size)
    rows: list[Row] = []
    for index, line in enumerate(document.lines):
        before = document.lines[index - 1] if index else None
        gap = _find_gap(document, before, line, body_size, pitch)
        rows.append(Row(line, gap, _find_indent(document, line)))
    lengths = sorted(len(row.text) for row in rows)
    spaced = sum(row.gap is Gap.SPACE for row in rows)
    return Layout(
        tuple(rows),
        body_size,
        max(lengths[int(0.95 * (len(lengths) - 1))], 40) if lengths else 40,
        document.has_typography,
        has_spaced_paragraphs=spaced * 12 >= len(rows),
    )


def most_frequent_size(lines: Sequence[Line]) -> float:
    """Find the size of the type in which most characters are set, in points; 0.0 without typography."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[line.size] += len(line.text)
    return max(sizes, key=lambda size: (sizes[size], size)) if sizes else 0.0


def _usual_pitch(lines: Sequence[Line], body_size: float) -> float:
    """Find the most frequent distance of two lines of the body, in points."""
    distances = Counter(
        round(second.y - first.y, 1)
        for first, second in itertools.pairwise(lines)
        if first.size == second.size == body_size and second.y > first.y
    )
    most = max(distances.values(), default=0)
    usual = [distance for distance, count in distances.items() if count * 4 >= most]
    # Spaces between short paragraphs may be as frequent as plain line breaks, but they are wider.
    return min(usual) if usual else 1.3 * body_size


def _find_gap(document: Document, before: Line | None, line: Line, body_size: float, pitch: float) -> Gap:
    if before is None or before.span.page_index != line.span.page_index:
        return Gap.PAGE
    if body_size == 0.0:
        text = document.pages[line.span.page_index].text
        is_blank = text.count("\n", before.span.end, line.span.start) > 1
        return Gap.SPACE if is_blank else Gap.NONE
    distance = line.y - before.y
    if distance < -0.5 * body_size:
        return Gap.PAGE
    expected = pitch * max(line.size, before.size, 1.0) / max(body_size, 1.0)
    return Gap.SPACE if distance > WIDE_GAP * expected else Gap.NONE


def _find_indent(document: Document, line: Line) -> float:
    if line.size:
        return line.x
    text = document.pages[line.span.page_index].text
    before = text[text.rfind("\n", 0, line.span.start) + 1 : line.span.start]
    return float(len(before.expandtabs(4)))


def join_spans(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Merge stretches that follow each other on a page.

    :param spans: Stretches in reading order.
    :return: One stretch a page, or more where the reading order goes back (columns).
    """
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].page_index == span.page_index and joined[-1].end <= span.start:
            joined[-1] = Span(span.page_index, joined[-1].start, span.end)
        elif span.end > span.start:
            joined.append(span)
    return tuple(joined)


def first_word(text: str) -> str:
    """Give the characters before the first white space."""
    return text.split(maxsplit=1)[0] if text.strip() else ""


def row_key(text: str) -> str:
    """Reduce a line to letters and figures without case, to compare it with another."""
    return _NOT_ALPHANUMERIC.sub("", text).casefold()


def title_key(text: str) -> str:
    """Reduce a heading or an entry of a list to a key: without a number before it or brackets after it."""
    bare = _NUMBER_BEFORE.sub("", text)
    return row_key(_BRACKETS_AFTER.sub("", bare)) or row_key(text)
