"""What an ingest did, as it is printed, written as JSON and shown to the operator."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ingest.datatypes import Omission, Passage

__all__ = ["Counts", "DocumentReport", "DocumentState", "Report", "compare_passages", "counted"]


class DocumentState(StrEnum):
    """What became of a source in this ingest."""

    ADDED = "added"
    CHANGED = "changed"
    KEPT = "kept"
    RENAMED = "renamed"
    REMOVED = "removed"
    DUPLICATE = "duplicate"  # the same bytes as another source, which stands for both
    FAILED = "failed"
    UNREAD = "unread"  # there, but nothing that can be read: another kind of file, a link to nothing


@dataclass(frozen=True, slots=True)
class Counts:
    """How the passages of a document compare with those it had.

    :param changed: Passages with other words at a place where one has gone.
    """

    added: int = 0
    changed: int = 0
    kept: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class DocumentReport:
    """What became of one source.

    :param problem: One sentence where the document failed or is not read, else "".
    :param notices: What deserves a look (an empty page, suspicious text).
    :param other: The earlier name of a renamed source, the source that a duplicate repeats, else "".
    """

    source: str
    state: DocumentState
    pages: int = 0
    passages: int = 0
    added: int = 0
    changed: int = 0
    kept: int = 0
    removed: int = 0
    omissions: tuple[Omission, ...] = ()
    problem: str = ""
    notices: tuple[str, ...] = ()
    other: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What an ingest did.

    :param generation: The live generation after it.
    :param is_changed: False where the live generation was already right, or the new one was held back.
    :param read: Number of documents that were read; the others were taken over.
    :param encoded: Number of texts that were encoded; the other vectors were taken over.
    :param losses: What the new index answers worse than the live one, one sentence each.
    :param is_held_back: The new index was not put live because of its losses.
    """

    generation: str
    is_changed: bool
    documents: tuple[DocumentReport, ...]
    passages: int
    views: int
    read: int
    encoded: int
    seconds: float
    losses: tuple[str, ...] = ()
    is_held_back: bool = False

    @property
    def needs_attention(self) -> bool:
        """Tell whether a document failed or the new index was held back."""
        return self.is_held_back or any(document.state is DocumentState.FAILED for document in self.documents)


def counted(number: int, noun: str) -> str:
    """Put a number before a noun, which takes an s where there is not one of it."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def compare_passages(before: Sequence[Passage], after: Sequence[Passage]) -> Counts:
    """Count what was added, changed, kept and removed; a place is a kind, a section and a title."""
    old_ids, new_ids = {passage.id for passage in before}, {passage.id for passage in after}
    gone = Counter((p.kind, p.section, p.title) for p in before if p.id not in new_ids)
    come = Counter((p.kind, p.section, p.title) for p in after if p.id not in old_ids)
    changed = (gone & come).total()
    return Counts(
        added=come.total() - changed,
        changed=changed,
        kept=len(old_ids & new_ids),
        removed=gone.total() - changed,
    )
