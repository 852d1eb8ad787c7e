"""Tests of retrieval: the fused score against a plain computation, order, follow-ups."""

from pathlib import Path

import numpy as np
import pytest

from bot.lexical import BM25, stem, terms
from bot.plain import to_plain
from bot.retrieve import (
    BM25_WEIGHT,
    LATE_WEIGHT,
    PART_WEIGHT,
    TITLE_REPEATS,
    Retriever,
    late_interaction,
)
from bot.understand import Context, Query, QuestionType
from ingest.datatypes import Matrix
from ingest.index import Generation, ViewKind, load_live
from tests.conftest import FakeEncoder


@pytest.fixture
def generation(index: Path) -> Generation:
    return load_live(index)


@pytest.fixture
def retriever(generation: Generation, encoder: FakeEncoder) -> Retriever:
    return Retriever(generation, encoder)


def test_scores_equal_a_plain_computation(
    generation: Generation, retriever: Retriever, encoder: FakeEncoder
) -> None:
    query = "does water rot the roots"
    assert to_plain(query) == query
    vector = encoder.encode_queries([query])[0]
    documents = [
        terms(p.title) * TITLE_REPEATS + terms(" ".join(p.section)) + terms(p.text)
        for p in generation.passages
    ]
    words = BM25(documents).scores(terms(query))
    expected = {}
    for row, passage in enumerate(generation.passages):
        own = [view for view in generation.views if view.row == row]
        similar = {view: float(encoder.encode_passages([view.text])[0] @ vector) for view in own}
        whole = next(score for view, score in similar.items() if view.kind is ViewKind.WHOLE)
        parts = [score for view, score in similar.items() if view.kind is not ViewKind.WHOLE]
        best = max(parts, default=whole)
        expected[passage.id] = (
            PART_WEIGHT * best + (1 - PART_WEIGHT) * whole + BM25_WEIGHT * float(words[row])
        )
    found = retriever.retrieve(Query(query, QuestionType.OPEN), Context(), len(expected))
    assert {hit.passage.id: hit.score for hit in found.hits} == pytest.approx(expected, abs=1e-5)


class FakeTokenEncoder(FakeEncoder):
    """Gives a vector for each word too."""

    def encode_with_tokens(self, texts: list[str]) -> tuple[Matrix, list[Matrix]]:
        return self.encode_queries(texts), [self._encode(text.split()) for text in texts]


def test_late_interaction_is_added_to_the_nearest(
    generation: Generation, retriever: Retriever, encoder: FakeEncoder
) -> None:
    """Ensures that each word is compared with its nearest word of the passage, and the mean counts."""
    query = Query("does wet soil rot the roots", QuestionType.OPEN)
    tokens = FakeTokenEncoder()
    plain = {hit.passage.id: hit.score for hit in retriever.retrieve(query, Context(), 50).hits}
    placed = Retriever(generation, tokens)
    for hit in placed.retrieve(query, Context(), 50).hits:
        whole = placed.wholes[placed.row_of[hit.passage.id]]
        own, other = tokens.encode_with_tokens([query.text, whole])[1]
        nearest = [max(float(word @ near) for near in other) for word in own]
        late = LATE_WEIGHT * sum(nearest) / len(nearest)
        assert hit.score == pytest.approx(plain[hit.passage.id] + late, abs=1e-5)


def test_late_interaction_by_hand() -> None:
    forms = [np.eye(3, dtype=np.float32)[:2], np.zeros((0, 3), dtype=np.float32)]
    passage = np.array([[1, 0, 0], [0.6, 0.8, 0]], dtype=np.float32)
    assert late_interaction(forms, passage) == pytest.approx((1.0 + 0.8) / 2)
    assert late_interaction([], passage) == 0.0
    assert late_interaction(forms[:1], np.zeros((0, 3), dtype=np.float32)) == 0.0


def test_words_are_known_together_only_where_they_stand_side_by_side(retriever: Retriever) -> None:
    """Ensures that a guide that knows spots and wool is not taken to know a thing named by both."""
    assert retriever.knows_term(stem("sticky"), stem("spot"))
    assert retriever.knows_term(stem("wool"))
    assert not retriever.knows_term(stem("wool"), stem("spot"))
    assert not retriever.knows_term(stem("cactus"))


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("how do I do soaking and misting?", ("Soaking", "Misting")),
        ("misting, soaking", ("Misting", "Soaking")),
        ("is mistings better than the soaking", ("Misting", "Soaking")),
        ("soaking and soaking", ()),
        ("soaking", ()),
        ("is soaking enough in winter or do I need misting?", ()),
        ("soaking and feeding", ()),
        ("", ()),
    ],
)
def test_items_are_named_side_by_side_only_where_nothing_else_stands_between(
    retriever: Retriever, text: str, titles: tuple[str, ...]
) -> None:
    assert retriever.items_side_by_side(text) == titles


def test_hits_come_best_first_with_ranks_from_one(retriever: Retriever) -> None:
    hits = retriever.retrieve(Query("sticky leaves", QuestionType.OPEN), Context(), 5).hits
    assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_equal_scores_are_ordered_by_passage_id(retriever: Retriever) -> None:
    hits = retriever.retrieve(Query("xylophone", QuestionType.OPEN), Context(), 50).hits
    tied = [hit.passage.id for hit in hits if hit.score == hits[-1].score]
    assert tied == sorted(tied)


def test_evidence_adds_up_to_the_score(retriever: Retriever) -> None:
    found = retriever.retrieve(Query("how do I water", QuestionType.STEPS), Context(), 3)
    for hit, parts in zip(found.hits, found.evidence, strict=True):
        total = parts.part + parts.whole + parts.bm25 + parts.bonus + parts.context + parts.late
        assert hit.score == pytest.approx(total)


def test_segment_scores_point_at_the_sentence_that_says_it(retriever: Retriever) -> None:
    found = retriever.retrieve(Query("rots the roots", QuestionType.OPEN), Context(), 1)
    segments, scores = found.hits[0].passage.segments, found.segment_scores[0]
    assert "rots the roots" in segments[int(np.argmax(scores))].text


def test_a_bare_follow_up_stays_with_the_passage_before(retriever: Retriever) -> None:
    soaking = next(p for p in retriever.passages if p.title == "Soaking")
    query = Query("how long", QuestionType.FIGURE, is_follow_up=True, is_bare=True)
    found = retriever.retrieve(query, Context("soaking", QuestionType.STEPS, (soaking.id,)), 3)
    assert found.hits[0].passage == soaking


def test_a_context_of_a_passage_that_is_gone_is_ignored(retriever: Retriever) -> None:
    query = Query("misting", QuestionType.OPEN, is_follow_up=True)
    found = retriever.retrieve(query, Context("x", QuestionType.OPEN, ("gone",)), 1)
    assert found.hits[0].passage.title == "Misting"
