"""Everyday words to plain ones: what a question is also searched under.

Takes a question, gives it again with slang and roundabout phrases replaced by the words of a leaflet, from
``data/lay.toml``. What comes out is searched with and never shown.
"""

import tomllib
from functools import cache
from pathlib import Path

from bot.lexical import words

__all__ = ["is_lay_word", "to_plain"]

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


@cache
def _lay_words() -> frozenset[str]:
    return frozenset(word for phrase in _phrases() for word in phrase)


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
