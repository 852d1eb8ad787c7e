"""From hits to an answer: whether the guide says it, which sentences to quote, and in which shape.

Takes a query, a :class:`Retrieval` and the pages, gives a :class:`Draft`. Everything that it quotes is
a segment of a passage, whole; nothing is worded here but what says that something is missing, and
that is chosen in ``render``.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from bot.datatypes import Citation, Hit, Layout, Quotation, Quote
from bot.details import FIGURE, Detail, Vocabulary, asked_detail, is_known
from bot.lexical import content_words, stem, terms
from bot.phrases import alternatives, pattern
from bot.retrieve import Retrieval
from bot.understand import GENERIC_WORDS, Query, QuestionType, refers_back
from ingest.datatypes import Page, Passage, PassageKind, Segment, SegmentRole
from ingest.index import is_quote_found, page_quotes

__all__ = [
    "MAX_LEAD_WORDS",
    "MIN_DENSE",
    "PAIR_LEAD_WORDS",
    "WHY_MISSING",
    "Draft",
    "Reason",
    "cite",
    "combine",
    "compose",
    "has_steps",
    "verified",
]

MAX_LEAD_WORDS = 60  # with titles; lists and steps may be longer: half of one is wrong
PAIR_LEAD_WORDS = 30  # of each, where a message asks two questions
MAX_FIGURE_WORDS = 30  # around the one sentence that has the figure asked for
MAX_TEXT_WORDS = 195  # of all that is shown: quotes, titles, places and what introduces them
MAX_RELATED_WORDS = 36
NEAR_RELATED = 2  # passages that get so much room; of those behind them a sentence is enough
MAX_FAR_RELATED_WORDS = 18
MAX_RELATED_LIST_WORDS = 50
MAX_RELATED_STEPS_WORDS = 70
MAX_RELATED = 10
LABEL_WORDS = 7  # "More from the guide:" and "In the guide:"
RELATED_MARGIN = 0.3  # of the score; what is farther behind the best hit is another topic
# Two hits so near each other that either may be the one meant are both quoted at once, more shortly.
RIVAL_MARGIN = 0.12
RIVAL_LEAD_WORDS = 32
MIN_RIVAL_WORDS = 12

# Calibrated on guides that the encoder was not trained on, see docs/decisions/0004-declining.md.
MIN_DENSE = 0.18
UNKNOWN_MARGIN = 0.04  # more is needed where most of the question's words are not in the guide
UNKNOWN_SHARE = 0.7
# Log of the summed odds that one of the first passages answers, by the judge.
MIN_ODDS = -0.8
# The judge doubts plain questions whose words stand in the guide too often; so many of them are enough.
MIN_SAID = 0.8
MIN_SAID_TERMS = 2
MAX_SAYING = 2  # of the first hits
UNKNOWN_THING_ODDS = 1.0  # a sign more is wanted where the question names a thing that the guide does not
NAMED_MOVE_ODDS = 3.0  # one exercise is near another, and does not answer for it
ORDER_ODDS = 3.0  # and where it reads like an order to the program
WHY_MISSING = "why that is"
DETAIL_MARGIN = 0.15  # another hit so near may give the detail that the first lacks


class Reason(StrEnum):
    """Why an answer is what it is."""

    FOUND = "found"
    NOTHING_NEAR = "nothing near"
    UNKNOWN_THING = "a thing the guide does not name"
    UNKNOWN_HEALTH = "a condition, treatment or medicine that the guide does not name"
    DETAIL_MISSING = "the topic is there, the detail is not"
    NOT_ANSWERED = "a passage is near, but does not answer"
    NOT_A_QUESTION = "an order to the program"
    HELD_BACK = "steps held back after a warning sign"


# With these, what is near is not what was asked for.
BARE_REASONS = (
    Reason.NOTHING_NEAR, Reason.UNKNOWN_THING, Reason.UNKNOWN_HEALTH, Reason.NOT_A_QUESTION,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Draft:
    """What is quoted and why.

    :param missing: What the guide does not say: a thing's name, or a detail's phrase; else "".
    :param focus: What the answer is about: the best passage, or all the lists that were asked for.
    :param odds: What the judge made of the first hits, None where nobody judged.
    """

    reason: Reason
    lead: tuple[Quotation, ...] = ()
    more: tuple[Quotation, ...] = ()
    missing: str = ""
    focus: tuple[Passage, ...] = ()
    odds: float | None = None


# --- is it there -----------------------------------------------------------------------------------


def _full_text(passage: Passage) -> str:
    return f"{' '.join(passage.section)} {passage.title} {passage.text}"


def _unknown_share(text: str, knows_term: Callable[..., bool]) -> float:
    own = set(terms(text))
    return sum(not knows_term(term) for term in own) / len(own) if own else 0.0


def _asking_part(text: str) -> str:
    """Give the sentences of a story that ask; all of it where those point at what was told before them."""
    sentences = re.split(r"(?<=[.!?])\s+", text.strip())
    asking = " ".join([s for s in sentences if s.endswith("?")] or sentences[-1:])
    return text if refers_back(asking) else asking


def _missing(
    query: Query,
    retrieval: Retrieval,
    knows_term: Callable[..., bool],
    vocabulary: Vocabulary,
    min_dense: float,
    odds: float | None,
    is_order: bool,
    topic: Set[str],
) -> tuple[Reason, str]:
    doubt = -math.inf if odds is None else odds
    is_told = is_order and not query.is_bare  # "and after?" has no meaning of its own to be told by
    if doubt < ORDER_ODDS and (is_told or pattern("answer", "order").search(query.text)):
        return Reason.NOT_A_QUESTION, ""
    asked = {stem(word) for word in content_words(query.text) if word not in GENERIC_WORDS} - topic
    for name, thing in vocabulary.find(_asking_part(query.text)):
        wanted = NAMED_MOVE_ODDS if thing.is_move else UNKNOWN_THING_ODDS
        if asked and asked <= set(terms(name)):
            wanted = math.inf  # nothing else is asked for that a passage could answer
        if doubt < wanted and not is_known(thing, knows_term):
            return Reason.UNKNOWN_HEALTH if thing.is_of_health else Reason.UNKNOWN_THING, name
    is_strange = _unknown_share(query.text, knows_term) >= UNKNOWN_SHARE
    is_near = retrieval.dense >= min_dense + (UNKNOWN_MARGIN if is_strange else 0.0)
    if not retrieval.hits or (odds is None and not is_near):
        return Reason.NOTHING_NEAR, ""
    detail = asked_detail(query.text)
    if detail is not None and is_near and _giving(detail, retrieval.hits, retrieval) is None:
        return Reason.DETAIL_MISSING, detail.phrase
    if odds is not None and odds < MIN_ODDS and not _is_said(asked, query.type, retrieval.hits[:MAX_SAYING]):
        return (Reason.NOT_ANSWERED if is_near else Reason.NOTHING_NEAR), ""
    return Reason.FOUND, ""


def _is_said(asked: Set[str], kind: QuestionType, hits: Sequence[Hit]) -> bool:
    """Tell whether a sentence has nearly all words of a question, and a figure where one is asked for."""
    return len(asked) >= MIN_SAID_TERMS and any(
        len(asked & {*terms(hit.passage.title), *terms(segment.text)}) >= MIN_SAID * len(asked)
        for hit in hits
        for segment in hit.passage.segments
        if kind is not QuestionType.FIGURE or FIGURE.search(segment.text)
    )


def _giving(detail: Detail, hits: Sequence[Hit], retrieval: Retrieval) -> Hit | None:
    """Find the first hit near the best that gives the detail; one item does not speak for another.

    Near by the question: what a passage gains by what was said before is no sign that it gives the detail,
    unless that was about an item, whose detail is asked for.
    """
    is_item = hits[0].passage.kind is PassageKind.ITEM

    def own(hit: Hit) -> float:
        gains = () if is_item else retrieval.evidence
        return hit.score - max(gains[hit.rank - 1].context, 0.0) if gains else hit.score

    near = [
        hit
        for hit in hits
        if hit is hits[0]
        or (
            own(hit) >= own(hits[0]) - DETAIL_MARGIN
            and not (is_item and hit.passage.kind is PassageKind.ITEM)
        )
    ]
    return next((hit for hit in near if detail.is_given(_full_text(hit.passage))), None)


# --- choosing sentences ----------------------------------------------------------------------------


def _count(segments: Sequence[Segment]) -> int:
    return sum(len(segment.text.split()) for segment in segments)


def _words_of(parts: Sequence[Quotation]) -> int:
    """Count what is quoted, with the titles over it."""
    return sum(len(part.title.split()) + _count([quote.segment for quote in part.quotes]) for part in parts)


def _shown_words(parts: Sequence[Quotation]) -> int:
    """Count all that is shown of quotations, with labels and the line of places too."""
    passages = {quote.passage.id: quote.passage for part in parts for quote in part.quotes}.values()
    sections = {(passage.source, passage.section) for passage in passages}
    pages = {(passage.source, passage.section, passage.page_label) for passage in passages}
    has_sources = len({source for source, _ in sections}) > 1
    places = sum(1 + has_sources + len(" ".join(section[-1:]).split()) for _, section in sections)
    return LABEL_WORDS + _words_of(parts) + places + len(pages)


def _end(segments: Sequence[Segment], at: int) -> int:
    """Give the end of a stretch that holds a segment and what takes it back ("But ..."), if anything does."""
    end = at + 1
    while end < len(segments) and pattern("answer", "limits_its_before").match(segments[end].text):
        end += 1
    return end


def _window(segments: Sequence[Segment], best: int, max_words: int) -> tuple[int, int]:
    """Grow a stretch of whole segments around the best one while it stays within the words.

    It never ends before a sentence that takes back its last.

    :return: First and last plus one; the best segment alone where even that is longer.
    """
    first, last = best, _end(segments, best)
    while True:
        following = _end(segments, last) if last < len(segments) else last
        before = first > 0 and _count(segments[first - 1 : last]) <= max_words
        after = following > last and _count(segments[first:following]) <= max_words
        if before and (not after or pattern("answer", "needs_its_before").match(segments[first].text)):
            first -= 1
        elif after:
            last = following
        elif before:
            first -= 1
        else:
            return first, last


def _best_segment(
    segments: Sequence[Segment], scores: Sequence[float], is_eligible: Callable[[Segment], bool]
) -> int:
    eligible = [at for at, segment in enumerate(segments) if is_eligible(segment)] or list(
        range(len(segments))
    )
    return max(eligible, key=lambda at: (scores[at], -at))


def _stretch(segments: Sequence[Segment], scores: Sequence[float], max_words: int) -> tuple[int, int]:
    """Find the best stretch of whole segments within the words; the best segment alone where it is longer."""
    return _window(segments, _best_segment(segments, scores, lambda _: True), max_words)


def _bold(segment: Segment) -> tuple[tuple[int, int], ...]:
    return tuple(match.span() for match in FIGURE.finditer(segment.text))


def _has_figure(detail: Detail, segment: Segment) -> bool:
    return detail.is_given(segment.text) and FIGURE.search(segment.text) is not None


def _quotes(passage: Passage, segments: Sequence[Segment], has_figures: bool = False) -> tuple[Quote, ...]:
    return tuple(Quote(s, passage, _bold(s) if has_figures else ()) for s in segments)


def _is_entry(segment: Segment) -> bool:
    return segment.role in (SegmentRole.ITEM, SegmentRole.STEP)


@cache
def _step_pattern() -> re.Pattern[str]:
    opening, verb = alternatives("answer", "step_opening"), alternatives("answer", "step_verb")
    return re.compile(rf"^(?:{opening})(?:{verb})\b", re.IGNORECASE)


def _is_step(segment: Segment) -> bool:
    return segment.role is SegmentRole.STEP or _step_pattern().match(segment.text) is not None


def has_steps(passage: Passage) -> bool:
    """Tell whether an item tells how to do something: numbered steps, or mostly imperative sentences."""
    if passage.kind is not PassageKind.ITEM:
        return False
    steps = [s for s in passage.segments if _is_step(s)]
    return len(steps) >= 2 and len(steps) * 2 >= len(passage.segments)


def _is_of_items(passage: Passage) -> bool:
    """Tell whether a passage is an item (an exercise, an activity) or a list of them."""
    return passage.kind is PassageKind.ITEM or bool(passage.item_ids)


# --- shapes ----------------------------------------------------------------------------------------


def _list_lead(passage: Passage) -> list[Quotation]:
    entries = [s for s in passage.segments if _is_entry(s)]
    intro = [s for s in passage.segments if s.role is SegmentRole.LEAD]
    closing = [s for s in passage.segments if s.role is SegmentRole.SENTENCE]
    layout = Layout.STEPS if entries and entries[0].role is SegmentRole.STEP else Layout.BULLETS
    parts = [Quotation(_quotes(passage, intro), title=passage.title)] if intro else []
    parts.append(Quotation(_quotes(passage, entries), layout, "" if intro else passage.title))
    if closing:
        parts.append(Quotation(_quotes(passage, closing)))
    return parts


def _list_excerpt(passage: Passage, scores: Sequence[float]) -> list[Quotation]:
    """Quote the lead of a long list and those of its entries that are nearest, as far as the words reach.

    Empty for numbered entries, which mean little without one another.
    """
    segments = passage.segments
    kept = [at for at, segment in enumerate(segments) if segment.role is SegmentRole.LEAD]
    intro = _quotes(passage, [segments[at] for at in kept])
    entries = [at for at, segment in enumerate(segments) if segment.role is SegmentRole.ITEM]
    chosen: list[int] = []
    for at in sorted(entries, key=lambda at: -scores[at]):
        words = _count([segments[other] for other in (*kept, *chosen, at)])
        if chosen and words > MAX_RELATED_LIST_WORDS:
            break
        chosen.append(at)
    if not chosen:
        return []
    quotes = _quotes(passage, [segments[at] for at in sorted(chosen)])
    parts = [Quotation(intro, title=passage.title)] if intro else []
    return [*parts, Quotation(quotes, Layout.BULLETS, "" if intro else passage.title, is_excerpt=True)]


def _steps_lead(passage: Passage, has_figures: bool) -> list[Quotation]:
    """Set what is to be done as numbered steps, in the guide's order.

    What explains a step stays with it; what stands before the first or after the last is text of its own.
    """
    segments = passage.segments
    at_steps = [at for at, segment in enumerate(segments) if _is_step(segment)]
    first, last = at_steps[0], at_steps[-1] + 1
    quotes = _quotes(passage, segments, has_figures)
    steps = tuple(replace(quote, goes_on=not _is_step(quote.segment)) for quote in quotes[first:last])
    parts = [Quotation(quotes[:first])] if first else []
    parts.append(Quotation(steps, Layout.STEPS))
    if last < len(quotes):
        parts.append(Quotation(quotes[last:]))
    return [replace(parts[0], title=passage.title), *parts[1:]]


def _text_lead(
    passage: Passage, scores: Sequence[float], detail: Detail | None, has_figures: bool, max_lead: int
) -> tuple[list[Quotation], list[Segment]]:
    """Quote a stretch around the best sentence; gives what is left of the passage too."""
    segments = passage.segments
    title = passage.title if passage.kind is PassageKind.ITEM else ""
    best = _best_segment(segments, scores, lambda s: detail is None or detail.is_given(s.text))
    max_words = max_lead - len(title.split())
    if detail is not None and sum(_has_figure(detail, segment) for segment in segments) == 1:
        best = next(at for at, segment in enumerate(segments) if _has_figure(detail, segment))
        max_words = min(max_words, MAX_FIGURE_WORDS)
    if passage.kind is PassageKind.FAQ and _count(segments) <= MAX_LEAD_WORDS:
        first, last = 0, len(segments)  # the guide's own answer to the question, whole
    else:
        first, last = _window(segments, best, max_words)
    lead = [Quotation(_quotes(passage, segments[first:last], has_figures), title=title)]
    return lead, [*segments[:first], *segments[last:]]


def _with_rival(
    query: Query, lead: list[Quotation], hits: Sequence[Hit], retrieval: Retrieval
) -> list[Quotation]:
    """Quote the second passage in the lead too, where it fits; the first is cut to its best for it."""
    first, second = (hit.passage for hit in hits[:2])
    cut = lead
    if first.kind is not PassageKind.FAQ and _words_of(lead) > RIVAL_LEAD_WORDS:
        at, end = _stretch(first.segments, retrieval.segment_scores[hits[0].rank - 1], RIVAL_LEAD_WORDS)
        quotes = _quotes(first, first.segments[at:end], query.type is QuestionType.FIGURE)
        cut = [replace(lead[0], quotes=quotes)]
    room = MAX_LEAD_WORDS - _words_of(cut) - len(second.title.split())
    at, end = _stretch(second.segments, retrieval.segment_scores[hits[1].rank - 1], room)
    if room < MIN_RIVAL_WORDS or _count(second.segments[at:end]) > room:
        return lead
    return [*cut, Quotation(_quotes(second, second.segments[at:end]), title=second.title)]


def _has_rival(query: Query, hits: Sequence[Hit]) -> bool:
    """Tell whether the second hit is as near as the first, and both are prose to quote from."""
    return (
        len(hits) > 1
        and hits[0].score - hits[1].score <= RIVAL_MARGIN
        and not any(
            (hit.passage.kind is PassageKind.LIST and any(_is_entry(s) for s in hit.passage.segments))
            or (has_steps(hit.passage) and _asks_for_all(query, hit.passage))
            for hit in hits[:2]
        )
    )


def _asks_for_all(query: Query, passage: Passage) -> bool:
    """Tell whether a question is about an item as a whole and not about something in it."""
    if query.type in (QuestionType.STEPS, QuestionType.LIST):
        return True
    beside = set(terms(query.text)) - set(terms(passage.title))
    return query.type in (QuestionType.OPEN, QuestionType.DEFINITION) and len(beside) <= 1


def _lead(
    query: Query, hit: Hit, scores: Sequence[float], detail: Detail | None, max_lead: int
) -> tuple[list[Quotation], list[Segment]]:
    passage = hit.passage
    has_figures = query.type is QuestionType.FIGURE or detail is not None
    entries = [s for s in passage.segments if _is_entry(s)]
    if passage.kind is PassageKind.LIST and entries:
        return _list_lead(passage), []
    if has_steps(passage) and _asks_for_all(query, passage):
        return _steps_lead(passage, has_figures), []
    return _text_lead(passage, scores, detail, has_figures, max_lead)


def _is_of_exercises(passage: Passage, by_id: Mapping[str, Passage]) -> bool:
    """Tell whether a list is of things to do: it says so, and most entries have steps."""
    doable = [has_steps(by_id[id_]) for id_ in passage.item_ids]
    return sum(doable) * 2 > len(doable) and pattern("answer", "doable").search(passage.text) is not None


def _all_lists(query: Query, passage: Passage, passages: Sequence[Passage]) -> list[Passage]:
    """Find the lists that "list all exercises" means: every list of things to do.

    The best list alone where the question names what only one of them has ("all core exercises").
    """
    by_id = {other.id: other for other in passages}
    lists = [other for other in passages if _is_of_exercises(other, by_id)]
    if passage not in lists or not pattern("answer", "everything").search(query.text):
        return [passage]
    held = [set(terms(_full_text(other))) for other in lists]
    named = set(terms(pattern("answer", "any_exercise").sub("", query.text)))
    is_narrow = any(sum(term in own for own in held) == 1 for term in named)
    return [passage] if is_narrow else lists


def _when_it_hurts(hits: Sequence[Hit], passages: Sequence[Passage]) -> list[Quotation]:
    """Quote what the guide says on pain during what is done: to stop. Empty where it says nothing."""
    for passage in [*(hit.passage for hit in hits), *passages]:
        for at, segment in enumerate(passage.segments):
            if not _is_entry(segment) and pattern("answer", "stop_at_pain").search(segment.text):
                first, last = _window(passage.segments, at, MAX_FIGURE_WORDS)
                return [Quotation(_quotes(passage, passage.segments[first:last]), title=passage.title)]
    return []


def _consult_first(passages: Sequence[Passage]) -> list[Quotation]:
    """Quote what the guide says on asking a professional first. Empty where it says nothing."""
    for passage in passages:
        for at, segment in enumerate(passage.segments):
            if not _is_entry(segment) and pattern("answer", "consult_first").search(segment.text):
                first, last = _window(passage.segments, at, MAX_FIGURE_WORDS)
                return [Quotation(_quotes(passage, passage.segments[first:last]), title=passage.title)]
    return []


def _reason(item: Passage, scores: Sequence[float], passages: Sequence[Passage]) -> Quotation | None:
    """Quote why something is done: the nearest sentence of the item that says so, or the section's first."""
    section = [p for p in passages if (p.source, p.section) == (item.source, item.section)]
    for passage in [item, *(p for p in section if p.kind is PassageKind.PROSE)]:
        for kind in ("because", "good_for"):
            says = [at for at, s in enumerate(passage.segments) if pattern("answer", kind).search(s.text)]
            if says:
                best = max(says, key=lambda at: scores[at]) if passage is item else says[0]
                first, last = _window(passage.segments, best, MAX_FIGURE_WORDS)
                return Quotation(_quotes(passage, passage.segments[first:last]), title=passage.title)
    return None


def _why(item: Passage, scores: Sequence[float], passages: Sequence[Passage]) -> Draft:
    """Answer "why?" after an item: with the reason first, and what it is about after it."""
    why = _reason(item, scores, passages)
    whole = (
        _steps_lead(item, False)
        if has_steps(item)
        else [Quotation(_quotes(item, item.segments), title=item.title)]
    )
    if why is None:
        return Draft(Reason.DETAIL_MISSING, more=tuple(whole), missing=WHY_MISSING, focus=(item,))
    if why.quotes[0].passage is item:
        told = [quote.segment for quote in why.quotes]
        rest = _quotes(item, [segment for segment in item.segments if segment not in told])
        whole = [Quotation(rest)] if rest else []
    return Draft(Reason.FOUND, (why,), tuple(whole), focus=(item,))


def _when_to_see(query: Query, hits: Sequence[Hit], passages: Sequence[Passage]) -> Passage | None:
    """Find the list that answers "when should I see a doctor?", by what its lead says; the nearest first."""
    if not pattern("answer", "asks_when_to_see").search(query.text):
        return None
    says = pattern("answer", "says_when_to_see")
    for passage in [*(hit.passage for hit in hits), *passages]:
        lead = " ".join([passage.title, *(s.text for s in passage.segments if s.role is SegmentRole.LEAD)])
        if passage.kind is PassageKind.LIST and not passage.item_ids and says.search(lead):
            return passage
    return None


def _cautions(passage: Passage, passages: Sequence[Passage]) -> list[Quotation]:
    """Quote the cautions of a section with the exercise that they belong to."""
    found = []
    for other in passages:
        is_near = other.kind is PassageKind.PROSE and other.source == passage.source
        if is_near and other.section == passage.section:
            sentences = [s for s in other.segments if pattern("answer", "caution").search(s.text)]
            if sentences:
                found.append(Quotation(_quotes(other, sentences)))
    return found[:1]


def _steps_or_beside(passage: Passage) -> list[Quotation]:
    """Quote all steps of an item, or where they are long what stands before and after them, never a part."""
    if _count(passage.segments) <= MAX_RELATED_STEPS_WORDS:
        return _steps_lead(passage, has_figures=False)
    at_steps = [at for at, segment in enumerate(passage.segments) if _is_step(segment)]
    beside = (*passage.segments[: at_steps[0]], *passage.segments[at_steps[-1] + 1 :])
    return [Quotation(_quotes(passage, beside), title=passage.title)] if beside else []


def _related(hits: Sequence[Hit], retrieval: Retrieval, shown: Sequence[Quotation]) -> list[Quotation]:
    """Quote the best sentences of the next hits, as far as the words reach."""
    found: list[Quotation] = []
    used = {quote.passage.id for quotation in shown for quote in quotation.quotes}
    for hit in hits:
        passage = hit.passage
        if hit.score < retrieval.hits[0].score - RELATED_MARGIN or len(found) >= MAX_RELATED:
            break
        if passage.id in used:
            continue
        scores = retrieval.segment_scores[hit.rank - 1]
        if passage.kind is PassageKind.LIST:
            if not any(map(_is_entry, passage.segments)):
                continue
            is_short = _count(passage.segments) <= MAX_RELATED_LIST_WORDS
            parts = _list_lead(passage) if is_short else _list_excerpt(passage, scores)
        elif has_steps(passage):
            parts = _steps_or_beside(passage)
        else:
            words = MAX_RELATED_WORDS if len(found) < NEAR_RELATED else MAX_FAR_RELATED_WORDS
            first, last = _stretch(passage.segments, scores, words)
            parts = [Quotation(_quotes(passage, passage.segments[first:last]), title=passage.title)]
        if parts and _shown_words([*shown, *found, *parts]) <= MAX_TEXT_WORDS:
            found.extend(parts)
    return found


def combine(drafts: Sequence[Draft]) -> Draft:
    """Make one answer of those to several questions; what is not answered stays with the caller to say."""
    leads = tuple(part for draft in drafts for part in draft.lead)
    more: list[Quotation] = []
    used = {quote.passage.id for part in leads for quote in part.quotes}
    for part in (part for draft in drafts for part in draft.more):
        own = {quote.passage.id for quote in part.quotes}
        if not own & used and _shown_words([*leads, *more, part]) <= MAX_TEXT_WORDS:
            more.append(part)
            used |= own
    focus = tuple(dict.fromkeys(passage for draft in reversed(drafts) for passage in draft.focus))
    return Draft(Reason.FOUND, leads, tuple(more), focus=focus)


def compose(
    query: Query,
    retrieval: Retrieval,
    passages: Sequence[Passage],
    knows_term: Callable[..., bool],
    vocabulary: Vocabulary,
    *,
    is_held: bool = False,
    min_dense: float = MIN_DENSE,
    odds: float | None = None,
    is_order: bool = False,
    topic: Set[str] = frozenset(),
    max_lead: int = MAX_LEAD_WORDS,
) -> Draft:
    """Choose what to quote.

    :param passages: All passages of the generation, in order.
    :param knows_term: Tells whether any passage holds a stem, or several side by side.
    :param is_held: No exercise steps may be shown.
    :param min_dense: Least similarity of the best hit.
    :param odds: Log of the summed odds that one of the first hits answers; None where nobody judged.
    :param is_order: It reads like an order to the program, by its meaning.
    :param topic: Stems of the guide's title: what everything in it is about.
    :param max_lead: Words of the lead, lists and steps apart.
    """
    reason, missing = _missing(query, retrieval, knows_term, vocabulary, min_dense, odds, is_order, topic)
    hits = retrieval.hits
    if is_held:
        # Which exercises there are, and which are recommended, is held back with the steps themselves.
        hits = tuple(hit for hit in hits if hit.rank == 1 or not _is_of_items(hit.passage))
        if hits and _is_of_items(hits[0].passage):
            return Draft(Reason.HELD_BACK)
    when_to_see = _when_to_see(query, hits, passages)
    if when_to_see is not None:
        listed = _list_lead(when_to_see)
        more = _related(hits, retrieval, listed)
        return Draft(Reason.FOUND, tuple(listed), tuple(more), focus=(when_to_see,))
    if reason in BARE_REASONS or not hits:
        nearest = _consult_first(passages) if reason is Reason.UNKNOWN_HEALTH else []
        return Draft(reason, more=tuple(nearest), missing=missing)
    detail = asked_detail(query.text)
    giving = _giving(detail, hits, retrieval) if detail is not None else None
    top = giving or hits[0]
    scores = retrieval.segment_scores[top.rank - 1]
    lead, rest = _lead(query, top, scores, detail if giving else None, max_lead)
    focus: tuple[Passage, ...] = (top.passage,)
    if top.passage.item_ids and query.type is QuestionType.LIST:
        focus = tuple(_all_lists(query, top.passage, passages))
        lead = [part for listed in focus for part in _list_lead(listed)]
    if query.is_bare and query.type is QuestionType.WHY and top.passage.kind is PassageKind.ITEM:
        return _why(top.passage, scores, passages)
    if reason in (Reason.DETAIL_MISSING, Reason.NOT_ANSWERED):
        return Draft(reason, more=tuple(lead), missing=missing, focus=(top.passage,))
    if max_lead == MAX_LEAD_WORDS and top is hits[0] and detail is None and _has_rival(query, hits):
        lead = _with_rival(query, lead, hits, retrieval)
        quoted = [quote.segment for part in lead for quote in part.quotes]
        is_kept = query.is_follow_up or top.passage.kind is PassageKind.FAQ
        # Else the words are better spent on what else may be meant.
        rest = [segment for segment in top.passage.segments if is_kept and segment not in quoted]
    more = []
    if has_steps(top.passage) and pattern("answer", "hurts").search(query.text):
        rule = _when_it_hurts(hits, passages)
        lead, more = ([*rule, *lead], []) if query.type is QuestionType.STEPS or not rule else (rule, lead)
    if rest:
        others = Quotation(_quotes(top.passage, rest))
        more += [others] if _shown_words([*lead, others]) <= MAX_TEXT_WORDS else []
    if has_steps(top.passage):
        more.extend(_cautions(top.passage, passages))
    more.extend(_related(hits, retrieval, [*lead, *more]))
    return Draft(Reason.FOUND, tuple(lead), tuple(more), focus=focus)


# --- proof -----------------------------------------------------------------------------------------


def verified(parts: Sequence[Quotation], pages: Mapping[str, Sequence[Page]]) -> tuple[Quotation, ...]:
    """Keep the quotations whose every quote is found in its page; the others are not shown."""
    return tuple(
        part
        for part in parts
        if part.quotes and all(is_quote_found(q.segment, pages[q.passage.source]) for q in part.quotes)
    )


def cite(parts: Sequence[Quotation], pages: Mapping[str, Sequence[Page]]) -> tuple[Citation, ...]:
    """Say where each quote stands, one citation for each page that it stands on."""
    found: dict[Citation, None] = {}
    for part in parts:
        for quote in part.quotes:
            passage = quote.passage
            source = pages[passage.source]
            for index, text in page_quotes(quote.segment, source):
                found[Citation(passage.source, index + 1, source[index].label, passage.section, text)] = None
    return tuple(found)
