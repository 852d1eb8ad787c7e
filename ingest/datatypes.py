"""The words of the offline half: what crosses the boundaries between its modules.

Offsets count characters of ``Page.text``, the text of the page exactly as the reader gave it. Page
and row indexes are 0-based, ranks 1-based. Everything here is immutable.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

__all__ = [
    "Block",
    "BlockKind",
    "Document",
    "Encoder",
    "Line",
    "Matrix",
    "Omission",
    "Page",
    "Passage",
    "PassageKind",
    "ReadingLimits",
    "Segment",
    "SegmentRole",
    "Span",
    "TracedText",
]

Matrix: TypeAlias = npt.NDArray[np.float32]  # (rows, dimension), each row of length 1


class Encoder(Protocol):
    """Turns text into vectors of length 1; the dot product of two is their similarity."""

    @property
    def name(self) -> str:
        """Name of the model, as the manifest records it."""

    @property
    def revision(self) -> str:
        """What tells one set of weights from another (a checksum)."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    @property
    def max_tokens(self) -> int:
        """Word pieces that the model reads; what is longer is cut."""

    def count_tokens(self, text: str) -> int:
        """Count the word pieces of a text, the two special ones included."""

    def knows_word(self, word: str) -> bool:
        """Tell whether a lower-case word is an ordinary one, so that nobody takes it for a slip."""

    def encode_passages(self, texts: list[str]) -> Matrix:
        """Encode what is retrieved; shape (len(texts), dimension)."""

    def encode_queries(self, texts: list[str]) -> Matrix:
        """Encode what people ask; shape (len(texts), dimension)."""


@runtime_checkable
class TokenEncoder(Protocol):
    """An encoder that gives a vector for each token too, for late interaction."""

    def encode_with_tokens(self, texts: list[str]) -> tuple[Matrix, list[Matrix]]:
        """Encode texts; gives ``encode_queries`` of them, and for each text shape (tokens, dimension).

        The vectors of tokens have length 1; the two special tokens are left out.
        """


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one page's text: ``pages[page_index].text[start:end]``."""

    page_index: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TracedText:
    """Normalised text of which every character knows the raw characters it came from.

    :param sources: The stretches that were joined, in order, one separating character between two.
    :param starts: For each character of ``text``, where it begins in the joined raw text.
    :param ends: For each character of ``text``, where it ends in the joined raw text.
    """

    text: str
    sources: tuple[Span, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def find_spans(self, start: int, end: int) -> tuple[Span, ...]:
        """Say where ``text[start:end]`` stands in the pages, in order."""
        if start >= end:
            return ()
        first, last = self.starts[start], max(self.ends[start:end])
        found: list[Span] = []
        base = 0
        for source in self.sources:
            length = source.end - source.start
            low, high = max(first, base), min(last, base + length)
            if low < high:
                found.append(Span(source.page_index, source.start + low - base, source.start + high - base))
            base += length + 1
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line with its typography, where the format has any.

    :param size: Font size in points, 0.0 where the format has none.
    :param x: Left edge in points from the left of the page, 0.0 where unknown.
    :param y: Baseline in points from the top of the page, 0.0 where unknown.
    :param bold_until: How many leading characters of the line are bold (0: none, len: all).
    """

    text: str
    span: Span
    size: float = 0.0
    x: float = 0.0
    y: float = 0.0
    bold_until: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it was read; its label is what is printed on it or what the file calls it."""

    index: int
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A source file as read.

    :param source: Path inside the ingested folder, with forward slashes.
    :param sha256: Checksum of the file's bytes, in hex.
    :param lines: All lines of all pages in reading order, blank ones left out.
    :param has_typography: True where sizes, weights and positions of the lines mean something.
    :param has_markup: True where the page text is Markdown.
    :param warnings: What deserves the operator's look (suspicious text), one sentence each.
    """

    source: str
    sha256: str
    pages: tuple[Page, ...]
    lines: tuple[Line, ...]
    has_typography: bool
    title: str = ""
    has_markup: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What a document may cost, and the password that may open it.

    :param max_seconds: Of reading, before the reading process is ended.
    :param max_memory_mib: By which the reading process may grow, where the system can limit it.
    :param password: Opens locked PDFs; an empty one is always tried.
    """

    max_document_mib: int = 100
    max_pages: int = 5000
    max_seconds: int = 300
    max_memory_mib: int = 1024
    password: str = ""


class BlockKind(StrEnum):
    """What a stretch of the document is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list-item"
    QUESTION = "question"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, paragraph, list item, question or answer, mended and normalised.

    A heading without text closes the section before it: what follows stands under no heading.

    :param text: Normalised text; for a list item without its bullet and without its term.
    :param spans: Where ``text`` stands, in order; one span a page.
    :param level: Depth of a heading (1 = section of the document), nesting of a list item (1 = outermost).
    :param term: The run-in title of "Term: text" items ("Bird-Dog"), without the colon.
    :param term_span: Where the term stands.
    :param is_numbered: True for an entry of a numbered list: a step.
    """

    kind: BlockKind
    text: str
    spans: tuple[Span, ...]
    level: int = 0
    term: str = ""
    term_span: Span | None = None
    is_numbered: bool = False


@dataclass(frozen=True, slots=True)
class Omission:
    """Text that did not become a passage, and why."""

    source: str
    page_index: int
    reason: str
    text: str


class PassageKind(StrEnum):
    """The shape of a passage, which decides the shape of an answer."""

    PROSE = "prose"
    LIST = "list"
    ITEM = "item"
    FAQ = "faq"


class SegmentRole(StrEnum):
    """What a segment is within its passage."""

    LEAD = "lead"  # the sentence that introduces a list
    SENTENCE = "sentence"
    ITEM = "item"  # one entry of a list; only its title where the entry is a passage of its own
    STEP = "step"  # one entry of a numbered list


@dataclass(frozen=True, slots=True)
class Segment:
    """The smallest thing that is quoted: a sentence, a list entry.

    :param text: Normalised text.
    :param spans: Where it stands in the pages, in order; more than one only over a page break.
    """

    text: str
    role: SegmentRole
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """The unit that is retrieved and quoted.

    :param id: Made from source, place and content; equal text at another place has another id.
    :param section: Headings from the outermost to the innermost, the document's title left out.
    :param title: Run-in title of an item ("Bird-Dog"), the question of an FAQ entry, else "".
    :param title_spans: Where the title stands; empty where there is none.
    :param page_label: Label of the page on which the passage begins.
    :param item_ids: For a list whose entries are passages of their own: their ids, in order.
    :param list_id: For an item: the passage that holds the list, else "".
    """

    id: str
    source: str
    kind: PassageKind
    section: tuple[str, ...]
    title: str
    segments: tuple[Segment, ...]
    page_index: int
    page_label: str
    title_spans: tuple[Span, ...] = ()
    item_ids: tuple[str, ...] = field(default=())
    list_id: str = ""

    @property
    def text(self) -> str:
        """The passage's own text, without its title; list entries stand on lines of their own."""
        parts: list[str] = []
        for segment in self.segments:
            is_entry = segment.role in (SegmentRole.ITEM, SegmentRole.STEP)
            parts.append(("\n- " if is_entry else " ") + segment.text)
        return "".join(parts).strip()
