"""Tests of everyday words to plain ones, on a small vocabulary and on the one that is served."""

import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import plain
from bot.lexical import words
from bot.plain import is_lay_word, to_plain
from tests.conftest import GUIDE, ROOT

VOCABULARY = """\
head = ["noggin | bonce | top storey -> head", "back of the noggin -> back of head"]
rest = ["knackered -> tired", "peg -> leg", "pegs -> teeth", "peg out -> be ill"]
neck = ["crook's neck -> stiff neck"]
"""
SERVED: dict[str, list[str]] = tomllib.loads((ROOT / "bot" / "data" / "lay.toml").read_text(encoding="utf-8"))
LINES = [line for group in SERVED.values() for line in group]
PHRASES = [
    (phrase.strip(), line.partition("->")[2].strip())
    for line in LINES
    for phrase in line.partition("->")[0].split("|")
]


def forget() -> None:
    for cached in (plain._phrases, plain._longest, plain._lay_words):
        cached.cache_clear()


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Serve the small vocabulary instead."""
    file = tmp_path / "lay.toml"
    file.write_text(VOCABULARY, encoding="utf-8")
    monkeypatch.setattr(plain, "_FILE", file)
    forget()
    yield
    forget()


# --- how words are replaced ------------------------------------------------------------------------


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("my noggin hurts", "my head hurts"),
        ("my bonce hurts", "my head hurts"),
        ("noggin", "head"),
        ("noggin noggin", "head head"),
        ("is my top storey knackered", "is my head tired"),
        ("my top hurts", "my top hurts"),
    ],
)
def test_a_phrase_is_replaced_wherever_it_stands(text: str, expected: str) -> None:
    """Ensures that each phrase of a line gives its plain words, and half a phrase does not."""
    assert to_plain(text) == expected


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the back of the noggin aches", "the back of head aches"),
        ("the back of the bonce aches", "the back of the head aches"),
        ("will i peg out", "will i be ill"),
        ("my peg is out", "my leg is out"),
    ],
)
def test_the_longest_phrase_wins(text: str, expected: str) -> None:
    """Ensures that a phrase inside a longer one does not break it up."""
    assert to_plain(text) == expected


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two noggins", "two head"),
        ("top storeys", "head"),
        ("tops storey", "tops storey"),
        ("my pegs", "my teeth"),
    ],
)
def test_the_last_word_of_a_phrase_may_be_plural(text: str, expected: str) -> None:
    """Ensures that a plural counts at the end alone, and one with a line of its own goes by that line."""
    assert to_plain(text) == expected


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My NOGGIN, hurts!", "my head hurts"),
        ("“Knackered”?!", "tired"),
        ("top-storey", "head"),
        ("top... storey", "head"),
        ("crooks neck", "stiff neck"),
        ("Crook’s neck", "stiff neck"),
        ("nóggin", "head"),
        ("noggin\n\tknackered", "head tired"),
    ],
)
def test_case_accents_and_punctuation_do_not_matter(text: str, expected: str) -> None:
    """Ensures that a phrase is found by its words, however they are written."""
    assert to_plain(text) == expected


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "text", ["How do I sit at a desk?", "nogginses", "outpeg", "Café 20-30", "", "🪴 ?!"]
)
def test_what_holds_no_phrase_gives_its_words_back(text: str) -> None:
    """Ensures that nothing is lost, added or replaced inside a word."""
    assert to_plain(text) == " ".join(words(text))


@pytest.mark.usefixtures("small")
def test_the_words_of_all_phrases_are_lay_words_and_those_of_their_meanings_are_not() -> None:
    """Ensures that the repair of spelling leaves the vocabulary alone, and nothing else for its sake."""
    assert all(is_lay_word(word) for word in ("noggin", "top", "storey", "the", "crooks", "pegs"))
    assert not any(is_lay_word(word) for word in ("head", "tired", "noggins", "Noggin", "top storey", ""))


# --- the vocabulary that is served -----------------------------------------------------------------


def test_every_line_has_phrases_one_arrow_and_plain_words() -> None:
    """Ensures that no line of the data file is broken, and that the file was not lost."""
    broken = [
        line
        for line in LINES
        if line.count("->") != 1
        or not words(line.partition("->")[2])
        or not all(words(phrase) for phrase in line.partition("->")[0].split("|"))
    ]
    assert broken == []
    assert len(PHRASES) > 10_000


def test_no_phrase_stands_twice() -> None:
    """Ensures that no line silently takes the place of another; phrases are compared as their words."""
    counts = Counter(tuple(words(phrase)) for phrase, _ in PHRASES)
    assert [" ".join(phrase) for phrase, count in counts.items() if count > 1] == []


def test_every_phrase_that_is_served_gives_the_plain_words_of_its_line() -> None:
    """Ensures that no phrase is shadowed by another, by its plural or by the reading of the file."""
    wrong = [(phrase, to_plain(phrase)) for phrase, right in PHRASES if to_plain(phrase) != right]
    assert wrong == []


def test_every_word_of_a_phrase_that_is_served_is_a_lay_word() -> None:
    """Ensures that slang is not repaired as a slip, while slips that the vocabulary lists still are."""
    phrases = [phrase for phrase, _ in PHRASES if len(words(phrase)) > 1]
    assert [phrase for phrase in phrases if not all(map(is_lay_word, words(phrase)))] == []
    assert is_lay_word("owt")
    assert not is_lay_word("strech")
    assert not is_lay_word("zxqvy")


def test_plain_words_put_through_again_stay_short() -> None:
    """Ensures that a meaning that is a phrase itself is no avalanche: a second pass adds a few words."""
    grown = [
        right
        for right in {right for _, right in PHRASES}
        if len(words(to_plain(to_plain(right)))) > len(words(right)) + 8
    ]
    assert grown == []


@given(st.text(max_size=200))
def test_any_text_gives_lower_case_words_in_single_spaces(text: str) -> None:
    """Ensures that whatever is typed, what is searched with is words, and none for no words."""
    found = to_plain(text)
    assert found == found.casefold() == " ".join(found.split())
    assert bool(found) == bool(words(text))


@pytest.mark.parametrize(
    "text",
    [
        (GUIDE * 100)[:100_000],
        ("my noggin is giving me gyp " * 4_000)[:100_000],
        "x" * 100_000,
        "🪴" * 100_000,
        "?" * 100_000,
    ],
    ids=["guide", "slang", "one word", "emoji", "marks"],
)
def test_a_huge_text_takes_less_than_a_second(text: str) -> None:
    """Ensures that nobody stops the server with a long message; time is that of the process itself."""
    times = []
    for _ in range(2):  # the first reads the vocabulary, and a busy machine is not the text's fault
        started = time.process_time()
        to_plain(text)
        times.append(time.process_time() - started)
    assert min(times) < 1
