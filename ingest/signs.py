"""Warning signs as data: TOML files -> :class:`WarningSigns`, checked.

The files are written for a clinician to read and correct. A *concept* is a list of ways to say one
thing ("numb", "saddle"); a *sign* is a concept, or concepts that stand near each other; a *message*
says what to do now. How a text is matched against them is left to ``bot.safety``.

How a wording is written: ``(a|b)`` stands for either (``(a|)`` for a or nothing), and ``pee~`` for the
word with its usual endings (pee, pees, peed, peeing). Fillers ("my", "really") are passed over, on both
sides; ``=my`` must be there.
How a sign is written: ``numb + saddle`` near each other, ``cannot > urinate`` in this order, then, if
wanted, ``within 6`` (words between them) and ``unless exercise-talk, fine-today`` (concepts close by
that cancel it).
"""

import itertools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from ingest.errors import ConfigError

__all__ = [
    "TIERS",
    "Concept",
    "EmergencyNumbers",
    "Language",
    "Message",
    "Rule",
    "Sign",
    "WarningSigns",
    "parse_signs",
    "read_signs",
    "split_wording",
]

TIERS = ("see-someone", "urgent", "emergency")
CALLS = ("emergency", "urgent", "crisis", "none")
DEFAULT_WITHIN = 5  # words between two concepts: about a clause
PLACEHOLDERS = ("emergency", "urgent", "crisis")


@dataclass(frozen=True, slots=True)
class EmergencyNumbers:
    """How a region's services are named in a message, and what a phone dials.

    :param emergency: Wording, as in "call {emergency}".
    :param emergency_call: Digits to dial, "" where the region is not known.
    :param urgent: Wording for help on the same day, as in "call {urgent} today".
    :param urgent_call: Digits to dial, "" where there is no such line.
    :param crisis: Wording for a crisis line, as in "call {crisis}".
    :param crisis_call: Digits to dial, "" where the region is not known.
    """

    emergency: str = "your local emergency number (for example 999, 112 or 911)"
    emergency_call: str = ""
    urgent: str = "your doctor's surgery or your local medical advice line"
    urgent_call: str = ""
    crisis: str = "your local crisis line"
    crisis_call: str = ""


@dataclass(frozen=True, slots=True)
class Concept:
    """Ways to say one thing.

    :param words: As written in the file; ``split_wording`` spells them out.
    :param is_problem: True for a complaint, which "no" can take away; False for a place, time or the like.
    """

    name: str
    words: tuple[str, ...]
    is_problem: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """Concepts that together are a sign.

    :param within: Most words that may stand between neighbouring concepts.
    :param is_ordered: True where the concepts must come in the given order.
    :param unless: Concepts that cancel the rule where they stand close by in the same sentence.
    """

    concepts: tuple[str, ...]
    within: int
    is_ordered: bool
    unless: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sign:
    """A warning sign.

    :param concern: What a clinician would think of; never shown to the person.
    :param message: Id of the message that is shown.
    :param examples: Whole wordings, for comparison by meaning.
    :param hints: Concepts that lower the bar for likeness where they stand in the same words; those of the
        rules if none are given.
    :param counts_when_past: True where something long ago still counts (a past cancer).
    :param counts_in_questions: True where even a general question counts (self-harm).
    :param least_likeness: In a short message with less likeness its rules do not count; None for its tier's.
    :param least_in_figures: Least likeness where a figure of speech stands in the same words ("killing
        me"); None where that does not matter.
    """

    id: str
    tier: str
    concern: str
    message: str
    sources: tuple[str, ...]
    rules: tuple[Rule, ...]
    examples: tuple[str, ...]
    hints: tuple[str, ...]
    counts_when_past: bool
    counts_in_questions: bool
    least_likeness: float | None = None
    least_in_figures: float | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What the person is told; ``{emergency}``, ``{urgent}`` and ``{crisis}`` are filled in by region.

    :param reminder: Shown later as long as nobody has checked it: after an emergency above every answer,
        else above what is quoted; "" for never.
    :param asked: Shown above the answer to a general question about such a sign, else "".
    :param cleared: Said when it has been checked; "" for the usual words.
    :param call: Which number a phone offers to dial: one of ``CALLS``.
    """

    id: str
    title: str
    text: str
    reminder: str
    asked: str
    cleared: str
    call: str


@dataclass(frozen=True, slots=True)
class Language:
    """Everyday words by which negation, time, questions and the like are recognised.

    :param same: One spelling for many ("cant": cannot, could not, unable to).
    :param fillers: Words that mean nothing for a sign and are passed over.
    :param skipped: Words that may stand inside a wording without breaking it (I, it, he).
    :param negations: "no", "without", "don't have": they take away the complaint that follows.
    :param negation_links: Words that a negation reaches across ("no sign of").
    :param false_negations: "not only", "no idea why": they look like one and are none.
    :param past: Long ago. :param present: Now after all.
    :param openers: How a question begins. :param persons: Words that show that somebody has it.
    :param selves: A question about oneself ("can I"), where an exercise is named in it.
    :param impersonal: Wordings with such a word that show nothing of the kind ("should I").
    :param hypothetical: "if I ever get". :param hearsay: "I read about", "the guide says".
    :param checked: A professional has looked at it. :param unchecked: Looks like it and is not.
    :param idioms: Wordings that hold a sign's words and mean something else.
    :param figures: Strong words that are mostly said lightly ("killing me", "hate to give up"); see
        ``Sign.least_in_figures``.
    :param real_words: Words that spelling repair must leave alone.
    """

    same: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fillers: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    negations: tuple[str, ...] = ()
    negation_links: tuple[str, ...] = ()
    false_negations: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    openers: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    selves: tuple[str, ...] = ()
    impersonal: tuple[str, ...] = ()
    hypothetical: tuple[str, ...] = ()
    hearsay: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    idioms: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    real_words: tuple[str, ...] = ()

    def merge(self, other: "Language") -> "Language":
        """Return both languages as one."""
        lists = {
            item.name: tuple(dict.fromkeys(getattr(self, item.name) + getattr(other, item.name)))
            for item in fields(self)
            if item.name != "same"
        }
        same = {
            word: tuple(dict.fromkeys((*self.same.get(word, ()), *other.same.get(word, ()))))
            for word in (*self.same, *other.same)
        }
        return Language(same=same, **lists)


@dataclass(frozen=True, slots=True)
class WarningSigns:
    """All that the gate knows: concepts, signs, messages, sources and everyday language.

    :param harmless: Whole wordings that resemble a sign and are none, for comparison by meaning.
    :param examples: Wordings by sign that stand apart from the signs; ``parse_signs`` hands them out.
    """

    concepts: Mapping[str, Concept] = field(default_factory=dict)
    signs: tuple[Sign, ...] = ()
    messages: Mapping[str, Message] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    language: Language = field(default_factory=Language)
    harmless: tuple[str, ...] = ()
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def merge(self, other: "WarningSigns") -> "WarningSigns":
        """Return both as one; of two concepts with one name the wordings are put together.

        :raises ConfigError: If both have a sign with the same id.
        """
        known = {sign.id for sign in self.signs}
        if doubled := sorted(known & {sign.id for sign in other.signs}):
            raise ConfigError(f"Warning sign '{doubled[0]}' is defined twice; give one of them another id.")
        concepts = dict(self.concepts)
        for name, concept in other.concepts.items():
            mine = concepts.get(name, concept)
            concepts[name] = replace(mine, words=tuple(dict.fromkeys(mine.words + concept.words)))
        return WarningSigns(
            concepts=concepts,
            signs=self.signs + other.signs,
            messages={**self.messages, **other.messages},
            sources={**self.sources, **other.sources},
            language=self.language.merge(other.language),
            harmless=tuple(dict.fromkeys(self.harmless + other.harmless)),
            examples={
                name: (*self.examples.get(name, ()), *other.examples.get(name, ()))
                for name in (*self.examples, *other.examples)
            },
        )


def split_wording(wording: str) -> tuple[tuple[str, ...], ...]:
    """Split a wording into its places, each with the words that may stand there ("" where none need to).

    ``"(cant|dont) feel my leg~"`` becomes ``(("cant", "dont"), ("feel",), ("my",), ("leg", "legs", ...))``.

    :raises ValueError: If brackets do not match or nothing is left.
    """
    if not re.fullmatch(r"(?:[^()|]|\([^()]*\))*", wording):
        raise ValueError("brackets do not match")
    places = [_alternatives(place) for place in re.findall(r"(?:[^\s()]|\([^()]*\))+", wording)]
    if not any(all(place) for place in places):
        raise ValueError("every word may be left out")
    return tuple(places)


def _alternatives(place: str) -> tuple[str, ...]:
    """Write out one place, such as ``(leg|arm)s`` or ``pee~``."""
    parts = [part.split("|") for part in re.split(r"[()]", place)]
    found: dict[str, None] = {}
    for combination in itertools.product(*parts):
        words = [
            _inflect(word[:-1]) if word.endswith("~") else (word,) for word in "".join(combination).split()
        ]
        for inflected in itertools.product(*words):
            found[" ".join(inflected)] = None
    return tuple(found)


def _inflect(word: str) -> tuple[str, ...]:
    """Give a regular verb or noun with its endings; what is no word does no harm, nobody types it."""
    forms = [word, word + "s"]
    if word.endswith("ee"):
        forms += [word + "d", word + "ing"]
    elif word.endswith("e"):
        forms += [word + "d", word[:-1] + "ing"]
    elif word.endswith("y") and word[-2:-1] not in "aeiou":
        forms += [word[:-1] + "ies", word[:-1] + "ied", word + "ing"]
    else:
        forms += [word + "ed", word + "ing"]
        if word.endswith(("s", "sh", "ch", "x", "z")):
            forms.append(word + "es")
        if re.fullmatch(r".*[^aeiou][aeiou][bdglmnprt]", word):
            forms += [word + word[-1] + "ed", word + word[-1] + "ing"]
    return tuple(forms)


def read_signs(folder: Path) -> WarningSigns:
    """Read and check every TOML file of a folder.

    :raises ConfigError: If the folder or a file is missing, unreadable or wrong.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"There is no folder {folder} with warning signs; "
            "correct 'warning_signs' in guide.toml or take the line out."
        )
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise ConfigError(f"The folder {folder} holds no .toml file; it should hold the warning signs.")
    files: dict[str, str] = {}
    for path in paths:
        try:
            files[path.name] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"{path} cannot be read as UTF-8 text ({exc}); save it as UTF-8.") from exc
    return parse_signs(files)


def parse_signs(files: Mapping[str, str]) -> WarningSigns:
    """Parse and check the contents of TOML files; together they must be complete.

    :param files: Contents by file name; the name is used in error messages.
    :raises ConfigError: If a file is not TOML, a key is unknown or wrong, or a reference leads nowhere.
    """
    merged = WarningSigns()
    for name in sorted(files):
        try:
            table = tomllib.loads(files[name])
        except tomllib.TOMLDecodeError as exc:
            raise ConfigError(f"{name} is not valid TOML: {exc}.") from exc
        merged = merged.merge(_Table(name, "", table).signs())
    _check_references(merged)
    signs = tuple(
        replace(sign, examples=tuple(dict.fromkeys((*sign.examples, *merged.examples.get(sign.id, ())))))
        for sign in merged.signs
    )
    return replace(merged, signs=signs, examples={})


def _check_references(signs: WarningSigns) -> None:
    """Check that what a sign names is there.

    :raises ConfigError: If it is not.
    """
    known = {sign.id for sign in signs.signs}
    for name in signs.examples:
        if name not in known:
            raise ConfigError(f"There are examples of the sign '{name}', which no file defines.")
    for sign in signs.signs:
        if sign.message not in signs.messages:
            raise ConfigError(f"Sign '{sign.id}' has the message '{sign.message}', which no file defines.")
        for source in sign.sources:
            if source not in signs.sources:
                raise ConfigError(f"Sign '{sign.id}' names the source '{source}', which no file defines.")
        named = [name for rule in sign.rules for name in (*rule.concepts, *rule.unless)]
        for name in (*named, *sign.hints):
            if name not in signs.concepts:
                raise ConfigError(f"Sign '{sign.id}' names the concept '{name}', which no file defines.")


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of a TOML file that knows where it stands, so that errors can say so."""

    file: str
    place: str
    table: Mapping[str, object]

    def error(self, key: str, expected: str) -> ConfigError:
        where = f"{self.place}.{key}" if self.place and key else self.place or key
        found = f"; found {self.table[key]!r:.60}" if key in self.table else ""
        return ConfigError(f"{self.file}: '{where}' should be {expected}{found}.")

    def only(self, *keys: str) -> None:
        for key in self.table:
            if key not in keys:
                raise self.error(key, f"left out, for it is unknown here (known: {', '.join(keys)})")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.table.get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.error(key, "a text that is not empty")
        return value.strip()

    def flag(self, key: str) -> bool:
        value = self.table.get(key, False)
        if not isinstance(value, bool):
            raise self.error(key, "true or false")
        return value

    def number(self, key: str) -> float | None:
        value = self.table.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise self.error(key, "a number")
        return None if value is None else float(value)

    def texts(self, key: str, *, is_needed: bool = False) -> tuple[str, ...]:
        value = self.table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise self.error(key, "a list of texts, none of them empty")
        if is_needed and not value:
            raise self.error(key, "a list with at least one text")
        return tuple(item.strip() for item in value)

    def wordings(self, key: str, *, is_needed: bool = False) -> tuple[str, ...]:
        for wording in (found := self.texts(key, is_needed=is_needed)):
            try:
                split_wording(wording)
            except ValueError as exc:
                raise self.error(key, f"a list of wordings, but '{wording}': {exc}") from exc
        return found

    def choice(self, key: str, choices: Sequence[str]) -> str:
        if (value := self.text(key)) not in choices:
            raise self.error(key, f"one of {', '.join(choices)}")
        return value

    def child(self, key: str) -> "_Table":
        value = self.table.get(key, {})
        if not isinstance(value, dict):
            raise self.error(key, "a table")
        return _Table(self.file, f"{self.place}.{key}" if self.place else key, value)

    def children(self, key: str) -> list["_Table"]:
        value = self.table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(key, f"a list of tables, each beginning with [[{key}]]")
        return [_Table(self.file, f"{key}[{number}]", item) for number, item in enumerate(value, 1)]

    def signs(self) -> WarningSigns:
        self.only("concepts", "signs", "messages", "sources", "language", "harmless", "examples")
        concepts, messages, sources = self.child("concepts"), self.child("messages"), self.child("sources")
        examples = self.child("examples")
        return WarningSigns(
            concepts={name: concepts.child(name).concept(name) for name in concepts.table},
            signs=tuple(child.sign() for child in self.children("signs")),
            messages={name: messages.child(name).message(name) for name in messages.table},
            sources={name: sources.text(name) for name in sources.table},
            language=self.child("language").language(),
            harmless=self.texts("harmless"),
            examples={name: examples.texts(name) for name in examples.table},
        )

    def concept(self, name: str) -> Concept:
        self.only("kind", "note", "words")
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise self.error("", "named with small letters, digits and hyphens")
        kind = self.choice("kind", ("problem", "context"))
        return Concept(name, self.wordings("words", is_needed=True), kind == "problem")

    def message(self, name: str) -> Message:
        optional = ("reminder", "asked", "cleared")
        self.only("title", "text", "call", *optional)
        for key in ("title", "text", *optional):
            for placeholder in re.findall(r"\{([^}]*)\}?", self.text(key, "")):
                if placeholder not in PLACEHOLDERS:
                    raise self.error(key, f"a text with no other placeholders than {', '.join(PLACEHOLDERS)}")
        return Message(
            id=name,
            title=self.text("title"),
            text=self.text("text"),
            call=self.choice("call", CALLS),
            **{key: self.text(key, "") for key in optional},
        )

    def sign(self) -> Sign:
        self.only(
            "id", "tier", "concern", "message", "sources", "when", "examples", "hints", "note",
            "counts_when_past", "counts_in_questions", "least_likeness", "least_in_figures",
        )  # fmt: skip
        rules = tuple(self.rule(text) for text in self.texts("when", is_needed=True))
        named = dict.fromkeys(name for rule in rules for name in rule.concepts)
        return Sign(
            id=self.text("id"),
            tier=self.choice("tier", TIERS),
            concern=self.text("concern"),
            message=self.text("message"),
            sources=self.texts("sources", is_needed=True),
            rules=rules,
            examples=self.texts("examples"),
            hints=self.texts("hints") or tuple(named),
            counts_when_past=self.flag("counts_when_past"),
            counts_in_questions=self.flag("counts_in_questions"),
            least_likeness=self.number("least_likeness"),
            least_in_figures=self.number("least_in_figures"),
        )

    def rule(self, text: str) -> Rule:
        found = re.fullmatch(
            r"(?P<names>[a-z0-9+> -]+?)(?: within (?P<n>\d+))?(?: unless (?P<u>[a-z0-9, -]+))?", text
        )
        names = re.split(r" *[+>] *", found["names"].strip()) if found else [""]
        if not found or not all(names) or any(" " in name for name in names) or ("+" in text and ">" in text):
            raise self.error(
                "when", f"rules like 'numb + saddle within 6 unless exercise-talk', but '{text}' is none"
            )
        unless = tuple(name.strip() for name in (found["u"] or "").split(",") if name.strip())
        return Rule(tuple(names), int(found["n"] or DEFAULT_WITHIN), ">" in text, unless)

    def language(self) -> Language:
        names = [item.name for item in fields(Language)]
        self.only(*names)
        same = self.child("same")
        lists = {name: self.wordings(name) for name in names if name != "same"}
        return Language(same={word: same.wordings(word) for word in same.table}, **lists)
