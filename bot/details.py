"""What a question asks for in particular, and the things of the world that it names, both from data.

Two files beside this one hold the knowledge: details.toml (a price, a number of repetitions) and
vocabulary.toml (conditions, treatments, sports, foods, exercises by their names). Here is only how they
are read and looked up.
"""

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bot.lexical import stem, words

__all__ = ["FIGURE", "Detail", "Thing", "Vocabulary", "asked_detail", "load_vocabulary"]

_DATA = Path(__file__).parent / "data"

HEALTH_GROUPS = ("conditions", "treatments", "medicines")

_WORD_NUMBERS = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty"
)
_DIGITS = r"\d+(?:[.,]\d+)*"
_NUMBER = rf"(?:{_DIGITS}|(?:{_WORD_NUMBERS})\b|(?:a|an) (?:few|couple of)|several|half (?:a|an)|once|twice)"
_UNITS = (
    r"per ?cent|percent|seconds?|minutes?|hours?|days?|weeks?|months?|years?|nights?|times|reps?|repetitions?"
    r"|sets?|breaths?|sessions?|cm|mm|m|km|metres?|meters?|kilometres?|miles?|inch(?:es)?|feet|kg|kilos?|g"
    r"|grams?|mg|ml|litres?|liters?|degrees?|glasses|cups|portions|steps|laps|lengths|strokes|rounds"
)
_UNIT = rf"(?:\s*%|\s*°\s?[cf]?\b|[\s-]*(?:{_UNITS})\b)"
_RATE = r"(?:\s+(?:a|per|each|every|of)\s+(?:day|week|month|year|night|hour))"
_TO = r"\s*(?:-|–|to|or|and)\s*"
# "20-30 seconds", "3-5 times per week", "150 minutes", "several repetitions", "daily"
FIGURE = re.compile(
    rf"\b{_NUMBER}(?:{_TO}{_NUMBER})?{_UNIT}{_RATE}?"
    rf"|\b{_DIGITS}(?:{_TO}{_DIGITS})?\b"
    r"|\b(?:daily|weekly|hourly|every (?:other )?(?:day|week|hour|night|morning|evening))\b"
    r"|\b(?:once|twice)(?: (?:a|per) (?:day|week|month|year))?\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Detail:
    """A detail that can be asked for.

    :param phrase: Completes "The guide does not say ...".
    """

    name: str
    ask: re.Pattern[str]
    given: re.Pattern[str]
    phrase: str

    def is_given(self, text: str) -> bool:
        """Tell whether a text shows signs of giving the detail."""
        return self.given.search(text.casefold()) is not None


@cache
def _details() -> tuple[Detail, ...]:
    data = tomllib.loads((_DATA / "details.toml").read_text(encoding="utf-8"))
    return tuple(
        Detail(item["name"], re.compile(item["ask"]), re.compile(item["given"]), item["phrase"])
        for item in data["detail"]
    )


def asked_detail(question: str) -> Detail | None:
    """Find the detail that a question asks for, None where it asks for none that is known."""
    plain = question.casefold()
    return next((detail for detail in _details() if detail.ask.search(plain)), None)


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing with all its names.

    :param names: As people write them.
    :param forms: Each name as the singulars of its words; stems would make "tens" of "ten".
    :param is_move: An exercise with a name of its own, so that no other answers for it.
    :param is_of_health: A condition, a treatment or a medicine.
    """

    names: tuple[str, ...]
    forms: tuple[tuple[str, ...], ...]
    is_move: bool = False
    is_of_health: bool = False


def singular(word: str) -> str:
    """Cut the plural s of a word, and leave it as it is otherwise."""
    return (
        word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
    )


class Vocabulary:
    """Finds the things that a text names, by the words of their names."""

    def __init__(self, things: Iterable[Thing]) -> None:
        self._by_first: dict[str, list[tuple[tuple[str, ...], Thing]]] = {}
        for thing in things:
            for form in thing.forms:
                self._by_first.setdefault(form[0], []).append((form, thing))

    def find(self, text: str) -> list[tuple[str, Thing]]:
        """List the things that a text names, each with the words it was named by, longest names first."""
        spoken = words(text)
        singulars = [singular(word) for word in spoken]
        found = [
            (len(name), " ".join(spoken[at : at + len(name)]), thing)
            for at, first in enumerate(singulars)
            for name, thing in self._by_first.get(first, ())
            if tuple(singulars[at : at + len(name)]) == name
        ]
        found.sort(key=lambda item: -item[0])
        return [(name, thing) for _, name, thing in found]


def is_known(thing: Thing, knows_term: Callable[..., bool]) -> bool:
    """Tell whether the guide names a thing by any of its names, their words side by side."""
    return any(knows_term(*map(stem, name)) for name in thing.forms)


@cache
def load_vocabulary() -> Vocabulary:
    """Read vocabulary.toml."""
    data = tomllib.loads((_DATA / "vocabulary.toml").read_text(encoding="utf-8"))
    things = []
    for section in ("topics", "moves"):
        for group, lines in data[section].items():
            is_of_health = group.startswith(HEALTH_GROUPS)
            for line in lines:
                names = tuple(name.strip() for name in line.split("|"))
                forms = tuple(tuple(singular(word) for word in words(name)) for name in names)
                things.append(Thing(names, forms, section == "moves", is_of_health))
    return Vocabulary(things)
