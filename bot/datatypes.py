"""The words of the online half: what crosses the boundaries between its modules."""

from dataclasses import dataclass, field
from enum import StrEnum

from ingest.datatypes import Passage, Segment

__all__ = [
    "Answer",
    "AnswerKind",
    "Citation",
    "Hit",
    "Layout",
    "Quotation",
    "Quote",
    "Urgency",
    "Warning",
]


class AnswerKind(StrEnum):
    """What an answer is, as the batch format names it."""

    ANSWER = "answer"
    DECLINE = "decline"
    WARNING = "warning"
    SMALLTALK = "smalltalk"
    CLARIFY = "clarify"


class Urgency(StrEnum):
    """Tier of the warning sign in a message, as the batch format names it; ordered by ``rank``."""

    NONE = "none"
    SEE_SOMEONE = "see-someone"
    URGENT = "urgent"
    EMERGENCY = "emergency"

    @property
    def rank(self) -> int:
        """0 for none up to 3 for an emergency."""
        return list(Urgency).index(self)


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found for a query; higher scores are better, ranks are 1-based."""

    passage: Passage
    score: float
    rank: int


@dataclass(frozen=True, slots=True)
class Warning:  # noqa: A001 - the field's own word
    """What the person is told before anything else.

    :param sign: Id of the sign in the data files.
    :param title: A few words, shown large.
    :param message: What to do now, plain text; paragraphs are separated by a blank line.
    :param call: Digits that a phone can dial, "" where the region is not known.
    """

    urgency: Urgency
    sign: str
    title: str
    message: str
    call: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """One segment of the guide, quoted whole.

    :param bold: Stretches of ``segment.text`` to set in bold, as (start, end), in order.
    :param goes_on: It explains the step before it and stands in its line.
    """

    segment: Segment
    passage: Passage
    bold: tuple[tuple[int, int], ...] = ()
    goes_on: bool = False

    @property
    def text(self) -> str:
        """The words of the guide."""
        return self.segment.text


class Layout(StrEnum):
    """How the quotes of a quotation are set."""

    TEXT = "text"
    BULLETS = "bullets"
    STEPS = "steps"


@dataclass(frozen=True, slots=True)
class Quotation:
    """Quotes that are shown together.

    :param title: The guide's own title of what is quoted ("Bird-Dog"), or "".
    :param is_excerpt: Some entries of the list are left out, and it is shown that they are.
    """

    quotes: tuple[Quote, ...]
    layout: Layout = Layout.TEXT
    title: str = ""
    is_excerpt: bool = False


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a quote stands.

    :param page: 1-based number of the page in the file.
    :param page_label: The page as it is printed or as the file names it.
    """

    source: str
    page: int
    page_label: str
    section: tuple[str, ...]
    quote: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply. Its disclaimer is part of it: there is no Answer without one.

    :param disclaimer: Never empty.
    :param note: Our own words (a greeting, what the guide does not say), never about health.
    :param lead: The direct answer, quoted.
    :param more: What the guide adds, quoted.
    :param citations: One for each page on which a quote stands, in order of appearance.
    :param suggestions: Questions that the guide answers.
    :param is_held: An emergency sign in this conversation has not been checked yet: the banner stays
        and no exercise steps are shown.
    :raises ValueError: If the disclaimer is blank.
    """

    kind: AnswerKind
    disclaimer: str
    urgency: Urgency = Urgency.NONE
    note: str = ""
    lead: tuple[Quotation, ...] = ()
    more: tuple[Quotation, ...] = ()
    warning: Warning | None = None
    citations: tuple[Citation, ...] = ()
    suggestions: tuple[str, ...] = field(default=())
    is_held: bool = False

    def __post_init__(self) -> None:
        if not self.disclaimer.strip():
            raise ValueError("An answer needs a disclaimer; found a blank one.")
