"""One message's words and wordings -> the warning signs that count.

Which concepts stand together, and whether they are negated, past, asked about or heard of. Also says which
stretches of the message are worth comparing by meaning (``bot.sign_likeness``).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.sign_words import Found, Word
from ingest.signs import Rule, Sign, WarningSigns

__all__ = ["Judge", "Match", "Stretch"]

MAX_NEGATED_WORDS = 14  # how far "no" reaches over a list
SENTENCE_GAP = 2  # words that a full stop between two concepts counts for
UNLESS_WITHIN = 8  # words between a sign and what cancels it
BEFORE_WITHIN = 7  # words between "if I ever get" and the sign
MAX_STRETCH = 24  # words compared at once; in longer ones the sign drowns
MIN_STRETCH = 2
DOING = ("exertion", "activity")  # concepts that name what somebody does or did
GENERAL = "a general question"
SUPPOSED = "only supposed"


@dataclass(frozen=True, slots=True)
class Match:
    """A sign that stands in a message, and by which words."""

    sign: Sign
    parts: tuple[Found, ...]

    @property
    def start(self) -> int:
        """Place of the first word."""
        return min(part.start for part in self.parts)

    @property
    def end(self) -> int:
        """Place after the last word."""
        return max(part.end for part in self.parts)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a message to compare by meaning, in one spelling.

    :param concepts: The concepts that stand in it.
    :param is_plain: It supposes nothing, asks nothing in general, tells of nothing long ago or checked.
    :param has_figure: A figure of speech stands in it.
    """

    text: str
    concepts: frozenset[str]
    is_plain: bool
    has_figure: bool = False


class Judge:
    """One message's words and wordings -> the signs that count."""

    def __init__(self, signs: WarningSigns, words: Sequence[Word], found: Mapping[str, list[Found]]) -> None:
        self._signs = signs
        self._words = words
        self._found = {name: self._unmasked(items, found) for name, items in found.items()}
        self.why: list[str] = []
        self.asked: list[Sign] = []  # those that are only asked about or supposed
        self._is_joined = False
        self._negated: set[Found] = set()
        self._cancel_negated()

    def matches(self, border: int = 0) -> list[Match]:
        """Give the signs that count, each once, and note why others do not.

        :param border: Where the last of several messages begins; a sign must then have words on both sides.
        """
        self._is_joined = border > 0  # a question put together from two messages is none about oneself
        counted: list[Match] = []
        for sign in self._signs.signs:
            for match in (match for rule in sign.rules for match in self._rule_matches(sign, rule)):
                if border and not match.start < border < match.end:
                    continue
                reason = self._reason_against(match)
                quoted = " + ".join(f'"{self._text(part)}"' for part in match.parts)
                if reason:
                    if reason in (GENERAL, SUPPOSED):
                        self.asked.append(sign)
                    self.why.append(f"not counted: {sign.id} by {quoted}: {reason}")
                else:
                    self.why.append(f"{sign.id} ({sign.tier}) by {quoted}")
                    counted.append(match)
                    break
        return counted

    def stretches(self) -> Iterator["Stretch"]:
        """Give the stretches to compare by meaning.

        Clauses with a "no" are left out: they may lie near an example and say the opposite.
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
            concepts = frozenset(name for name in inside if name[0] != ":")
            yield Stretch(text, concepts, is_plain, ":figures" in inside)

    def texts(self, match: Match) -> tuple[list[str], str]:
        """Give the texts that stand for a message when likeness is asked about a sign in it.

        The name of an exercise makes a message unlike all examples, and so does what is said around it ("is
        it ok that ... makes me ..."); where one is named, the message is read without it, and the words of
        the sign by themselves.

        :return: The message, with and without the exercise; the words of the sign, "" without an exercise.
        """
        whole = range(len(self._words))
        doing = [item for name in DOING for item in self._found.get(name, ())]
        if not doing:
            return [self._spelled(whole)], ""
        left_out = {at for item in doing for at in range(item.start, item.end)}
        without = [at for at in whole if at not in left_out]
        return [self._spelled(whole), self._spelled(without)], self._spelled(range(match.start, match.end))

    def _spelled(self, places: Iterable[int]) -> str:
        return " ".join(self._words[at].readings[-1] for at in places)

    def is_checked(self) -> bool:
        """Tell whether the message says that a professional has looked at it."""
        return any(not self._overlaps(item, ":unchecked") for item in self._found.get(":checked", ()))

    def _unmasked(self, items: list[Found], found: Mapping[str, list[Found]]) -> list[Found]:
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
        problems: dict[int, list[Found]] = {}
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

    def _is_till_now(self, negation: Found) -> bool:
        """Tell "never leaked before", "no numbness until today" from a plain no."""
        sentence = self._words[negation.start].sentence
        return any(
            self._words[at].text in ("before", "until", "till") and self._words[at].sentence == sentence
            for at in range(negation.end, min(len(self._words), negation.end + MAX_NEGATED_WORDS))
        )

    def _reached(
        self,
        negation: Found,
        problems: Mapping[int, list[Found]],
        places: Mapping[int, int],
        links: Mapping[int, int],
    ) -> Iterator[Found]:
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

    def _rule_matches(self, sign: Sign, rule: Rule) -> Iterator[Match]:
        lists = [self._found.get(name, []) for name in rule.concepts]
        if not all(lists):
            return
        anchor = 0 if rule.is_ordered else min(range(len(lists)), key=lambda index: len(lists[index]))
        others = [items for index, items in enumerate(lists) if index != anchor]
        for first in lists[anchor]:
            for is_rightward in (True, False) if others and not rule.is_ordered else (True,):
                parts = self._joined(first, others, rule, is_rightward=is_rightward)
                if parts and not self._is_cancelled_by(rule, parts):
                    yield Match(sign, tuple(sorted(parts, key=lambda part: part.start)))

    def _joined(
        self, first: Found, others: Sequence[Sequence[Found]], rule: Rule, *, is_rightward: bool
    ) -> list[Found]:
        """Give the first concept with the nearest of each other one, or nothing where one is too far."""
        parts = [first]
        for items in others:
            near = self._nearest(parts, items, rule, is_rightward=is_rightward)
            if near is None:
                return []
            parts.append(near)
        return parts

    def _nearest(
        self, parts: Sequence[Found], items: Sequence[Found], rule: Rule, *, is_rightward: bool
    ) -> Found | None:
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

    def _inside(self, parts: Sequence[Found], items: Sequence[Found], start: int, end: int) -> Found | None:
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

    def _is_cancelled_by(self, rule: Rule, parts: Sequence[Found]) -> bool:
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

    def _reason_against(self, match: Match) -> str:
        """Say why a match does not count, or ""."""
        if not match.sign.counts_in_questions:
            if self._is_general(match.start):
                return GENERAL
            if self._stands_before(match, ":hypothetical"):
                return SUPPOSED
            if self._stands_before(match, ":hearsay"):
                return "heard of or feared"
        if not match.sign.counts_when_past and self._is_past(match):
            return "long ago or healed"
        if self._is_checked_matter(match):
            return "checked by a professional"
        return ""

    def _is_general(self, start: int) -> bool:
        """Tell a question about signs from one of a person who has one; it begins before the sign.

        A person shows in the same sentence, or in another one that says since when. Who asks whether they
        may do an exercise with it has it.
        """
        sentence = self._words[start].sentence
        if not self._is_joined and all(self._stands_in(sentence, names) for names in ((":selves",), DOING)):
            return False
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

    def _stands_in(self, sentence: int, names: Sequence[str]) -> bool:
        return any(
            self._words[item.start].sentence == sentence
            for name in names
            for item in self._found.get(name, ())
        )

    def _begins_clause(self, at: int) -> bool:
        words = self._words
        return all(
            word.is_filler or word.text in ("and", "but")
            for word in words[:at]
            if word.clause == words[at].clause
        )

    def _stands_before(self, match: Match, name: str) -> bool:
        sentence = self._words[match.start].sentence
        return any(
            item.start <= match.start
            and self._words[item.start].sentence == sentence
            and (item.end > match.start or self._gap(item.end, match.start) <= BEFORE_WITHIN)
            for item in self._found.get(name, ())
        )

    def _is_past(self, match: Match) -> bool:
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

    def _is_checked_matter(self, match: Match) -> bool:
        sentence = self._words[match.start].sentence
        is_checked = any(
            self._words[item.start].sentence == sentence and not self._overlaps(item, ":unchecked")
            for item in self._found.get(":checked", ())
        )
        return is_checked and not any(
            self._words[item.start].sentence == sentence for item in self._found.get(":present", ())
        )

    def _overlaps(self, item: Found, name: str) -> bool:
        return any(item.start < other.end and other.start < item.end for other in self._found.get(name, ()))

    def _is_within(self, item: Found, name: str) -> bool:
        return any(other.start <= item.start and item.end <= other.end for other in self._found.get(name, ()))

    def _text(self, part: Found) -> str:
        return " ".join(word.text for word in self._words[part.start : part.end])


def _stretches(words: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """Cut a message into stretches of at most MAX_STRETCH words, at sentences first, then at clauses."""
    start = 0
    for at in range(1, len(words) + 1):
        is_end = at == len(words) or words[at].sentence != words[at - 1].sentence
        is_full = at - start >= MAX_STRETCH
        if is_end or is_full or (at - start > MAX_STRETCH // 2 and words[at].clause != words[at - 1].clause):
            yield start, at
            start = at
