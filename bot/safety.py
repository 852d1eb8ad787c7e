"""The warning-sign gate: all messages of a conversation -> :class:`Assessment`, before anything else.

What a sign is, how people put it and what they are told stands in data files (``ingest.signs``); here
is only how a text is held against them. Three stages: words (``_Reader``: one spelling, text-speak,
spelling repair; a repaired word keeps its first reading), wordings (``_Phrases``: where each concept
stands), and judgement (``_Judge``: which concepts stand together, and whether they are negated, past,
asked about or heard of). Meaning (``_Likeness``) only adds signs, it never takes one away.

What is said besides the warning is left to the caller.
"""

import itertools
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np

from bot.datatypes import Urgency, Warning  # the word of the field
from ingest.datatypes import Encoder, Matrix
from ingest.signs import EmergencyNumbers, Message, Rule, Sign, WarningSigns, parse_signs, split_wording

__all__ = ["MAX_CHARACTERS", "Assessment", "Gate", "encode_examples", "universal_signs"]

MAX_CHARACTERS = 20_000  # a message is cut here; far more than anyone types, and the cost stays bounded
MAX_SKIPS = 3  # fillers inside one wording: "can't really even properly feel"
MAX_NEGATED_WORDS = 14  # how far "no" reaches over a list
SENTENCE_GAP = 2  # words that a full stop between two concepts counts for
UNLESS_WITHIN = 8  # words between a sign and what cancels it
BEFORE_WITHIN = 7  # words between "if I ever get" and the sign
MIN_REPAIR = 4  # letters of a word that others are repaired to; shorter ones are too much alike
TWO_SLIPS = 8  # letters from which two slips are repaired
MAX_WORD = 24  # letters; longer is no word
MAX_STRETCH = 24  # words compared at once; in longer ones the sign drowns
MIN_STRETCH = 2
MAX_STRETCHES = 12  # of one message, so that its cost is bounded
MAX_REMEMBERED = 4_096  # comparisons kept, so that a conversation is not compared anew at every turn
# Set by cross-validation over the examples and questions about other guides; docs/safety.md has the table.
LEAST_LIKENESS = -0.15  # with a hint of the sign in the same words
CLEAR_LIKENESS = 0.15  # without one
SHARPNESS = 3.0
SMOOTHNESS = 0.3
LANGUAGE = (
    "negations", "negation_links", "false_negations", "past", "present", "openers", "persons",
    "impersonal", "hypothetical", "hearsay", "checked", "unchecked", "idioms",
)  # fmt: skip


def universal_signs() -> WarningSigns:
    """Read the signs of any guide (chest, self-harm) and the everyday language, kept beside the code.

    :raises ConfigError: If a file is wrong.
    """
    folder = Path(__file__).parent / "data" / "warning-signs"
    return parse_signs(
        {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.toml"))}
    )


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the gate makes of the last message.

    :param urgency: Tier of the last message; NONE where only an earlier one held a sign.
    :param warning: What to show before anything else, for the last message.
    :param is_held: An emergency sign, earlier or now, has not been checked: no exercise steps.
    :param banner: The reminder that stays above later answers while held.
    :param is_cleared_now: The last message says that a professional has checked it.
    :param signs: Ids of the signs in the last message, the most urgent first.
    :param why: How it came about, for ``python -m bot why``.
    """

    urgency: Urgency = Urgency.NONE
    warning: Warning | None = None
    is_held: bool = False
    banner: Warning | None = None
    is_cleared_now: bool = False
    signs: tuple[str, ...] = ()
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of the message; ``place`` counts words that mean something, for distances."""

    text: str
    readings: tuple[str, ...]
    sentence: int
    clause: int
    is_filler: bool = False
    place: int = 0


@dataclass(frozen=True, slots=True)
class _Found:
    """A wording that stands at ``words[start:end]``.

    :param is_negative: The wording has its own "no" ("no feeling").
    """

    name: str
    start: int
    end: int
    is_negative: bool


@dataclass(slots=True)
class _Node:
    """A step in the net of wordings.

    :param steps: Where each word leads.
    :param ends: Names of the wordings that end here.
    """

    steps: dict[str, list["_Node"]] = field(default_factory=dict)
    ends: list[str] = field(default_factory=list)

    def add(self, words: Sequence[str], last: "_Node") -> None:
        """Lead from here over the words to the last node."""
        node = self
        for word in words[:-1]:
            step = _Node()
            node.steps.setdefault(word, []).append(step)
            node = step
        node.steps.setdefault(words[-1], []).append(last)


class _Repair:
    """Spelling repair toward the words that the data files use.

    A word that is known, to the files or to ``real_words``, is never touched.
    """

    def __init__(self, targets: Iterable[str], known: Iterable[str], real_words: Iterable[str]) -> None:
        self._targets = frozenset(targets)
        self.known = self._targets.union(known)
        self.left_alone = frozenset(real_words)
        self._by_shortened: dict[str, list[str]] = {}
        for word in sorted(self._targets):
            if len(word) >= MIN_REPAIR and word.isalpha():
                for shortened in _shortened(word, 2 if len(word) >= TWO_SLIPS else 1):
                    self._by_shortened.setdefault(shortened, []).append(word)

    def readings(self, word: str) -> tuple[str, ...]:
        """Give the word itself, then what it may have been meant to be."""
        if word in self.known or not word.isalpha():
            return (word,)
        squeezed = [re.sub(r"(.)\1+", r"\1\1", word), re.sub(r"(.)\1+", r"\1", word)]
        if re.search(r"(.)\1\1", word) and (plain := [form for form in squeezed if form in self.known]):
            return (word, *plain)
        stem = word.removesuffix("s")
        if stem in self.known:  # a plural or a possessive that no wording has
            return (word, stem)
        if word in self.left_alone or stem in self.left_alone or not 3 <= len(word) <= MAX_WORD:
            return (word,)
        slips = 2 if len(word) >= TWO_SLIPS else 1
        near: dict[str, int] = {}
        for shortened in _shortened(word, slips):
            for candidate in self._by_shortened.get(shortened, ()):
                if candidate not in near and (candidate[0] == word[0] or len(word) > MIN_REPAIR):
                    near[candidate] = _slips_between(word, candidate)
        best = min(near.values(), default=slips + 1)
        if best > slips:
            return (word,)
        return (word, *sorted(candidate for candidate, count in near.items() if count == best))

    def split(self, word: str) -> tuple[str, str] | None:
        """Take apart two words written as one ("downthere"), where both are known."""
        if word in self.known or word in self.left_alone or not 5 <= len(word) <= MAX_WORD:
            return None
        for at in range(2, len(word) - 1):
            parts = word[:at], word[at:]
            if all(part in self._targets for part in parts) and max(map(len, parts)) >= MIN_REPAIR:
                return parts
        return None


def _shortened(word: str, count: int) -> set[str]:
    """Give the word with up to ``count`` letters taken out."""
    forms = {word}
    layer = {word}
    for _ in range(count):
        layer = {form[:at] + form[at + 1 :] for form in layer for at in range(len(form))}
        forms |= layer
    return forms


def _slips_between(first: str, second: str) -> int:
    """Count slips: a letter too many, missing, wrong, or two swapped (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(second) + 1))
    for at, letter in enumerate(first, 1):
        new = [at]
        for to, other in enumerate(second, 1):
            cost = min(row[to] + 1, new[-1] + 1, row[to - 1] + (letter != other))
            if at > 1 and to > 1 and letter == second[to - 2] and first[at - 2] == other:
                cost = min(cost, before[to - 2] + 1)
            new.append(cost)
        before, row = row, new
    return row[-1]


_PIECES = re.compile(r"[a-z]+|\d+(?:[.,]\d+)*|\.{2,}|[.!?;:,()\n&+\u2013\u2014]| - ")
_LOOSE_MARKS = re.compile(r"[\u200b-\u200f\u2060\ufeff\u00ad]")
_APOSTROPHES = re.compile(r"(?<=[a-z])['\u2018\u2019\u201b\u02bc\u00b4`](?=[a-z])")


class _Reader:
    """Text -> words in one spelling, with sentence and clause."""

    def __init__(self, signs: WarningSigns) -> None:
        language = signs.language
        self._fillers = frozenset(language.fillers)
        self._skipped = frozenset(language.skipped)
        self._same: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for word, others in language.same.items():
            for other in others:
                for words in itertools.product(*split_wording(other)):
                    pieces = tuple(filter(_is_word, _pieces(" ".join(words))))
                    self._same.setdefault(pieces[0], []).append((pieces, word))
        for group in self._same.values():
            group.sort(key=lambda pair: -len(pair[0]))
        self._repair: _Repair | None = None

    def learn(self, targets: Iterable[str], known: Iterable[str], real_words: Iterable[str]) -> None:
        """Set the words that spelling is repaired to, and those that are right as they are."""
        spelled = {piece for group in self._same.values() for pieces, _ in group for piece in pieces}
        self._repair = _Repair((*targets, *spelled), (*known, *self._fillers, *self._skipped), real_words)

    def places(self, wording: str) -> list[list[tuple[str, ...]]]:
        """Read a wording of the data files: for each place what may stand there, in one spelling.

        Fillers are left out, for a message's fillers are passed over, unless they are marked with "=" or
        less than two words would be left.
        """
        written = split_wording(wording)
        places = [[self._spell(words) for words in place] for place in written]
        meaning: list[list[tuple[str, ...]]] = []
        for place, alternatives in zip(places, written, strict=True):
            kept = [
                words if "=" in alternative else tuple(word for word in words if word not in self._fillers)
                for words, alternative in zip(place, alternatives, strict=True)
            ]
            if any(kept):
                meaning.append(list(dict.fromkeys(kept)))
        needed = sum(all(place) for place in meaning)
        return places if needed < min(2, sum(all(place) for place in places)) else meaning

    def _spell(self, text: str) -> tuple[str, ...]:
        words = [_Word(piece, (piece,), 0, 0) for piece in _pieces(text) if _is_word(piece)]
        return tuple(word.text for word in self._unify(words))

    def read(self, text: str) -> list[_Word]:
        """Read a message."""
        words: list[_Word] = []
        sentence = clause = 0
        for piece in _pieces(text[:MAX_CHARACTERS]):
            if piece in (".", "!", "?"):
                sentence += 1
                clause += 1
            elif not _is_word(piece):
                clause += 1
            else:
                for part, readings in self._readings(piece):
                    if part in ("but", "however", "although", "though", "except"):
                        clause += 1
                    words.append(_Word(part, readings, sentence, clause))
        return self._place(self._unify(words))

    def _readings(self, piece: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        if self._repair is None:
            yield piece, (piece,)
            return
        readings = self._repair.readings(piece)
        if len(readings) == 1 and (parts := self._repair.split(piece)):
            yield from ((part, (part,)) for part in parts)
        else:
            yield piece, readings

    def _unify(self, words: list[_Word]) -> list[_Word]:
        """Write "can not", "unable to" and the like in one way; a single word keeps its own readings."""
        unified: list[_Word] = []
        at = 0
        while at < len(words):
            word, end = self._same_at(words, at)
            if word is None:
                unified.append(words[at])
            else:
                own = words[at].readings if end == at + 1 else ()
                for part in word.split():
                    unified.append(replace(words[at], text=part, readings=(part, *own)))
                    own = ()
            at = end
        return unified

    def _same_at(self, words: list[_Word], at: int) -> tuple[str | None, int]:
        for reading in words[at].readings:
            for pieces, word in self._same.get(reading, ()):
                end = at + len(pieces)
                if end <= len(words) and all(
                    piece in other.readings for piece, other in zip(pieces, words[at:end], strict=True)
                ):
                    return word, end
        return None, at + 1

    def _place(self, words: list[_Word]) -> list[_Word]:
        placed: list[_Word] = []
        place = 0
        for word in words:
            is_filler = word.text in self._fillers or word.text in self._skipped
            placed.append(replace(word, is_filler=is_filler, place=place))
            place += not is_filler
        return placed


def _is_word(piece: str) -> bool:
    return piece[0].isalnum()


def _pieces(text: str) -> list[str]:
    """Cut a text into words, numbers and marks: small letters, no accents, no apostrophes."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    plain = "".join(mark for mark in folded if not unicodedata.combining(mark))
    plain = _APOSTROPHES.sub("", _LOOSE_MARKS.sub("", plain))
    return ["and" if piece in "&+" else piece for piece in _PIECES.findall(plain)]


class _Phrases:
    """All wordings in one net, searched in one pass over the words."""

    def __init__(self, signs: WarningSigns, reader: _Reader) -> None:
        lists: dict[str, Sequence[str]] = {name: concept.words for name, concept in signs.concepts.items()}
        lists |= {f":{name}": getattr(signs.language, name) for name in LANGUAGE}
        self.vocabulary: set[str] = set()
        self.targets: set[str] = set()  # words of the signs and of "no": what spelling is repaired to
        self._root = _Node()
        for name, wordings in lists.items():
            for wording in wordings:
                self._add(name, reader.places(wording))
        self._negative = frozenset(
            word
            for wording in signs.language.negations
            for words in reader.places(wording)[0]
            for word in words[:1]
        ) | {"cant"}

    def _add(self, name: str, places: list[list[tuple[str, ...]]]) -> None:
        """Add a wording; a place that may stay empty is also passed by."""
        open_nodes = [self._root]
        for place in places:
            step = _Node()
            for words in place:
                self.vocabulary.update(words)
                if name[0] != ":" or name == ":negations":
                    self.targets.update(words)
                for node in open_nodes if words else ():
                    node.add(words, step)
            open_nodes = [*open_nodes, step] if () in place else [step]
        for node in open_nodes:
            if node is not self._root:
                node.ends.append(name)

    def find(self, words: Sequence[_Word]) -> dict[str, list[_Found]]:
        """Give every wording that stands in the words, by name, in order."""
        found: dict[str, dict[_Found, None]] = {}
        for start in range(len(words)):
            for name, end in self._from(words, start, start, self._root, 0):
                is_negative = any(word.text in self._negative for word in words[start:end])
                found.setdefault(name, {})[_Found(name, start, end, is_negative)] = None
        return {name: sorted(items, key=lambda item: (item.start, item.end)) for name, items in found.items()}

    def _from(
        self, words: Sequence[_Word], start: int, at: int, node: _Node, skips: int
    ) -> Iterator[tuple[str, int]]:
        if at == len(words):
            return
        word = words[at]
        for reading in word.readings:
            for step in node.steps.get(reading, ()):
                for name in step.ends:
                    yield name, at + 1
                yield from self._from(words, start, at + 1, step, skips)
        if word.is_filler and at > start and skips < MAX_SKIPS:
            yield from self._from(words, start, at + 1, node, skips + 1)


@dataclass(frozen=True, slots=True)
class _Match:
    """A sign that stands in a message, and by which words."""

    sign: Sign
    parts: tuple[_Found, ...]

    @property
    def start(self) -> int:
        return min(part.start for part in self.parts)

    @property
    def end(self) -> int:
        return max(part.end for part in self.parts)


class _Judge:
    """One message's words and wordings -> the signs that count."""

    def __init__(
        self, signs: WarningSigns, words: Sequence[_Word], found: Mapping[str, list[_Found]]
    ) -> None:
        self._signs = signs
        self._words = words
        self._found = {name: self._unmasked(items, found) for name, items in found.items()}
        self.why: list[str] = []
        self._negated: set[_Found] = set()
        self._cancel_negated()

    def matches(self) -> list[_Match]:
        """Give the signs that count, each once, and note why others do not."""
        counted: list[_Match] = []
        for sign in self._signs.signs:
            for match in (match for rule in sign.rules for match in self._rule_matches(sign, rule)):
                reason = self._reason_against(match)
                quoted = " + ".join(f'"{self._text(part)}"' for part in match.parts)
                if reason:
                    self.why.append(f"not counted: {sign.id} by {quoted}: {reason}")
                else:
                    self.why.append(f"{sign.id} ({sign.tier}) by {quoted}")
                    counted.append(match)
                    break
        return counted

    def hinted(self) -> Iterator[tuple[str, frozenset[str], bool]]:
        """Give the stretches to compare by meaning, the concepts in each, and whether each is plain.

        What supposes, asks in general, tells of long ago or of a check-up is not plain; clauses with a "no"
        are left out: they may lie near an example and say the opposite.
        """
        negated = {self._words[item.start].clause for item in self._negated}
        for first, last in _stretches(self._words):
            inside = {
                name
                for name, items in self._found.items()
                if any(first <= item.start and item.end <= last for item in items)
            }
            words = [word for word in self._words[first:last] if word.clause not in negated]
            is_asked = any(self._is_general(at) for at in (first, last - 1))
            if len(words) < MIN_STRETCH:
                continue
            is_plain = not is_asked and not inside & {":hypothetical", ":past", ":checked"}
            text = " ".join(word.readings[-1] for word in words)
            yield text, frozenset(name for name in inside if name[0] != ":"), is_plain

    def is_checked(self) -> bool:
        """Tell whether the message says that a professional has looked at it."""
        return any(not self._overlaps(item, ":unchecked") for item in self._found.get(":checked", ()))

    def _unmasked(self, items: list[_Found], found: Mapping[str, list[_Found]]) -> list[_Found]:
        """Leave out wordings that an idiom covers ("knee to chest" has no chest); a longer one stays."""
        idioms = found.get(":idioms", [])
        if not idioms or items is idioms or items[0].name[0] == ":":
            return items
        return [
            item
            for item in items
            if not any(
                item.start < idiom.end
                and idiom.start < item.end
                and item.end - item.start <= idiom.end - idiom.start
                for idiom in idioms
            )
        ]

    def _cancel_negated(self) -> None:
        """Take out the complaints that a "no" reaches."""
        problems: dict[int, list[_Found]] = {}
        places: dict[int, int] = {}
        for name, items in self._found.items():
            if name[0] == ":":
                continue
            for item in items:
                if self._signs.concepts[name].is_problem:
                    if not item.is_negative:
                        problems.setdefault(item.start, []).append(item)
                else:
                    places[item.start] = max(item.end, places.get(item.start, 0))
        links = {item.start: item.end for item in self._found.get(":negation_links", ())}
        for negation in self._found.get(":negations", ()):
            if not (self._overlaps(negation, ":false_negations") or self._is_till_now(negation)):
                self._negated.update(self._reached(negation, problems, places, links))
        for name, items in self._found.items():
            if gone := [item for item in items if item in self._negated]:
                self.why += [f'not counted: "{self._text(item)}" is negated' for item in gone]
                self._found[name] = [item for item in items if item not in self._negated]

    def _is_till_now(self, negation: _Found) -> bool:
        """Tell "never leaked before", "no numbness until today" from a plain no."""
        sentence = self._words[negation.start].sentence
        return any(
            self._words[at].text in ("before", "until", "till") and self._words[at].sentence == sentence
            for at in range(negation.end, min(len(self._words), negation.end + MAX_NEGATED_WORDS))
        )

    def _reached(
        self,
        negation: _Found,
        problems: Mapping[int, list[_Found]],
        places: Mapping[int, int],
        links: Mapping[int, int],
    ) -> Iterator[_Found]:
        """Walk from a "no" to the right over complaints, links and places until something else comes."""
        words = self._words
        at = negation.end
        clause = words[negation.start].clause
        sentence = words[negation.start].sentence
        has_or = any(word.text in ("or", "nor") and word.sentence == sentence for word in words[at:])
        last = min(len(words), at + MAX_NEGATED_WORDS)
        while at < last and words[at].sentence == sentence:
            word = words[at]
            is_joint = word.text == "and" or word.clause != clause
            if is_joint:
                follows = at + (word.text in ("and", "or", "nor"))
                while follows < last and words[follows].text in ("or", "nor", "any", "a"):
                    follows += 1
                if follows >= last or follows not in problems or (word.clause != clause and not has_or):
                    return
                clause = words[follows].clause
                at = follows
            if at in problems:
                end = max(item.end for item in problems[at])
                for inner in range(at, end):
                    yield from problems.get(inner, ())
                at = end
            elif at in links:
                at = links[at]
            elif at in places:
                at = places[at]
            elif words[at].is_filler or words[at].text in ("or", "nor"):
                at += 1
            else:
                return

    def _rule_matches(self, sign: Sign, rule: Rule) -> Iterator[_Match]:
        lists = [self._found.get(name, []) for name in rule.concepts]
        if not all(lists):
            return
        anchor = 0 if rule.is_ordered else min(range(len(lists)), key=lambda index: len(lists[index]))
        others = [items for index, items in enumerate(lists) if index != anchor]
        for first in lists[anchor]:
            for is_rightward in (True, False) if others and not rule.is_ordered else (True,):
                parts = self._joined(first, others, rule, is_rightward=is_rightward)
                if parts and not self._is_cancelled_by(rule, parts):
                    yield _Match(sign, tuple(sorted(parts, key=lambda part: part.start)))

    def _joined(
        self, first: _Found, others: Sequence[Sequence[_Found]], rule: Rule, *, is_rightward: bool
    ) -> list[_Found]:
        """Give the first concept with the nearest of each other one, or nothing where one is too far."""
        parts = [first]
        for items in others:
            near = self._nearest(parts, items, rule, is_rightward=is_rightward)
            if near is None:
                return []
            parts.append(near)
        return parts

    def _nearest(
        self, parts: Sequence[_Found], items: Sequence[_Found], rule: Rule, *, is_rightward: bool
    ) -> _Found | None:
        """Give the nearest of ``items`` that is close enough to the parts so far; the given side first."""
        start = min(part.start for part in parts)
        end = max(part.end for part in parts)
        if not rule.is_ordered and (inside := self._inside(parts, items, start, end)):
            return inside
        at = bisect_left(items, start, key=lambda item: item.start)
        right = next((items[to] for to in range(at, len(items)) if items[to].start >= end), None)
        left = next((items[to] for to in range(at - 1, -1, -1) if items[to].end <= start), None)
        ways = [(right, end, right.start if right else 0), (left, left.end if left else 0, start)]
        if rule.is_ordered:
            ways = ways[:1]
        elif not is_rightward:
            ways.reverse()
        for item, gap_start, gap_end in ways:
            if item is not None and self._gap(gap_start, gap_end) <= rule.within:
                return item
        return None

    def _inside(
        self, parts: Sequence[_Found], items: Sequence[_Found], start: int, end: int
    ) -> _Found | None:
        """Give the first item that stands between the parts and shares no word with them."""
        for to in range(bisect_left(items, start, key=lambda item: item.start), len(items)):
            if items[to].start >= end:
                return None
            if all(items[to].end <= part.start or part.end <= items[to].start for part in parts):
                return items[to]
        return None

    def _gap(self, start: int, end: int) -> int:
        """Count the words that mean something between two places; a full stop counts for some."""
        if end >= len(self._words) or start < 1:
            return 0
        words = self._words[end].place - (self._words[start].place if start < len(self._words) else 0)
        sentences = self._words[end].sentence - self._words[start - 1].sentence
        return max(words, 0) + SENTENCE_GAP * sentences

    def _is_cancelled_by(self, rule: Rule, parts: Sequence[_Found]) -> bool:
        start = min(part.start for part in parts)
        end = max(part.end for part in parts)
        sentences = range(self._words[start].sentence, self._words[end - 1].sentence + 1)
        for name in rule.unless:
            for item in self._found.get(name, ()):
                if self._words[item.start].sentence not in sentences:
                    continue
                gap = self._gap(item.end, start) if item.end <= start else self._gap(end, item.start)
                if (item.start < end and start < item.end) or gap <= UNLESS_WITHIN:
                    return True
        return False

    def _reason_against(self, match: _Match) -> str:
        """Say why a match does not count, or ""."""
        if not match.sign.counts_in_questions:
            if self._is_general(match.start):
                return "a general question"
            if self._stands_before(match, ":hypothetical"):
                return "only supposed"
            if self._stands_before(match, ":hearsay"):
                return "heard of or feared"
        if not match.sign.counts_when_past and self._is_past(match):
            return "long ago or healed"
        if self._is_checked_matter(match):
            return "checked by a professional"
        return ""

    def _is_general(self, start: int) -> bool:
        """Tell a question about signs from one of a person who has one; it begins before the sign.

        A person shows in the same sentence, or in another one that says since when.
        """
        sentence = self._words[start].sentence
        telling = {self._words[item.start].sentence for item in self._found.get(":present", ())} | {sentence}
        if any(
            self._words[item.start].sentence in telling and not self._is_within(item, ":impersonal")
            for item in self._found.get(":persons", ())
        ):
            return False
        return any(
            item.start <= start
            and self._words[item.start].sentence == sentence
            and self._begins_clause(item.start)
            for item in self._found.get(":openers", ())
        )

    def _begins_clause(self, at: int) -> bool:
        words = self._words
        return all(
            word.is_filler or word.text in ("and", "but")
            for word in words[:at]
            if word.clause == words[at].clause
        )

    def _stands_before(self, match: _Match, name: str) -> bool:
        sentence = self._words[match.start].sentence
        return any(
            item.start <= match.start
            and self._words[item.start].sentence == sentence
            and (item.end > match.start or self._gap(item.end, match.start) <= BEFORE_WITHIN)
            for item in self._found.get(name, ())
        )

    def _is_past(self, match: _Match) -> bool:
        clauses = range(self._words[match.start].clause, self._words[match.end - 1].clause + 2)
        sentence = self._words[match.start].sentence
        past = [item for item in self._found.get(":past", ()) if self._words[item.start].clause in clauses]
        if not past:
            return False
        return not any(
            self._words[item.start].sentence == sentence
            and not any(item.start < other.end and other.start < item.end for other in past)
            for item in self._found.get(":present", ())
        )

    def _is_checked_matter(self, match: _Match) -> bool:
        sentence = self._words[match.start].sentence
        is_checked = any(
            self._words[item.start].sentence == sentence and not self._overlaps(item, ":unchecked")
            for item in self._found.get(":checked", ())
        )
        return is_checked and not any(
            self._words[item.start].sentence == sentence for item in self._found.get(":present", ())
        )

    def _overlaps(self, item: _Found, name: str) -> bool:
        return any(item.start < other.end and other.start < item.end for other in self._found.get(name, ()))

    def _is_within(self, item: _Found, name: str) -> bool:
        return any(other.start <= item.start and item.end <= other.end for other in self._found.get(name, ()))

    def _text(self, part: _Found) -> str:
        return " ".join(word.text for word in self._words[part.start : part.end])


def _stretches(words: Sequence[_Word]) -> Iterator[tuple[int, int]]:
    """Cut a message into stretches of at most MAX_STRETCH words, at sentences first, then at clauses."""
    start = 0
    for at in range(1, len(words) + 1):
        is_end = at == len(words) or words[at].sentence != words[at - 1].sentence
        is_full = at - start >= MAX_STRETCH
        if is_end or is_full or (at - start > MAX_STRETCH // 2 and words[at].clause != words[at - 1].clause):
            yield start, at
            start = at


class _Likeness:
    """Compares stretches of a message with the example wordings of the signs and with harmless ones.

    The score of a stretch is its kernel ridge regression on all examples (Saunders et al. 1998), +1 for a
    sign, -1 for harmless: with K[i, j] = exp(SHARPNESS * (cos(i, j) - 1)), the weights a solve
    (K + SMOOTHNESS * diag(1 / w)) a = y, where w makes both sides weigh the same. Against the nearest
    example alone it finds half as much again at the same rate of false alarms (docs/safety.md).
    """

    def __init__(
        self, signs: WarningSigns, reader: _Reader, encoder: Encoder, examples: Matrix | None
    ) -> None:
        self._signs = signs
        self._reader = reader
        self._encoder = encoder
        self._given = examples
        self._owners = [sign for sign in signs.signs for _ in sign.examples]
        self._seen: dict[bytes, str] = {}  # by checksum: no text is kept

    @cached_property
    def _examples(self) -> Matrix:
        if self._given is not None:
            return self._given
        return self._encoder.encode_queries(_example_texts(self._signs, self._reader))

    @cached_property
    def _weights(self) -> Matrix:
        sides = np.full(len(self._examples), -1.0, dtype=np.float32)
        sides[: len(self._owners)] = 1.0
        harmless = max(len(sides) - len(self._owners), 1)
        smoothness = np.where(sides > 0, SMOOTHNESS * len(self._owners) / harmless, SMOOTHNESS)
        kernel = np.exp(SHARPNESS * (self._examples @ self._examples.T - 1.0))
        return np.asarray(np.linalg.solve(kernel + np.diag(smoothness), sides), dtype=np.float32)

    def sign_like(self, text: str, concepts: frozenset[str]) -> str:
        """Give the id of the sign that a stretch is like, or ""; a hint of the sign lowers the bar."""
        key = sha256(repr((text, sorted(concepts))).encode()).digest()
        if key not in self._seen:
            if len(self._seen) >= MAX_REMEMBERED:
                self._seen.clear()
            self._seen[key] = self._compare(text, concepts)
        return self._seen[key]

    def _compare(self, text: str, concepts: frozenset[str]) -> str:
        near = self._examples @ self._encoder.encode_queries([text])[0]
        score = float(np.exp(SHARPNESS * (near - 1.0)) @ self._weights)
        order = np.argsort(-near[: len(self._owners)], kind="stable")
        if score >= CLEAR_LIKENESS:
            return self._owners[int(order[0])].id
        if score >= LEAST_LIKENESS:
            for at in order:
                if concepts.intersection(self._owners[int(at)].hints):
                    return self._owners[int(at)].id
        return ""


def _example_texts(signs: WarningSigns, reader: _Reader) -> list[str]:
    """Give the examples of all signs in order, then the harmless ones, in one spelling."""
    texts = [text for sign in signs.signs for text in sign.examples] + list(signs.harmless)
    return [" ".join(word.readings[-1] for word in reader.read(text)) for text in texts]


def encode_examples(signs: WarningSigns, encoder: Encoder) -> Matrix:
    """Encode the example wordings beforehand, for ``Gate(..., examples=...)``.

    :return: Shape (examples and harmless wordings, dimension).
    """
    return encoder.encode_queries(_example_texts(signs, _trained_reader(signs)[0]))


def _trained_reader(signs: WarningSigns) -> tuple[_Reader, _Phrases]:
    reader = _Reader(signs)
    phrases = _Phrases(signs, reader)
    reader.learn(phrases.targets, phrases.vocabulary, signs.language.real_words)
    return reader, phrases


class Gate:
    """Holds messages against the warning signs.

    :param signs: What to look for; ``universal_signs().merge(...)`` for a guide with signs of its own.
    :param numbers: Whom to call, in the words of the region.
    :param encoder: For comparison by meaning; without it only the wordings are used.
    :param examples: From ``encode_examples`` with the same signs and encoder; else encoded at first use.
    """

    def __init__(
        self,
        signs: WarningSigns,
        numbers: EmergencyNumbers,
        encoder: Encoder | None = None,
        examples: Matrix | None = None,
    ) -> None:
        self._signs = signs
        self._numbers = numbers
        self._reader, self._phrases = _trained_reader(signs)
        self._by_id = {sign.id: sign for sign in signs.signs}
        self._likeness = _Likeness(signs, self._reader, encoder, examples) if encoder else None

    def assess(self, messages: Sequence[str]) -> Assessment:
        """Assess the last message in the light of the earlier ones.

        :param messages: All that the person wrote in this conversation, the newest last.
        """
        held: Sign | None = None
        assessment = Assessment()
        for text in messages:
            signs, is_checked, why = self._signs_of(text)
            is_cleared_now = False
            if signs and signs[0].tier == Urgency.EMERGENCY:
                held = signs[0]
            elif is_checked and held is not None:
                held, is_cleared_now = None, True
                why.append("the person says that it has been checked")
            assessment = Assessment(
                urgency=Urgency(signs[0].tier) if signs else Urgency.NONE,
                warning=self._warning(signs[0]) if signs else None,
                is_held=held is not None,
                banner=self._banner(held) if held else None,
                is_cleared_now=is_cleared_now,
                signs=tuple(dict.fromkeys(sign.id for sign in signs)),
                why=tuple(why),
            )
        return assessment

    def _signs_of(self, text: str) -> tuple[list[Sign], bool, list[str]]:
        """Give the signs of one message, the most urgent first, and whether it says "checked"."""
        words = self._reader.read(text)
        judge = _Judge(self._signs, words, self._phrases.find(words))
        signs = [match.sign for match in judge.matches()]
        if self._likeness and not any(sign.tier == Urgency.EMERGENCY for sign in signs):
            for stretch, concepts, is_plain in itertools.islice(judge.hinted(), MAX_STRETCHES):
                name = self._likeness.sign_like(stretch, concepts)
                if name and (is_plain or self._by_id[name].counts_in_questions):
                    signs.append(self._by_id[name])
                    judge.why.append(f"{name} ({self._by_id[name].tier}) by its likeness to an example")
        signs.sort(key=lambda sign: -Urgency(sign.tier).rank)  # stable: the files' order within a tier
        return signs, judge.is_checked(), judge.why

    def _warning(self, sign: Sign) -> Warning:
        message = self._signs.messages[sign.message]
        return Warning(
            Urgency(sign.tier),
            sign.id,
            self._fill(message.title),
            self._fill(message.text),
            self._call(message),
        )

    def _banner(self, sign: Sign) -> Warning:
        message = self._signs.messages[sign.message]
        text = message.reminder or message.text
        return Warning(
            Urgency(sign.tier), sign.id, self._fill(message.title), self._fill(text), self._call(message)
        )

    def _fill(self, text: str) -> str:
        numbers = self._numbers
        for name, wording in (
            ("emergency", numbers.emergency), ("urgent", numbers.urgent), ("crisis", numbers.crisis),
        ):  # fmt: skip
            text = text.replace("{" + name + "}", wording)
        return text

    def _call(self, message: Message) -> str:
        calls = {
            "emergency": self._numbers.emergency_call,
            "urgent": self._numbers.urgent_call,
            "crisis": self._numbers.crisis_call,
        }
        return calls.get(message.call, "")
