"""Documents to blocks: which lines are headings, paragraphs, list entries, questions and answers.

Takes a document, gives its blocks in reading order and a report of what is not the guide. Where there
is typography, size, weight and position decide; where there is none, shape does. Leaves Markdown to
``markdown``, furniture to ``furniture``, and the making of passages to ``passages``.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ingest.clean import find_compounds, trace
from ingest.datatypes import Block, BlockKind, Document, Omission, Span
from ingest.furniture import find_furniture
from ingest.layout import Gap, Layout, Row, first_word, join_spans, measure
from ingest.markdown import find_markdown_blocks
from ingest.shapes import (
    ANSWER,
    BULLET,
    ENDED,
    FAQ_HEADING,
    NUMBER,
    QUESTION,
    RULE,
    SENTENCE_END,
    TERM,
    is_term,
    is_title_case,
    marker_length,
)

__all__ = ["find_blocks"]

HEADING_SCALE = 1.08  # times the body's size: from here on type is a heading's
SAME_SIZE = 0.06  # two sizes that differ by less, as a share, are one
MAX_HEADING_WORDS = 14
MAX_HEADING_ROWS = 3
MAX_PLAIN_ENTRY_WORDS = 14
_NUMBERED_HEADING = re.compile(r"^\d{1,2}(?:\.\d{1,2})*[.)]?\s+[A-Z]")
INDENT_STEP = 4.0  # points (PDF) from which an indent counts


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows that belong together, on their way to a block.

    :param level: 0 unless the group is a heading.
    """

    rows: tuple[Row, ...]
    level: int = 0

    @property
    def text(self) -> str:
        """The rows in one line, not yet normalised."""
        return " ".join(row.text for row in self.rows)

    @property
    def is_bold(self) -> bool:
        """Whether all of it is bold."""
        return all(row.is_bold for row in self.rows)


def find_blocks(document: Document) -> tuple[tuple[Block, ...], tuple[Omission, ...]]:
    """Find the structure of a document.

    :param document: A document as read.
    :return: The blocks in reading order, and what is left out with the reason.
    """
    if document.has_markup:
        return find_markdown_blocks(document)
    layout = measure(document)
    furniture = find_furniture(document, layout.rows)
    layout = replace(layout, rows=furniture.kept)
    rules = [row for row in layout.rows if RULE.match(row.text)]
    layout = replace(layout, rows=tuple(row for row in layout.rows if not RULE.match(row.text)))
    groups = _level_headings(layout, _group_rows(layout, furniture.headings), furniture.headings)
    blocks = tuple(_Classifier(document, layout, groups).classify())
    drawn = tuple(Omission(document.source, row.page_index, "drawn line", row.text) for row in rules)
    return blocks, furniture.omissions + drawn


# Rows to groups


def _group_rows(layout: Layout, headings: dict[Row, int]) -> list[_Group]:
    groups: list[list[Row]] = []
    heading_left = 0
    for index, row in enumerate(layout.rows):
        if row in headings:
            groups.append([row])
            heading_left = headings[row] - 1
        elif heading_left:
            groups[-1].append(row)
            heading_left -= 1
        elif index == 0 or groups[-1][0] in headings or _starts_group(layout, groups[-1], row):
            groups.append([row])
        else:
            groups[-1].append(row)
    return [_Group(tuple(rows)) for rows in groups]


def _starts_group(layout: Layout, group: Sequence[Row], row: Row) -> bool:
    before = group[-1]
    if row.gap is Gap.SPACE and not _continues_heading(layout, before, row):
        return True
    if _has_marker(layout, row, before) or _differs_in_type(layout, before, row):
        return True
    if row.gap is Gap.PAGE:
        return not _continues_page(layout, before, row)
    if before.text.endswith(":") and not layout.fills_line(before, row):
        return True
    return _begins_anew(layout, group, row) or _ends_short(layout, group, row)


def _begins_anew(layout: Layout, group: Sequence[Row], row: Row) -> bool:
    """Tell by a bold start or an indent that a row begins a paragraph."""
    before = group[-1]
    if not layout.has_typography or not ENDED.search(before.text):
        return False
    has_term = row.line.bold_until > 0 and not before.is_bold
    return has_term or (row.indent - before.indent > INDENT_STEP and len(group) > 1)


def _continues_heading(layout: Layout, before: Row, row: Row) -> bool:
    """Tell whether a big line goes on with a big line: headings are set with more space."""
    is_big = before.line.size > HEADING_SCALE * layout.body_size > 0
    if not is_big or not _is_same_size(before, row) or before.page_index != row.page_index:
        return False
    return row.line.y - before.line.y < 1.7 * row.line.size and not ENDED.search(before.text)


def _is_same_size(first: Row, second: Row) -> bool:
    return abs(first.line.size - second.line.size) <= SAME_SIZE * max(first.line.size, second.line.size)


def _has_marker(layout: Layout, row: Row, before: Row) -> bool:
    text = row.text
    if QUESTION.match(text) or ANSWER.match(text):
        return True
    if not (BULLET.match(text) or NUMBER.match(text)):
        return False
    # "- " and "30. " also begin lines in the middle of a sentence.
    is_plain = text[0] in "-\u2013\u2014*+" or NUMBER.match(text) is not None
    if not is_plain or row.gap is Gap.SPACE or ENDED.search(before.text):
        return True
    is_beside_entry = marker_length(before.text) > 0 or row.indent != before.indent
    return is_beside_entry and not layout.fills_line(before, row)


def _differs_in_type(layout: Layout, before: Row, row: Row) -> bool:
    if not layout.has_typography:
        return False
    if not _is_same_size(before, row):
        return True
    # A bold line above plain text is a heading of its own; a bold start is a term, looked at elsewhere.
    if before.is_bold and row.line.bold_until == 0:
        return not _is_wrapped_term(layout, before, row)
    return row.is_bold and before.line.bold_until == 0 and bool(ENDED.search(before.text))


def _is_wrapped_term(layout: Layout, before: Row, row: Row) -> bool:
    """Tell whether a bold line is a run-in term that happens to end where the line does."""
    return before.text[-1] in ":." and layout.fills_line(before, row) and row.gap is Gap.NONE


def _continues_page(layout: Layout, before: Row, row: Row) -> bool:
    if layout.has_typography and (before.is_bold != row.is_bold or row.line.bold_until):
        return before.is_bold and row.is_bold and not ENDED.search(before.text)
    if not ENDED.search(before.text):
        return row.text[0].islower() or len(before.text) > 0.6 * layout.width
    if before.text.endswith(":") or not layout.fills_line(before, row) or TERM.match(row.text):
        return False
    return abs(row.indent - before.indent) < INDENT_STEP


def _ends_short(layout: Layout, group: Sequence[Row], row: Row) -> bool:
    """Tell whether the line before ended early: the sign of a paragraph's end where no space shows it."""
    before = group[-1]
    room = layout.width - len(before.text) - 1 - len(first_word(row.text))
    if layout.has_spaced_paragraphs or room < 0.15 * layout.width:
        return False
    starts_anew = not row.text[0].islower()
    return starts_anew and (bool(SENTENCE_END.search(before.text)) or room > 0.4 * layout.width)


# Headings


def _level_headings(layout: Layout, groups: list[_Group], named: dict[Row, int]) -> list[_Group]:
    """Give every heading its level: by size where there is typography, else 1."""
    sizes = sorted({_heading_size(layout, group) for group in groups} - {0.0}, reverse=True)
    levels: dict[float, int] = {}
    deepest = 0
    nearest = 0  # the first of the sizes so far, from the biggest, that is as good as this one
    for size in sizes:
        while sizes[nearest] - size > SAME_SIZE * sizes[nearest]:
            nearest += 1
        levels[size] = levels.get(sizes[nearest], deepest + 1)
        deepest = max(deepest, levels[size])
    bold_level = deepest + 1
    found: list[_Group] = []
    for index, group in enumerate(groups):
        after = groups[index + 1] if index + 1 < len(groups) else None
        size = _heading_size(layout, group)
        if index == 0 and after is not None and 0.0 < size < _heading_size(layout, after):
            found.append(group)  # the subtitle of a cover, not the heading of a heading
        elif size:
            found.append(replace(group, level=levels[size]))
        elif group.rows[0] in named:
            found.append(replace(group, level=1))
        elif _is_bold_heading(layout, group, after):
            found.append(replace(group, level=bold_level))
        elif not layout.has_typography and _is_heading_by_shape(layout, groups, index, bool(named)):
            found.append(replace(group, level=1))
        else:
            found.append(group)
    return found if sizes else _lower_repeated(found)


def _heading_size(layout: Layout, group: _Group) -> float:
    """Give the size of a heading set in big type, 0.0 for anything else."""
    size = group.rows[0].line.size
    if not layout.has_typography or size <= HEADING_SCALE * layout.body_size:
        return 0.0
    return (
        size
        if len(group.text.split()) <= 2 * MAX_HEADING_WORDS and len(group.rows) <= MAX_HEADING_ROWS
        else 0.0
    )


def _is_bold_heading(layout: Layout, group: _Group, after: _Group | None) -> bool:
    text = group.text
    if not layout.has_typography or not group.is_bold or after is None or after.is_bold:
        return False
    if BULLET.match(text) or NUMBER.match(text) or text[-1] in ".:;,":
        return False
    return len(text.split()) <= MAX_HEADING_WORDS * (2 if text.endswith("?") else 1)


def _is_heading_by_shape(layout: Layout, groups: Sequence[_Group], index: int, has_contents: bool) -> bool:
    """Tell whether a short line between spaces heads what follows: text, or a heading and then text."""
    group = groups[index]
    before = groups[index - 1] if index else None
    after = groups[index + 1 : index + 3]
    if not _is_shaped_like_heading(layout, group) or (before is not None and before.text.endswith(":")):
        return False
    is_title = is_title_case(group.text.split())
    heads_heading = (
        len(after) == 2 and is_title and _is_shaped_like_heading(layout, after[0]) and _is_text(after[1])
    )
    heads_text = bool(after) and _is_text(after[0]) and (is_title or not has_contents)
    return heads_text or heads_heading


def _is_shaped_like_heading(layout: Layout, group: _Group) -> bool:
    text = group.text
    words = text.split()
    if len(group.rows) > 2 or len(words) > MAX_HEADING_WORDS or len(text) > 0.9 * layout.width:
        return False
    if not (text[0].isupper() or _NUMBERED_HEADING.match(text)) or BULLET.match(text):
        return False
    asks = text.endswith("?") and is_title_case(words)
    return (asks or not ENDED.search(text)) and text[-1] not in ",\u2013-"


def _lower_repeated(groups: Sequence[_Group]) -> list[_Group]:
    """Put a heading that comes back ("How to do it") below the headings that do not."""
    counts = Counter(group.text for group in groups if group.level)
    if all(count > 1 for count in counts.values()):
        return list(groups)
    return [replace(g, level=2) if g.level and counts[g.text] > 1 else g for g in groups]


def _is_text(group: _Group | None) -> bool:
    if group is None:
        return False
    text = group.text
    return bool(ENDED.search(text)) or len(text.split()) > MAX_HEADING_WORDS or bool(BULLET.match(text))


# Groups to blocks


class _Classifier:
    """Walks over the groups of one document and says what each is."""

    def __init__(self, document: Document, layout: Layout, groups: Sequence[_Group]) -> None:
        self._document = document
        self._layout = layout
        self._groups = groups
        self._compounds = find_compounds("\n".join(page.text for page in document.pages))
        self._section = ""
        self._has_prose = False  # the section holds something before its first question
        self._is_answering = False
        self._plain_entries = self._find_plain_entries()
        self._term_entries = self._find_term_entries()
        self._outer_indent: float | None = None
        self._lone_questions = sum(not g.level and g.text.endswith("?") and len(g.rows) < 3 for g in groups)

    def classify(self) -> Iterator[Block]:
        """Give the blocks of all groups."""
        for index, group in enumerate(self._groups):
            if group.level:
                yield from self._head(group, index)
            else:
                yield from self._read_group(group, index)

    def _head(self, group: _Group, index: int) -> Iterator[Block]:
        text = group.text
        self._outer_indent = None
        is_entry = text.rstrip().endswith("?") and (group.level > 1 or FAQ_HEADING.search(self._section))
        if is_entry:
            self._is_answering = True
            yield self._make(BlockKind.QUESTION, _spans_of(group, QUESTION))
            return
        self._is_answering = False
        self._section = text
        self._has_prose = False
        yield self._make(BlockKind.HEADING, _spans_of(group), level=group.level)

    def _read_group(self, group: _Group, index: int) -> Iterator[Block]:
        text = group.text
        if QUESTION.match(text):
            yield from self._ask(group)
        elif self._is_answering and ANSWER.match(text):
            yield self._make(BlockKind.ANSWER, _spans_of(group, ANSWER))
        elif self._is_plain_question(group):
            self._is_answering = True
            yield self._make(BlockKind.QUESTION, _spans_of(group))
        elif group.rows[0].line.bold_until and (blocks := list(self._read_bold_start(group))):
            yield from blocks
        elif BULLET.match(text) or NUMBER.match(text):
            yield self._enter(group, index)
        elif index in self._term_entries and not self._is_answering:
            yield self._make_term_entry(group, ())
        elif index in self._plain_entries and not self._is_answering:
            yield self._make(BlockKind.LIST_ITEM, _spans_of(group), level=1)
        else:
            self._outer_indent = None
            self._has_prose = True
            yield self._make(
                BlockKind.ANSWER if self._is_answering else BlockKind.PARAGRAPH, _spans_of(group)
            )

    def _ask(self, group: _Group) -> Iterator[Block]:
        """Begin an FAQ entry; if it stands in a section about something else, close that section."""
        if not self._is_answering and self._has_prose and not FAQ_HEADING.search(self._section):
            yield Block(BlockKind.HEADING, "", (), level=1)
            self._section = ""
        self._is_answering = True
        yield self._make(BlockKind.QUESTION, _spans_of(group, QUESTION))

    def _is_plain_question(self, group: _Group) -> bool:
        text = group.text
        if not text.endswith("?") or len(text.split()) > 2 * MAX_HEADING_WORDS or len(group.rows) > 3:
            return False
        if group.is_bold:
            return True
        is_expected = bool(FAQ_HEADING.search(self._section)) or self._lone_questions > 1
        return is_expected and not re.search(r"[.!?]\s+[A-Z]", text)

    def _read_bold_start(self, group: _Group) -> Iterator[Block]:
        """Read a group that begins in bold type: a term, or a question, with its text."""
        marker = marker_length(group.text)
        spans = _bold_spans(group, marker)
        if not spans:
            return
        term = self._trace(spans)
        rest = _after(group, spans)
        body = self._trace(rest)
        if term.endswith("?") and body:
            self._is_answering = True
            yield self._make(BlockKind.QUESTION, spans)
            yield self._make(BlockKind.ANSWER, _skip(self._document, rest, ANSWER))
        elif body and is_term(term, body):
            yield self._make_term_entry(group, spans)

    def _make_term_entry(self, group: _Group, bold: tuple[Span, ...]) -> Block:
        self._has_prose = True
        marker = marker_length(group.text)
        if not bold:
            match = TERM.match(group.text[marker:])
            bold = _slice(group, marker, marker + (match.end("term") if match else 0))
        term = self._trace(bold).rstrip(" :.\u2013\u2014-")
        rest = _skip(self._document, _after(group, bold), re.compile(r"^[\s:.\u2013\u2014-]+"))
        is_numbered = NUMBER.match(group.text) is not None
        block = self._make(BlockKind.LIST_ITEM, rest, level=1)
        return replace(block, term=term, term_span=_term_span(bold), is_numbered=is_numbered)

    def _enter(self, group: _Group, index: int) -> Block:
        """Read an entry with a bullet or a number."""
        if index in self._term_entries:
            return self._make_term_entry(group, ())
        self._has_prose = True
        indent = group.rows[0].indent
        if self._outer_indent is None:
            self._outer_indent = indent
        level = 1 if indent <= self._outer_indent + 1 else 2
        marker = marker_length(group.text)
        block = self._make(BlockKind.LIST_ITEM, _slice(group, marker, len(group.text)), level=level)
        return replace(block, is_numbered=NUMBER.match(group.text) is not None)

    def _find_term_entries(self) -> set[int]:
        """Find "Term: text" groups: after a sentence that ends in a colon, or two and more in a row."""
        found: set[int] = set()
        for start, group in enumerate(self._groups):
            if start in found:
                continue
            run: list[int] = []
            for index in range(start, len(self._groups)):
                if not _is_term_entry(self._groups[index]):
                    break
                run.append(index)
            has_lead = start > 0 and self._groups[start - 1].text.endswith(":")
            if len(run) > 1 or (run and has_lead and not group.level):
                found.update(run)
        return found

    def _find_plain_entries(self) -> set[int]:
        """Find entries without a marker: paragraphs of one shape after a sentence that ends in a colon."""
        leads = [i for i, group in enumerate(self._groups) if not group.level and group.text.endswith(":")]
        runs = _AlikeRuns(self._groups) if leads else None
        found: set[int] = set()
        done = 0
        for lead in leads:
            start = lead + 1
            end = runs.find_end(start) if runs else start
            if end - start > 1:
                found.update(range(max(start, done), end))
                done = max(done, end)
        return found

    def _make(self, kind: BlockKind, spans: Sequence[Span], level: int = 0) -> Block:
        return Block(kind, self._trace(spans), join_spans(spans), level)

    def _trace(self, spans: Sequence[Span]) -> str:
        return trace(self._document.pages, join_spans(spans), self._compounds).text


class _AlikeRuns:
    """Says how many groups from one on have one shape.

    One shape is one first word ("If ...", "If ..."), or short lines that all end, or all do not end,
    in a full stop. Looked up from behind, so that a long run is walked once and not from every lead.
    """

    def __init__(self, groups: Sequence[_Group]) -> None:
        count = len(groups)
        texts = [group.text for group in groups]
        self._words = [first_word(text).casefold() for text in texts]
        self._is_short = [_has_words_up_to(text, MAX_PLAIN_ENTRY_WORDS) for text in texts]
        self._is_ended = [SENTENCE_END.search(text) is not None for text in texts]
        self._may_enter = [
            not (group.level or marker_length(text) or QUESTION.match(text) or _is_term_entry(group))
            for group, text in zip(groups, texts, strict=True)
        ]
        self._same_word_end: list[int] = list(range(1, count + 1))
        self._same_shape_end: list[int] = list(range(1, count + 1))
        for index in range(count - 2, -1, -1):
            after = index + 1
            if self._may_enter[after] and self._words[after] == self._words[index]:
                self._same_word_end[index] = self._same_word_end[after]
            if self._continues_shape(index, after):
                self._same_shape_end[index] = self._same_shape_end[after]

    def _continues_shape(self, index: int, after: int) -> bool:
        is_entry = self._may_enter[after] and self._is_short[after]
        return is_entry and self._is_ended[after] == self._is_ended[index]

    def find_end(self, start: int) -> int:
        """Give the index after the last entry of the run that begins at a group; ``start`` if none does."""
        if start >= len(self._words) or not self._may_enter[start]:
            return start
        if self._same_word_end[start] > start + 1:
            return self._same_word_end[start]
        end = self._same_shape_end[start]
        rest_shares_word = end - start > 2 and self._same_word_end[min(start + 1, end - 1)] >= end
        return start + 1 if not self._is_short[start] or rest_shares_word else end


def _has_words_up_to(text: str, count: int) -> bool:
    return len(text.split(maxsplit=count)) <= count


def _is_term_entry(group: _Group) -> bool:
    text = group.text[marker_length(group.text) :]
    match = TERM.match(text)
    if group.level or match is None or QUESTION.match(group.text) or ANSWER.match(group.text):
        return False
    return is_term(match["term"], text[match.end() :])


# Places within a group


def _spans_of(group: _Group, marker: re.Pattern[str] | None = None) -> tuple[Span, ...]:
    match = marker.match(group.text) if marker else None
    return _slice(group, match.end() if match else 0, len(group.text))


def _slice(group: _Group, start: int, end: int) -> tuple[Span, ...]:
    """Say where ``group.text[start:end]`` stands; rows are joined there by one space."""
    spans: list[Span] = []
    base = 0
    for row in group.rows:
        low, high = max(start, base), min(end, base + len(row.text))
        if low < high:
            origin = row.line.span.start - base
            spans.append(Span(row.page_index, origin + low, origin + high))
        base += len(row.text) + 1
    return tuple(spans)


def _bold_spans(group: _Group, marker: int) -> tuple[Span, ...]:
    """Say where the bold beginning of a group stands, without its bullet."""
    end = 0
    for row in group.rows:
        end += min(row.line.bold_until, len(row.text))
        if row.line.bold_until < len(row.text):
            break
        end += 1
    return _slice(group, marker, end) if end > marker else ()


def _after(group: _Group, spans: Sequence[Span]) -> tuple[Span, ...]:
    """Say what of a group stands behind the given stretches."""
    if not spans:
        return _spans_of(group)
    last = spans[-1]
    rest: list[Span] = []
    for row in group.rows:
        span = row.line.span
        if (span.page_index, span.end) <= (last.page_index, last.end):
            continue
        start = max(span.start, last.end) if span.page_index == last.page_index else span.start
        rest.append(Span(span.page_index, start, span.end))
    return tuple(rest)


def _skip(document: Document, spans: Sequence[Span], pattern: re.Pattern[str]) -> tuple[Span, ...]:
    """Take what matches the pattern off the beginning of the first stretch."""
    if not spans:
        return ()
    first = spans[0]
    text = document.pages[first.page_index].text[first.start : first.end]
    stripped = len(text) - len(text.lstrip())
    match = pattern.match(text) or pattern.match(text[stripped:])
    skipped = 0 if match is None else match.end() + (0 if pattern.match(text) else stripped)
    rest = Span(first.page_index, first.start + skipped, first.end)
    return (rest, *spans[1:]) if rest.start < rest.end else tuple(spans[1:])


def _term_span(spans: Sequence[Span]) -> Span | None:
    """Give the first stretch of a term; a term that is broken over a page has its first part."""
    joined = join_spans(spans)
    return joined[0] if joined else None
