"""Files to documents: pages of text with their labels, and lines with their typography.

Takes a path, gives a :class:`Document`. The only module that knows PDF. Leaves to others what the
lines are (headings, list items) and the mending of words: page text is what the file says.
"""

import codecs
import contextlib
import hashlib
import logging
import re
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from pypdf import PageObject, PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError, LimitReachedError, PyPdfError

from ingest.datatypes import Document, Line, Page, ReadingLimits, Span
from ingest.errors import DocumentError
from ingest.report import counted
from ingest.webpage import Converted, convert_docx, convert_html

__all__ = ["PLAIN_SUFFIXES", "SUPPORTED_SUFFIXES", "read_document"]

MARKDOWN_SUFFIXES = frozenset({".md", ".markdown"})
TEXT_SUFFIXES = frozenset({".txt", ".text"})
HTML_SUFFIXES = frozenset({".html", ".htm", ".xhtml"})
DOCX_SUFFIX = ".docx"
PLAIN_SUFFIXES: frozenset[str] = TEXT_SUFFIXES | MARKDOWN_SUFFIXES  # read in linear time, without a library
SUPPORTED_SUFFIXES: frozenset[str] = PLAIN_SUFFIXES | HTML_SUFFIXES | {".pdf", DOCX_SUFFIX}

PAGE_BREAK_BLANKS = 3  # blank lines that may stand for a page break in text taken from a paged file
MAX_TITLE_WORDS = 14
MAX_RUBBISH_SHARE = 0.02  # of characters that no text holds: more of them is not text
MIN_ZERO_SHARE = 0.5  # of every second or fourth byte: so many zeros there are UTF-16 or UTF-32
SUSPICIOUS_SHARE = 0.05  # of letters that a PDF's fonts could not name: worth a warning
BOLD_WEIGHT = 600  # /FontWeight from which a font counts as bold
FORCE_BOLD_FLAG = 1 << 18  # PDF 32000-1, table 123

# The longer mark first: that of UTF-32 begins like that of UTF-16.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Which bytes of four are mostly zero -> what writes letters so.
_ZERO_PLACES: dict[tuple[bool, ...], str] = {
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
    (False, True, True, True): "utf-32-le",
    (False, False, True, True): "utf-32-le",
    (True, True, True, False): "utf-32-be",
    (True, True, False, False): "utf-32-be",
}
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_RUBBISH = re.compile(r"[\x00-\x08\x0e-\x1b\x7f\ufffd]")
_BLANK_RUN = re.compile(rf"\n(?:[^\S\n]*\n){{{PAGE_BREAK_BLANKS},}}")
_INK = re.compile(r"\S")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_BOLD_NAME = re.compile(r"bold|black|heavy|demi", re.IGNORECASE)
_FILE_TITLE = re.compile(
    r"^(?:untitled|microsoft word\b.*|.*\.(?:docx?|pdf|txt|md|odt|indd|tex))$", re.IGNORECASE
)

_OBJECT_NUMBER = re.compile(rb"\b(\d{1,9})\s{1,9}\d{1,5}\s{1,9}obj\b")
_LIMIT = "it exceeds a limit that guards against harmful files"  # pypdf's

# What pypdf lets through from a broken file: its own errors and Python's, as it says in pypdf.errors.
_PDF_FAILURES = (
    PyPdfError,
    DependencyError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,  # pypdf's word for a filter or an encryption that it does not know
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)

logging.getLogger("pypdf").addHandler(logging.NullHandler())


def read_document(path: Path, source: str, limits: ReadingLimits = ReadingLimits()) -> Document:  # noqa: B008
    """Read one file.

    :param path: The file.
    :param source: How the document is to be named: its path inside the ingested folder.
    :param limits: Time and memory are the caller's to hold (``ingest.worker``), the rest is held here.
    :return: Its pages and lines; an empty page has empty text and is named in ``warnings``.
    :raises DocumentError: If the file cannot be read, is locked, broken or too large, or holds no text.
    """
    suffix = path.suffix.lower()
    if suffix not in SUPPORTED_SUFFIXES:
        known = ", ".join(sorted(SUPPORTED_SUFFIXES))
        raise DocumentError(f"{source} is not of a kind that can be read: give one of {known}.")
    try:
        size = path.stat().st_size
        if size > limits.max_document_mib << 20:
            raise DocumentError(
                f"{source} has {size / (1 << 20):.0f} MiB, more than the limit of {limits.max_document_mib}: "
                "split it, or raise limits.max_document_mib in guide.toml."
            )
        data = path.read_bytes()
    except OSError as exc:
        raise DocumentError(f"{source} cannot be opened ({exc.strerror}): check that it is there.") from exc
    if not data.strip():
        raise DocumentError(f"{source} is an empty file: put the guide's text in it or take it away.")
    checksum = hashlib.sha256(data).hexdigest()
    if suffix == ".pdf":
        document = _read_pdf(data, source, checksum, limits)
    elif suffix == DOCX_SUFFIX:
        document = _read_converted(convert_docx(data, source, limits.max_document_mib), source, checksum)
    elif suffix in HTML_SUFFIXES:
        document = _read_converted(convert_html(data, source), source, checksum)
    else:
        document = _read_plain(data, source, checksum, is_markdown=suffix in MARKDOWN_SUFFIXES)
    return _replace_surrogates(document)


def _replace_surrogates(document: Document) -> Document:
    """Put the mark of a missing character for each half of one, which neither encoder nor index takes.

    A PDF's fonts may name such halves. Offsets stay, for one character takes the place of one.
    """

    def whole(text: str) -> str:
        return _SURROGATE.sub("\ufffd", text)

    return replace(
        document,
        pages=tuple(replace(page, label=whole(page.label), text=whole(page.text)) for page in document.pages),
        lines=tuple(replace(line, text=whole(line.text)) for line in document.lines),
        title=whole(document.title),
        warnings=tuple(map(whole, document.warnings)),
    )


def _without_text(source: str) -> DocumentError:
    return DocumentError(f"{source} holds no text: put the guide's text in it or take it away.")


# Text and Markdown


def _read_plain(data: bytes, source: str, checksum: str, *, is_markdown: bool) -> Document:
    encoding = _find_encoding(data)
    text = _decode(data, source, encoding)
    document = (_read_markdown if is_markdown else _read_text)(text, source, checksum)
    if encoding != "cp1252":
        return document
    guessed = (
        f"{source}: it is not in UTF-8 and was read as Windows-1252; if its letters look wrong, save it as "
        "UTF-8."
    )
    return replace(document, warnings=(guessed, *document.warnings))


def _decode(data: bytes, source: str, encoding: str) -> str:
    text = data.decode(encoding, errors="replace")
    rubbish = len(_RUBBISH.findall(text))
    if "\x00" in text or rubbish > MAX_RUBBISH_SHARE * len(text):
        raise DocumentError(
            f"{source} is not a text file, or its encoding is not known: save it as plain text in UTF-8, or "
            "give the PDF."
        )
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not re.search(r"\w", text):
        raise _without_text(source)
    return text


def _find_encoding(data: bytes) -> str:
    """Tell the encoding of a text; cp1252 is a guess, the commonest of those that nothing tells apart."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return encoding
    zeros = tuple(data[place::4].count(0) >= MIN_ZERO_SHARE * len(data) / 4 for place in range(4))
    wide = _ZERO_PLACES.get(zeros)
    if wide is not None and " ".encode(wide) in data:  # words, not the numbers of a binary file
        return wide
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _read_markdown(text: str, source: str, checksum: str) -> Document:
    front = _FRONT_MATTER.match(text)
    title = ""
    if front and (stated := re.search(r"^title:[ \t]*(.+)$", front.group(1), re.MULTILINE)):
        title = stated.group(1).strip().strip("\"'").strip()
    title = title or _markdown_title(text[front.end() :] if front else text)
    page = Page(0, "1", text)
    return Document(source, checksum, (page,), tuple(_find_lines(page)), False, title, has_markup=True)


def _read_converted(converted: Converted, source: str, checksum: str) -> Document:
    if not re.search(r"\w", converted.markdown):
        raise _without_text(source)
    document = _read_markdown(converted.markdown, source, checksum)
    number = converted.words_left_out
    were = "was" if number == 1 else "were"
    words = f"{counted(number, 'word')} of menus, forms and the page's foot {were} left out."
    warnings = (f"{source}: {words}",) * bool(number)
    return replace(document, title=document.title or converted.title, warnings=warnings)


def _markdown_title(text: str) -> str:
    """Take the first heading of the first level, if no other of that level stands in the text."""
    lines = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL).split("\n")
    heads: list[str] = []
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith(("# ", "#\t")):
            stated = line[1:].strip(" \t")
            heads += [stated.rstrip(" \t#") or "#"] if stated else []
        elif below.startswith("=") and not below.strip(" \t").strip("=") and re.search(r"\w", line):
            heads.append(line)
        if len(heads) > 1:
            return ""
    return heads[0].strip() if heads else ""


def _read_text(text: str, source: str, checksum: str) -> Document:
    texts = text.split("\f") if "\f" in text else _split_at_blank_runs(text)
    if "\f" in text and not texts[-1].strip():
        texts.pop()
    pages = tuple(Page(index, str(index + 1), page_text) for index, page_text in enumerate(texts))
    lines = tuple(line for page in pages for line in _find_lines(page))
    warnings = tuple(_warn_of_empty(pages, source))
    return Document(source, checksum, pages, lines, False, _text_title(lines), warnings=warnings)


def _split_at_blank_runs(text: str) -> list[str]:
    """Split at runs of blank lines if at least one of them cuts a sentence: that a writer never does."""
    start = len(text) - len(text.lstrip())
    breaks = [match for match in _BLANK_RUN.finditer(text) if match.start() > start]
    if not any(_cuts_sentence(text, match) for match in breaks):
        return [text]
    starts = [0, *(match.end() for match in breaks)]
    ends = [*(match.start() for match in breaks), len(text)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


def _cuts_sentence(text: str, blanks: re.Match[str]) -> bool:
    end = blanks.start()
    while text[end - 1].isspace():
        end -= 1
    after = _INK.search(text, blanks.end())
    return text[end - 1] not in ".!?:;\"'\u201d\u2019)" and after is not None and after.group().islower()


def _find_lines(page: Page) -> Iterator[Line]:
    for match in re.finditer(r"\S(?:[^\n]*\S)?", page.text):
        yield Line(match.group(), Span(page.index, match.start(), match.end()))


def _text_title(lines: tuple[Line, ...]) -> str:
    """Take the first line if it looks like a title, in its best-written form."""
    first = lines[0].text
    words = first.split()
    if len(words) > MAX_TITLE_WORDS or first[-1] in ".,;:" or first.startswith(("-", "*", "Q:")):
        return ""
    stands_apart = len(lines) == 1 or lines[1].span.start - lines[0].span.end > 1
    if not stands_apart and len(lines[1].text) < len(first):
        return ""
    key = first.casefold()
    same = [line.text for line in lines if line.text.casefold() == key]
    return max(same, key=lambda text: sum(word[0].isupper() for word in text.split()))


def _warn_of_empty(pages: tuple[Page, ...], source: str) -> Iterator[str]:
    empty = [page.label for page in pages if not page.text.strip()]
    if empty:
        noun, verb = ("page", "holds") if len(empty) == 1 else ("pages", "hold")
        yield f"{source}: {noun} {', '.join(empty)} {verb} no text (empty or scanned)."


# PDF


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run of characters of one font, as pypdf hands it over; its text may end with a line break."""

    text: str
    size: float
    is_bold: bool
    x: float
    y: float


def _read_pdf(data: bytes, source: str, checksum: str, limits: ReadingLimits) -> Document:
    reader, is_repaired = _open_pdf(data, source, limits)
    pages: list[Page] = []
    lines: list[Line] = []
    lost: dict[str, str] = {}  # label of a page -> why it could not be read
    labels = _page_labels(reader)
    for index in range(len(labels)):
        try:
            page, page_lines = _read_pdf_page(reader.pages[index], index, labels[index])
        except _PDF_FAILURES as exc:
            lost[labels[index]] = _LIMIT if isinstance(exc, LimitReachedError) else type(exc).__name__
            page, page_lines = Page(index, labels[index], ""), []
        pages.append(page)
        lines += page_lines
    if not lines and _LIMIT in lost.values():
        raise DocumentError(
            f"{source} cannot be read, for a page of it exceeds a limit that guards against harmful files: "
            "export it again, or save its text."
        )
    if not lines and lost:
        raise _broken(source)
    if not lines and any(_has_pictures(page) for page in reader.pages):
        raise DocumentError(
            f"{source} holds no text, only pictures of pages: run text recognition (OCR) on it first."
        )
    if not lines:
        raise _without_text(source)
    found = tuple(pages)
    empty = _warn_of_empty(tuple(page for page in pages if page.label not in lost), source)
    broken = (
        f"{source}: page {label} cannot be read ({why}); its text is missing." for label, why in lost.items()
    )
    cut_off = f"{source}: its end is missing or broken; see whether pages are missing, or download it again."
    return Document(
        source,
        checksum,
        found,
        tuple(lines),
        _has_contrast(lines),
        _pdf_title(reader, lines),
        warnings=(*(cut_off,) * is_repaired, *broken, *empty, *_warn_of_rubbish(found, source)),
    )


def _has_pictures(pdf_page: PageObject) -> bool:
    try:
        return len(pdf_page.images) > 0
    except _PDF_FAILURES:
        return False


def _broken(source: str) -> DocumentError:
    return DocumentError(f"{source} is broken or not a PDF: export or download it again.")


def _unlock(reader: PdfReader, source: str, password: str) -> None:
    locked = (
        f"{source} is locked with a password: give it as password in guide.toml or with --password, "
        "or save a copy without one."
    )
    try:
        if not reader.decrypt("") and not (password and reader.decrypt(password)):
            raise DocumentError(locked)
    except DependencyError as exc:
        raise DocumentError(
            f"{source} is locked with AES, for which a package is missing: "
            'run: pip install -c constraints.txt -e ".[formats]"'
        ) from exc
    except FileNotDecryptedError as exc:
        raise DocumentError(locked) from exc


def _parse_pdf(data: bytes) -> tuple[PdfReader, bool]:
    """Parse a PDF; gives the reader and whether the file's end had to be made.

    With an end that says where nothing is and how many objects there may be, pypdf looks for them itself;
    what stands in a trailer that is there holds too.
    """
    try:
        return PdfReader(BytesIO(data)), False
    except PyPdfError:
        if not data.lstrip().startswith(b"%PDF"):
            raise
        size = max(map(int, _OBJECT_NUMBER.findall(data)), default=0) + 1
        end = b"\ntrailer\n<< /Size %d >>\nstartxref\n0\n%%%%EOF\n" % size
        return PdfReader(BytesIO(data + end)), True


def _open_pdf(data: bytes, source: str, limits: ReadingLimits) -> tuple[PdfReader, bool]:
    try:
        reader, is_repaired = _parse_pdf(data)
        if reader.is_encrypted:
            _unlock(reader, source, limits.password)
        count = len(reader.pages)
        stated = _resolve(reader.root_object["/Pages"])["/Count"] if is_repaired else count
    except _PDF_FAILURES as exc:
        # While a file is opened pypdf gives this for an encryption that it does not know, such as a shop's;
        # nothing else tells it from a broken file, for it has no error class of its own.
        if isinstance(exc, NotImplementedError) and b"/Encrypt" in data:  # pypdf's class
            raise DocumentError(
                f"{source} is protected in a way that cannot be opened: export it again without protection."
            ) from exc
        raise _broken(source) from exc
    if count == 0:
        raise _broken(source)
    if count != stated:  # a part of a guide must not take the place of the whole
        raise DocumentError(
            f"{source} is cut off: {count} of its {stated} pages are there; copy or download it again."
        )
    if count > limits.max_pages:
        raise DocumentError(
            f"{source} has {count} pages, more than the limit of {limits.max_pages}: split it, or raise "
            "limits.max_pages in guide.toml."
        )
    return reader, is_repaired


def _page_labels(reader: PdfReader) -> list[str]:
    count = len(reader.pages)
    with contextlib.suppress(*_PDF_FAILURES):
        labels = reader.page_labels
        if len(labels) == count:
            return [label or str(index + 1) for index, label in enumerate(labels)]
    return [str(index + 1) for index in range(count)]


def _read_pdf_page(pdf_page: PageObject, index: int, label: str) -> tuple[Page, list[Line]]:
    pieces: list[_Piece] = []
    place = _page_geometry(pdf_page)

    def visit(text: str, cm: list[float], tm: list[float], font: dict[str, Any] | None, size: float) -> None:
        if text:
            x, y, scale = place(_multiply(tm, cm))
            pieces.append(_Piece(text, round(size * scale, 1), _is_bold(font), x, y))

    pdf_page.extract_text(visitor_text=visit)
    rows = [row for row in _split_rows(pieces) if any(piece.text.strip() for piece in row)]
    lines: list[Line] = []
    for row in rows:
        start = lines[-1].span.end + 1 if lines else 0
        lines.append(_build_line(row, index, start))
    return Page(index, label, "\n".join(line.text for line in lines)), lines


def _multiply(m: list[float], n: list[float]) -> tuple[float, ...]:
    """Multiply two matrices [a b c d e f] of PDF 32000-1, 8.3.4: first m, then n."""
    return (
        m[0] * n[0] + m[1] * n[2],
        m[0] * n[1] + m[1] * n[3],
        m[2] * n[0] + m[3] * n[2],
        m[2] * n[1] + m[3] * n[3],
        m[4] * n[0] + m[5] * n[2] + n[4],
        m[4] * n[1] + m[5] * n[3] + n[5],
    )


def _page_geometry(pdf_page: PageObject) -> Callable[[tuple[float, ...]], tuple[float, float, float]]:
    """Make the function from a text matrix to (x from the left, y from the top, scale of the font)."""
    box = pdf_page.mediabox
    left, bottom, right, top = (float(edge) for edge in (box.left, box.bottom, box.right, box.top))
    turn = int(pdf_page.rotation or 0) % 360

    def place(matrix: tuple[float, ...]) -> tuple[float, float, float]:
        x, y = matrix[4], matrix[5]
        scale = (matrix[2] ** 2 + matrix[3] ** 2) ** 0.5
        turned = {0: (x - left, top - y), 90: (y - bottom, x - left), 180: (right - x, y - bottom)}
        across, down = turned.get(turn, (top - y, right - x))
        return round(across, 1), round(down, 1), scale

    return place


def _is_bold(font: dict[str, Any] | None) -> bool:
    if not font:
        return False
    if _BOLD_NAME.search(str(font.get("/BaseFont", ""))):
        return True
    holder: Any = font
    if "/DescendantFonts" in font:
        holder = _resolve(_resolve(font["/DescendantFonts"])[0])
    descriptor = _resolve(holder.get("/FontDescriptor"))
    if not hasattr(descriptor, "get"):
        return False
    weight, flags = _resolve(descriptor.get("/FontWeight", 0)), _resolve(descriptor.get("/Flags", 0))
    heavy = isinstance(weight, int | float) and weight >= BOLD_WEIGHT
    return heavy or (isinstance(flags, int) and bool(flags & FORCE_BOLD_FLAG))


def _resolve(value: Any) -> Any:
    return value.get_object() if hasattr(value, "get_object") else value


def _split_rows(pieces: list[_Piece]) -> Iterator[list[_Piece]]:
    """Cut pypdf's stream of pieces at its line breaks."""
    row: list[_Piece] = []
    for piece in pieces:
        parts = piece.text.split("\n")
        for position, part in enumerate(parts):
            if position:
                yield row
                row = []
            if part:
                row.append(_Piece(part, piece.size, piece.is_bold, piece.x, piece.y))
    yield row


def _build_line(row: list[_Piece], page_index: int, start: int) -> Line:
    raw = "".join(piece.text for piece in row)
    text = raw.strip()
    inked = [piece for piece in row if piece.text.strip()]
    sizes: Counter[float] = Counter()
    for piece in inked:
        sizes[piece.size] += len(piece.text.strip())
    size = max(sizes, key=lambda value: (sizes[value], value))
    span = Span(page_index, start, start + len(text))
    bold_until = _count_leading_bold(row, len(raw) - len(raw.lstrip()))
    return Line(text, span, size, min(p.x for p in inked), inked[0].y, min(bold_until, len(text)))


def _count_leading_bold(row: list[_Piece], skipped: int) -> int:
    count = 0
    for piece in row:
        if piece.text.strip() and not piece.is_bold:
            break
        count += len(piece.text)
    raw = "".join(piece.text for piece in row)
    return len(raw[skipped : max(count, skipped)].rstrip())


def _has_contrast(lines: list[Line]) -> bool:
    """Tell whether size or weight sets some lines apart from the rest."""
    sizes = Counter(line.size for line in lines)
    bold = sum(line.bold_until > 0 for line in lines)
    body = sizes.most_common(1)[0][0]
    return any(size > body * 1.08 for size in sizes) or 0 < bold < len(lines) / 2


def _pdf_title(reader: PdfReader, lines: list[Line]) -> str:
    """Take the title from the file's metadata, else the biggest lines of the first page."""
    stated = ""
    with contextlib.suppress(*_PDF_FAILURES):
        stated = ((reader.metadata.title if reader.metadata else None) or "").strip()
    if stated and not _FILE_TITLE.match(stated):
        return re.sub(r"\s+", " ", stated)
    first = [line for line in lines if line.span.page_index == lines[0].span.page_index]
    biggest = max(line.size for line in first)
    if len(first) > 1 and biggest <= min(line.size for line in first):
        return _text_title(tuple(first))
    start = next(index for index, line in enumerate(first) if line.size == biggest)
    title: list[str] = []
    for line in first[start:]:
        if line.size != biggest:
            break
        title.append(line.text)
    joined = " ".join(title)
    return joined if len(joined.split()) <= MAX_TITLE_WORDS else ""


def _warn_of_rubbish(pages: tuple[Page, ...], source: str) -> Iterator[str]:
    for page in pages:
        odd = len(re.findall(r"[\x00-\x08\x0e-\x1f\ufffd\ud800-\uf8ff]|\(cid:\d+\)", page.text))
        if odd > SUSPICIOUS_SHARE * len(page.text):
            yield f"{source}: page {page.label} has letters that its fonts do not name; check its text."
