"""From a query to ranked passages: vectors over several views, BM25 and the conversation, fused.

Takes a :class:`Query` and the context, gives a :class:`Retrieval`. Scores are not probabilities; they
are comparable within one index and encoder only. What is good enough to answer is for ``answer``.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bot.datatypes import Hit
from bot.details import singular
from bot.lexical import BM25, STOPWORDS, Speller, is_english, stem, terms, words
from bot.memory import Memory
from bot.phrases import word_list
from bot.plain import is_lay_word, to_plain
from bot.understand import Context, Query, QuestionType
from ingest.datatypes import Encoder, Matrix, Passage, PassageKind, TokenEncoder
from ingest.index import Generation, ViewKind

__all__ = ["Evidence", "Retrieval", "Retriever", "late_interaction", "make_speller"]

Scores: TypeAlias = npt.NDArray[np.float64]  # one per passage

# Chosen on guideqa/train (73 guides, 6845 questions); docs/decisions/0003-fusion.md has the table.
PART_WEIGHT = 0.5  # of the best title or sentence; the rest is the whole passage's
# A strong BM25 score is about 10, so words count as much as 0.3 of a cosine where the guide has them all.
BM25_WEIGHT = 0.03
TITLE_BONUS = 0.05  # the query names the passage's title in full
LATE_WEIGHT = 0.75  # of late interaction, which places the nearest anew
LATE_NEAREST = 20
LIST_BONUS = 0.1  # a question for a list, and the passage is one
NAMED_ENTRY_MALUS = 0.1  # the query names an entry of the list, and the entry has a passage of its own
TITLE_REPEATS = 2  # a word of the title counts twice in BM25

# How a follow-up is placed, chosen on the conversations of guideqa/train: the weight of the message
# alone (the rest is the message with its topic before it), what the passage before gets, and its section.
_BARE = (0.3, 0.20, 0.03)  # "how long?": the same passage
_CONNECTED = (0.7, -0.10, 0.06)  # "and the other one?": near it, but seldom the same
_REFERRING = (0.85, 0.10, 0.06)  # "is it safe?": mostly the same
CORRECTED = -0.15  # the passage before may still hold what was meant
_NO_TOPIC = (1.0, 0.0, 0.0)

# Two or three entries of a list named side by side ("bridges and the plank").
MAX_NAMED = 3
MAX_NAME_PASSAGES = 2  # a word of a title stands for it where no more passages hold it
JOINING_WORDS = frozenset(word_list("joining"))

MAX_ENCODED = 500  # questions whose vectors are remembered, about 40 kB each
MAX_TOKENS_KEPT = 1_000  # passages whose tokens' vectors are, about 80 kB each
MAX_EXACT_VIEWS = 50_000  # up to here every view is scored; beyond, only the nearest
NEAREST_VIEWS = 2_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a passage stands where it does; each part as it enters the score."""

    part: float
    whole: float
    bm25: float
    bonus: float
    context: float
    late: float


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Passages for a query, best first.

    :param texts: The texts that were searched: the query, then the query with its topic.
    :param evidence: One for each hit.
    :param segment_scores: For each hit, the similarity of the query to each of its segments.
    :param vector: Of the query alone.
    :param dense: Similarity of the best hit to the query, 0 to 1, without words and bonuses.
    """

    texts: tuple[str, ...]
    hits: tuple[Hit, ...]
    evidence: tuple[Evidence, ...]
    segment_scores: tuple[tuple[float, ...], ...]
    dense: float
    vector: Matrix = field(default_factory=lambda: np.zeros(0, dtype=np.float32))


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A text: its vector, and the vectors of the tokens of each of its forms."""

    vector: Matrix
    tokens: tuple[Matrix, ...]


@dataclass(frozen=True, slots=True)
class _Scored:
    part: Scores
    whole: Scores
    bm25: Scores
    bonus: Scores
    views: Scores  # one per view
    encoded: _Encoded

    @property
    def parts(self) -> tuple[Scores, Scores, Scores, Scores]:
        return self.part, self.whole, self.bm25, self.bonus

    @property
    def total(self) -> Scores:
        return self.part + self.whole + self.bm25 + self.bonus


def late_interaction(forms: Sequence[Matrix], passage: Matrix) -> float:
    """Compare each token of a question with its nearest of a passage; the mean, over the question's forms.

    MaxSim (Khattab and Zaharia 2020, "ColBERT"), but the mean instead of the sum.

    :param forms: Vectors of the tokens of each form, shape (tokens, dimension); empty ones do not count.
    """
    if not len(passage):
        return 0.0
    found = [float((tokens @ passage.T).max(axis=1).mean()) for tokens in forms if len(tokens)]
    return sum(found) / len(found) if found else 0.0


def make_speller(passages: Sequence[Passage], title: str, encoder: Encoder) -> Speller:
    """Make the speller of a guide: toward its own words, and from none that is English or slang."""
    texts = [title, *(" ".join([passage.title, passage.text, *passage.section]) for passage in passages)]
    return Speller(
        Counter(word for text in texts for word in words(text)),
        lambda word: encoder.knows_word(word) or is_english(word) or is_lay_word(word),
    )


class Retriever:
    """Searches one generation of the index.

    :param before: Of the generation before, with the same encoder: its vectors of texts are good still.
    """

    def __init__(self, generation: Generation, encoder: Encoder, before: "Retriever | None" = None) -> None:
        self.passages = generation.passages
        self._encoder = encoder
        self._token_encoder = encoder if isinstance(encoder, TokenEncoder) else None
        self._encoded: Memory[_Encoded] = before._encoded if before else Memory(MAX_ENCODED)
        self._tokens: Memory[Matrix] = before._tokens if before else Memory(MAX_TOKENS_KEPT)
        self._vectors = generation.vectors
        self._view_rows = np.array([view.row for view in generation.views], dtype=np.int64)
        self._is_whole = np.array([view.kind is ViewKind.WHOLE for view in generation.views])
        self._segments = [(view.row, view.segment) for view in generation.views]
        self.wholes = {view.row: view.text for view in generation.views if view.kind is ViewKind.WHOLE}
        self._bm25 = BM25([_document(passage) for passage in self.passages])
        self._pairs = {pair for passage in self.passages for pair in _stem_pairs(passage)}
        self._title_terms = [frozenset(terms(passage.title)) for passage in self.passages]
        entries = {passage.id: title for passage, title in zip(self.passages, self._title_terms, strict=True)}
        self._entry_terms = [[entries[id_] for id_ in p.item_ids if entries.get(id_)] for p in self.passages]
        self._is_list = np.array([passage.kind is PassageKind.LIST for passage in self.passages])
        self.topic = frozenset(terms(generation.guide.title))
        self._item_names = _item_names(self.passages, self._bm25)
        self.row_of = {passage.id: row for row, passage in enumerate(self.passages)}
        self.speller = make_speller(self.passages, generation.guide.title, encoder)

    def knows_term(self, *stems: str) -> bool:
        """Tell whether any passage holds a stem, or several side by side ("sit" and "up" are no sit-up)."""
        if len(stems) == 1:
            return stems[0] in self._bm25
        return all(pair in self._pairs for pair in pairwise(stems))

    def items_side_by_side(self, text: str) -> tuple[str, ...]:
        """List the items that a question names together ("bridges and the plank"), by their titles.

        Empty where it names fewer than two, or other words stand between them.
        """
        spoken = words(text)
        stems = [stem(singular(word)) for word in spoken]
        found: list[tuple[int, int, str]] = []
        for at in range(len(stems)):
            for name, title in self._item_names:
                if tuple(stems[at : at + len(name)]) == name and (not found or at >= found[-1][1]):
                    found.append((at, at + len(name), title))
                    break
        titles = tuple(dict.fromkeys(title for _, _, title in found))
        between = [spoken[end:start] for (_, end, _), (start, _, _) in pairwise(found)]
        is_joined = all(set(rest) <= JOINING_WORDS for rest in between)
        return titles if 2 <= len(titles) <= MAX_NAMED and is_joined else ()

    def retrieve(self, query: Query, context: Context, top_k: int) -> Retrieval:
        """Rank the passages for a query.

        :param top_k: How many hits to give; fewer where the guide has fewer passages.
        """
        focus = [self.row_of[id_] for id_ in context.focus if id_ in self.row_of]
        placing = _placing(query) if focus else _NO_TOPIC
        texts = [query.text]
        if placing[0] < 1:
            texts.append(f"{self.passages[focus[0]].title or context.query} {query.text}")
        scored = self._score(texts, query.type)
        own = scored[0]
        total = own.total.copy()
        if len(scored) > 1:
            total = placing[0] * own.total + (1 - placing[0]) * scored[1].total
        position = self._listed_row(query, context)
        prior = self._prior(query, context, focus, placing)
        total += prior
        nearest = self._order(total, range(len(total)))[: max(top_k, LATE_NEAREST)]
        late = placing[0] * self._late(own, nearest)
        if len(scored) > 1:
            late += (1 - placing[0]) * self._late(scored[1], nearest)
        order = self._order(total + late, nearest)[:top_k]
        best = scored[-1]  # with its topic, a bare follow-up has something to be near to
        evidence = tuple(
            Evidence(*(float(x[row]) for x in (*own.parts, total - own.total, late))) for row in order
        )
        return Retrieval(
            texts=tuple(texts),
            hits=tuple(
                Hit(self.passages[row], float(total[row] + late[row]), rank)
                for rank, row in enumerate(order, 1)
            ),
            evidence=evidence,
            segment_scores=tuple(self._segment_scores(row, best.views) for row in order),
            dense=1.0
            if position is not None
            else _dense(scored[:1] if self._names_other_topic(query) else scored, order),
            vector=own.encoded.vector,
        )

    def _prior(
        self, query: Query, context: Context, focus: Sequence[int], placing: tuple[float, float, float]
    ) -> Scores:
        prior = np.zeros(len(self.passages))
        if not focus:
            return prior
        _, same, near = placing
        before = self.passages[focus[0]]
        for row, passage in enumerate(self.passages):
            if passage.section == before.section and passage.source == before.source:
                prior[row] += near
        prior[focus[0]] += CORRECTED if query.is_correction else same
        listed = self._listed_row(query, context)
        if listed is not None:
            prior[listed] += 2.0
        return prior

    def _listed_row(self, query: Query, context: Context) -> int | None:
        """Find the entry of the list shown last that a query means ("the second one")."""
        if not query.position or len(context.listed) < abs(query.position):
            return None
        return self.row_of.get(context.listed[query.position - 1 if query.position > 0 else query.position])

    def _names_other_topic(self, query: Query) -> bool:
        """Tell whether "what about X" names an X of which the guide has no word."""
        own = set(terms(query.text))
        return query.is_connected and bool(own) and not any(self.knows_term(term) for term in own)

    def _score(self, texts: list[str], kind: QuestionType) -> list[_Scored]:
        count, size = len(self.passages), self._vectors.size
        is_exact = size <= MAX_EXACT_VIEWS
        plains = [to_plain(text) for text in texts]
        encoded = [
            self._encoded.get(text, partial(self._encode, [text, plain]))
            for text, plain in zip(texts, plains, strict=True)
        ]
        found, rows = self._vectors.search(
            np.stack([e.vector for e in encoded]), size if is_exact else NEAREST_VIEWS
        )
        scored = []
        for text, plain, own_encoded, similarity, view_rows in zip(
            texts, plains, encoded, found, rows, strict=True
        ):
            views = np.full(size, 0.0 if is_exact else float(similarity.min()))
            views[view_rows] = similarity
            part, whole = np.full(count, -1.0), np.full(count, -1.0)
            np.maximum.at(whole, self._view_rows[self._is_whole], views[self._is_whole])
            np.maximum.at(part, self._view_rows[~self._is_whole], views[~self._is_whole])
            part = np.where(part < -0.99, whole, part)  # one sentence without a title: it is the whole
            own = set(terms(text))
            named = np.array([bool(title) and title <= own for title in self._title_terms])
            bonus = TITLE_BONUS * named
            if kind is QuestionType.LIST:
                bonus = bonus + LIST_BONUS * self._is_list
            else:
                bonus = bonus - NAMED_ENTRY_MALUS * np.array(
                    [any(entry <= own for entry in entries) for entries in self._entry_terms]
                )
            bm25 = np.maximum(self._words_score(own), self._words_score(set(terms(plain))))
            parts = PART_WEIGHT * part, (1 - PART_WEIGHT) * whole, bm25, bonus
            scored.append(_Scored(*parts, views, own_encoded))
        return scored

    def _encode(self, forms: list[str]) -> _Encoded:
        """Encode a text as the mean of its forms; similarities are then means too."""
        if self._token_encoder is not None:
            vectors, tokens = self._token_encoder.encode_with_tokens(forms)
        else:
            vectors, tokens = self._encoder.encode_queries(forms), []
        return _Encoded(np.asarray(vectors.mean(axis=0), dtype=np.float32), tuple(tokens))

    def _late(self, scored: _Scored, rows: Sequence[int]) -> Scores:
        """Score some passages by late interaction, 0 for the others."""
        late = np.zeros(len(self.passages))
        for row in rows if scored.encoded.tokens else ():
            passage = self._tokens.get(self.wholes[row], partial(self._passage_tokens, row))
            late[row] = LATE_WEIGHT * late_interaction(scored.encoded.tokens, passage)
        return late

    def _passage_tokens(self, row: int) -> Matrix:
        assert self._token_encoder is not None  # noqa: S101 - asked for by _late alone
        return self._token_encoder.encode_with_tokens([self.wholes[row]])[1][0]

    def _order(self, scores: Scores, rows: Sequence[int]) -> list[int]:
        """Sort rows by score, the best first; equal ones always in the same order."""
        return sorted(rows, key=lambda row: (-round(float(scores[row]), 9), self.passages[row].id))

    def _words_score(self, own: set[str]) -> Scores:
        """BM25, less where the guide lacks some of the words: a word shared by chance says little."""
        known = sum(term in self._bm25 for term in own) / len(own) if own else 0.0
        return BM25_WEIGHT * known**2 * self._bm25.scores(own).astype(np.float64)

    def _segment_scores(self, row: int, views: Scores) -> tuple[float, ...]:
        scores = [0.0] * len(self.passages[row].segments)
        for at in np.flatnonzero(self._view_rows == row):
            segment = self._segments[at][1]
            if segment >= 0:
                scores[segment] = float(views[at])
        return tuple(scores)


def _placing(query: Query) -> tuple[float, float, float]:
    if not query.is_follow_up:
        return _NO_TOPIC
    if query.is_bare:
        return _BARE
    return _CONNECTED if query.is_connected else _REFERRING


def _dense(scored: Sequence[_Scored], order: Sequence[int]) -> float:
    """Give the similarity of the best hit; "what about X" must be near by X, not by the topic before it."""
    return max((float(s.part[order[0]] + s.whole[order[0]]) for s in scored), default=0.0) if order else 0.0


def _stem_pairs(passage: Passage) -> set[tuple[str, str]]:
    texts = [passage.title, *passage.section, passage.text]
    return {pair for text in texts for pair in pairwise(stem(singular(word)) for word in words(text))}


def _item_names(passages: Sequence[Passage], bm25: BM25) -> list[tuple[tuple[str, ...], str]]:
    """List what each item may be called, as stems, the longest first, with its title.

    That is its title, what of it no other title holds ("cat cow" of "Cat-Cow Stretch"), and each word of
    that which hardly another passage has ("plank" of "Modified Plank").
    """
    titles = {
        p.title: [stem(singular(word)) for word in words(p.title)]
        for p in passages
        if p.kind is PassageKind.ITEM
    }
    held = Counter(name for stems in titles.values() for name in set(stems))
    names: dict[tuple[str, ...], str] = {}
    for title, stems in titles.items():
        own = [at for at, name in enumerate(stems) if held[name] == 1]
        names[tuple(stems)] = title
        if own and any(name not in STOPWORDS for name in stems):
            names.setdefault(tuple(stems[own[0] : own[-1] + 1]), title)
        for name in (stems[at] for at in own):
            if name not in STOPWORDS and bm25.document_count(name) <= MAX_NAME_PASSAGES:
                names.setdefault((name,), title)
    return sorted(names.items(), key=lambda item: -len(item[0]))


def _document(passage: Passage) -> list[str]:
    return terms(passage.title) * TITLE_REPEATS + terms(" ".join(passage.section)) + terms(passage.text)
