"""How people say things: reads phrases.toml, the patterns and word lists that hold for any guide."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["alternatives", "pattern", "short_forms", "word_list"]


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "data" / "phrases.toml").read_text(encoding="utf-8"))


def alternatives(table: str, name: str) -> str:
    """Give a group of phrases as one regular expression, its alternatives joined."""
    return "|".join(_data()[table][name])


@cache
def pattern(table: str, name: str) -> re.Pattern[str]:
    """Compile a group of phrases; letters match in either case."""
    return re.compile(alternatives(table, name), re.IGNORECASE)


def word_list(name: str) -> list[str]:
    """Give a list of words, in the order of the file."""
    return str(_data()["words"][name]).split()


def short_forms() -> dict[str, str]:
    """Give the spellings that stand for a word: "wat" for "what"."""
    return dict(_data()["words"]["short_forms"])
