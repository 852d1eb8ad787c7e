"""Blocks to passages: the units that are retrieved and quoted.

Takes a document's blocks, gives passages whose segments know their places. A list stays with its lead
sentence, an item with its steps, a question with its answer; what is too long for the encoder is cut
at the ends of sentences. Leaves to others what is encoded and how.
"""

import bisect
import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ingest.clean import find_compounds, trace
from ingest.datatypes import (
    Block,
    BlockKind,
    Document,
    Passage,
    PassageKind,
    Segment,
    SegmentRole,
    Span,
    TracedText,
)
from ingest.layout import title_key
from ingest.sentences import split_sentences

__all__ = ["move_passages", "split_passages"]

MAX_JOINED_WORDS = 120  # short paragraphs of a section may be joined up to this
SHORT_PARAGRAPH_WORDS = 40  # and only if one of two is no longer than this
FEW_PASSAGES = 3  # are filled one after the other; where there are more, a change must not move all after it
MAX_LEAD_WORDS = 45  # a paragraph before a list is its lead as a whole up to this, or up to two sentences
MAX_LEAD_SENTENCES = 2
ID_LENGTH = 16  # hex digits: 64 bits, no collision in any library of guides

_CLAUSE_MARKS = ("; ", ": ", ", ", " \u2013 ", " ")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of traced text that will be a segment."""

    traced: TracedText
    start: int
    end: int
    role: SegmentRole

    @property
    def text(self) -> str:
        """The stretch's text."""
        return self.traced.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A passage without its id and links.

    :param list_index: For an item: which draft is its list; -1 for none.
    """

    kind: PassageKind
    section: tuple[str, ...]
    title: str
    title_spans: tuple[Span, ...]
    pieces: tuple[_Piece, ...]
    list_index: int = -1

    @property
    def words(self) -> int:
        """How many words the text has."""
        return sum(len(piece.text.split()) for piece in self.pieces)


def split_passages(
    document: Document,
    blocks: Sequence[Block],
    count_tokens: Callable[[str], int],
    max_tokens: int,
) -> tuple[Passage, ...]:
    """Make the passages of a document.

    :param document: Where the blocks come from.
    :param blocks: What ``find_blocks`` gave.
    :param count_tokens: Counts the word pieces of a text.
    :param max_tokens: Most word pieces of section headings, title and text of a passage together.
    :return: The passages in reading order.
    """
    drafts = _Builder(document, blocks).build()
    parts: list[_Draft] = []
    first_part: list[int] = []
    entry_part: dict[tuple[int, str], int] = {}
    for index, draft in enumerate(drafts):
        first_part.append(len(parts))
        for part in _fit(draft, count_tokens, max_tokens):
            for piece in part.pieces:
                if draft.kind is PassageKind.LIST and piece.role is not SegmentRole.LEAD:
                    entry_part.setdefault((index, title_key(piece.text)), len(parts))
            parts.append(part)
    linked = [_relink(part, first_part, entry_part) for part in parts]
    return _finish(document, linked)


def _relink(part: _Draft, first_part: Sequence[int], entry_part: dict[tuple[int, str], int]) -> _Draft:
    """Point an item at the part of its list that names it."""
    if part.list_index < 0:
        return part
    fallback = first_part[part.list_index]
    return replace(part, list_index=entry_part.get((part.list_index, title_key(part.title)), fallback))


def _make_ids(source: str, parts: Sequence[tuple[str, Sequence[str], str, Sequence[str]]]) -> list[str]:
    """Make ids from kind, section, title and texts of the passages of a document, in order."""
    seen: Counter[str] = Counter()
    ids: list[str] = []
    for kind, section, title, texts in parts:
        content = "\x00".join([source, kind, *section, "\x01", title, "\n".join(texts)])
        ids.append(hashlib.sha256(f"{content}\x00{seen[content]}".encode()).hexdigest()[:ID_LENGTH])
        seen[content] += 1
    return ids


def move_passages(passages: Sequence[Passage], source: str) -> tuple[Passage, ...]:
    """Give the passages of a document as they are when the document has another name.

    :param passages: All passages of one document, in order.
    """
    parts = [(p.kind, p.section, p.title, [segment.text for segment in p.segments]) for p in passages]
    new = dict(zip((p.id for p in passages), _make_ids(source, parts), strict=True))
    return tuple(
        replace(
            p,
            id=new[p.id],
            source=source,
            item_ids=tuple(new[id_] for id_ in p.item_ids),
            list_id=new[p.list_id] if p.list_id else "",
        )
        for p in passages
    )


def _finish(document: Document, drafts: Sequence[_Draft]) -> tuple[Passage, ...]:
    parts = [(d.kind, d.section, d.title, [piece.text for piece in d.pieces]) for d in drafts]
    ids = _make_ids(document.source, parts)
    items: dict[int, list[str]] = {}
    for index, draft in enumerate(drafts):
        if draft.list_index >= 0:
            items.setdefault(draft.list_index, []).append(ids[index])
    return tuple(
        _make_passage(document, draft, ids, index, tuple(items.get(index, ())))
        for index, draft in enumerate(drafts)
    )


def _make_passage(
    document: Document, draft: _Draft, ids: Sequence[str], index: int, item_ids: tuple[str, ...]
) -> Passage:
    segments = tuple(
        Segment(piece.text, piece.role, piece.traced.find_spans(piece.start, piece.end))
        for piece in draft.pieces
    )
    page_index = (*draft.title_spans, *segments[0].spans)[0].page_index
    return Passage(
        id=ids[index],
        source=document.source,
        kind=draft.kind,
        section=draft.section,
        title=draft.title,
        segments=segments,
        page_index=page_index,
        page_label=document.pages[page_index].label,
        title_spans=draft.title_spans,
        item_ids=item_ids,
        list_id=ids[draft.list_index] if draft.list_index >= 0 else "",
    )


# Blocks to drafts


class _Builder:
    """Walks over the blocks of one document and drafts its passages."""

    def __init__(self, document: Document, blocks: Sequence[Block]) -> None:
        self._document = document
        self._blocks = blocks
        self._compounds = find_compounds("\n".join(page.text for page in document.pages))
        self._drafts: list[_Draft] = []
        self._path: list[Block] = []
        self._list_of: dict[int, int] = {}  # block that is an item: its list among the drafts
        self._titled = self._find_titled()
        self._section_ends: dict[int, list[int]] = {}  # of each level, as they are asked for

    def build(self) -> list[_Draft]:
        """Draft all passages in reading order."""
        index = 0
        while index < len(self._blocks):
            index = self._read(index)
        return _join_short_paragraphs(self._drafts)

    @property
    def _section(self) -> tuple[str, ...]:
        return tuple(block.text for block in self._path)

    def _read(self, index: int) -> int:
        """Draft what begins at a block; give the index of the block after it."""
        block = self._blocks[index]
        if block.kind is BlockKind.HEADING:
            return self._read_heading(index)
        if block.kind is BlockKind.QUESTION:
            return self._read_question(index)
        if block.kind is BlockKind.LIST_ITEM:
            return self._read_list(index, ())
        if self._introduces(index):
            return self._read_introduced(index)
        self._add(PassageKind.PROSE, self._sentences(block))
        return index + 1

    def _add(
        self,
        kind: PassageKind,
        pieces: Sequence[_Piece],
        title: str = "",
        title_spans: tuple[Span, ...] = (),
        list_index: int = -1,
    ) -> None:
        if pieces:
            self._drafts.append(_Draft(kind, self._section, title, title_spans, tuple(pieces), list_index))

    # headings and questions

    def _read_heading(self, index: int) -> int:
        block = self._blocks[index]
        end = self._end_of_body(index)
        body = self._blocks[index + 1 : end]
        while self._path and self._path[-1].level >= block.level:
            self._path.pop()
        is_item = index in self._list_of or (
            block.level > 1 and bool(body) and _is_stepped(body) and self._heads_nothing(index, end)
        )
        if is_item and body:
            pieces = self._body_pieces(body)
            self._add(
                PassageKind.ITEM, pieces, block.text, self._title_spans(block), self._list_of.get(index, -1)
            )
            return end
        if block.text:
            self._path.append(block)
        return index + 1

    def _heads_nothing(self, index: int, end: int) -> bool:
        after = self._blocks[end] if end < len(self._blocks) else None
        return (
            after is None or after.kind is not BlockKind.HEADING or after.level <= self._blocks[index].level
        )

    def _end_of_body(self, index: int) -> int:
        end = index + 1
        while end < len(self._blocks) and self._blocks[end].kind not in (
            BlockKind.HEADING,
            BlockKind.QUESTION,
        ):
            end += 1
        return end

    def _read_question(self, index: int) -> int:
        block = self._blocks[index]
        end = index + 1
        while end < len(self._blocks) and self._blocks[end].kind in (BlockKind.ANSWER, BlockKind.LIST_ITEM):
            end += 1
        pieces = self._body_pieces(self._blocks[index + 1 : end])
        if pieces:
            self._add(PassageKind.FAQ, pieces, block.text, self._title_spans(block))
        else:
            self._add(PassageKind.PROSE, self._sentences(block))
        return end

    # lists

    def _introduces(self, index: int) -> bool:
        """Tell whether a paragraph introduces the list, or the headings of items, after it."""
        block = self._blocks[index]
        after = self._blocks[index + 1] if index + 1 < len(self._blocks) else None
        if after is None or index + 1 in self._list_of:
            return False  # an entry that a list has named already needs no lead
        ends_open = block.text.endswith(":")
        if after.kind is BlockKind.LIST_ITEM:
            is_short = len(block.text.split()) <= MAX_LEAD_WORDS
            return ends_open or (is_short and len(split_sentences(block.text)) <= MAX_LEAD_SENTENCES)
        return ends_open and after.kind is BlockKind.HEADING and after.level > self._level

    @property
    def _level(self) -> int:
        return self._path[-1].level if self._path else 0

    def _read_introduced(self, index: int) -> int:
        pieces = self._sentences(self._blocks[index])
        words = len(self._blocks[index].text.split())
        if len(pieces) > MAX_LEAD_SENTENCES and words > MAX_LEAD_WORDS:
            self._add(PassageKind.PROSE, pieces[:-1])
            pieces = pieces[-1:]
        lead = tuple(replace(piece, role=SegmentRole.LEAD) for piece in pieces)
        if self._blocks[index + 1].kind is BlockKind.LIST_ITEM:
            return self._read_list(index + 1, lead)
        heads = self._heads_below(index + 1)
        entries = [self._whole(self._blocks[head].spans, SegmentRole.ITEM) for head in heads]
        self._list_of.update(dict.fromkeys(heads, len(self._drafts)))
        self._add(PassageKind.LIST, [*lead, *entries])
        return index + 1

    def _heads_below(self, start: int) -> list[int]:
        """Find the headings of one level below the present section, from a block on."""
        heads: list[int] = []
        level = 0
        for index in range(start, len(self._blocks)):
            block = self._blocks[index]
            if self._ends_section(block):
                break
            if block.kind is BlockKind.HEADING and level in (0, block.level):
                level = block.level
                heads.append(index)
        return heads

    def _read_list(self, start: int, lead: tuple[_Piece, ...]) -> int:
        end = self._end_of_run(start)
        entries = self._split_entries(start, end)
        if start in self._list_of:
            self._add_items(entries)
            return end
        if len(entries) == 1 and not lead:
            self._add_lone_entry(*entries[0])
            return end
        list_index = len(self._drafts)
        titled = {first for first, _ in entries if self._blocks[first].term}
        pieces: list[_Piece]
        if titled:
            self._list_of.update(dict.fromkeys(titled, list_index))
            pieces = [piece for first, _ in entries for piece in self._name_entry(first)]
        else:
            self._link_items(end, [title_key(self._blocks[first].text) for first, _ in entries], list_index)
            pieces = [piece for span in entries for piece in self._entry_pieces(*span)]
        self._add(PassageKind.LIST, [*lead, *pieces])
        self._add_items([entry for entry in entries if entry[0] in titled])
        return end

    def _end_of_run(self, start: int) -> int:
        """Find the end of a list: before a block of another kind, or where its named entries begin."""
        end = start
        has_terms = bool(self._blocks[start].term)
        names: set[str] = set()
        while end < len(self._blocks) and self._blocks[end].kind is BlockKind.LIST_ITEM:
            block = self._blocks[end]
            may_be_named = end > start and not has_terms and block.term and block.level == 1
            if may_be_named and title_key(block.term) in names:
                break
            names.add(title_key(block.text))
            end += 1
        return end

    def _split_entries(self, start: int, end: int) -> list[tuple[int, int]]:
        """Cut a run of list items into entries: an outer item with the inner ones, a term with its steps."""
        starts: list[int] = []
        for index in range(start, end):
            block = self._blocks[index]
            owner = self._blocks[starts[-1]] if starts else None
            is_inner = owner is not None and block.level > owner.level
            is_step = (
                owner is not None and bool(owner.term) and not block.term and _expects_steps(owner, block)
            )
            if not (is_inner or is_step):
                starts.append(index)
        return list(zip(starts, [*starts[1:], end], strict=True))

    def _name_entry(self, index: int) -> list[_Piece]:
        block = self._blocks[index]
        if block.term and block.term_span:
            piece = self._whole((block.term_span,), SegmentRole.ITEM)
            return [replace(piece, end=piece.start + len(block.term))] if piece.text else []
        return self._entry_pieces(index, index + 1)

    def _entry_pieces(self, first: int, end: int) -> list[_Piece]:
        pieces: list[_Piece] = []
        for block in self._blocks[first:end]:
            role = SegmentRole.STEP if block.is_numbered else SegmentRole.ITEM
            piece = self._whole(_with_term(block), role)
            if piece.text:
                pieces.append(piece)
        return pieces

    def _link_items(self, start: int, names: Sequence[str], list_index: int) -> None:
        """Link a list of names to the titled entries after it, if every name is the title of one."""
        if len(names) < 2:
            return
        end = self._end_of_section(start)
        found: set[int] = set()
        for name in names:
            places = self._titled.get(name, [])
            at = bisect.bisect_left(places, start)
            if at == len(places) or places[at] >= end:
                return
            found.add(places[at])
        self._list_of.update(dict.fromkeys(found, list_index))

    def _find_titled(self) -> dict[str, list[int]]:
        """Map the key of every heading and run-in title to the blocks that have it, in order."""
        found: dict[str, list[int]] = {}
        for index, block in enumerate(self._blocks):
            title = block.text if block.kind is BlockKind.HEADING else block.term
            if title and block.kind is not BlockKind.QUESTION:
                found.setdefault(title_key(title), []).append(index)
        return found

    def _end_of_section(self, start: int) -> int:
        """Find the next question, or heading that ends the present section, from a block on."""
        ends = self._section_ends.get(self._level)
        if ends is None:
            ends = [index for index, block in enumerate(self._blocks) if self._ends_section(block)]
            self._section_ends[self._level] = ends
        at = bisect.bisect_left(ends, start)
        return ends[at] if at < len(ends) else len(self._blocks)

    def _ends_section(self, block: Block) -> bool:
        is_heading = block.kind is BlockKind.HEADING and block.level <= self._level
        return is_heading or block.kind is BlockKind.QUESTION

    def _add_items(self, entries: Sequence[tuple[int, int]]) -> None:
        for first, end in entries:
            self._add_lone_entry(first, end)

    def _add_lone_entry(self, first: int, end: int) -> None:
        block = self._blocks[first]
        if block.term and block.term_span:
            pieces = [*self._sentences(block), *self._body_pieces(self._blocks[first + 1 : end])]
            self._add(
                PassageKind.ITEM, pieces, block.term, self._title_spans(block), self._list_of.get(first, -1)
            )
        else:
            self._add(PassageKind.PROSE, self._body_pieces(self._blocks[first:end]))

    # pieces

    def _title_spans(self, block: Block) -> tuple[Span, ...]:
        """Say where a title stands, without the marks and the colon around it."""
        if block.term and block.term_span:
            return self._trace((block.term_span,)).find_spans(0, len(block.term))
        return self._trace(block.spans).find_spans(0, len(block.text))

    def _body_pieces(self, body: Sequence[Block]) -> list[_Piece]:
        """Cut the blocks of an answer or an item into sentences, entries and steps."""
        pieces: list[_Piece] = []
        for block in body:
            if block.kind is BlockKind.LIST_ITEM:
                role = SegmentRole.STEP if block.is_numbered else SegmentRole.ITEM
                pieces.append(self._whole(_with_term(block), role))
            else:
                pieces += self._sentences(block)
        return [piece for piece in pieces if piece.text]

    def _trace(self, spans: Sequence[Span]) -> TracedText:
        return trace(self._document.pages, spans, self._compounds, has_markup=self._document.has_markup)

    def _whole(self, spans: Sequence[Span], role: SegmentRole) -> _Piece:
        traced = self._trace(spans)
        return _Piece(traced, 0, len(traced.text), role)

    def _sentences(self, block: Block) -> list[_Piece]:
        traced = self._trace(block.spans)
        return [
            _Piece(traced, start, end, SegmentRole.SENTENCE) for start, end in split_sentences(traced.text)
        ]


def _with_term(block: Block) -> tuple[Span, ...]:
    """Say where an entry stands together with its run-in title."""
    if block.term_span is None:
        return block.spans
    if block.spans and block.spans[0].page_index == block.term_span.page_index:
        first = Span(block.term_span.page_index, block.term_span.start, block.spans[0].end)
        return (first, *block.spans[1:])
    return (block.term_span, *block.spans)


def _expects_steps(owner: Block, block: Block) -> bool:
    return block.is_numbered and not owner.is_numbered and (not owner.text or owner.text.endswith(":"))


def _is_stepped(body: Sequence[Block]) -> bool:
    return any(block.is_numbered for block in body) and all(
        block.is_numbered or block.kind in (BlockKind.PARAGRAPH, BlockKind.ANSWER) for block in body
    )


def _join_short_paragraphs(drafts: Sequence[_Draft]) -> list[_Draft]:
    """Join neighbouring paragraphs of a section of which one is short; keep the links to lists right."""
    joined: list[_Draft] = []
    moved: list[int] = []
    start = 0
    for end in range(1, len(drafts) + 1):
        if end < len(drafts) and _may_be_joined(drafts[end - 1], drafts[end]):
            continue  # where two may not be joined, they may not be with others added either
        for group in _join_run(drafts[start:end]):
            moved += [len(joined)] * len(group)
            joined.append(replace(group[0], pieces=tuple(piece for draft in group for piece in draft.pieces)))
        start = end
    return [replace(d, list_index=moved[d.list_index]) if d.list_index >= 0 else d for d in joined]


def _may_be_joined(first: _Draft, second: _Draft) -> bool:
    is_prose = first.kind is second.kind is PassageKind.PROSE and first.section == second.section
    return is_prose and _is_short_enough(first.words, second.words)


def _is_short_enough(*words: int) -> bool:
    return min(words) <= SHORT_PARAGRAPH_WORDS and sum(words) <= MAX_JOINED_WORDS


def _join_run(run: Sequence[_Draft]) -> list[Sequence[_Draft]]:
    """Join paragraphs of which each two neighbours may be joined."""
    words = [0, *itertools.accumulate(draft.words for draft in run)]  # before each, and of all

    def may_join(start: int, at: int, end: int) -> bool:
        return _is_short_enough(words[at] - words[start], words[end] - words[at])

    starts = [0]
    for at in range(1, len(run)):
        if not may_join(starts[-1], at, at + 1):
            starts.append(at)
    bounds = list(itertools.pairwise([*starts, len(run)]))
    if len(bounds) > FEW_PASSAGES:
        texts = [" ".join(piece.text for piece in draft.pieces) for draft in run]
        bounds = _join_by_checksum(texts, may_join)
    return [run[start:end] for start, end in bounds]


def _join_by_checksum(
    texts: Sequence[str], may_join: Callable[[int, int, int], bool]
) -> list[tuple[int, int]]:
    """Join neighbouring texts so that a change of one moves only the boundaries near it.

    Filled one after the other, all parts after a change would begin elsewhere. Here the boundaries are gone
    through in the order of the checksums of the texts after them, and each is given up if what stands on its
    two sides by then may be one part. So one depends on another only where all between them have ever
    smaller checksums: such chains are short, and a boundary far from a change stays.

    :param may_join: Tells of (start, at, end) whether texts[start:at] and texts[at:end] may be one part.
    :return: Start and end of each part, in order.
    """
    ends = {at: at + 1 for at in range(len(texts))}  # of each part, by its start
    starts = {end: start for start, end in ends.items()}
    for at in sorted(range(1, len(texts)), key=lambda at: hashlib.sha256(texts[at].encode()).digest()):
        start, end = starts[at], ends[at]
        if may_join(start, at, end):
            del starts[at], ends[at]
            starts[end], ends[start] = start, end
    return sorted(ends.items())


# Size


def _fit(draft: _Draft, count_tokens: Callable[[str], int], max_tokens: int) -> Iterator[_Draft]:
    """Cut a draft into parts that the encoder can read whole; a list's lead comes back in every part."""

    def fits(pieces: Sequence[_Piece]) -> bool:
        return count_tokens(_encoded_text(draft, pieces)) <= max_tokens

    if fits(draft.pieces):
        yield draft
        return
    lead = tuple(piece for piece in draft.pieces if piece.role is SegmentRole.LEAD)
    if not fits(lead) or (lead and len(lead) == len(draft.pieces)):
        lead = ()
    rest = [piece for piece in draft.pieces if piece not in lead]
    halves = [half for whole in rest for half in _halve(whole, lambda piece: fits([*lead, piece]))]
    starts = [0]
    while (end := _find_end(halves, starts[-1], lambda part: fits([*lead, *part]))) < len(halves):
        starts.append(end)
    bounds = list(itertools.pairwise([*starts, len(halves)]))
    if len(bounds) > FEW_PASSAGES:
        texts = [piece.text for piece in halves]
        bounds = _join_by_checksum(texts, lambda start, _, end: fits([*lead, *halves[start:end]]))
    for start, end in bounds:
        yield replace(draft, pieces=(*lead, *halves[start:end]))


def _find_end(pieces: Sequence[_Piece], start: int, fits: Callable[[Sequence[_Piece]], bool]) -> int:
    """Find how far the longest part that fits reaches; one piece is taken in any case.

    The part is doubled until it does not fit, then the end is searched by halves: counted again with
    every piece, short entries would be counted by the hundred.
    """
    good, bad, step = start + 1, len(pieces) + 1, 1
    while good < len(pieces):
        end = min(good + step, len(pieces))
        if not fits(pieces[start:end]):
            bad = end
            break
        good, step = end, 2 * step
    while bad - good > 1:
        middle = (good + bad) // 2
        if fits(pieces[start:middle]):
            good = middle
        else:
            bad = middle
    return good


def _encoded_text(draft: _Draft, pieces: Sequence[_Piece]) -> str:
    return "\n".join([*draft.section, draft.title, *(piece.text for piece in pieces)])


def _halve(piece: _Piece, fits: Callable[[_Piece], bool]) -> Iterator[_Piece]:
    """Cut a piece that is too long near its middle, at a clause if there is one, until all parts fit."""
    cut = None if fits(piece) else _find_cut(piece.text)
    if cut is None:
        yield piece
        return
    end, start = cut
    yield from _halve(replace(piece, end=piece.start + end), fits)
    yield from _halve(replace(piece, start=piece.start + start), fits)


def _find_cut(text: str) -> tuple[int, int] | None:
    """Say where the first half ends and the second begins; None if there is nothing to cut."""
    middle = len(text) // 2
    for mark in _CLAUSE_MARKS:
        last = len(text) - 1  # a mark that ends the text parts nothing
        places = (text.rfind(mark, 1, min(middle + len(mark), last)), text.find(mark, middle + 1, last))
        found = [at for at in places if at >= 0]
        near = [at for at in found if 0.2 * len(text) < at < 0.8 * len(text)] or (
            found if mark == " " else []
        )
        if near:
            best = min(near, key=lambda at: abs(at - middle))
            return best + len(mark.rstrip()), best + len(mark)
    return None
