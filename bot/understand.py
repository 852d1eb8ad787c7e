"""What a message asks for: small talk or a question, of which type, and whether it goes on from before.

Takes a message and the context of the conversation, gives a :class:`Query`. Knows the forms of
English questions and nothing of any guide; what a question is about is found by ``retrieve``.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from bot.lexical import content_words, words
from bot.phrases import alternatives, pattern, word_list

__all__ = [
    "Context",
    "Query",
    "QuestionType",
    "SmallTalk",
    "find_small_talk",
    "question_type",
    "refers_back",
    "split_questions",
    "understand",
]

SHORT_CONTENT_WORDS = 3  # "and for the neck?": so few content words seldom make a topic of their own
GENERIC_WORDS = frozenset(word_list("generic"))
INTERROGATIVE_WORDS = frozenset(word_list("interrogative"))
SMALL_TALK_WORDS = 9  # a longer message has something to ask


class QuestionType(StrEnum):
    """The form of a question, which decides the shape of its answer."""

    STEPS = "steps"
    LIST = "list"
    FIGURE = "figure"
    WHY = "why"
    DEFINITION = "definition"
    YES_NO = "yes-no"
    OPEN = "open"


class SmallTalk(StrEnum):
    """What is said beside the topic of the guide."""

    GREETING = "greeting"
    FEELING = "feeling"
    THANKS = "thanks"
    GOODBYE = "goodbye"
    ABILITY = "ability"
    IDENTITY = "identity"
    AUTHOR = "author"
    PRIVACY = "privacy"
    AGREEMENT = "agreement"
    COMPLAINT = "complaint"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Context:
    """What a conversation has come to.

    :param query: The last question, standalone.
    :param type: Its type.
    :param focus: Ids of the passages that its answer came from, best first.
    :param listed: Ids of the entries of the list shown last, in order.
    :param unsaid: What the person told of their health and the guide does not name, "" for nothing.
    """

    query: str = ""
    type: QuestionType = QuestionType.OPEN
    focus: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    unsaid: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A message made ready for retrieval.

    :param text: The message without greeting and small words of connection.
    :param is_follow_up: It goes on from the topic before.
    :param is_connected: It begins like a continuation ("and ...", "what about ...").
    :param is_correction: It rejects the answer before ("no, I meant ...").
    :param is_bare: It holds no topic of its own ("how long?", "why?").
    :param position: Which entry of the list shown last is meant (1-based, -1 the last), 0 for none.
    """

    text: str
    type: QuestionType
    is_follow_up: bool = False
    is_connected: bool = False
    is_correction: bool = False
    is_bare: bool = False
    position: int = 0


# --- small talk ------------------------------------------------------------------------------------

# Courtesies may follow one another; the first kind of this order names the message.
_COURTESIES = (SmallTalk.GOODBYE, SmallTalk.THANKS, SmallTalk.GREETING, SmallTalk.AGREEMENT)
_REMARKS = (
    SmallTalk.FEELING,
    SmallTalk.ABILITY,
    SmallTalk.AUTHOR,
    SmallTalk.IDENTITY,
    SmallTalk.PRIVACY,
    SmallTalk.COMPLAINT,
)
_COURTESY = re.compile(
    "|".join(f"(?P<{kind.name}>(?:{alternatives('courtesy', kind.value)})(?= |$))" for kind in _COURTESIES)
    + f"|(?:{alternatives('courtesy', 'filler')})(?= |$)"
)


def find_small_talk(message: str) -> SmallTalk | None:
    """Tell what kind of small talk a message is, None where it asks something."""
    spoken = words(message)
    if not spoken:
        return SmallTalk.EMPTY
    if len(spoken) > SMALL_TALK_WORDS:
        return None
    text = " ".join(spoken)
    remark = next((kind for kind in _REMARKS if pattern("remark", kind.value).fullmatch(text)), None)
    return remark or _find_courtesy(text)


def _find_courtesy(text: str) -> SmallTalk | None:
    said: set[str] = set()
    at = 0
    while at < len(text):
        match = _COURTESY.match(text, at)
        if match is None:
            return None
        said.add(str(match.lastgroup))
        at = match.end() + 1
    return next((kind for kind in _COURTESIES if kind.name in said), None)


# --- question types --------------------------------------------------------------------------------

_FORMS = (
    QuestionType.FIGURE,
    QuestionType.WHY,
    QuestionType.LIST,
    QuestionType.STEPS,
    QuestionType.YES_NO,
    QuestionType.DEFINITION,
)


def question_type(text: str) -> QuestionType:
    """Tell the form of a question by its words."""
    plain = " ".join(words(text))
    return next((form for form in _FORMS if pattern("question", form.value).search(plain)), QuestionType.OPEN)


def split_questions(text: str) -> tuple[str, ...]:
    """Take two questions in one message apart; any other message comes back whole.

    Both must have the form of a question, and the first a topic of its own: "how long and how often
    should I stretch" is one question.
    """
    parts = [part for piece in pattern("question", "joint").split(text) if (part := piece.strip(" ,;?"))]
    is_pair = len(parts) == 2 and all(
        question_type(part) is not QuestionType.OPEN or pattern("question", "asks").match(part)
        for part in parts
    )
    has_topic = bool(set(content_words(parts[0])) - GENERIC_WORDS) if parts else False
    return tuple(parts) if is_pair and has_topic else (text,)


def _refers(plain: str) -> bool:
    return pattern("follow_up", "reference").search(plain) is not None


def refers_back(text: str) -> bool:
    """Tell whether a question points at something said before it, or has no topic of its own."""
    return _refers(" ".join(words(text))) or not set(content_words(text)) - GENERIC_WORDS


# --- follow-ups ------------------------------------------------------------------------------------

_ORDINALS = {
    "first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4,
    "fifth": 5, "5th": 5, "sixth": 6, "6th": 6, "last": -1, "final": -1,
}  # fmt: skip
# "the second one", "more on the 2nd", "and the last?"; "first" and "last" alone may be adverbs.
_ORDINAL = "|".join(_ORDINALS)
_ENTRY = "one|exercise|stretch|item|option|point|tip|move|step|thing|entry"
_AFTER_ORDINAL = rf"\s+(?:{_ENTRY}|of (?:them|those|these|it)|again|pls|please|in detail|then)\b"
_POSITION = re.compile(
    rf"\b(?:the|number|no|nr|now|and|about|on)\s+({_ORDINAL})(?:{_AFTER_ORDINAL}|$)"
    rf"|\b({_ORDINAL}) (?:{_ENTRY})\b"
    r"|\bnumber (one|two|three|four|five|six|[1-9])\b"
    rf"|^({_ORDINAL})$"
)
_NUMBER_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}


def _position(plain: str) -> int:
    match = _POSITION.search(plain)
    if match is None:
        return 0
    number = match.group(3)
    if number:
        return _NUMBER_WORDS.get(number) or int(number)
    return _ORDINALS[match.group(1) or match.group(2) or match.group(4)]


_REPEATED = re.compile(r"([!?.,])\1+")


def _calm(message: str) -> str:
    """Leave one of several equal signs of punctuation, and no exclamation mark at the end."""
    return _REPEATED.sub(r"\1", message).rstrip("! ")


def understand(message: str, context: Context) -> Query:
    """Make a query of a message that is not small talk.

    :param message: What the person wrote, spelling repaired.
    :param context: An empty one at the beginning of a conversation.
    """
    message = _calm(message.strip())
    text = pattern("follow_up", "opening").sub("", message) or message
    plain = " ".join(words(text))
    if pattern("follow_up", "switch").search(plain):
        rest = re.sub(
            r"^[^,:;.?!-]*?\b(?:else|different|topic|subject|question|thing|way|btw|on|unrelated)\b[\s,:;.!-]*",
            "",
            text,
            flags=re.IGNORECASE,
        )
        text = rest or text
        return Query(text, question_type(text))
    kind = question_type(text)
    is_bare = not set(content_words(text)) - GENERIC_WORDS
    if not context.focus:
        return Query(text, kind, is_bare=not set(content_words(text)) - INTERROGATIVE_WORDS)
    correction = pattern("follow_up", "correction").match(text)
    is_correction = correction is not None and bool(text[correction.end() :].strip())
    if is_correction and correction is not None:
        text = text[correction.end() :].strip(" ,.:;-")
        kind = question_type(text)
    position = _position(" ".join(words(text))) if context.listed else 0
    connected = pattern("follow_up", "connective").search(text) is not None
    is_short = len(content_words(text)) <= SHORT_CONTENT_WORDS
    is_follow_up = is_correction or connected or _refers(plain) or is_short or position != 0
    if position and kind in (QuestionType.OPEN, QuestionType.DEFINITION, QuestionType.LIST):
        kind = QuestionType.STEPS  # an entry of a list, in full
    elif is_follow_up and kind is QuestionType.OPEN and context.type is not QuestionType.LIST:
        kind = context.type  # "and the other one?" asks of it what was asked before
    return Query(text, kind, is_follow_up, connected, is_correction, is_bare, position)
