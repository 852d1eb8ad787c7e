"""Shapes of text: what a line looks like, whatever format it came from.

Takes text, says whether it begins like a list entry, a question, a run-in title. Leaves to
``structure`` and ``markdown`` what follows from it.
"""

import re
from collections.abc import Sequence

__all__ = [
    "ANSWER",
    "BULLET",
    "ENDED",
    "FAQ_HEADING",
    "NUMBER",
    "QUESTION",
    "RULE",
    "SENTENCE_END",
    "TERM",
    "is_term",
    "is_title_case",
    "marker_length",
]

MAX_TERM_WORDS = 9
MIN_BODY_WORDS = 5  # "Green zone: doing well" is one entry, not a term and its text

BULLET = re.compile(
    r"^(?:[\u2022\u25e6\u25aa\u2023\u25cf\u25cb\u25a0\u2043\uf0b7\u00b7]\s*|[-\u2013\u2014*+]\s+)(?=\S)"
)
NUMBER = re.compile(r"^(?:\(?\d{1,2}[.)]|Step \d{1,2}[.:)]?|\(?[a-z]\))\s+(?=\S)")
# Possessive ("*+"), so that a long run of spaces is not shared out in every way.
QUESTION = re.compile(r"^(?:q|question)\s*+\d*+\s*+[:.)]\s*(?=\S)", re.IGNORECASE)
ANSWER = re.compile(r"^(?:a|answer)\s*+\d*+\s*+[:.)]\s+(?=\S)", re.IGNORECASE)
RULE = re.compile(r"^[\W_]{3,}$")
FAQ_HEADING = re.compile(r"\b(?:questions?|faqs?|q\s*&\s*a|q\s+and\s+a|answers)\b", re.IGNORECASE)
_TITLE_WORD = r"(?:[A-Z][\w'\u2019-]*|and|at|for|in|of|on|the|to|with|your|a)"
# The optional part: a title that has a colon itself ("Red Zone: Act at Once: Call ...").
TERM = re.compile(
    rf"^(?P<term>[^:.?!]{{2,80}}?(?::\s+[A-Z][\w'\u2019-]*(?:\s+{_TITLE_WORD}){{0,5}})?)\s*:\s+(?=\S)"
)
ENDED = re.compile(r"[.?!:;][\"'\u201d\u2019)\]]*$")
SENTENCE_END = re.compile(r"[.?!][\"'\u201d\u2019)\]]*$")
# Words that call for attention; what they head is a remark and not an entry of its own.
ADMONITION = re.compile(
    r"^(?:note|notes|important|warning|caution|tip|tips|remember|attention|hint|example|please note"
    r"|take care|nb|disclaimer|summary)$",
    re.IGNORECASE,
)
_SMALL_WORDS = frozenset(
    {"a", "an", "and", "as", "at", "by", "for", "from", "in", "into", "is", "of", "on", "or", "the", "to"}
    | {"with", "your", "you", "its", "it", "when", "if", "vs"}
)


def marker_length(text: str) -> int:
    """Count the characters of the bullet or number that a text begins with, the space included."""
    match = BULLET.match(text) or NUMBER.match(text)
    return match.end() if match else 0


def is_title_case(words: Sequence[str]) -> bool:
    """Tell whether the main words of a line begin with capitals."""
    main = [word for word in words if word.strip("\"'(").casefold() not in _SMALL_WORDS and word[0].isalpha()]
    return bool(main) and sum(word[0].isupper() for word in main) >= 0.8 * len(main)


def is_term(term: str, body: str) -> bool:
    """Tell whether a run-in title heads its text: short, with a capital, before a sentence.

    :param term: What may be the title; its colon may be there or not.
    :param body: What follows; it may begin with the colon or a dash.
    :return: False for "Stop at once" before "if it hurts", and for remarks ("Note: ...").
    """
    words = term.split()
    if not words or len(words) > MAX_TERM_WORDS or not (words[0][0].isupper() or words[0][0].isdigit()):
        return False
    if ADMONITION.match(term.rstrip(" :.!\u2013\u2014-")):
        return False
    if term[-1] in ":.\u2013\u2014-" and body[0].isalnum():
        return True
    starts = re.match(r"^[\s:.\u2013\u2014-]*[\"'\u201c(]?[A-Z0-9]", body) is not None
    return starts and (len(body.split()) >= MIN_BODY_WORDS or bool(SENTENCE_END.search(body)))
