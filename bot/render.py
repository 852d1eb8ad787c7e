"""Answers as text, Markdown and batch records; the home of every word that is our own.

Takes an :class:`Answer`, gives what a surface shows. Text of documents and of people is escaped, so
that nothing in it works as Markdown or HTML. The disclaimer ends every rendering.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from bot.answer import Reason
from bot.datatypes import Answer, Citation, Layout, Quotation, Quote, Warning
from bot.understand import SmallTalk

__all__ = [
    "CLEARED",
    "STILL_WARNED",
    "TOO_LONG",
    "WHAT_ABOUT",
    "WITHDRAWN",
    "decline_note",
    "half_note",
    "lead_text",
    "list_note",
    "only_english_note",
    "places",
    "small_talk_note",
    "to_markdown",
    "to_record",
    "to_terminal",
    "to_text",
    "unsaid_note",
]

WITHDRAWN = (
    "The guide has been taken away for now, so nothing can be answered from it. Please come back later."
)
TOO_LONG = "That message is longer than I can read at once. Please ask your question in a few sentences."
ONLY_ENGLISH = "I can read only English. If this is an emergency, call your local emergency number now."
WHAT_ABOUT = "What would you like to know about? Please name it, for example with one of the questions below."
CLEARED = (
    "Thank you for telling me that it has been checked. Please follow what you were told there first. "
    "You can ask about the exercises again."
)
ASK_FIRST = "The guide does not say whether an exercise suits that. Please ask a doctor before you exercise."
STILL_WARNED = (
    "Please still do what the warning in this conversation said, also when it feels better. "
    "You can ask about the guide as well."
)
MORE_LABEL = "More from the guide"
NEAREST_LABEL = "The nearest that the guide has"
_DECLINES = {
    Reason.NOTHING_NEAR: "I could not find that in the guide, so I cannot answer it.",
    Reason.UNKNOWN_THING: "The guide does not mention “{missing}”, so I cannot answer that.",
    Reason.UNKNOWN_HEALTH: "The guide does not mention “{missing}”, so I cannot answer that.",
    Reason.DETAIL_MISSING: "The guide does not say {missing}.",
    Reason.NOT_ANSWERED: "I could not find an answer to exactly that in the guide.",
    Reason.NOT_A_QUESTION: "I can only look things up in the guide and quote it, so I cannot do that.",
    Reason.HELD_BACK: ASK_FIRST,
}
_SMALL_TALK = {
    SmallTalk.GREETING: "Hello! What would you like to know? I answer from the guide “{title}”, in its own "
    "words.",
    SmallTalk.FEELING: "Thank you for asking, I am ready to help. What would you like to know from the "
    "guide?",
    SmallTalk.THANKS: "You are welcome. Ask again whenever you like.",
    SmallTalk.GOODBYE: "Goodbye, and take care.",
    SmallTalk.ABILITY: "I answer questions from the guide “{title}”, in its own words, and show you the "
    "page. If the guide does not say something, I tell you so. Here are some questions that it answers.",
    SmallTalk.IDENTITY: "I am a program that looks things up in the guide “{title}” and quotes it. I am not "
    "a person and not a health professional, and I cannot examine you.",
    SmallTalk.AUTHOR: "Everything I quote comes from the guide “{title}” ({sources}). Each answer shows the "
    "page it stands on, so that you can read it there.",
    SmallTalk.PRIVACY: "Your chat stays in your browser, until you clear it. It is not stored on the server "
    "or sent to anybody else.",
    SmallTalk.AGREEMENT: "Good. Is there anything else that you would like to know?",
    SmallTalk.COMPLAINT: "I am sorry that this did not help. Please try other words, or pick one of the "
    "questions below.",
    SmallTalk.EMPTY: "Please type a question in words, for example one of those below.",
}

# Markdown's own signs. Hyphens, dots and plus signs matter only where a line begins, see _escape.
_MARKDOWN = re.compile(r"([\\`*_\[\]#~|$])")
_LINE_START = re.compile(r"^(\s*)([-+>=]|\d+(?=[.)]))", re.MULTILINE)
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def small_talk_note(kind: SmallTalk, title: str, sources: Sequence[str]) -> str:
    """Answer small talk in our own words."""
    return _SMALL_TALK[kind].format(title=title, sources=", ".join(sources))


def only_english_note(note: str) -> str:
    """Say that only English is read, first in the language of the message."""
    return f"{note}\n\n{ONLY_ENGLISH}"


def list_note(entries: int) -> str:
    """Say how long the list shown last is, to somebody who asked for an entry beyond its end."""
    return f"The list that I showed last has {entries} entries. Which of them do you mean?"


def decline_note(reason: Reason, missing: str) -> str:
    """Say plainly what the guide does not have."""
    return _DECLINES[reason].format(missing=missing)


def unsaid_note(name: str) -> str:
    """Say above exercises that the guide is silent on something that the person told of before."""
    return f"You spoke of “{name}”, of which the guide says nothing. Please ask a doctor if this suits you."


def half_note(question: str, note: str) -> str:
    """Say of one question out of two that it is not answered."""
    return f"On “{question}”: {note}"


def _escape(text: str) -> str:
    """Make text inert in Markdown and HTML, also as the target of an automatic link."""
    plain = _MARKDOWN.sub(r"\\\1", text.translate(_ENTITIES))
    plain = re.sub(r"(?i)\b(https?|ftp|mailto)(:)", r"\1&#58;", plain)
    plain = re.sub(r"(?i)\bwww\.", "www&#46;", plain).replace("@", "&#64;")
    return _LINE_START.sub(
        lambda m: f"{m[1]}&#{ord(m[2])};" if len(m[2]) == 1 else f"{m[1]}{m[2]}&#8203;", plain
    )


def places(citations: Iterable[Citation], has_sources: bool) -> list[str]:
    """Name each place once, in order.

    :param has_sources: More than one document, so that each place names its own.
    """
    found: dict[str, None] = {}
    for citation in citations:
        place = [f"page {citation.page_label}"]
        if has_sources:
            place.insert(0, citation.source)
        if citation.section:
            place.append(" › ".join(citation.section))
        found[", ".join(place)] = None
    return list(found)


def _place_line(answer: Answer) -> str:
    """Name the places of an answer; several pages of one section share its name."""
    has_sources = len({citation.source for citation in answer.citations}) > 1
    pages: dict[tuple[str, tuple[str, ...]], dict[str, None]] = {}
    for citation in answer.citations:
        pages.setdefault((citation.source, citation.section), {})[citation.page_label] = None
    parts = []
    for (source, section), labels in pages.items():
        name = f"{source}, " if has_sources else ""
        where = f"page{'s' if len(labels) > 1 else ''} {', '.join(labels)}"
        parts.append(f"{name}{where}" + (f", {section[-1]}" if section else ""))
    return "; ".join(parts)


# --- plain text ------------------------------------------------------------------------------------


def _plain_lines(part: Quotation) -> list[str]:
    lines = [part.title] if part.title else []
    if part.layout is Layout.TEXT:
        return [*lines, " ".join(quote.text for quote in part.quotes)]
    return [*lines, *_entry_lines(part, [quote.text for quote in part.quotes])]


def _entry_lines(part: Quotation, texts: Sequence[str]) -> list[str]:
    """Set the entries of a list or the steps of an exercise, one a line, with their marks.

    :param texts: One for each quote.
    """
    lines: list[str] = []
    for quote, text in zip(part.quotes, texts, strict=True):
        if quote.goes_on and lines:
            lines[-1] += f" {text}"
        else:
            mark = f"{len(lines) + 1}. " if part.layout is Layout.STEPS else "- "
            lines.append(mark + text)
    return [*lines, "- …"] if part.is_excerpt else lines


def _warning_lines(warning: Warning) -> list[str]:
    return [warning.title, *re.split(r"\n\s*\n", warning.message)]


def lead_text(answer: Answer) -> str:
    """Give the direct answer as plain text: what is quoted first, else our own words, else the warning."""
    if answer.lead:
        return "\n".join(line for part in answer.lead for line in _plain_lines(part))
    if answer.note:
        return answer.note
    return "\n".join(_warning_lines(answer.warning)) if answer.warning else ""


def to_text(answer: Answer) -> str:
    """Give all that is shown of an answer as plain text, without disclaimer and suggestions."""
    lines = _warning_lines(answer.warning) if answer.warning else []
    lines += [answer.note] if answer.note else []
    lines += [line for part in answer.lead for line in _plain_lines(part)]
    if answer.more:
        lines += [_more_label(answer) + ":", *(line for part in answer.more for line in _plain_lines(part))]
    if answer.citations:
        lines.append(f"In the guide: {_place_line(answer)}")
    return "\n".join(lines)


def _more_label(answer: Answer) -> str:
    return MORE_LABEL if answer.lead else NEAREST_LABEL


def to_terminal(answer: Answer) -> str:
    """Give an answer as a terminal shows it."""
    parts = [to_text(answer), answer.disclaimer]
    if answer.suggestions:
        parts.append("You could ask:\n" + "\n".join(f"- {question}" for question in answer.suggestions))
    return "\n\n".join(parts)


# --- Markdown --------------------------------------------------------------------------------------


def _markdown_quote(quote: Quote) -> str:
    parts, at = [], 0
    for start, end in quote.bold:
        parts += [_escape(quote.text[at:start]), f"**{_escape(quote.text[start:end]).strip()}**"]
        at = end
    return "".join([*parts, _escape(quote.text[at:])])


def _markdown_part(part: Quotation) -> str:
    title = f"**{_escape(part.title)}**\n\n" if part.title else ""
    if part.layout is Layout.TEXT:
        return title + " ".join(_markdown_quote(quote) for quote in part.quotes)
    return title + "\n".join(_entry_lines(part, [_markdown_quote(quote) for quote in part.quotes]))


def to_markdown(answer: Answer) -> str:
    """Give exactly what the page shows of an answer, its disclaimer included."""
    parts: list[str] = []
    if answer.warning:
        title, *message = _warning_lines(answer.warning)
        parts += [f"**⚠ {_escape(title)}**", *(_escape(line) for line in message)]
    if answer.note:
        parts.append(_escape(answer.note))
    parts += [_markdown_part(part) for part in answer.lead]
    if answer.more:
        parts += [f"**{_more_label(answer)}**", *(_markdown_part(part) for part in answer.more)]
    if answer.citations:
        parts.append(f"> In the guide: {_escape(_place_line(answer))}")
    parts.append(f"*{_escape(answer.disclaimer)}*")
    return "\n\n".join(parts)


# --- batch -----------------------------------------------------------------------------------------


def to_record(answer: Answer, latency_ms: float) -> dict[str, Any]:
    """Give an answer as the batch format has it (DESIGN section 3)."""
    return {
        "kind": answer.kind.value,
        "urgency": answer.urgency.value,
        "lead": lead_text(answer),
        "text": to_text(answer),
        "disclaimer": answer.disclaimer,
        "markdown": to_markdown(answer),
        "citations": [{**asdict(c), "section": list(c.section)} for c in answer.citations],
        "suggestions": list(answer.suggestions),
        "latency_ms": round(latency_ms, 1),
    }
