"""Everyday words to plain ones: what a question is also searched under.

Takes a question, gives it again with slang and roundabout phrases replaced by the words of a leaflet, from
``data/lay.toml``. What comes out is searched with and never shown.
"""

import tomllib
from functools import cache
from pathlib import Path

from rapidfuzz.distance import OSA

from bot.lexical import words

__all__ = ["is_lay_word", "to_plain"]

MAX_SLIPS = 2
MIN_SLIP_LETTERS = 5
_FILE = Path(__file__).parent / "data" / "lay.toml"


@cache
def _phrases() -> dict[tuple[str, ...], str]:
    """Read the phrases, each as its words, with the plain words they stand for."""
    found = {}
    for lines in tomllib.loads(_FILE.read_text(encoding="utf-8")).values():
        for line in lines:
            left, _, right = line.partition("->")
            found.update({tuple(words(phrase)): right.strip() for phrase in left.split("|")})
    return found


@cache
def _longest() -> int:
    return max(len(phrase) for phrase in _phrases())


def _is_slip(phrase: tuple[str, ...], meant: str) -> bool:
    """Tell whether a phrase is a misspelling of what it stands for, which the speller mends better."""
    word = phrase[0] if len(phrase) == 1 else ""
    return any(
        word[:1] == right[0] and OSA.distance(word, right, score_cutoff=MAX_SLIPS) <= MAX_SLIPS
        for right in words(meant)
        if len(word) >= MIN_SLIP_LETTERS
    )


@cache
def _lay_words() -> frozenset[str]:
    return frozenset(
        word for phrase, meant in _phrases().items() if not _is_slip(phrase, meant) for word in phrase
    )


def is_lay_word(word: str) -> bool:
    """Tell whether a lower-case word is of a phrase of the vocabulary, and so no slip of typing."""
    return word in _lay_words()


def to_plain(text: str) -> str:
    """Replace every phrase of the vocabulary, the longest first, plural or not; the rest stays.

    :return: Lower-case words; equal to ``" ".join(words(text))`` where nothing was replaced.
    """
    spoken = words(text)
    plain: list[str] = []
    at = 0
    while at < len(spoken):
        for size in range(min(_longest(), len(spoken) - at), 0, -1):
            phrase = tuple(spoken[at : at + size])
            singular = (*phrase[:-1], phrase[-1].removesuffix("s"))
            meant = _phrases().get(phrase) or _phrases().get(singular)
            if meant:
                plain.append(meant)
                at += size
                break
        else:
            plain.append(spoken[at])
            at += 1
    return " ".join(plain)
