"""The conversation: safety first, then small talk, then the question; and the only maker of a Bot.

Takes messages, gives answers. A conversation is its messages: what it has come to is found by going
through them again, so the server keeps nothing of anybody. A new generation of the index is picked up
before the next message, or made ready ahead of it where the bot is kept ready (``Bot.keep_ready``).
"""

import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from bot.answer import (
    MAX_LEAD_WORDS,
    MIN_DENSE,
    PAIR_LEAD_WORDS,
    Draft,
    Reason,
    cite,
    combine,
    compose,
    has_steps,
    verified,
)
from bot.datatypes import Answer, AnswerKind, Quotation, Urgency
from bot.details import load_vocabulary
from bot.judge import Judge, load_judge
from bot.language import find_language
from bot.orders import is_order
from bot.phrases import pattern
from bot.render import (
    CLEARED,
    STILL_WARNED,
    TOO_LONG,
    WHAT_ABOUT,
    WITHDRAWN,
    decline_note,
    half_note,
    list_note,
    only_english_note,
    small_talk_note,
    unsaid_note,
)
from bot.retrieve import Retrieval, Retriever
from bot.safety import Assessment, Gate, Standing, universal_signs
from bot.sign_encoder import kept_examples, load_sign_encoder
from bot.sign_examples import Examples, make_examples, read_examples, state_of, write_examples
from bot.understand import (
    Context,
    Query,
    QuestionType,
    SmallTalk,
    find_small_talk,
    refers_back,
    split_questions,
    understand,
)
from ingest.datatypes import Encoder, Passage, PassageKind
from ingest.encode import BUNDLED_MODEL, TRAINED_NAME, load_query_encoder
from ingest.errors import GuideError, IndexWithdrawnError
from ingest.index import Generation, WarningSigns, check_encoder, live_age_s, live_name, load_live

__all__ = ["Bot", "Trace", "Turn", "load_bot"]

logger = logging.getLogger(__name__)

TOP_K = 16
HELD_ODDS = 1.0  # that a passage answers, while an emergency has not been checked
JUDGED = 5  # of the first hits; more cost time and change little
MAX_SUGGESTIONS = 3
MAX_STARTERS = 6
# Those for which the judge's thresholds were chosen; with any other encoder declining goes by similarity.
CALIBRATED_ENCODERS = frozenset({BUNDLED_MODEL, TRAINED_NAME})
MAX_TURNS_REPLAYED = 12  # what a conversation is about never goes back further
LOOK_INTERVAL_S = 0.5
# So long after the switch a new generation may be made ready while the one before still answers.
MAX_BEHIND_S = 2.0


@dataclass(frozen=True, slots=True)
class Trace:
    """How an answer came about, for ``python -m bot why``."""

    assessment: Assessment
    small_talk: SmallTalk | None = None
    query: Query | None = None
    retrieval: Retrieval | None = None
    draft: Draft | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One answered message of a conversation."""

    answer: Answer
    trace: Trace
    latency_ms: float


@dataclass(slots=True)
class _Engine:
    """One generation with all that is made from it; never changed, only replaced.

    :param tells_orders: Its vectors are those by which orders to the program are told.
    :param is_withdrawn: All documents were taken away: only the gate and small talk still answer.
    """

    generation: Generation
    retriever: Retriever
    gate: Gate
    judge: Judge | None
    offers: dict[str, str]  # question -> id of the passage that it must be answered from
    tells_orders: bool = False
    is_proven: dict[str, bool] = field(default_factory=dict)
    is_withdrawn: bool = False

    @property
    def disclaimer(self) -> str:
        return self.generation.guide.disclaimer


def _make_engine(
    generation: Generation,
    encoder: Encoder,
    sign_encoder: Encoder | None,
    index_dir: Path,
    before: _Engine | None = None,
) -> _Engine:
    """Make the engine of a generation, with what has not changed taken from the one before."""
    if before is None:
        gate = _make_gate(generation, sign_encoder, index_dir)
        judge = load_judge() if encoder.name in CALIBRATED_ENCODERS else None
    else:
        old, new = before.generation, generation
        is_same = (old.signs, old.guide.numbers) == (new.signs, new.guide.numbers)
        gate = before.gate if is_same else _make_gate(generation, sign_encoder, index_dir)
        judge = before.judge
    return _Engine(
        generation=generation,
        retriever=Retriever(generation, encoder, before.retriever if before else None),
        gate=gate,
        judge=judge,
        offers=_offers(generation.passages),
        tells_orders=encoder.name == TRAINED_NAME,
    )


def _make_gate(generation: Generation, sign_encoder: Encoder | None, index_dir: Path) -> Gate:
    signs = universal_signs().merge(generation.signs)
    examples = _sign_examples(signs, sign_encoder, index_dir / "cache") if sign_encoder else None
    return Gate(signs, generation.guide.numbers, sign_encoder, examples)


def _read_ahead(engine: _Engine) -> None:
    if engine.judge is not None:
        engine.judge.prepare(list(engine.retriever.wholes.values()))


def _sign_examples(signs: WarningSigns, encoder: Encoder, cache: Path) -> Examples:
    """Give the example wordings of the signs, made once for each state of signs, encoder and gate.


    Those that come with the product are kept with it. Others take minutes, which no visitor should wait for
    twice; the file is only a saving, and an index folder that cannot be written works without it.
    """
    state = state_of(signs, encoder)
    path = cache / f"sign-examples-{state[:16]}.safetensors"
    examples = kept_examples(state) or read_examples(path, state)
    if examples is not None:
        return examples
    logger.info("The example wordings of the warning signs are new; they are encoded once, in some minutes.")
    examples = make_examples(signs, encoder)
    try:
        cache.mkdir(exist_ok=True)
        staged = path.with_suffix(f".{os.getpid()}.tmp")
        write_examples(staged, examples, state)
        for old in cache.glob("sign-examples-*"):
            if old != staged:
                old.unlink(missing_ok=True)
        staged.replace(path)
    except (OSError, SafetensorError) as exc:  # the second is what safetensors makes of the first
        logger.warning("The encoded warning signs cannot be kept in %s: %s", cache, exc)
    return examples


def _offers(passages: Sequence[Passage]) -> dict[str, str]:
    """List questions that the guide itself suggests: its FAQ, and its items by name."""
    questions: dict[str, str] = {}
    leads = {passage.id: passage.segments[0].text for passage in passages if passage.item_ids}
    for passage in passages:
        if passage.kind is PassageKind.FAQ:
            questions.setdefault(passage.title, passage.id)
        elif has_steps(passage) and pattern("answer", "doable").search(leads.get(passage.list_id, "")):
            questions.setdefault(f"How do I do “{passage.title}”?", passage.id)
        elif passage.kind is PassageKind.ITEM:
            questions.setdefault(f"What does the guide say about “{passage.title}”?", passage.id)
    return questions


@dataclass(frozen=True, slots=True)
class _State:
    """What a conversation has come to."""

    messages: tuple[str, ...] = ()
    context: Context = field(default_factory=Context)
    standing: Standing = field(default_factory=Standing)


def _step(engine: _Engine, state: _State, message: str) -> tuple[Answer, _State, Trace]:
    """Answer one message; gives the answer, what the conversation has come to, and how it came about."""
    assessment, standing = engine.gate.advance(state.standing, state.messages, message)
    state = replace(state, messages=(*state.messages, message), standing=standing)
    if assessment.urgency is Urgency.EMERGENCY:
        answer = _answer(engine, AnswerKind.WARNING, assessment)
        return answer, state, Trace(assessment)
    if len(message) > engine.generation.guide.max_message_chars:
        kind = AnswerKind.WARNING if assessment.warning else AnswerKind.CLARIFY
        answer = _answer(engine, kind, assessment, note=TOO_LONG)
        return answer, state, Trace(assessment)
    if assessment.is_cleared_now and not _asks(message):
        answer = _answer(engine, AnswerKind.SMALLTALK, assessment)
        return answer, state, Trace(assessment)
    language = find_language(message)
    if language is not None:
        kind = AnswerKind.WARNING if assessment.warning else AnswerKind.DECLINE
        answer = _answer(engine, kind, assessment, note=only_english_note(language.note))
        return answer, state, Trace(assessment)
    small_talk = find_small_talk(message)
    if small_talk is not None and assessment.warning is None:
        answer = _small_talk_answer(engine, small_talk, assessment, standing.is_warned)
        return answer, state, Trace(assessment, small_talk)
    return _question_step(engine, state, assessment)


def _asks(message: str) -> bool:
    """Tell whether a message asks something, beside what it tells."""
    return "?" in message or understand(message, Context()).type is not QuestionType.OPEN


def _small_talk_answer(
    engine: _Engine, small_talk: SmallTalk, assessment: Assessment, is_warned: bool
) -> Answer:
    if assessment.is_held:
        return _answer(engine, AnswerKind.SMALLTALK, assessment)  # what to do now, and nothing else
    guide = engine.generation.guide
    sources = [entry.source for entry in engine.generation.manifest.sources]
    note = small_talk_note(small_talk, guide.title, sources)
    if small_talk is SmallTalk.AGREEMENT and is_warned:  # "Good." would be taken for a reassurance
        note = STILL_WARNED
    is_ending = small_talk in (SmallTalk.THANKS, SmallTalk.GOODBYE)
    suggestions = () if is_ending else _starters(engine)[:MAX_SUGGESTIONS]
    return _answer(engine, AnswerKind.SMALLTALK, assessment, note=note, suggestions=suggestions)


def _question_step(engine: _Engine, state: _State, assessment: Assessment) -> tuple[Answer, _State, Trace]:
    messages = state.messages
    if engine.is_withdrawn:
        answer = _answer(engine, AnswerKind.DECLINE, assessment, note=WITHDRAWN)
        return answer, state, Trace(assessment)
    retriever, pages = engine.retriever, engine.generation.pages
    query = understand(retriever.speller.repair(messages[-1]), state.context)
    entries = len(state.context.listed)
    if (query.is_bare and not state.context.focus) or abs(query.position) > entries:
        note, suggestions = WHAT_ABOUT, _starters(engine)[:MAX_SUGGESTIONS]
        if entries and abs(query.position) > entries:
            note, suggestions = list_note(entries), ()
        if assessment.is_held:
            note, suggestions = "", ()
        answer = _answer(engine, AnswerKind.CLARIFY, assessment, note=note, suggestions=suggestions)
        return answer, state, Trace(assessment, query=query)
    retrieval = retriever.retrieve(query, state.context, TOP_K)
    is_held = assessment.is_held or bool(assessment.asked)
    parts = _draft_parts(engine, _questions_in(engine, query), state.context, is_held)
    draft, note = parts or (_compose(engine, query, retrieval, is_held), "")
    if assessment.is_held and not _is_sure(draft, query):
        draft, note = Draft(Reason.HELD_BACK), ""
    lead, more = verified(draft.lead, pages), verified(draft.more, pages)
    kind = AnswerKind.ANSWER
    if not lead:
        reason = draft.reason if draft.reason is not Reason.FOUND else Reason.NOTHING_NEAR
        kind, note = AnswerKind.DECLINE, decline_note(reason, draft.missing)
        if assessment.is_held:
            note, more = "", ()
    if assessment.warning is not None:
        kind = AnswerKind.WARNING
        if not lead or not _asks(messages[-1]):
            # A warning is an answer in itself: to what asks nothing, the guide has nothing to add.
            note, lead, more = "", (), ()
    suggestions = () if is_held else _suggestions(engine, retrieval, draft, messages)
    unsaid = state.context.unsaid
    answer = _answer(
        engine, kind, assessment, note=note, lead=lead, more=more, suggestions=suggestions, unsaid=unsaid
    )
    return (
        answer,
        replace(state, context=_context(query, draft, retrieval, state.context)),
        Trace(assessment, query=query, retrieval=retrieval, draft=draft),
    )


def _draft_parts(
    engine: _Engine, questions: Sequence[str], context: Context, is_held: bool
) -> tuple[Draft, str] | None:
    """Answer the questions of one message in turn, each in the context of those before it.

    :return: What to quote, and what to say of those that are not answered; None where the message as a
        whole is the better question: it is one, none is answered, or one passage answers all.
    """
    if len(questions) < 2:
        return None
    drafts: list[Draft] = []
    for text in questions:
        # Short as a later one may be, it goes on from the first only where it says so.
        query = understand(text, context if not drafts or refers_back(text) else Context())
        retrieval = engine.retriever.retrieve(query, context, TOP_K)
        draft = _compose(engine, query, retrieval, is_held, PAIR_LEAD_WORDS)
        context = _context(query, draft, retrieval, context)
        drafts.append(draft)
    is_held_back = any(draft.reason is Reason.HELD_BACK for draft in drafts)
    answered = [draft for draft in drafts if draft.lead]
    if is_held_back or not answered or len({draft.focus for draft in drafts}) < len(drafts):
        return None
    notes = [
        half_note(text, decline_note(draft.reason, draft.missing))
        for text, draft in zip(questions, drafts, strict=True)
        if not draft.lead
    ]
    return combine(answered), " ".join(notes)


def _questions_in(engine: _Engine, query: Query) -> tuple[str, ...]:
    """Take apart what one message asks: two questions, or one about several entries named side by side.

    :return: Fewer than two where it is best answered as a whole.
    """
    questions = split_questions(query.text)
    if len(questions) > 1:
        return questions
    if query.type in (QuestionType.FIGURE, QuestionType.WHY):
        return ()  # the names alone would lose what is asked of them
    return engine.retriever.items_side_by_side(query.text)


def _compose(
    engine: _Engine,
    query: Query,
    retrieval: Retrieval,
    is_held: bool = False,
    max_lead: int = MAX_LEAD_WORDS,
) -> Draft:
    retriever, threshold = engine.retriever, engine.generation.guide.decline_threshold
    odds = _odds(engine, retrieval) if threshold is None else None  # the operator's own threshold rules
    draft = compose(
        query,
        retrieval,
        retriever.passages,
        retriever.knows_term,
        load_vocabulary(),
        is_held=is_held,
        min_dense=MIN_DENSE if threshold is None else threshold,
        odds=odds,
        is_order=engine.tells_orders and is_order(retrieval.vector),
        topic=retriever.topic,
        max_lead=max_lead,
    )
    return replace(draft, odds=odds)


def _odds(engine: _Engine, retrieval: Retrieval) -> float | None:
    """Ask the judge about the first hits; with a topic before, the mean with and without it."""
    if engine.judge is None:
        return None
    rows = [engine.retriever.row_of[hit.passage.id] for hit in retrieval.hits[:JUDGED]]
    texts = [engine.retriever.wholes[row] for row in rows]
    odds = [engine.judge.odds(text, texts) for text in retrieval.texts]
    return sum(odds) / len(odds)


def _context(query: Query, draft: Draft, retrieval: Retrieval, before: Context) -> Context:
    if draft.reason is Reason.UNKNOWN_HEALTH and pattern("answer", "tells_of_a_person").search(query.text):
        return replace(before, unsaid=draft.missing)
    if not draft.focus:
        return before
    passage = draft.focus[0]
    entries = tuple(id_ for listed in draft.focus for id_ in listed.item_ids)
    if len(draft.focus) > 1 and all(p.kind is PassageKind.ITEM for p in draft.focus):
        entries = tuple(p.id for p in reversed(draft.focus))  # shown side by side, the last first at hand
    listed = entries or (before.listed if passage.id in before.listed else ())
    return Context(
        query=retrieval.texts[-1] if query.is_follow_up else query.text,
        type=query.type,
        focus=tuple(p.id for p in draft.focus),
        listed=listed,
        unsaid=before.unsaid,
    )


def _answer(
    engine: _Engine,
    kind: AnswerKind,
    assessment: Assessment,
    *,
    note: str = "",
    lead: tuple[Quotation, ...] = (),
    more: tuple[Quotation, ...] = (),
    suggestions: tuple[str, ...] = (),
    unsaid: str = "",
) -> Answer:
    notes = [_standing_note(assessment, has_quotes=bool(lead)), note]
    quoted = [quote.passage for part in lead for quote in part.quotes]
    if unsaid and any(has_steps(passage) or passage.item_ids for passage in quoted):
        notes.insert(1, unsaid_note(unsaid))
    return Answer(
        kind=kind,
        disclaimer=engine.disclaimer,
        urgency=assessment.urgency,
        note=" ".join(part for part in notes if part),
        lead=lead,
        more=more,
        warning=assessment.warning,
        citations=cite((*lead, *more), engine.generation.pages),
        suggestions=suggestions,
        is_held=assessment.is_held,
    )


def _is_sure(draft: Draft, query: Query) -> bool:
    """Tell whether something is better quoted than left away while an emergency has not been checked."""
    is_asking_on = query.is_bare or pattern("answer", "asks_when_to_see").search(query.text) is not None
    return not is_asking_on and (draft.odds is None or draft.odds >= HELD_ODDS)


def _standing_note(assessment: Assessment, *, has_quotes: bool) -> str:
    """Say above an answer what the warning signs of the conversation ask for."""
    if assessment.is_cleared_now:
        return assessment.cleared or CLEARED
    if assessment.warning is not None:
        return ""
    if assessment.banner is not None:  # also where no banner is shown: in a terminal, in a batch
        return assessment.banner.message
    return assessment.asked or (assessment.reminder if has_quotes else "")


# --- suggestions -----------------------------------------------------------------------------------


def _prove(engine: _Engine, question: str) -> bool:
    """Tell whether a question offered by itself is answered from its passage, found out once."""
    if question not in engine.is_proven:
        query = understand(question, Context())
        retriever = engine.retriever
        draft = _compose(engine, query, retriever.retrieve(query, Context(), TOP_K))
        answered = draft.focus[0].id if draft.lead and draft.focus else ""
        engine.is_proven[question] = answered == engine.offers[question]
    return engine.is_proven[question]


def _starters(engine: _Engine) -> tuple[str, ...]:
    """Choose starter questions: from the FAQ and the items in turn, spread over the guide."""
    groups: dict[tuple[PassageKind, tuple[str, ...]], list[str]] = {}
    for question, id_ in engine.offers.items():
        passage = engine.retriever.passages[engine.retriever.row_of[id_]]
        has_own_group = passage.kind is PassageKind.ITEM
        groups.setdefault((passage.kind, passage.section if has_own_group else ()), []).append(question)
    faq = [q for (kind, _), qs in groups.items() if kind is PassageKind.FAQ for q in qs]
    steps = [q for (kind, _), qs in groups.items() if kind is PassageKind.ITEM for q in qs[:1]]
    steps.sort(key=lambda question: not question.startswith("How do I"))
    mixed = [*faq[:3], *steps[:2], *faq[3:], *steps[2:]]
    proven = (question for question in mixed if _prove(engine, question))
    return tuple(islice(proven, MAX_STARTERS))


def _suggestions(
    engine: _Engine, retrieval: Retrieval, draft: Draft, messages: Sequence[str]
) -> tuple[str, ...]:
    """Offer questions near the answer: about the next hits and the neighbours of what was quoted."""
    shown = {quotation.quotes[0].passage.id for quotation in (*draft.lead, *draft.more)}
    by_passage = {id_: question for question, id_ in engine.offers.items()}
    near: list[str] = []
    if draft.focus and draft.focus[0].item_ids:
        near += draft.focus[0].item_ids
    near += [hit.passage.id for hit in retrieval.hits]
    asked = {message.casefold().strip() for message in messages}
    found: list[str] = []
    for id_ in near:
        question = by_passage.get(id_, "")
        if not question or id_ in shown or question in found or question.casefold() in asked:
            continue
        if len(found) < MAX_SUGGESTIONS and _prove(engine, question):
            found.append(question)
    return tuple(found) or _starters(engine)[:MAX_SUGGESTIONS]


# --- the bot ---------------------------------------------------------------------------------------


class Bot:
    """Answers from the live generation of an index folder; safe to use from several threads."""

    def __init__(
        self, index_dir: Path, encoder: Encoder, generation: Generation, sign_encoder: Encoder | None
    ) -> None:
        self._index_dir = index_dir
        self._encoder = encoder
        self._sign_encoder = sign_encoder
        self._engine = _make_engine(generation, encoder, sign_encoder, index_dir)
        _read_ahead(self._engine)
        self._failed = ""
        self._lock = threading.Lock()
        self._max_behind_s = 0.0

    @property
    def title(self) -> str:
        """Title of the guide."""
        return self._engine.generation.guide.title

    @property
    def description(self) -> str:
        """One sentence on what can be asked."""
        return self._engine.generation.guide.description

    @property
    def disclaimer(self) -> str:
        """What stands in every answer."""
        return self._engine.disclaimer

    @property
    def accent(self) -> str:
        """Colour of the page, as #rrggbb."""
        return self._engine.generation.guide.accent

    def starters(self) -> tuple[str, ...]:
        """Questions for an empty page, each of which the guide answers."""
        return _starters(self._current())

    def holds(self, passage_ids: Sequence[str]) -> bool:
        """Tell whether the live guide still holds all of these passages, as they were."""
        engine = self._current()
        return not engine.is_withdrawn and all(id_ in engine.retriever.row_of for id_ in passage_ids)

    def reply(self, message: str, history: Sequence[Mapping[str, Any]] = ()) -> Answer:
        """Answer a message.

        :param history: Earlier messages, oldest first, as {"role": "user" or "assistant", "content": text}.
        """
        return self.explain(message, history)[0]

    def explain(self, message: str, history: Sequence[Mapping[str, Any]] = ()) -> tuple[Answer, Trace]:
        """Answer a message and tell how the answer came about."""
        engine = self._current()
        earlier = [str(turn["content"]) for turn in history if turn["role"] == "user"]
        state = _State()
        for at, past in enumerate(earlier):
            if at < len(earlier) - MAX_TURNS_REPLAYED:  # too long ago for the topic, never for a warning sign
                _, standing = engine.gate.advance(state.standing, state.messages, past)
                state = replace(state, messages=(*state.messages, past), standing=standing)
            else:
                _, state, _ = _step(engine, state, past)
        answer, _, trace = _step(engine, state, message)
        return answer, trace

    def converse(self, turns: Sequence[str]) -> list[Turn]:
        """Answer a conversation turn by turn."""
        engine, state = self._current(), _State()
        answered = []
        for message in turns:
            started = time.perf_counter()
            answer, state, trace = _step(engine, state, message)
            answered.append(Turn(answer, trace, (time.perf_counter() - started) * 1000))
        return answered

    def keep_ready(self) -> None:
        """Make each new generation ready ahead of its first message; never returns."""
        self._max_behind_s = MAX_BEHIND_S
        while True:
            self._pick_up()
            time.sleep(LOOK_INTERVAL_S)

    def _current(self) -> _Engine:
        """Give the engine of the live generation, or for a moment that of the one before."""
        if live_age_s(self._index_dir) >= self._max_behind_s:
            self._pick_up()
        return self._engine

    def _pick_up(self) -> None:
        """Load the live generation if it is a new one; one that cannot be used leaves the old in place."""
        try:
            name = live_name(self._index_dir)
        except IndexWithdrawnError:
            self._engine = replace(self._engine, offers={}, is_proven={}, is_withdrawn=True)
            return
        except GuideError:
            return
        if self._is_settled(name):
            return
        with self._lock:
            if self._is_settled(name):
                return
            try:
                generation = load_live(self._index_dir)
                check_encoder(generation.manifest, self._encoder)
                engine = _make_engine(
                    generation, self._encoder, self._sign_encoder, self._index_dir, self._engine
                )
            except GuideError as exc:
                self._failed = name
                logger.warning("The new index is not used: %s", exc)
                return
            if self._max_behind_s:  # nobody waits yet: much is made at the first answer
                _step(engine, _State(), [*_starters(engine), engine.generation.guide.title][0])
            self._engine = engine
        _read_ahead(engine)

    def _is_settled(self, name: str) -> bool:
        is_loaded = name == self._engine.generation.name and not self._engine.is_withdrawn
        return is_loaded or name == self._failed


def load_bot(
    index: str | Path = "index", encoder: Encoder | None = None, sign_encoder: Encoder | None = None
) -> Bot:
    """Load an index folder and the encoder that it was built with.

    :param encoder: Used instead of the one that the guide's configuration names.
    :param sign_encoder: Used by the warning-sign gate instead of its own; with an ``encoder`` of another
        make that is given and none here, the gate goes by wordings alone.
    :raises IndexMissingError: If there is no index in the folder.
    :raises IndexDamagedError: If a file of it is gone or damaged.
    :raises IndexMismatchError: If it was built with another format or encoder.
    :raises EncoderError: If the encoder is not on this machine.
    :raises ConfigError: If a data file of warning signs is wrong.
    """
    folder = Path(index)
    generation = load_live(folder)
    running = encoder if encoder is not None else load_query_encoder(generation.guide.encoder)
    check_encoder(generation.manifest, running)
    if sign_encoder is None and (encoder is None or running.name in CALIBRATED_ENCODERS):
        sign_encoder = load_sign_encoder()
    return Bot(folder, running, generation, sign_encoder)
