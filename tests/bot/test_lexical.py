"""Tests of words, BM25 and spelling."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.lexical import BM25, K1, B, Speller, content_words, stem, terms, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bird-Dog", ["bird", "dog"]),
        ("Child’s pose", ["childs", "pose"]),
        ("Don't", ["dont"]),
        ("Café 20-30", ["cafe", "20", "30"]),
        ("", []),
        ("🙂 ??", []),
    ],
)
def test_words_are_plain(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text(max_size=200))
def test_words_of_any_text_are_lower_case_and_not_empty(text: str) -> None:
    assert all(word and word == word.casefold() for word in words(text))


def test_content_words_leave_out_what_says_nothing_of_the_topic() -> None:
    assert content_words("How do I do the bridge exercise?") == ["bridge", "exercise"]


def test_bm25_equals_the_formula_worked_by_hand() -> None:
    index = BM25([["cat", "dog"], ["cat", "cat", "cow", "hen"], ["hen"]])
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))  # "cat" stands in two of three documents
    mean = 7 / 3
    first = idf * 1 * (K1 + 1) / (1 + K1 * (1 - B + B * 2 / mean))
    second = idf * 2 * (K1 + 1) / (2 + K1 * (1 - B + B * 4 / mean))
    assert index.scores(["cat"]).tolist() == pytest.approx([first, second, 0.0], rel=1e-5)


def test_bm25_of_a_term_that_no_document_holds_is_zero_everywhere() -> None:
    index = BM25([["cat"], []])
    assert index.scores(["owl"]).tolist() == [0.0, 0.0]
    assert "owl" not in index
    assert index.idf("owl") > index.idf("cat")


def test_bm25_of_nothing_has_no_scores() -> None:
    assert BM25([]).scores(["cat"]).shape == (0,)


@pytest.fixture
def speller() -> Speller:
    vocabulary = Counter(words("stretch your piriformis then bridges bird dog pelvic tilt exercise height"))
    return Speller(vocabulary, is_known=lambda word: word in {"weight", "bride", "works"})


@pytest.mark.parametrize(
    ("typed", "repaired"),
    [
        ("strech", "stretch"),
        ("pirifromis", "piriformis"),
        ("exersize", "exercise"),
        ("brdige", "bridge"),  # the guide has only "bridges"
        ("birddog", "bird dog"),
        ("stretches", "stretches"),  # the stem is in the guide
        ("bride", "bride"),  # an English word is no slip, however near to one of the guide's
        ("weight", "weight"),
        ("dog", "dog"),
        ("xylophone", "xylophone"),
        ("tlt", "tlt"),  # too short to tell
    ],
)
def test_words_are_repaired_toward_the_guide(speller: Speller, typed: str, repaired: str) -> None:
    assert speller.repair_word(typed) == repaired


def test_repair_keeps_everything_that_needs_none(speller: Speller) -> None:
    assert speller.repair("How do I STRECH, 20-30 s?") == "How do I stretch, 20-30 s?"


def test_terms_are_stems_of_content_words() -> None:
    assert terms("the stretches") == [stem("stretch")]
