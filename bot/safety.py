"""The warning-sign gate: all messages of a conversation -> :class:`Assessment`, before anything else.

What a sign is, how people put it and what they are told stands in data files (``ingest.signs``). A text is
held against them in three stages: words and wordings (``bot.sign_words``), which of them count
(``bot.sign_judge``), and what unlisted wordings are like (``bot.sign_likeness``).

What is said besides the warning is left to the caller.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.datatypes import Urgency, Warning  # the word of the field
from bot.memory import Memory
from bot.sign_examples import Examples
from bot.sign_judge import Judge
from bot.sign_likeness import Likeness
from bot.sign_words import MAX_CHARACTERS, trained_reader
from ingest.datatypes import Encoder
from ingest.signs import EmergencyNumbers, Message, Sign, WarningSigns, parse_signs

__all__ = ["MAX_CHARACTERS", "Assessment", "Gate", "Standing", "universal_signs"]

SHORT_MESSAGE = 8  # words; a message so short is also read together with those before it
MAX_SHORT_WORDS = 40  # with all its small words a short message is no longer than this
MAX_JOINED = 3
MAX_KNOWN = 2_000  # messages whose signs are remembered
MAX_VETOED = 100  # words; only in a message so short may likeness outvote a rule


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
    :param reminder: What to say above an answer: an urgent sign, earlier, has not been checked.
    :param asked: What to say above the answer: the last message asks in general about an emergency sign.
    :param is_cleared_now: The last message says that a professional has checked it.
    :param cleared: What to say to that, "" for the usual words.
    :param signs: Ids of the signs in the last message, the most urgent first.
    :param why: How it came about, for ``python -m bot why``.
    """

    urgency: Urgency = Urgency.NONE
    warning: Warning | None = None
    is_held: bool = False
    banner: Warning | None = None
    reminder: str = ""
    asked: str = ""
    is_cleared_now: bool = False
    cleared: str = ""
    signs: tuple[str, ...] = ()
    why: tuple[str, ...] = ()


def _by_urgency(signs: list[Sign]) -> list[Sign]:
    return sorted(signs, key=lambda sign: -Urgency(sign.tier).rank)  # stable: the files' order within a tier


@dataclass(frozen=True, slots=True)
class Standing:
    """What earlier messages leave for the next.

    :param held: The emergency that has not been checked yet.
    :param waiting: The urgent sign that has not been checked yet.
    :param told: Ids of the signs that were raised.
    :param is_checked: The person has said since that a professional has looked at it.
    """

    held: Sign | None = None
    waiting: Sign | None = None
    told: frozenset[str] = frozenset()
    is_checked: bool = False

    @property
    def is_warned(self) -> bool:
        """A sign was raised, and nobody has looked at it as far as is known."""
        return bool(self.told) and not self.is_checked


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one message says by itself.

    :param signs: The most urgent first.
    :param asked: An emergency sign that it only asks about.
    :param is_checked: It says that a professional has looked at it.
    """

    signs: tuple[Sign, ...]
    asked: Sign | None
    is_checked: bool
    why: tuple[str, ...]


class Gate:
    """Holds messages against the warning signs.

    :param signs: What to look for; ``universal_signs().merge(...)`` for a guide with signs of its own.
    :param numbers: Whom to call, in the words of the region.
    :param encoder: For comparison by meaning; without it only the wordings are used.
    :param examples: From ``sign_examples`` with the same signs and encoder; else made at first use.
    """

    def __init__(
        self,
        signs: WarningSigns,
        numbers: EmergencyNumbers,
        encoder: Encoder | None = None,
        examples: Examples | None = None,
    ) -> None:
        self._signs = signs
        self._numbers = numbers
        self._reader, self._phrases = trained_reader(signs)
        self._likeness = Likeness(signs, encoder, examples) if encoder else None
        self._known: Memory[_Reading] = Memory(MAX_KNOWN)
        self._known_joined: Memory[list[Sign]] = Memory(MAX_KNOWN)

    def assess(self, messages: Sequence[str]) -> Assessment:
        """Assess the last message in the light of the earlier ones.

        :param messages: All that the person wrote in this conversation, the newest last.
        """
        standing, assessment = Standing(), Assessment()
        for at, text in enumerate(messages):
            assessment, standing = self.advance(standing, messages[:at], text)
        return assessment

    def advance(self, standing: Standing, earlier: Sequence[str], text: str) -> tuple[Assessment, Standing]:
        """Assess one more message; gives what the next one has to be assessed with, too.

        :param earlier: The messages before it, oldest first.
        """
        read = self._known.get(text, lambda: self._read(text))
        signs, why = list(read.signs), list(read.why)
        if not read.is_checked:
            added = [sign for sign in self._joined(earlier, text) if sign.id not in standing.told]
            why += [f"{sign.id} ({sign.tier}) together with the message before" for sign in added]
            signs = _by_urgency([*signs, *added])
        urgency = Urgency(signs[0].tier) if signs else Urgency.NONE
        held, waiting, cleared = standing.held, standing.waiting, None
        if urgency is not Urgency.EMERGENCY and read.is_checked:
            cleared, held, waiting = held or waiting, None, None
        if cleared is not None:
            why.append("the person says that it has been checked")
        if urgency is Urgency.EMERGENCY:
            held = signs[0]
        elif urgency is Urgency.URGENT:
            waiting = signs[0]
        assessment = Assessment(
            urgency=urgency,
            warning=self._warning(signs[0]) if signs else None,
            is_held=held is not None,
            banner=self._banner(held) if held else None,
            reminder=self._say(waiting, "reminder") if not signs else "",
            asked=self._say(read.asked, "asked") if not signs else "",
            is_cleared_now=cleared is not None,
            cleared=self._say(cleared, "cleared"),
            signs=tuple(dict.fromkeys(sign.id for sign in signs)),
            why=tuple(why),
        )
        told = standing.told.union(sign.id for sign in signs)
        is_checked = read.is_checked or (standing.is_checked and not signs)
        return assessment, Standing(held, waiting, told, is_checked)

    def _read(self, text: str) -> _Reading:
        words = self._reader.read(text)
        judge = Judge(self._signs, words, self._phrases.find(words))
        matches = judge.matches()
        stretches = list(judge.stretches()) if self._likeness else []
        if self._likeness and len(words) <= MAX_VETOED:
            likeness, found = self._likeness, matches
            matches = [m for m in found if not likeness.is_unlikely(*judge.texts(m), stretches, m.sign)]
            unlikely = [match.sign.id for match in found if match not in matches]
            judge.why += [f"not counted: {id_}: the message is unlike all its examples" for id_ in unlikely]
        signs = [match.sign for match in matches]
        if self._likeness and not any(sign.tier == Urgency.EMERGENCY for sign in signs):
            for sign in self._likeness.signs_like(stretches):
                signs.append(sign)
                judge.why.append(f"{sign.id} ({sign.tier}) by its likeness to an example")
        asked = next((sign for sign in judge.asked if sign.tier == Urgency.EMERGENCY), None)
        return _Reading(tuple(_by_urgency(signs)), asked, judge.is_checked(), tuple(judge.why))

    def _joined(self, earlier: Sequence[str], text: str) -> list[Sign]:
        near = earlier[-(MAX_JOINED - 1) :]
        if not near or len(text.split()) > MAX_SHORT_WORDS:
            return []
        return self._known_joined.get("\0".join([*near, text]), lambda: self._join(near, text))

    def _join(self, earlier: Sequence[str], text: str) -> list[Sign]:
        """Give the signs that a short message makes together with those before: "no feeling", "down there".

        A sign counts that has words of this message and of an earlier one, by its wordings only: what
        two messages are like together says little.
        """
        parts = [self._reader.read(text)]
        for before in reversed(earlier):
            if sum(not word.is_filler for word in parts[0]) > SHORT_MESSAGE:
                break
            parts.insert(0, self._reader.read(before))
        if len(parts) == 1:
            return []
        words = self._reader.join(parts)
        border = len(words) - len(parts[-1])
        return [match.sign for match in Judge(self._signs, words, self._phrases.find(words)).matches(border)]

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

    def _say(self, sign: Sign | None, part: str) -> str:
        """Give a part of the message of a sign ("reminder", "asked", "cleared"), "" without a sign."""
        return self._fill(getattr(self._signs.messages[sign.message], part)) if sign else ""

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
