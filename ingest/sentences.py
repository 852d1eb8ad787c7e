"""Normalised text to sentences.

Takes normalised text, gives the places of its sentences. No model, no word lists beyond abbreviations:
a boundary is an end mark before a space and the beginning of a sentence.
"""

import re

__all__ = ["split_sentences"]

# Never the last word of a sentence in running text.
ABBREVIATIONS = frozenset(
    {"e.g", "i.e", "dr", "mr", "mrs", "ms", "prof", "st", "approx", "vs", "cf", "ca", "no", "nos", "fig"}
    | {"vol", "incl", "excl", "esp", "resp", "viz", "dept", "est"}
)
_END = re.compile(r"[.?!\u2026]+[\"'\u201d\u2019)\]]*\s+(?=[\"'\u201c\u2018(\[]*[A-Z0-9\u00c0-\u00de])")
_LAST_WORD = re.compile(r"[\w.]+$")
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
    word = _LAST_WORD.search(text, start, match.start())
    if word is None:
        return True
    last = word.group()
    if last.casefold() in _NEEDS_FIGURE:
        return not text[match.end()].isdigit()
    if last.isdigit() and word.start() == start:
        return False
    return last.casefold() not in ABBREVIATIONS and not _is_initial(text, start, word)


def _is_initial(text: str, start: int, word: re.Match[str]) -> bool:
    """Tell "J. Smith" from "vitamin C. Take": an initial begins the sentence or follows a name."""
    last = word.group()
    if len(last) != 1 or not last.isupper():
        return False
    before = text[start : word.start()].split()
    return not before or before[-1][0].isupper()
