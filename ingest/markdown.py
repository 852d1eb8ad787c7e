"""Markdown to blocks: the structure that its marks state.

Takes a Markdown document, gives blocks whose places are those of the source text. Block structure is
markdown-it-py's (CommonMark and tables); what is a question, a term or a contents list is decided here.
"""

import bisect
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ingest.clean import find_compounds, trace
from ingest.datatypes import Block, BlockKind, Document, Omission, Span
from ingest.furniture import CONTENTS_TITLE, TRAILING_TITLE, find_blurb
from ingest.layout import join_spans, title_key
from ingest.shapes import ANSWER, FAQ_HEADING, QUESTION, TERM, is_term

__all__ = ["find_markdown_blocks"]

MAX_QUESTION_WORDS = 40
MAX_BOLD_HEADING_WORDS = 13
MIN_QUESTION_HEADINGS = 3  # headings of the first level that ask: from here on the guide is an FAQ
QUESTION_HEADING_SHARE = 0.6
DEEPEST_LEVEL = 6
BOLD_LEVEL = DEEPEST_LEVEL + 1  # a bold line that heads a paragraph lies below every heading

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_PREFIX = re.compile(r"[ \t]*(?:>[ \t]?)*[ \t]*")
_MARKERS = re.compile(r"(?:[ \t>]*(?:[-*+]|\d{1,9}[.)])[ \t]+)+(?:\[[ xX]\][ \t]+)?")
_HEADING_MARKS = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*#{1,6}[ \t]*")
_HEADING_TAIL = re.compile(r"(?<![ \t])[ \t]++#++[ \t]*+$")  # looks back to be linear in a run of spaces
_BOLD = re.compile(r"(\*\*\*|\*\*|__)(?=\S)(.+?)(?<=\S)\1", re.DOTALL)
_EMPHASIS = re.compile(r"([*_])(?=[^\s*_])([^*_\n]+?[:.])\1(?=\s)")
_ASKED = re.compile(r"(?:\*\*|__)?(?:q|question|a|answer)\s*+\d*+\s*+[:.)]", re.IGNORECASE)
_AFTER_TERM = re.compile(r"[\s:\u2013\u2014\\-]*")
_INERT = re.compile(r"^\s*<(?:script|style|template|!--)", re.IGNORECASE)
_ANCHOR = re.compile(r"^\s*\[[^\]]+\]\(#[^)]*\)\s*$")


@dataclass(frozen=True, slots=True)
class _Part:
    """A leaf of the Markdown tree.

    :param kind: "heading", "text", "rule" or "html".
    :param depth: Level of a heading; how many lists a text lies in.
    :param opens_item: Whether a text is the first of its list item.
    """

    kind: str
    start: int
    end: int
    depth: int = 0
    opens_item: bool = False
    is_numbered: bool = False


def find_markdown_blocks(document: Document) -> tuple[tuple[Block, ...], tuple[Omission, ...]]:
    """Find the structure of a Markdown document.

    :param document: A document with ``has_markup``.
    :return: The blocks in reading order, and what is left out with the reason.
    """
    reader = _MarkdownReader(document)
    blocks = list(reader.read())
    blocks, trailing = _split_trailing(document, blocks)
    blocks, contents = _split_contents(document, blocks)
    omissions = list(reader.omissions)
    for dropped, reason in ((contents, "contents list"), (trailing, "not part of the guide")):
        if dropped:
            omissions.append(Omission(document.source, 0, reason, _raw(document, dropped)))
    unread = _find_unread(document, [*blocks, *contents, *trailing], reader.omitted)
    return tuple(blocks), (*omissions, *unread)


class _MarkdownReader:
    """Turns the parts of one document into blocks."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._text = document.pages[0].text
        self._compounds = find_compounds(self._text)
        self._parts = list(_parse(self._text))
        self._in_term_list = self._find_term_lists()
        self._last_heading = max((i for i, p in enumerate(self._parts) if p.kind == "heading"), default=-1)
        self._asked = [i for i, part in enumerate(self._parts) if _ASKED.match(self._text, part.start)]
        self._shift, self._title = self._find_levels()
        self._is_faq_guide = self._asks_in_sections()
        self._section = ""
        self._level = 0
        self._is_answering = False
        self._item: Block | None = None
        self._item_spans: list[Span] = []  # further paragraphs of the item
        self.omissions: list[Omission] = []
        self.omitted: list[tuple[int, int]] = []

    def read(self) -> Iterator[Block]:
        """Give the blocks in reading order."""
        for index, part in enumerate(self._parts):
            if part.kind == "heading":
                yield from self._flush()
                yield from self._read_heading(index)
            elif part.kind == "rule":
                yield from self._flush()
                self._is_answering = False
                self._omit(part, "drawn line")
            elif part.kind == "html":
                yield from self._flush()
                yield from self._read_html(part)
            else:
                yield from self._read_text(index)
        yield from self._flush()

    def _omit(self, part: _Part, reason: str) -> None:
        text = self._text[part.start : part.end].strip()
        self.omissions.append(Omission(self._document.source, 0, reason, text))
        self.omitted.append((part.start, part.end))

    def _flush(self) -> Iterator[Block]:
        """Hand out the list entry that was held back because more paragraphs might belong to it."""
        if self._item is not None and self._item_spans:
            grown = join_spans([*self._item.spans, *self._item_spans])
            self._item = replace(self._item, spans=grown, text=self._trace(grown))
        if self._item is not None:
            yield self._item
        self._item = None
        self._item_spans = []

    # headings

    def _find_levels(self) -> tuple[int, int]:
        """Say how far heading levels are shifted, and which part is the title (-1: none)."""
        heads = [index for index, part in enumerate(self._parts) if part.kind == "heading"]
        title = -1
        if heads:
            first = self._parts[heads[0]]
            key = title_key(self._plain(first))
            follows = len(heads) > 1 and heads[1] == heads[0] + 1 and first.depth == 1
            alone = first.depth == 1 and sum(self._parts[head].depth == 1 for head in heads) == 1
            if key == title_key(self._document.title) or alone or follows:
                title = heads[0]
        depths = [self._parts[head].depth for head in heads if head != title]
        return min(depths, default=1) - 1, title

    def _asks_in_sections(self) -> bool:
        tops = [
            self._plain(part)
            for index, part in enumerate(self._parts)
            if part.kind == "heading" and index != self._title and part.depth - self._shift == 1
        ]
        asking = sum(text.endswith("?") for text in tops)
        return asking >= MIN_QUESTION_HEADINGS and asking >= QUESTION_HEADING_SHARE * len(tops)

    def _read_heading(self, index: int) -> Iterator[Block]:
        part = self._parts[index]
        text = self._plain(part)
        level = part.depth - self._shift
        if index == self._title or not text:
            self._omit(part, "title" if text else "empty heading")
            return
        if text.endswith("?") and self._is_entry(index, level):
            yield from self._ask_in_heading(part, level)
            return
        self._is_answering = False
        self._section, self._level = text, level
        yield self._make(BlockKind.HEADING, part.start, part.end, level=level)

    def _is_entry(self, index: int, level: int) -> bool:
        """Tell whether a heading that asks is an FAQ entry: not if headings lie below it."""
        later = (self._parts[at] for at in range(index + 1, len(self._parts)))
        following = next((part for part in later if part.kind == "heading"), None)
        heads_more = following is not None and following.depth > self._parts[index].depth
        return not heads_more and (level > 1 or self._is_faq_guide)

    def _ask_in_heading(self, part: _Part, level: int) -> Iterator[Block]:
        if self._level >= level:
            # A heading of the same depth before it must not become its section.
            yield Block(BlockKind.HEADING, "", (), level=level)
            self._section, self._level = "", level - 1
        self._is_answering = True
        yield self._make(BlockKind.QUESTION, self._past(part.start, part.end, QUESTION), part.end)

    # texts

    def _read_text(self, index: int) -> Iterator[Block]:
        part = self._parts[index]
        if part.depth and not part.opens_item and self._item is not None:
            # A further paragraph of a list item: its entry grows.
            self._item_spans.append(Span(0, part.start, part.end))
            return
        yield from self._flush()
        for start, end in self._split_text(part):
            yield from self._read_paragraph(replace(part, start=start, end=end), index)

    def _split_text(self, part: _Part) -> Iterator[tuple[int, int]]:
        """Cut a paragraph before lines that begin with "Q:" or "A:"."""
        start = part.start
        for match in re.finditer(r"\n[ \t>]*", self._text[part.start : part.end]):
            at = part.start + match.end()
            if _ASKED.match(self._text, at):
                yield start, part.start + match.start()
                start = at
        yield start, part.end

    def _read_paragraph(self, part: _Part, index: int) -> Iterator[Block]:
        bold = _BOLD.match(self._text, part.start, part.end)
        emphasis = _EMPHASIS.match(self._text, part.start, part.end)
        match = bold or emphasis
        blocks = self._read_bold(part, match, index) if match else None
        if blocks is not None:
            yield from blocks
            return
        if QUESTION.match(self._text[part.start : part.end]):
            yield from self._ask(part.start, part.end, index)
        elif self._is_answering and ANSWER.match(self._text[part.start : part.end]):
            yield self._make(BlockKind.ANSWER, self._past(part.start, part.end, ANSWER), part.end)
        elif part.depth:
            yield from self._enter(part, index)
        elif not self._is_answering and self._is_plain_term(index):
            yield self._make_term(part, part.start, part.start + self._term_end(part), level=1)
        else:
            kind = BlockKind.ANSWER if self._is_answering else BlockKind.PARAGRAPH
            yield self._make(kind, part.start, part.end)

    def _read_bold(self, part: _Part, match: re.Match[str], index: int) -> list[Block] | None:
        """Read a paragraph with a bold beginning: a question, an answer, a term or a heading.

        :param part: The paragraph.
        :param match: Its bold beginning; group 2 is what is bold.
        :param index: Which part the paragraph is, or is cut from.
        :return: Its blocks, or None if the bold type only stresses some words.
        """
        start, end = match.span(2)
        label = self._trace((Span(0, start, end),))
        rest = self._text[match.end() : part.end]
        is_mark = len(label.split()) <= 2 and bool(rest.strip())
        if ANSWER.match(f"{label} x") and self._is_answering:
            body = match.end() if is_mark else start
            return [self._make(BlockKind.ANSWER, self._past(body, part.end, ANSWER), part.end)]
        if QUESTION.match(f"{label} x") and is_mark:
            return list(self._ask(match.end(), part.end, index))
        if label.endswith("?") and len(label.split()) <= MAX_QUESTION_WORDS:
            return [*self._ask(start, end, index), *self._answer_behind(match.end(), part.end)]
        if not rest.strip(" \t\n:\\"):
            return self._read_bold_line(part, label, index)
        has_line_of_its_own = re.match(r"[ \t]*\\?\n", rest) is not None and label[0].isupper()
        if not self._is_answering and (has_line_of_its_own or is_term(label, rest.lstrip(" \\"))):
            return list(self._hold(self._make_term(part, start, end, level=max(part.depth, 1)), part))
        return None

    def _answer_behind(self, start: int, end: int) -> Iterator[Block]:
        """Read the answer that stands in the paragraph of its question."""
        if self._text[start:end].strip(" \t\n\\"):
            body = self._past(start, end, _AFTER_TERM)
            yield self._make(BlockKind.ANSWER, self._past(body, end, ANSWER), end)

    def _read_bold_line(self, part: _Part, label: str, index: int) -> list[Block] | None:
        """Read a bold line of its own: it heads what follows, unless it is an entry or a remark."""
        following = self._parts[index + 1] if index + 1 < len(self._parts) else None
        is_last = following is None or following.kind != "text" or bool(following.depth) != bool(part.depth)
        steps_follow = following is not None and following.is_numbered
        if part.depth or self._is_answering or (is_last and not steps_follow) or label[-1] in ".!,;":
            return None
        if len(label.split()) > MAX_BOLD_HEADING_WORDS:
            return None
        return [self._make(BlockKind.HEADING, part.start, part.end, level=BOLD_LEVEL)]

    def _ask(self, start: int, end: int, index: int) -> Iterator[Block]:
        if not self._is_answering and self._section and not FAQ_HEADING.search(self._section):
            yield from self._close_section(start, index)
        self._is_answering = True
        yield self._make(BlockKind.QUESTION, self._past(start, end, QUESTION), end)

    def _close_section(self, start: int, index: int) -> Iterator[Block]:
        """Close a section about something else before questions that run to the end of the document."""
        first = index if self._parts[index].start >= start else index + 1
        asked = len(self._asked) - bisect.bisect_left(self._asked, first)
        if asked >= MIN_QUESTION_HEADINGS and self._last_heading < first:
            self._section, self._level = "", 0
            yield Block(BlockKind.HEADING, "", (), level=1)

    # list entries and terms

    def _enter(self, part: _Part, index: int) -> Iterator[Block]:
        end = self._term_end(part) if index in self._in_term_list else 0
        if end and not self._is_answering:
            yield from self._hold(self._make_term(part, part.start, part.start + end, level=part.depth), part)
            return
        block = self._make(BlockKind.LIST_ITEM, part.start, part.end, level=part.depth)
        yield from self._hold(replace(block, is_numbered=part.is_numbered), part)

    def _hold(self, block: Block, part: _Part) -> Iterator[Block]:
        yield from self._flush()
        if part.depth:
            self._item = block
        else:
            yield block

    def _term_end(self, part: _Part) -> int:
        """Say how long the run-in title is that a plain text begins with; 0 if it has none."""
        text = self._text[part.start : part.end]
        match = TERM.match(text)
        return match.end("term") if match and is_term(match["term"], text[match.end() :]) else 0

    def _find_term_lists(self) -> set[int]:
        """Find the parts of plain lists of which at least half of the entries begin with a run-in title."""
        found: set[int] = set()
        numbered = enumerate(self._parts)
        for in_list, run in itertools.groupby(
            numbered, lambda pair: pair[1].kind == "text" and pair[1].depth > 0
        ):
            places = [index for index, _ in run] if in_list else []
            entries: Counter[int] = Counter()
            terms: Counter[int] = Counter()
            for part in (self._parts[index] for index in places):
                entries[part.depth] += part.opens_item
                terms[part.depth] += part.opens_item and self._term_end(part) > 0
            found |= {i for i in places if 2 * terms[self._parts[i].depth] >= entries[self._parts[i].depth]}
        return found

    def _is_plain_term(self, index: int) -> bool:
        """Tell whether a paragraph is a "Term: text" entry: after a lead, or beside another one."""
        part = self._parts[index]
        if not self._term_end(part):
            return False
        before = self._parts[index - 1] if index else None
        after = self._parts[index + 1] if index + 1 < len(self._parts) else None
        for near in (before, after):
            if near is not None and near.kind == "text" and not near.depth and self._term_end(near):
                return True
        return before is not None and before.kind == "text" and self._plain(before).endswith(":")

    def _make_term(self, part: _Part, start: int, end: int, level: int) -> Block:
        term = self._trace((Span(0, start, end),)).rstrip(" :.\u2013\u2014-")
        rest = end
        while rest < part.end and self._text[rest] in "*_":
            rest += 1
        block = self._make(
            BlockKind.LIST_ITEM, self._past(rest, part.end, _AFTER_TERM), part.end, level=level
        )
        return replace(block, term=term, term_span=Span(0, start, end), is_numbered=part.is_numbered)

    def _read_html(self, part: _Part) -> Iterator[Block]:
        raw = self._text[part.start : part.end]
        if _INERT.match(raw) or not self._plain(part):
            self._omit(part, "HTML")
            return
        kind = BlockKind.ANSWER if self._is_answering else BlockKind.PARAGRAPH
        yield self._make(kind, part.start, part.end)

    # places

    def _past(self, start: int, end: int, pattern: re.Pattern[str]) -> int:
        """Say where the text goes on after a mark and the white space around it."""
        text = self._text[start:end]
        space = len(text) - len(text.lstrip())
        match = pattern.match(text[space:])
        at = start + space + (match.end() if match else 0)
        closing = re.match(r"(?:\*\*|__)[ \t\n]*", self._text[at:end]) if match else None
        return at + (closing.end() if closing and self._text.count(closing.group()[:2], at, end) % 2 else 0)

    def _make(self, kind: BlockKind, start: int, end: int, level: int = 0) -> Block:
        spans = (Span(0, start, end),) if start < end else ()
        return Block(kind, self._trace(spans), spans, level)

    def _plain(self, part: _Part) -> str:
        return self._trace((Span(0, part.start, part.end),))

    def _trace(self, spans: Sequence[Span]) -> str:
        return trace(self._document.pages, spans, self._compounds, has_markup=True).text


# Parsing


def _parse(text: str) -> Iterator[_Part]:
    """Give the leaves of the Markdown tree with their places."""
    front = _FRONT_MATTER.match(text)
    hidden = front.end() if front else 0
    body = re.sub(r"[^\n]", " ", text[:hidden]) + text[hidden:]
    offsets = [0, *(match.end() for match in re.finditer("\n", body)), len(body)]
    # What stands within a block (emphasis, links) is not asked for, and is slow in hostile text.
    tokens = MarkdownIt("commonmark").enable("table").disable("inline").parse(body)
    lists: list[Token] = []
    opens_item = False
    for token in tokens:
        if token.type in ("bullet_list_open", "ordered_list_open"):
            lists.append(token)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
        elif token.type == "list_item_open":
            opens_item = True
        elif token.map is not None:
            part = _make_part(token, body, offsets, lists, opens_item)
            if part is not None:
                yield part
                opens_item = False


def _make_part(
    token: Token, text: str, offsets: Sequence[int], lists: Sequence[Token], opens_item: bool
) -> _Part | None:
    first, last = token.map or (0, 0)
    start, end = offsets[first], offsets[min(last, len(offsets) - 1)]
    is_numbered = bool(lists) and lists[-1].type == "ordered_list_open"
    if token.type == "heading_open":
        start, end = _heading_place(text, start, end, token.markup)
        return _Part("heading", start, end, int(token.tag[1:]))
    if token.type in ("hr", "html_block"):
        return _Part("rule" if token.type == "hr" else "html", start, _rstrip(text, start, end))
    if token.type == "tr_open":
        return _row_part(text, start, end, len(lists))
    if token.type == "fence":
        start, end = _fence_place(text, start, end)
    elif token.type == "paragraph_open":
        prefix = _MARKERS.match(text, start, end) if opens_item else None
        prefix = prefix or _PREFIX.match(text, start, end)
        start = prefix.end() if prefix else start
    elif token.type != "code_block":
        return None
    return _Part("text", start, _rstrip(text, start, end), len(lists), opens_item, is_numbered)


def _heading_place(text: str, start: int, end: int, markup: str) -> tuple[int, int]:
    if markup.startswith("#"):
        marks = _HEADING_MARKS.match(text, start, end)
        start = marks.end() if marks else start
        tail = _HEADING_TAIL.search(text[start:end].rstrip("\n"))
        return start, _rstrip(text, start, start + tail.start() if tail else end)
    underline = text.rfind("\n", start, _rstrip(text, start, end))
    prefix = _PREFIX.match(text, start, end)
    start = prefix.end() if prefix else start
    return start, _rstrip(text, start, underline)


def _fence_place(text: str, start: int, end: int) -> tuple[int, int]:
    """Say where the lines between the fences stand."""
    first = text.find("\n", start, end) + 1
    last = text.rfind("\n", first, _rstrip(text, first, end))
    return first, max(first, last)


def _row_part(text: str, start: int, end: int, depth: int) -> _Part:
    """Take the outer bars off a row of a table; a row is an entry of a list."""
    raw = text[start:end]
    stripped = raw.strip().strip("|").strip()
    at = start + raw.find(stripped)
    return _Part("text", at, at + len(stripped), depth + 1, opens_item=True)


def _rstrip(text: str, start: int, end: int) -> int:
    return start + len(text[start:end].rstrip())


# What is not the guide


def _split_contents(document: Document, blocks: Sequence[Block]) -> tuple[list[Block], list[Block]]:
    """Part the guide from lists whose entries are its headings, and from the heading above such a list."""
    keys = {
        title_key(block.text) for block in blocks if block.kind in (BlockKind.HEADING, BlockKind.QUESTION)
    }
    kept: list[Block] = []
    dropped: list[Block] = []
    index = 0
    while index < len(blocks):
        end = index
        while end < len(blocks) and blocks[end].kind is BlockKind.LIST_ITEM:
            end += 1
        entries = blocks[index:end]
        if entries and _is_contents(document, kept, entries, keys):
            if kept and CONTENTS_TITLE.match(kept[-1].text):
                dropped.append(kept.pop())
            dropped += entries
        else:
            kept += entries
        kept += blocks[end : end + 1]
        index = end + 1
    return kept, dropped


def _is_contents(
    document: Document, before: Sequence[Block], entries: Sequence[Block], keys: set[str]
) -> bool:
    named = sum(title_key(block.text) in keys for block in entries)
    anchored = sum(_ANCHOR.match(_raw(document, [block])) is not None for block in entries)
    has_title = bool(before) and CONTENTS_TITLE.match(before[-1].text) is not None
    if has_title:
        return 2 * max(named, anchored) >= len(entries)
    return len(entries) > 1 and anchored == len(entries)


def _split_trailing(document: Document, blocks: Sequence[Block]) -> tuple[list[Block], list[Block]]:
    """Part the guide from what comes after its end, as ``furniture`` does for pages."""
    title = title_key(document.title)
    ends = [
        index
        for index in range(len(blocks) // 3 + 1, len(blocks))
        if blocks[index].kind in (BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.ANSWER)
        and ((title and title_key(blocks[index].text) == title) or TRAILING_TITLE.match(blocks[index].text))
    ]
    texts = [_raw(document, [block]).splitlines() for block in blocks] if ends else []
    start = find_blurb(texts, [index + 1 for index in ends], document.title) or len(blocks) + 1
    return list(blocks[: start - 1]), list(blocks[start - 1 :])


def _raw(document: Document, blocks: Iterable[Block]) -> str:
    spans = [
        span for block in blocks for span in ([block.term_span] if block.term_span else []) + [*block.spans]
    ]
    return "\n".join(document.pages[span.page_index].text[span.start : span.end] for span in spans)


def _find_unread(
    document: Document, blocks: Sequence[Block], omitted: Sequence[tuple[int, int]]
) -> Iterator[Omission]:
    """Report lines that are neither in a block nor reported yet: front matter, link targets, rules."""
    places = [*omitted]
    for block in blocks:
        places += [(span.start, span.end) for span in block.spans]
        if block.term_span:
            places.append((block.term_span.start, block.term_span.end))
    covered: set[int] = set()
    breaks = [match.start() for match in re.finditer("\n", document.pages[0].text)]
    for start, end in places:
        covered.update(range(bisect.bisect_left(breaks, start), bisect.bisect_left(breaks, end) + 1))
    for line in document.lines:
        if bisect.bisect_left(breaks, line.span.start) not in covered:
            yield Omission(document.source, 0, "markup", line.text)
