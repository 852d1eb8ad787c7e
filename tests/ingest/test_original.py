"""Tests of the text that the owner has; conftest.py leaves them out where it is not at hand."""

import pytest

from ingest.datatypes import PassageKind, SegmentRole
from tests.conftest import ORIGINAL
from tests.ingest.guides import LIST_SIZES, MAX_WORDS, Reading, check_laws, read_guide


@pytest.fixture(scope="module")
def original() -> Reading:
    return read_guide(ORIGINAL, MAX_WORDS)


def test_the_original_obeys_the_laws(original: Reading) -> None:
    check_laws(original)


def test_the_original_has_its_sections(original: Reading) -> None:
    assert original.headings == (
        "Understanding the Importance of Exercise for Back Pain",
        "Principles of Mayo Clinic Recommended Back Pain Exercises",
        "Essential Preparations Before Starting Back Pain Exercises",
        "Core Strengthening Exercises for Back Pain Relief",
        "Flexibility and Stretching Routines for a Supple Spine",
        "Aerobic Exercise and Its Role in Back Pain Management",
        "Important Considerations and When to Seek Professional Guidance",
        "Building a Sustainable Exercise Routine for Long-Term Back Health",
    )
    assert original.document.title == "Back Pain Exercises Mayo Clinic"
    assert len(original.document.pages) == 10


def test_the_original_has_its_lists(original: Reading) -> None:
    linked = [p for p in original.of_kind(PassageKind.LIST) if p.item_ids]
    assert [len(p.item_ids) for p in linked] == LIST_SIZES
    (situations,) = [p for p in original.of_kind(PassageKind.LIST) if not p.item_ids]
    assert [s.text for s in situations.segments if s.role is SegmentRole.ITEM] == [
        "If your back pain is severe or does not improve with conservative measures.",
        "If your pain radiates down your leg(s), especially below the knee.",
        "If you experience numbness, tingling, or weakness in your legs or feet.",
        "If you have bowel or bladder control problems.",
        "If your back pain began after an injury or accident.",
    ]
    assert (situations.page_label, situations.segments[1].spans[0].page_index) == ("5", 5)
    titles = [p.title for p in original.of_kind(PassageKind.ITEM)]
    assert titles[9:13] == ["Pelvic Tilts", "Bird-Dog", "Bridges", "Modified Plank"]
    assert titles[13:17] == ["Knee-to-Chest Stretch", "Cat-Cow Stretch", "Piriformis Stretch", "Child's Pose"]


def test_the_original_has_its_questions_with_pages(original: Reading) -> None:
    entries = original.of_kind(PassageKind.FAQ)
    assert [(p.title[:24], p.page_label, p.section) for p in entries] == [
        ("What are the most import", "7", ()),
        ("How often should I do ba", "7", ()),
        ("Can I do these back pain", "7", ()),
        ("What is the role of stre", "7", ()),
        ("Are there any exercises ", "7", ()),
        ("How do I know if I am do", "7", ()),
        ("Can exercise alone cure ", "8", ()),
        ("What is the recommended ", "8", ()),
    ]
    assert entries[5].text.startswith("Correct form is paramount.")
    assert "physical therapist who can demonstrate" in entries[5].text  # over a page break
    assert entries[5].text.endswith("is the best approach.")
    assert [span.page_index for span in entries[5].segments[2].spans] == [6, 7]
    assert entries[7].text.endswith("to breathe deeply throughout the hold.")


def test_the_original_is_mended_over_lines_and_pages(original: Reading) -> None:
    text = " ".join(p.text for p in original.passages)
    for part in (
        "Self-diagnosing and attempting",
        "overall sense of well-being.",
        "arm circles, or light stretching.",
        "exercise regimen that not only alleviates",
    ):
        assert part in text


def test_what_is_not_the_guide_is_left_out_of_the_original_and_reported(original: Reading) -> None:
    told = dict.fromkeys(("title", "contents list", "not part of the guide"), "")
    for omission in original.omissions:
        told[omission.reason] += omission.text
    assert set(told) == {"title", "contents list", "not part of the guide"}
    assert "Osteoporosis" in told["not part of the guide"]
    assert told["not part of the guide"].startswith("Back Pain Exercises Mayo Clinic")
    assert not any("edition" in p.text.casefold() or "Sayler" in p.text for p in original.passages)
