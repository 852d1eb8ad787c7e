"""Normalised text to sentences.

Takes normalised text, gives the places of its sentences. No model, no word lists beyond abbreviations:
a boundary is an end mark before a space and the beginning of a sentence.
"""

import re
from collections.abc import Callable

__all__ = ["split_sentences"]

# Never the last word of a sentence in running text.
ABBREVIATIONS = frozenset(
    {"e.g", "i.e", "dr", "mr", "mrs", "ms", "prof", "st", "approx", "vs", "cf", "ca", "no", "nos", "fig"}
    | {"vol", "incl", "excl", "esp", "resp", "viz", "dept", "est"}
)
# The look back keeps the search linear in a long run of dots.
_END = re.compile(
    r"(?<![.?!\u2026])[.?!\u2026]++[\"'\u201d\u2019)\]]*+\s+(?=[\"'\u201c\u2018(\[]*[A-Z0-9\u00c0-\u00de])"
)
_NEEDS_FIGURE = frozenset({"no", "nos", "fig", "vol"})  # "No. 5", but "The answer is no. Rest."


def split_sentences(text: str) -> tuple[tuple[int, int], ...]:
    """Find the sentences of a text.

    A full stop does not end a sentence after an abbreviation ("e.g.", "Dr."), in a decimal, before a
    small letter, after an initial ("J. Smith") or after a number that begins the sentence ("1. Lie").

    :param text: Normalised text of a paragraph.
    :return: (start, end) of each sentence in order, without the space between them; together they
        hold every character that is not a space.
    """
    found: list[tuple[int, int]] = []
    start = 0
    for match in _END.finditer(text):
        end = match.start() + len(match.group().rstrip())
        if _is_boundary(text, start, match):
            found.append((start, end))
            start = match.end()
    if text[start:].strip():
        found.append((start, len(text.rstrip())))
    return tuple(found)


def _is_boundary(text: str, start: int, match: re.Match[str]) -> bool:
    if match.group().rstrip() != ".":
        return True
    word_start = _go_back(text, start, match.start(), _is_word_character)
    last = text[word_start : match.start()]
    if not last:
        return True
    if last.casefold() in _NEEDS_FIGURE:
        return not text[match.end()].isdigit()
    if last.isdigit() and word_start == start:
        return False
    return last.casefold() not in ABBREVIATIONS and not _is_initial(text, start, word_start, last)


def _is_initial(text: str, start: int, word_start: int, word: str) -> bool:
    """Tell "J. Smith" from "vitamin C. Take": an initial begins the sentence or follows a name."""
    if len(word) != 1 or not word.isupper():
        return False
    end = _go_back(text, start, word_start, str.isspace)
    before = _go_back(text, start, end, lambda character: not character.isspace())
    return before == end or text[before].isupper()


def _is_word_character(character: str) -> bool:
    return character.isalnum() or character in "._"


def _go_back(text: str, start: int, end: int, belongs: Callable[[str], bool]) -> int:
    """Say where the characters begin that stand before ``end`` and belong together."""
    while end > start and belongs(text[end - 1]):
        end -= 1
    return end
