"""The declared normalisation: how the raw text of a page becomes the text that is quoted.

Takes raw text, gives normalised text, and for every normalised character the raw characters it came
from, so that a quote can always be found again in its page. Leaves to others what a heading or a
paragraph is.
"""

import html
import itertools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest.datatypes import Page, Span, TracedText

__all__ = ["find_compounds", "match_key", "normalise", "trace"]

# First parts that keep their hyphen when a line ends there. Left out on purpose are parts that also
# begin plain words: pre (prevent), post (postpone), mid (middle), anti (antibiotic), ten (tension).
COMPOUND_FIRST_PARTS = frozenset(
    {"self", "well", "low", "high", "non", "full", "half", "long", "short", "cross", "all", "hard", "soft"}
    | {"one", "two", "three", "four", "five", "six"}
)
# What may follow such a part without a hyphen, as hyphenation breaks "high-est", "well-ness".
WORD_ENDINGS = frozenset(
    {"est", "er", "ers", "ered", "ering", "ened", "ener", "ening", "ens", "en", "ness", "ish", "ing"}
    | {"ings", "ly", "ed", "wise", "sense", "ever", "where", "ment", "ments", "tion", "tions", "sion"}
    | {"able", "ible", "ful", "less", "ity", "ive", "ally", "ance", "ence", "ary", "ical", "ist", "ists"}
    | {"ism", "ate", "ated", "ating", "ize", "ized", "izing", "ous", "ial", "age", "ship", "hood", "lessly"}
)
# What may stand before a plain word without a hyphen, as hyphenation breaks "under-stand".
WORD_BEGINNINGS = frozenset(
    {"re", "un", "dis", "in", "im", "over", "under", "inter", "pre", "con", "com", "de", "ex", "pro", "sub"}
    | {"trans", "mis", "out", "up", "per", "on", "for", "after", "back", "some", "any", "every", "no"}
)
# Hyphenated type ends about one line in twenty with a hyphen; compounds alone end one in two hundred.
MAX_COMPOUND_RATE = 0.015
MIN_LINES_TO_JUDGE = 60
# Second parts that are words of compounds ("moderate-intensity") and not the tail of longer words.
COMPOUND_SECOND_PARTS = frozenset(
    {
        "based",
        "free",
        "term",
        "being",
        "down",
        "width",
        "intensity",
        "impact",
        "minute",
        "hour",
        "year",
        "week",
    }
)
# Plain words made of two plain words, which hyphenation breaks between the two.
JOINED_WORDS = frozenset(
    {"without", "within", "cannot", "another", "together", "inside", "outside", "become", "before", "maybe"}
    | {"therefore", "however", "because", "forward", "toward", "towards", "today", "tonight", "overall"}
    | {"anyone", "someone", "everyone", "nobody", "anybody", "somebody", "everybody", "something", "nothing"}
    | {"anything", "everything", "sometimes", "always", "almost", "already", "although", "also", "yourself"}
    | {"myself", "himself", "herself", "itself", "themselves", "ourselves", "whatever", "whenever"}
)
# After these a hyphen at the line end is suspended: "low- and high-impact".
SUSPENDERS = frozenset({"and", "or", "to", "und", "oder"})

INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
LIGATURES = {
    "\ufb00": "ff",
    "\ufb01": "fi",
    "\ufb02": "fl",
    "\ufb03": "ffi",
    "\ufb04": "ffl",
    "\ufb05": "st",
    "\ufb06": "st",
}
HYPHENS = "-\u2010\u2011"
REPLACED = {**dict.fromkeys(INVISIBLE, ""), **LIGATURES, "\u2010": "-", "\u2011": "-"}

# The zero-width joiner makes one sign of several ("woman" + "staff" = "health worker"): between the
# parts of an emoji it stays. Arrows, symbols and pictographs; a part may end in a variation selector.
_EMOJI = "\u2190-\u21ff\u2300-\u23ff\u2460-\u27bf\u2900-\u297f\u2b00-\u2bff\U0001f000-\U0001faff"
_REPLACED = re.compile(f"[{''.join(REPLACED)}](?<![{_EMOJI}\ufe0f]\u200d(?=[{_EMOJI}]))")
_SPACE = re.compile(r" \s+|[^\S ]\s*|\A | \Z")  # all but a single space between words
_LINE_END_DASH = re.compile(r"(?<=\w)(?P<dash>[-\u2013])[^\S\n]*\n\s*(?=\w)")
_WORD_BEFORE = re.compile(r"[^\W_]+(?:[-'\u2019][^\W_]+)*$")
_WORD_AFTER = re.compile(r"[^\W_]+")
# Here and below, a look back or a possessive "++" keeps the search linear: without it, every place
# within a long run (letters, spaces, dots) is tried as its beginning.
_COMPOUND = re.compile(r"(?<![^\W\d_])[^\W\d_]++(?:-[^\W\d_]++)+")
_WORD = re.compile(r"[^\W\d_]+")
_BROKEN = re.compile(r"(?<![\w-])(?P<first>[^\W\d_]{2,})-[^\S\n]*\n\s*(?P<second>[^\W\d_]{3,})(?![\w-])")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_WORD_CONTEXT = 60  # characters looked at on either side of a hyphen: longer than any word
# Marks on one letter composed at a time, as in UAX #15 (Stream-Safe Text Format), which says 30:
# the time for a run of marks grows with the square of its length.
_MAX_CLUSTER = 256
_LONG_CLUSTER = re.compile(rf"(?:[^\w\s\x00-\x7f]|[\u1160-\u11ff]){{{_MAX_CLUSTER}}}")
_MAX_NESTING = 8  # links within links, and escapes of escapes, that are undone

_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~\n])")
_AUTOLINK = re.compile(r"<((?:https?|ftp|mailto):[^<>\s]*|[\w.+-]+@[\w.-]+)>")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<![A-Za-z][^<>]*>")
_MARKED = re.compile(f"{_AUTOLINK.pattern}|{_TAG.pattern}")
_COMMENT_OR_MARKED = re.compile(f"{_AUTOLINK.pattern}|<!--.*?-->|{_TAG.pattern}", re.DOTALL)
_LINK = re.compile(
    r"!?\[((?:[^\[\]\\]|\\.)*)\]"
    r"(?:\((?:[^()\s]|\([^()\s]*\))*(?:\s+[\"'][^\"']*[\"'])?\)|\[[^\[\]]*\])"
)
_FOOTNOTE = re.compile(r"\[\^[^\[\]\s]+\]")
_BRACKETED = re.compile(f"{_LINK.pattern}|{_FOOTNOTE.pattern}")
_QUOTE_PREFIX = re.compile(r"^[ \t]{0,3}(?:>[ \t]?)+", re.MULTILINE)
_DELIMITERS = re.compile(r"\*+|_+|~~|`+")

_KEY_DROPPED = re.compile(r"[\s\-*_`~\\|\u2010\u2011" + INVISIBLE + "]")
_KEY_TARGET = re.compile(r"\]\((?:[^()]|\([^()]*\))*\)|\]\[[^\[\]]*\]|\[\^[^\[\]]+\]")
_KEY_TAG = re.compile(r"<(?!(?:https?|ftp|mailto):|[\w.+]+@)[A-Za-z/!][^<>]*>")


@dataclass(frozen=True, slots=True)
class _Edit:
    """Replace ``text[start:end]`` by ``new``."""

    start: int
    end: int
    new: str


@dataclass(frozen=True, slots=True)
class _Traced:
    """Text on its way to normal form, with the raw place of every character."""

    text: str
    starts: list[int]
    ends: list[int]

    def edit(self, edits: Sequence[_Edit]) -> "_Traced":
        """Apply edits that are in order and do not overlap."""
        if not edits:
            return self
        parts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for change in edits:
            parts += [self.text[done : change.start], change.new]
            starts += self.starts[done : change.start]
            ends += self.ends[done : change.start]
            if change.new:
                starts += [self.starts[change.start]] * len(change.new)
                ends += [self.ends[change.end - 1]] * len(change.new)
            done = change.end
        parts.append(self.text[done:])
        return _Traced("".join(parts), starts + self.starts[done:], ends + self.ends[done:])


def normalise(text: str, compounds: frozenset[str] = frozenset()) -> str:
    r"""Bring raw text into the form in which it is quoted; doing it twice changes nothing.

    Unicode NFC; ligatures spelled out; soft hyphens and zero-width characters removed (the joiner
    stays between the parts of an emoji); hyphen variants written "-"; every run of white space one
    space; a word broken at a line end mended.
    The hyphen of a broken word goes ("exer-\ncise") unless it looks like part of a compound: a
    first part such as "self", "well", "low", "non" ("Self-\ndiagnosing"); a second part such as
    "based" or of two letters ("warm-\nup"); a part that has a hyphen already ("step-by-\nstep"); a
    capital or a figure beside it; or the compound is among ``compounds``.

    False positives, each with a test:

    - a compound that nothing tells apart loses its hyphen: "doctor-\nled" -> "doctorled";
    - a plain word that begins like a compound gains one: "non-\nchalant" -> "non-chalant";
    - a dash without spaces at a line end is taken for a hyphen: "pain-\nand" stays "pain- and";
    - line breaks that carry meaning (verse, tables) are lost, as all white space is one space.

    :param text: Raw text, with its line breaks.
    :param compounds: Hyphenated words of the whole document, as ``find_compounds`` gives them.
    :return: The normalised text, without white space at its ends.
    """
    return _normalise(text, compounds, has_markup=False).text


def find_compounds(text: str) -> frozenset[str]:
    r"""Collect the hyphenated words of a document, case folded.

    They are the ones that stand within a line, and those broken at a line end that look like
    compounds: their parts are words of the document while the joined word is not ("chest-\ndeep").
    In a document that hardly ever ends a line with a hyphen, so does not hyphenate, one such part is
    enough.

    False positive, with a test: such parts of a plain word ("foot-\nprint" where "footprint" does not
    occur elsewhere); what begins or ends like a derived word, and ``JOINED_WORDS``, are spared.

    :param text: Raw text of a whole document.
    :return: For example {"well-being", "low-impact"}.
    """
    found = {match.group().casefold() for match in _COMPOUND.finditer(text)}
    words = Counter(match.group().casefold() for match in _WORD.finditer(text))
    broken = [(match["first"].casefold(), match["second"].casefold()) for match in _BROKEN.finditer(text)]
    lines = text.count("\n") + 1
    hyphenates = lines < MIN_LINES_TO_JUDGE or len(broken) > MAX_COMPOUND_RATE * lines
    for first, second in broken:
        if first + second in words or first + second in JOINED_WORDS:
            continue
        if first in WORD_BEGINNINGS or second in WORD_ENDINGS:
            continue
        known = sum(words[part] > (first, second).count(part) for part in (first, second))
        if known == 2 or (known == 1 and not hyphenates):
            found.add(f"{first}-{second}")
    return frozenset(found)


def trace(
    pages: Sequence[Page],
    spans: Sequence[Span],
    compounds: frozenset[str] = frozenset(),
    *,
    has_markup: bool = False,
) -> TracedText:
    """Normalise stretches of pages as one text in which every character knows its place.

    :param pages: The document's pages.
    :param spans: Stretches in reading order; two of them are parted as by a line break.
    :param compounds: Hyphenated words of the whole document.
    :param has_markup: True for Markdown: emphasis, links, tags and escapes are taken out as well.
    :return: The normalised text with its places.
    """
    raw = "\n".join(pages[span.page_index].text[span.start : span.end] for span in spans)
    traced = _normalise(raw, compounds, has_markup=has_markup)
    return TracedText(traced.text, tuple(spans), tuple(traced.starts), tuple(traced.ends))


def match_key(text: str) -> str:
    """Reduce text to what a quote and its place in the page must have in common.

    Beyond ``normalise``: white space, hyphens, Markdown marks (emphasis, escapes, the target of a
    link, tags) and table bars are gone; letters keep their case. The key of a quote is contained in
    the key of the raw text it came from.

    False positives, each with a test: texts that differ only in what is dropped have one key, so
    "re-cover" and "recover", "a [b](c)" and "a b", "5*3" and "53" are not told apart.

    :param text: Raw or normalised text.
    :return: The key; empty for text without letters, figures or punctuation.
    """
    key = _REPLACED.sub(lambda match: REPLACED[match.group()], text)
    for _ in range(_MAX_NESTING):
        plain = _ENTITY.sub(_unescape, key)
        if plain == key:
            break
        key = plain
    key = _KEY_DROPPED.sub("", key)
    key = _KEY_TAG.sub("", key)
    key = _KEY_TARGET.sub("]", key.replace("![", "["))
    return _compose_text(re.sub(r"[\[\]<>]", "", key))


def _unescape(match: re.Match[str]) -> str:
    return html.unescape(match.group())


def _normalise(raw: str, compounds: frozenset[str], *, has_markup: bool) -> _Traced:
    traced = _Traced(raw, list(range(len(raw))), list(range(1, len(raw) + 1)))
    if has_markup:
        traced = _strip_markup(traced)
    replaced = _REPLACED.finditer(traced.text)
    traced = traced.edit([_Edit(m.start(), m.end(), REPLACED[m.group()]) for m in replaced])
    traced = _compose(traced)
    traced = traced.edit(list(_mend_line_ends(traced.text, compounds)))
    traced = traced.edit(list(_collapse_space(traced.text)))
    return _compose(traced)


def _compose(traced: _Traced) -> _Traced:
    """Bring clusters of a letter and its marks into NFC."""
    text = traced.text
    if text.isascii() or (not _LONG_CLUSTER.search(text) and unicodedata.is_normalized("NFC", text)):
        return traced
    edits: list[_Edit] = []
    for start, end in _find_clusters(text):
        cluster = text[start:end]
        composed = unicodedata.normalize("NFC", cluster)
        if composed != cluster:
            edits.append(_Edit(start, end, composed))
    return traced.edit(edits)


def _compose_text(text: str) -> str:
    if not _LONG_CLUSTER.search(text):
        return unicodedata.normalize("NFC", text)
    return "".join(unicodedata.normalize("NFC", text[start:end]) for start, end in _find_clusters(text))


def _find_clusters(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or end - start == _MAX_CLUSTER or not _continues_cluster(text[end]):
            yield start, end
            start = end


def _continues_cluster(character: str) -> bool:
    # Korean vowels and finals compose with what stands before them although they are letters.
    return unicodedata.category(character).startswith("M") or "\u1160" <= character <= "\u11ff"


def _mend_line_ends(text: str, compounds: frozenset[str]) -> Iterator[_Edit]:
    for match in _LINE_END_DASH.finditer(text):
        before = _WORD_BEFORE.search(text[max(0, match.start() - _WORD_CONTEXT) : match.start()])
        after = _WORD_AFTER.match(text[match.end() : match.end() + _WORD_CONTEXT])
        if before is None or after is None:
            continue
        if match["dash"] == "-":
            yield _mend_hyphen(match, before.group(), after.group(), compounds)
        elif before.group()[-1].isdigit() and after.group()[0].isdigit():
            yield _Edit(match.start(), match.end(), match["dash"])


def _mend_hyphen(match: re.Match[str], before: str, after: str, compounds: frozenset[str]) -> _Edit:
    if after.casefold() in SUSPENDERS and "-" not in before:
        return _Edit(match.start(), match.end(), "- ")
    keeps = _keeps_hyphen(before, after, compounds)
    return _Edit(match.start(), match.end(), "-" if keeps else "")


def _keeps_hyphen(before: str, after: str, compounds: frozenset[str]) -> bool:
    first, second = before.casefold(), after.casefold()
    if f"{first}-{second}" in compounds:
        return True
    if "-" in before or len(second) <= 2 or second in COMPOUND_SECOND_PARTS:
        return True
    if not (before[-1].isalpha() and after[0].isalpha()) or (after[0].isupper() and not before.isupper()):
        return True
    return first in COMPOUND_FIRST_PARTS and second not in WORD_ENDINGS


def _collapse_space(text: str) -> Iterator[_Edit]:
    for match in _SPACE.finditer(text):
        new = "" if match.start() == 0 or match.end() == len(text) else " "
        if match.group() != new:
            yield _Edit(match.start(), match.end(), new)


def _strip_markup(traced: _Traced) -> _Traced:
    """Take Markdown's inline marks out; what they mark stays."""
    traced = traced.edit([_Edit(m.start(), m.end(), "") for m in _QUOTE_PREFIX.finditer(traced.text)])
    traced = traced.edit(list(_strip_tags(traced.text)))
    for _ in range(_MAX_NESTING):
        links = list(_strip_links(traced.text))
        if not links:
            break
        traced = traced.edit(links)
    traced = traced.edit(_strip_delimiters(traced.text))
    edits = [_Edit(m.start(), m.start() + 1, "") for m in _ESCAPE.finditer(traced.text)]
    traced = traced.edit(edits)
    return traced.edit([_Edit(m.start(), m.end(), _unescape(m)) for m in _ENTITY.finditer(traced.text)])


def _strip_tags(text: str) -> Iterator[_Edit]:
    # Behind the last "-->" no comment is closed: looked for there, each would run to the end.
    closed = text.rfind("-->") + len("-->") if "-->" in text else 0
    found = itertools.chain(_COMMENT_OR_MARKED.finditer(text, 0, closed), _MARKED.finditer(text, closed))
    for match in found:
        address = match.group(1)
        if address:
            yield _Edit(match.start(), match.start() + 1, "")
            yield _Edit(match.end() - 1, match.end(), "")
        else:
            yield _Edit(match.start(), match.end(), "")


def _strip_links(text: str) -> Iterator[_Edit]:
    for match in _BRACKETED.finditer(text):
        if match.group(1) is None:
            yield _Edit(match.start(), match.end(), "")
            continue
        yield _Edit(match.start(), match.start(1), "")
        yield _Edit(match.end(1), match.end(), "")


def _strip_delimiters(text: str) -> list[_Edit]:
    """Remove pairs of emphasis marks and back-ticks; a mark without its partner is text."""
    opened: list[re.Match[str]] = []
    places: defaultdict[str, list[int]] = defaultdict(list)  # of each mark within ``opened``
    edits: list[_Edit] = []
    for match in _DELIMITERS.finditer(text):
        before = text[match.start() - 1] if match.start() else " "
        after = text[match.end()] if match.end() < len(text) else " "
        if before == "\\" or (match.group()[0] == "_" and before.isalnum() and after.isalnum()):
            continue
        if places[match.group()] and not before.isspace():
            place = places[match.group()][-1]
            edits += [_Edit(m.start(), m.end(), "") for m in (opened[place], match)]
            while len(opened) > place:
                places[opened.pop().group()].pop()
        elif not after.isspace():
            places[match.group()].append(len(opened))
            opened.append(match)
    return sorted(edits, key=lambda edit: edit.start)
