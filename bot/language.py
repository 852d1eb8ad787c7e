"""Tells a message in another language than English, and what to say to it, from ``data/languages.toml``.

No guide is searched with such a message: its words would meet English ones by chance, and somebody in
need would be shown exercises.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bot.lexical import STOPWORDS, is_english, words

__all__ = ["Language", "find_language"]

MIN_WORDS = 2  # of the other language; a single one may be a name
_LETTER = re.compile(r"[^\W\d_]")
_FILE = Path(__file__).parent / "data" / "languages.toml"


@dataclass(frozen=True, slots=True)
class Language:
    """A language that is not read.

    :param words: Common words of it, none of them an English one, without accents.
    :param letter: Its own letters, None where it is written in Latin ones.
    :param note: What is said to those who write in it.
    """

    name: str
    words: frozenset[str]
    letter: re.Pattern[str] | None
    note: str


@cache
def _languages() -> tuple[Language, ...]:
    data = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(
        Language(
            item["name"],
            frozenset(word for word in words(item.get("words", "")) if len(word) > 1) - STOPWORDS,
            re.compile(f"[{item['script']}]") if "script" in item else None,
            item["note"],
        )
        for item in data["language"]
    )


def find_language(message: str) -> Language | None:
    """Find the language of a message, None where it is English or cannot be told.

    A message in English with some words of another language is English.
    """
    letters = len(_LETTER.findall(message))
    for language in _languages():
        if language.letter and letters and len(language.letter.findall(message)) * 2 >= letters:
            return language
    spoken = words(message)
    best = max(_languages(), key=lambda language: sum(word in language.words for word in spoken))
    foreign = {word for word in spoken if word in best.words}
    count = sum(word in foreign for word in spoken)
    english = sum(word in STOPWORDS or is_english(word) for word in spoken if word not in foreign)
    return best if len(foreign) >= MIN_WORDS and count > english else None
