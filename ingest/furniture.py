"""What is printed on the pages and is not the guide: running lines, contents, repeated titles, adverts.

Takes rows, gives the rows that stay, the headings that the contents list names, and a report of every
row left out. In doubt a row stays.
"""

import itertools
import re
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace

from ingest.datatypes import Document, Omission
from ingest.layout import Gap, Row, most_frequent_size, row_key, title_key

__all__ = ["CONTENTS_TITLE", "Furniture", "find_blurb", "find_furniture", "strip_leader"]

MIN_RUNNING_PAGES = 3  # a line must come back on so many pages (on both of a document of two)
MIN_RUNNING_SHARE = 0.5  # and on this share of the pages with text
MIN_SENTENCE_WORDS = 3  # "Repeat ten times." may end many pages of a guide,
MIN_SENTENCE_SHARE = 0.9  # so a sentence without a known place must come back on nearly all of them
SMALL_TYPE = 0.93  # of the body's size
MAX_RUNNING_ROWS = 3  # rows looked at from either edge of a page
MAX_HEADING_ROWS = 3
MAX_COVER_WORDS = 90
MIN_BLURB_SIGNS = 2  # different signs of an advert that must come together

CONTENTS_TITLE = re.compile(
    r"^(?:table of contents|contents|in this (?:guide|booklet|leaflet)|overview)[:.]?$", re.IGNORECASE
)
TRAILING_TITLE = re.compile(
    r"^(?:references|bibliography|sources|further reading|about the authors?|also by .*|advertisements?"
    r"|index)$",
    re.IGNORECASE,
)
QUESTION_MARK = re.compile(r"^(?:q|question)\s*+\d*+\s*+[:.)]\s", re.IGNORECASE)
_PAGE_NUMBER = re.compile(
    r"^[\W_]*+(?:page|p\.|seite)?\s*+(?:\d{1,4}|[ivxlc]{1,7})(?:\s*+(?:of|/|von)\s*+\d{1,4})?[\W_]*$",
    re.IGNORECASE,
)
# Both look back, and take all they can, to be linear in a long run of dots or spaces.
_LEADER = re.compile(
    r"(?<![\s.\u2026_\u00b7])(?:\s*+[.\u2026_\u00b7]){2,}+\s*+(?:(?:\d{1,4}|[ivxlc]{1,7})\s*+)?$"
    r"|(?<!\s)\s++(?:\d{1,4}|[ivxlc]{1,7})\s*$",
    re.IGNORECASE,
)
_HAS_LEADER = re.compile(r"(?<![\s.\u2026_])(?:\s*+[.\u2026_]){3,}+\s*+\w*+\s*$")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_EDITION = re.compile(
    r"\b(?:edition|e-?book|isbn|paperback|hardcover|publish(?:er|ed by)|bestsell\w+|textbook)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Furniture:
    """What ``find_furniture`` found.

    :param kept: The rows of the guide itself.
    :param headings: For the row that begins a heading named by the contents list: how many rows it has.
    :param omissions: The rows left out, joined by page and reason.
    """

    kept: tuple[Row, ...]
    headings: dict[Row, int]
    omissions: tuple[Omission, ...]


def find_furniture(document: Document, rows: Sequence[Row]) -> Furniture:
    """Sort the rows of a document into the guide and the rest.

    :param document: Where the rows come from.
    :param rows: All rows in reading order.
    :return: What stays, what the contents list names, what is left out.
    """
    left_out: dict[Row, str] = dict.fromkeys(
        _find_running_rows(document, rows), "running header, footer or page number"
    )
    # The space below a header is not a space between the paragraphs that the page break parts.
    rows = _mark_page_starts(rows, left_out)
    rest = [row for row in rows if row not in left_out]
    contents, headings = _find_contents(rest)
    left_out.update(dict.fromkeys(contents, "contents list"))
    rest = [row for row in rest if row not in left_out]
    left_out.update(dict.fromkeys(_find_trailing_rows(document, rest, headings), "not part of the guide"))
    rest = [row for row in rest if row not in left_out]
    left_out.update(_find_title_rows(document, rest, headings))
    kept = tuple(row for row in rows if row not in left_out)
    return Furniture(kept, headings, _report(document, rows, left_out))


def _mark_page_starts(rows: Sequence[Row], left_out: Container[Row]) -> list[Row]:
    marked: list[Row] = []
    last_page = -1
    for row in rows:
        if row in left_out:
            marked.append(row)
            continue
        marked.append(replace(row, gap=Gap.PAGE) if row.page_index != last_page else row)
        last_page = row.page_index
    return marked


def _report(document: Document, rows: Sequence[Row], left_out: dict[Row, str]) -> tuple[Omission, ...]:
    dropped = ((row, left_out[row]) for row in rows if row in left_out)
    runs = itertools.groupby(dropped, key=lambda pair: (pair[0].page_index, pair[1]))
    return tuple(
        Omission(document.source, page_index, reason, "\n".join(row.text for row, _ in run))
        for (page_index, reason), run in runs
    )


# Running headers and footers


def _find_running_rows(document: Document, rows: Sequence[Row]) -> set[Row]:
    """Find headers and footers, from the edges of the pages inwards.

    A row counts only if all rows further out on its page are running rows as well.
    """
    pages: dict[int, list[Row]] = {}
    for row in rows:
        pages.setdefault(row.page_index, []).append(row)
    if len(pages) < 2:
        return set()
    body_size = most_frequent_size([row.line for row in rows])
    found: set[Row] = set()
    for from_top in (True, False):
        inward = [page if from_top else page[::-1] for page in pages.values()]
        for depth in range(MAX_RUNNING_ROWS):
            edge = [page[depth] for page in inward if len(page) > depth and found.issuperset(page[:depth])]
            found |= _find_repeated(edge, len(pages), body_size)
    return found


def _find_repeated(edge: Sequence[Row], page_count: int, body_size: float) -> set[Row]:
    needed = max(min(MIN_RUNNING_PAGES, page_count), MIN_RUNNING_SHARE * page_count)
    numbers = {row for row in edge if _PAGE_NUMBER.match(row.text)}
    found = set(numbers) if len(numbers) >= min(needed, 2) else set()
    keys = Counter(_running_key(row) for row in edge)
    # A header that names the chapter differs from page to page; its place and small type do not.
    places = Counter(row.line.y for row in edge if row.line.size)
    for row in edge:
        key = _running_key(row)
        is_sentence = row.text.endswith(".") and len(row.text.split()) >= MIN_SENTENCE_WORDS
        share_needed = MIN_SENTENCE_SHARE * page_count if is_sentence else needed
        times_needed = min(needed, MIN_RUNNING_PAGES) if row.line.size else share_needed
        comes_back = bool(key[0]) and keys[key] >= times_needed
        is_small = 0.0 < row.line.size < SMALL_TYPE * body_size
        keeps_place = page_count > 2 and places[row.line.y] >= needed
        if comes_back or (is_small and keeps_place):
            found.add(row)
    return found


def _running_key(row: Row) -> tuple[str, float]:
    """Reduce a row to what comes back on other pages: its words, and its place where it is known."""
    return re.sub(r"\d+", "#", row_key(row.text)), row.line.y


# Contents lists


def strip_leader(text: str) -> str:
    """Take the dots and the page number off an entry of a contents list."""
    return _LEADER.sub("", text).strip()


def _find_contents(rows: Sequence[Row]) -> tuple[set[Row], dict[Row, int]]:
    """Find the contents list and the headings it names.

    An entry is a line, or two lines, that stands again further down as a heading does: alone between
    spaces, perhaps broken over lines or over a page.
    """
    starts = [start for start, row in enumerate(rows) if CONTENTS_TITLE.match(row.text)]
    last_places = _last_places(rows) if starts else {}
    end = 0
    for start in starts:
        if start < end:
            continue  # read already, and too little found
        end, keys = _read_entries(rows, start + 1, last_places)
        if len(keys) >= 2:
            return set(rows[start:end]), _locate_headings(rows[end:], keys)
    return set(), {}


def _read_entries(rows: Sequence[Row], start: int, last_places: dict[str, int]) -> tuple[int, set[str]]:
    keys: set[str] = set()
    position = end = start
    while position < len(rows):
        taken, key = _match_entry(rows, position, last_places, keys)
        if taken == 0:
            break
        if key:
            keys.add(key)
        position += taken
        end = position
    return end, keys


def _match_entry(
    rows: Sequence[Row], position: int, last_places: dict[str, int], seen: Container[str]
) -> tuple[int, str]:
    """Say how many rows the entry at a position takes (0: it is none) and which heading it names."""
    text = ""
    for taken in (1, 2, 3):
        if position + taken > len(rows):
            break
        text = f"{text} {rows[position + taken - 1].text}".strip()
        for candidate in (strip_leader(text), text):
            key = title_key(candidate)
            if key and key not in seen and last_places.get(key, -1) >= position + taken:
                return taken, key
    has_leader = _HAS_LEADER.search(rows[position].text) is not None
    return (1, "") if has_leader or CONTENTS_TITLE.match(rows[position].text) else (0, "")


def _last_places(rows: Sequence[Row]) -> dict[str, int]:
    """Map the key of every line, and of two and three lines in a row, to the last place it begins at."""
    keys: dict[str, int] = {}
    for index in range(len(rows)):
        text = ""
        for row in rows[index : index + MAX_HEADING_ROWS]:
            text = f"{text} {row.text}"
            keys[title_key(text)] = index
    return keys


def _locate_headings(rows: Sequence[Row], keys: Iterable[str]) -> dict[Row, int]:
    wanted = set(keys)
    found: dict[Row, int] = {}
    for index, row in enumerate(rows):
        if row.gap is Gap.NONE and index and rows[index - 1] not in found:
            continue
        text = ""
        for count, part in enumerate(rows[index : index + MAX_HEADING_ROWS], start=1):
            text = f"{text} {part.text}"
            if title_key(text) in wanted:
                found[row] = count
                wanted.discard(title_key(text))
                break
    return found


# Trailing matter and titles


def _find_trailing_rows(document: Document, rows: Sequence[Row], headings: dict[Row, int]) -> Sequence[Row]:
    """Find text after the guide's end: from a repeated title, or a heading such as "References", on.

    It is left out only if nothing of the guide follows (a heading that the contents list names, a
    question) and at least two kinds of signs say that it is a list of books.
    """
    title = row_key(document.title)
    last_named = max((index for index, row in enumerate(rows) if row in headings), default=-1)
    last_asked = max((index for index, row in enumerate(rows) if QUESTION_MARK.match(row.text)), default=-1)
    first = max(last_named, last_asked, len(rows) // 3) + 1
    ends = [
        index
        for index in range(first, len(rows))
        if rows[index].gap is not Gap.NONE
        and ((title and row_key(rows[index].text) == title) or TRAILING_TITLE.match(rows[index].text))
    ]
    last = find_blurb([[row.text] for row in rows], [index + 1 for index in ends], document.title)
    return rows[last - 1 :] if last else ()


def find_blurb(texts: Sequence[Sequence[str]], starts: Iterable[int], title: str) -> int:
    """Find from where on a document reads like a list of books or an advert and not like a guide.

    Signs: years; words of the book trade; the guide's title again and again before a colon; a text
    that begins in the middle of a sentence.

    :param texts: The lines of every block or row.
    :param starts: Where the guide may have ended: 1-based at least, ascending.
    :param title: The guide's title, perhaps empty.
    :return: The first start from which at least two signs are there, else 0.
    """
    starts = list(starts)
    if not starts:
        return 0
    key = row_key(title)
    # Counted once from behind, so that many possible ends cost no more than one.
    totals = [(0, 0, 0, 0)]
    first_lines = [""]
    for lines in reversed(texts[starts[0] :]):
        words, years, trade, labels = totals[-1]
        text = "\n".join(lines)
        labelled = sum(bool(key) and row_key(line.split(":")[0]) == key for line in lines if ":" in line)
        words, years = words + len(text.split()), years + len(_YEAR.findall(text))
        totals.append((words, years, trade + len(_EDITION.findall(text)), labels + labelled))
        first_lines.append(lines[0] if lines else first_lines[-1])
    for start in starts:
        behind = len(texts) - start
        words, years, trade, labels = totals[behind]
        signs = (
            years >= max(2, words / 150),
            trade >= max(2, words / 250),
            labels >= 2,
            first_lines[behind][:1].islower(),
        )
        if sum(signs) >= MIN_BLURB_SIGNS:
            return start
    return 0


def _find_title_rows(
    document: Document, rows: Sequence[Row], headings: dict[Row, int]
) -> Iterable[tuple[Row, str]]:
    """Find the title where it stands as a line, or lines, of its own, and the rest of a cover page."""
    title = row_key(document.title)
    keys = [row_key(row.text) for row in rows] if title else []
    for index, key in enumerate(keys):
        if not title.startswith(key) or (rows[index].gap is Gap.NONE and index):
            continue
        text = ""
        for end in range(index, min(index + MAX_HEADING_ROWS, len(rows))):
            if rows[end] in headings:
                break
            text += keys[end]
            if text == title:
                yield from ((row, "title") for row in rows[index : end + 1])
    if document.has_typography:
        yield from _find_cover_rows(document, rows, headings)


def _find_cover_rows(
    document: Document, rows: Sequence[Row], headings: dict[Row, int]
) -> Iterable[tuple[Row, str]]:
    first = [row for row in rows if row.page_index == rows[0].page_index] if rows else []
    words = sum(len(row.text.split()) for row in first)
    biggest = max((row.line.size for row in first), default=0.0)
    smallest = min((row.line.size for row in first), default=0.0)
    title = row_key(document.title)
    if (
        words > MAX_COVER_WORDS
        or not any(row.line.size == biggest and row_key(row.text) in title for row in first)
        or len(first) == len(rows)
        or any(row in headings for row in first)
    ):
        return
    for row in first:
        if row.line.size > 1.1 * smallest or len(row.text.split()) < 8:
            yield row, "cover page"
