"""The texts under which a passage is found: its title, its sentences, the whole, each a *view*.

A short question is near a short text: a whole passage says several things, and its vector is their
mean. The best view of a passage stands for it, so a passage is as near as its nearest sentence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ingest.datatypes import Passage, PassageKind, SegmentRole

__all__ = ["VIEWS_VERSION", "View", "ViewKind", "make_views"]

VIEWS_VERSION = 1  # bump when make_views gives other texts, so that indexes are rebuilt


class ViewKind(StrEnum):
    """Which part of a passage a view shows."""

    TITLE = "title"
    SENTENCE = "sentence"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class View:
    """One text of a passage that is embedded.

    :param row: 0-based row of the passage in the generation.
    :param segment: 0-based segment of a sentence view, -1 for the others.
    """

    row: int
    kind: ViewKind
    text: str
    segment: int = -1


def _whole(passage: Passage) -> str:
    heading = passage.section[-1] if passage.section and passage.kind is not PassageKind.FAQ else ""
    return ". ".join(part for part in (heading, passage.title, passage.text) if part)


def _sentences(row: int, passage: Passage) -> list[View]:
    """Give every sentence its own view; an item's title goes with it, for "it" in it has no other name."""
    if passage.item_ids:  # the entries are passages of their own
        return []
    prefix = f"{passage.title}: " if passage.title and passage.kind is PassageKind.ITEM else ""
    return [
        View(row, ViewKind.SENTENCE, prefix + segment.text, at)
        for at, segment in enumerate(passage.segments)
        if segment.role is not SegmentRole.LEAD and len(passage.segments) > 1
    ]


def make_views(passages: Sequence[Passage]) -> list[View]:
    """List the views of all passages, in the order of the passages."""
    views: list[View] = []
    for row, passage in enumerate(passages):
        if passage.title:
            views.append(View(row, ViewKind.TITLE, passage.title))
        elif passage.kind is PassageKind.LIST and passage.segments[0].role is SegmentRole.LEAD:
            views.append(View(row, ViewKind.TITLE, passage.segments[0].text, 0))
        views.append(View(row, ViewKind.WHOLE, _whole(passage)))
        views.extend(_sentences(row, passage))
    return views
