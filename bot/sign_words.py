"""Text -> words in one spelling, and the wordings of the warning signs that stand in them.

Gives ``Reader`` (one spelling, text-speak, spelling repair; a repaired word keeps its first reading) and
``Phrases`` (where each concept stands). What they mean together is left to ``bot.sign_judge``.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ingest.signs import WarningSigns, split_wording

__all__ = ["LANGUAGE", "MAX_CHARACTERS", "Found", "Phrases", "Reader", "Word", "trained_reader"]

MAX_CHARACTERS = 20_000  # a message is cut here; far more than anyone types, and the cost stays bounded
MAX_SKIPS = 3  # fillers inside one wording: "can't really even properly feel"
MIN_REPAIR = 4  # letters of a word that others are repaired to; shorter ones are too much alike
TWO_SLIPS = 8  # letters from which two slips are repaired
MAX_WORD = 24  # letters; longer is no word
MAX_KNOWN_READINGS = 20_000  # words whose readings are kept; people use the same ones again and again
LANGUAGE = (
    "negations", "negation_links", "false_negations", "past", "present", "openers", "persons",
    "selves", "impersonal", "hypothetical", "hearsay", "checked", "unchecked", "idioms", "figures",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the message; ``place`` counts words that mean something, for distances."""

    text: str
    readings: tuple[str, ...]
    sentence: int
    clause: int
    is_filler: bool = False
    place: int = 0


@dataclass(frozen=True, slots=True)
class Found:
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
        self._read: dict[str, tuple[str, ...]] = {}
        self._by_shortened: dict[str, list[str]] = {}
        for word in sorted(self._targets):
            if len(word) >= MIN_REPAIR and word.isalpha():
                for shortened in _shortened(word, 2 if len(word) >= TWO_SLIPS else 1):
                    self._by_shortened.setdefault(shortened, []).append(word)

    def readings(self, word: str) -> tuple[str, ...]:
        """Give the word itself, then what it may have been meant to be."""
        if word not in self._read:
            if len(self._read) >= MAX_KNOWN_READINGS:
                self._read.clear()
            self._read[word] = self._readings(word)
        return self._read[word]

    def _readings(self, word: str) -> tuple[str, ...]:
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


class Reader:
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
        words = [Word(piece, (piece,), 0, 0) for piece in _pieces(text) if _is_word(piece)]
        return tuple(word.text for word in self._unify(words))

    def read(self, text: str) -> list[Word]:
        """Read a message."""
        words: list[Word] = []
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
                    words.append(Word(part, readings, sentence, clause))
        return self._place(self._unify(words))

    def spelled(self, text: str) -> str:
        """Give a text in one spelling, as it is compared with examples."""
        return " ".join(word.readings[-1] for word in self.read(text))

    def join(self, messages: Sequence[Sequence[Word]]) -> list[Word]:
        """Put messages that were read one by one together, as so many sentences."""
        joined: list[Word] = []
        for words in messages:
            sentence = joined[-1].sentence + 1 if joined else 0
            clause = joined[-1].clause + 1 if joined else 0
            joined += [
                replace(word, sentence=word.sentence + sentence, clause=word.clause + clause)
                for word in words
            ]
        return self._place(joined)

    def _readings(self, piece: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        if self._repair is None:
            yield piece, (piece,)
            return
        readings = self._repair.readings(piece)
        if len(readings) == 1 and (parts := self._repair.split(piece)):
            yield from ((part, (part,)) for part in parts)
        else:
            yield piece, readings

    def _unify(self, words: list[Word]) -> list[Word]:
        """Write "can not", "unable to" and the like in one way; a single word keeps its own readings."""
        unified: list[Word] = []
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

    def _same_at(self, words: list[Word], at: int) -> tuple[str | None, int]:
        for reading in words[at].readings:
            for pieces, word in self._same.get(reading, ()):
                end = at + len(pieces)
                if end <= len(words) and all(
                    piece in other.readings for piece, other in zip(pieces, words[at:end], strict=True)
                ):
                    return word, end
        return None, at + 1

    def _place(self, words: list[Word]) -> list[Word]:
        placed: list[Word] = []
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


class Phrases:
    """All wordings in one net, searched in one pass over the words."""

    def __init__(self, signs: WarningSigns, reader: Reader) -> None:
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

    def find(self, words: Sequence[Word]) -> dict[str, list[Found]]:
        """Give every wording that stands in the words, by name, in order."""
        found: dict[str, dict[Found, None]] = {}
        for start in range(len(words)):
            for name, end in self._from(words, start, start, self._root, 0):
                is_negative = any(word.text in self._negative for word in words[start:end])
                found.setdefault(name, {})[Found(name, start, end, is_negative)] = None
        return {name: sorted(items, key=lambda item: (item.start, item.end)) for name, items in found.items()}

    def _from(
        self, words: Sequence[Word], start: int, at: int, node: _Node, skips: int
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


def trained_reader(signs: WarningSigns) -> tuple[Reader, Phrases]:
    """Give a reader that repairs spelling toward the words of the signs, and their wordings."""
    reader = Reader(signs)
    phrases = Phrases(signs, reader)
    reader.learn(phrases.targets, phrases.vocabulary, signs.language.real_words)
    return reader, phrases
