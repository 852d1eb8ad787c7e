"""HTML and Word files to Markdown, which has a reader already.

Takes bytes, gives Markdown with a title. The only module that knows beautifulsoup4 and mammoth; both
come with the extra "formats" and are imported when the first such file is read. What is no text of a
guide (scripts, menus, forms, pictures) is left out; how many words of menus and forms is told.
"""

import html
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any
from xml.parsers.expat import ExpatError
from zipfile import BadZipFile, ZipFile

from ingest.errors import DocumentError

if TYPE_CHECKING:
    from bs4 import Tag

__all__ = ["Converted", "convert_docx", "convert_html"]

_UNSEEN = frozenset(
    {"script", "style", "template", "noscript", "head", "svg", "math", "iframe", "object", "img"}
)
_NOT_GUIDE = frozenset({"nav", "form", "button", "select", "textarea", "menu", "dialog", "footer"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    {
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
    }
    | {"figcaption", "figure", "header", "hgroup", "hr", "html", "li", "main", "ol", "p", "pre", "search"}
    | {"section", "summary", "table", "ul", *_HEADINGS}
)
_BOLD = frozenset({"b", "strong"})
_MARKS = re.compile(r"([\\`*_\[\]#|~])")
_LINE_MARKS = re.compile(r"^(\s*)([-+=]|\d{1,9}[.)])(?=\s|$)")
_PICTURES = "word/media/"  # nothing of them is unpacked
_MISSING = (
    '{source} needs the packages for HTML and Word files: run: pip install -c constraints.txt -e ".[formats]"'
)
# Word's title is no heading of its own accord; pictures have no words.
_WORD_STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh"


@dataclass(frozen=True, slots=True)
class Converted:
    """A file as Markdown.

    :param title: As the file states it, "" where it does not.
    :param words_left_out: Number of words in menus, forms and the page's foot.
    """

    markdown: str
    title: str
    words_left_out: int = 0


def convert_docx(data: bytes, source: str, max_mib: int) -> Converted:
    """Give a Word file as Markdown.

    :param max_mib: How much it may unpack to, pictures left out.
    :raises DocumentError: If it is no Word file, unpacks to more, or the packages for it are not installed.
    """
    try:
        import mammoth  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise DocumentError(_MISSING.format(source=source)) from exc
    word: Any = mammoth  # it has no types
    try:
        with ZipFile(BytesIO(data)) as archive:
            parts = [part for part in archive.infolist() if not part.filename.startswith(_PICTURES)]
        size = sum(part.file_size for part in parts)  # zipfile unpacks no more than is stated here
        if size > max_mib << 20:
            raise DocumentError(
                f"{source} unpacks to {size >> 20} MiB, more than the limit of {max_mib}: split it, or raise "
                "limits.max_document_mib in guide.toml if you trust it."
            )
        result = word.convert_to_html(
            BytesIO(data),
            style_map=_WORD_STYLES,
            include_embedded_style_map=False,
            convert_image=word.images.img_element(lambda image: {}),
        )
    except (
        BadZipFile,  # also what a locked Word file gives
        zlib.error,
        ExpatError,
        NotImplementedError,  # zipfile's word for a way to pack files, or to lock them, that it does not know
        AttributeError,
        LookupError,
        OSError,
        ValueError,
    ) as exc:
        raise DocumentError(
            f"{source} is broken, locked with a password or not a Word file: save it again as .docx."
        ) from exc
    return convert_html(f"<html><body>{result.value}</body></html>".encode(), source)


def convert_html(data: bytes, source: str) -> Converted:
    """Give a web page as Markdown; its encoding is the one that it states, or the likeliest.

    :raises DocumentError: If the package for it is not installed, or it is broken or nested too deeply.
    """
    try:
        from bs4 import BeautifulSoup  # noqa: PLC0415 - an extra
        from bs4.exceptions import ParserRejectedMarkup  # noqa: PLC0415
    except ImportError as exc:
        raise DocumentError(_MISSING.format(source=source)) from exc
    try:
        soup = BeautifulSoup(data, "html.parser")
        title = " ".join(soup.title.get_text().split()) if soup.title else ""
        writer = _Writer()
        writer.write_blocks(soup)
    except RecursionError as exc:
        raise DocumentError(f"{source} is nested too deeply to be read: save its text instead.") from exc
    except ParserRejectedMarkup as exc:
        raise DocumentError(f"{source} is no HTML that can be read: save it again, or its text.") from exc
    return Converted("\n\n".join(writer.blocks), title, writer.words_left_out)


def _escape(text: str) -> str:
    # Not a backslash before "<": a tag is looked for before escapes are undone.
    return _MARKS.sub(r"\\\1", html.escape(text, quote=False))


def _begin(text: str) -> str:
    """Keep a paragraph that begins like a list from becoming one."""
    return _LINE_MARKS.sub(lambda match: f"{match[1]}{match[2][:-1]}\\{match[2][-1]}", text)


@dataclass(slots=True)
class _Writer:
    """Goes through a page and gathers blocks of Markdown."""

    blocks: list[str] = field(default_factory=list)
    words_left_out: int = 0
    level: int = 0

    def write_blocks(self, parent: "Tag") -> None:
        """Write what stands in an element; text between blocks is a paragraph."""
        loose: list[str] = []
        for child in self._children(parent):
            if isinstance(child, str):
                loose.append(child)
            elif child.name in _BLOCKS or self._holds_blocks(child):
                self._write_paragraph("".join(loose))
                loose = []
                self._write_block(child)
            else:
                loose.append(self._inline(child))
        self._write_paragraph("".join(loose))

    def _children(self, parent: "Tag") -> "Iterator[str | Tag]":
        """Give the tags and the escaped texts of an element, without what is left out."""
        from bs4 import Tag  # noqa: PLC0415
        from bs4.element import PreformattedString  # noqa: PLC0415 - comments and declarations

        for child in parent.children:
            if isinstance(child, Tag):
                if child.name in _NOT_GUIDE:
                    self.words_left_out += len(child.get_text(" ").split())
                elif child.name not in _UNSEEN:
                    yield child
            elif not isinstance(child, PreformattedString):
                yield _escape(re.sub(r"\s+", " ", str(child)))

    def _holds_blocks(self, tag: "Tag") -> bool:
        return tag.name not in _BOLD and tag.find(list(_BLOCKS)) is not None

    def _write_paragraph(self, text: str) -> None:
        text = "\n".join(" ".join(line.split()) for line in text.split("\n")).strip()
        if text:
            self.blocks.append(_begin(text))

    def _write_block(self, tag: "Tag") -> None:
        if tag.name in _HEADINGS:
            self._write_heading(self._text(tag), _HEADINGS[tag.name])
        elif tag.name == "summary":
            self._write_heading(self._text(tag), min(self.level + 1, 6), is_kept=True)
        elif tag.name in ("ul", "ol"):
            self.blocks.append("\n".join(self._list_lines(tag, "")))
        elif tag.name == "dl":
            self._write_terms(tag)
        elif tag.name == "table":
            self._write_table(tag)
        elif tag.name != "hr":
            self.write_blocks(tag)

    def _write_heading(self, text: str, level: int, is_kept: bool = False) -> None:
        if text:
            self.blocks.append(f"{'#' * level} {text.replace('**', '')}")
            if not is_kept:  # the next summary stands beside this one, not below it
                self.level = level

    def _inline(self, tag: "Tag") -> str:
        if tag.name == "br":
            return "\n"
        text = "".join(
            child if isinstance(child, str) else self._inline(child) for child in self._children(tag)
        )
        bare = text.strip()
        if tag.name in _BOLD and bare and "**" not in bare:
            before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
            return f"{before}**{bare}**{after}"
        return text

    def _text(self, tag: "Tag") -> str:
        return " ".join(self._inline(tag).split())

    def _list_lines(self, tag: "Tag", indent: str) -> list[str]:
        from bs4 import Tag  # noqa: PLC0415

        lines: list[str] = []
        items = [child for child in tag.children if isinstance(child, Tag) and child.name == "li"]
        for number, item in enumerate(items, 1):
            mark = f"{number}. " if tag.name == "ol" else "- "
            nested = [child for child in item.find_all(["ul", "ol"]) if child.find_parent("li") is item]
            for inner in nested:
                inner.extract()
            words = self._text(item)
            if words:
                lines.append(f"{indent}{mark}{words}")
            for inner in nested:
                lines += self._list_lines(inner, indent + " " * len(mark))
        return lines

    def _write_terms(self, tag: "Tag") -> None:
        lines: list[str] = []
        term = ""
        for child in tag.find_all(["dt", "dd"]):
            words = self._text(child)
            if child.name == "dt":
                term = words.replace("**", "").rstrip(":")
            elif words:
                lines.append(f"- **{term}:** {words}" if term else f"- {words}")
                term = ""
        if lines:
            self.blocks.append("\n".join(lines))

    def _write_table(self, tag: "Tag") -> None:
        rows = [[self._text(cell) for cell in row.find_all(["th", "td"])] for row in tag.find_all("tr")]
        rows = [row for row in rows if any(row)]
        if not rows:
            return
        width = max(map(len, rows))
        if width == 1:  # a table that only places things
            for row in rows:
                self._write_paragraph(row[0])
            return
        lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in rows]
        self.blocks.append("\n".join([lines[0], "|" + "---|" * width, *lines[1:]]))
