"""The guide itself: complete, in our own words, and its PDF readable as it is written."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from pypdf import PdfReader
from pypdf.generic import Destination

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "corpus"
GUIDE = (CORPUS / "guide.md").read_text(encoding="utf-8")
# The text that the guide was written from is not ours to publish, so it is at hand only where we work.
ORIGINAL = Path(os.environ.get("GUIDE_ORIGINAL", ROOT.parent / "shared" / "guide" / "original.txt"))
LONGEST_COMMON_RUN = 7

SECTIONS = [
    "Introduction",
    "Why Exercise Is Important for Back Pain",
    "Principles Behind Mayo Clinic Recommended Exercises",
    "Essential Preparations Before You Start",
    "Core Strengthening Exercises to Relieve Back Pain",
    "Flexibility and Stretching for a Supple Spine",
    "The Role of Aerobic Exercise in Managing Back Pain",
    "Important Considerations and When to Get Professional Guidance",
    "Building a Sustainable Routine for Lasting Back Health",
    "Frequently Asked Questions",
    "About This Guide",
]
ITEMS = {
    "Principles Behind Mayo Clinic Recommended Exercises": [
        "Gentle Mobilization",
        "Core Stabilization",
        "Progressive Loading",
        "Mind-Body Connection",
        "Individualization",
    ],
    "Essential Preparations Before You Start": [
        "Warm-up",
        "Cool-down",
        "Proper Environment",
        "Listen to Your Body",
    ],
    "Core Strengthening Exercises to Relieve Back Pain": [
        "Pelvic Tilts",
        "Bird-Dog",
        "Bridges",
        "Modified Plank",
    ],
    "Flexibility and Stretching for a Supple Spine": [
        "Knee-to-Chest Stretch",
        "Cat-Cow Stretch",
        "Piriformis Stretch",
        "Child’s Pose",
    ],
    "The Role of Aerobic Exercise in Managing Back Pain": [
        "Walking",
        "Swimming",
        "Cycling",
        "Elliptical Training",
    ],
    "Important Considerations and When to Get Professional Guidance": [
        "Pain as a Guide",
        "Proper Form Over Quantity",
        "Gradual Progression",
        "Consistency is Key",
    ],
    "Building a Sustainable Routine for Lasting Back Health": [
        "Start Small and Be Realistic",
        "Variety is Key",
        "Schedule Your Workouts",
        "Find Activities You Enjoy",
        "Track Your Progress",
        "Be Patient with Yourself",
    ],
}
QUESTIONS = [
    "Which types of exercise for back pain does Mayo Clinic consider most important?",
    "How often should I do the back pain exercises that Mayo Clinic recommends?",
    "Can I do these exercises with a herniated disc?",
    "What role does stretching play in managing back pain, in Mayo Clinic’s view?",
    "Are there exercises to avoid altogether with back pain, going by Mayo Clinic principles?",
    "How can I tell whether I am doing the exercises for back pain correctly?",
    "Is exercise on its own enough to cure my back pain?",
    "How long should I hold a stretch for back pain?",
]
# Where each figure must stand: the run-in term or the question before it.
FIGURES = [
    ("Warm-up", "5-10 minutes"),
    ("Cool-down", "5-10 minutes"),
    ("Pelvic Tilts", "a few seconds"),
    ("Bird-Dog", "Hold for a moment"),
    ("Bridges", "Hold briefly"),
    ("Knee-to-Chest Stretch", "20-30 seconds"),
    ("Cat-Cow Stretch", "several repetitions"),
    ("Piriformis Stretch", "20-30 seconds"),
    ("Start Small and Be Realistic", "hour-long workout"),
    ("Start Small and Be Realistic", "15-20 minutes"),
    ("Start Small and Be Realistic", "a few times a week"),
]
ANSWER_FIGURES = [
    (QUESTIONS[1], "daily"),
    (QUESTIONS[1], "3-5 times a week"),
    (QUESTIONS[7], "20-30 seconds"),
]
SEEK_HELP = [
    "severe",
    "conservative measures",
    "especially below the knee",
    "tingling, numbness or weakness",
    "bowel or bladder control",
    "after an accident or an injury",
]
BLURB_WORDS = ["Encyclopedia", "Nursing", "Rehabilitation", "Osteoporosis", "E-Book", "Edition", "Textbook"]
REGIONS = ["default", "GB", "US", "IE", "AU", "NZ"]


def plain_blocks(markdown: str) -> list[tuple[str, str]]:
    """The blocks of a Markdown text as (tag, text without marks and links), in order."""
    blocks: list[tuple[str, str]] = []
    tag = "p"
    for token in MarkdownIt().parse(markdown):
        if token.type in ("heading_open", "list_item_open"):
            tag = token.tag
        elif token.type == "list_item_close":
            tag = "p"
        elif token.type == "inline":
            parts = [" " if part.type == "softbreak" else part.content for part in token.children or []]
            blocks.append((tag, "".join(parts)))
            tag = "p" if tag != "li" else tag
    return blocks


@cache
def page_texts() -> list[str]:
    """The text of each page of the PDF."""
    return [page.extract_text() for page in PdfReader(CORPUS / "guide.pdf").pages]


def page_body(text: str, is_first: bool) -> str:
    """A page's lines joined by spaces, without the running title and the page label."""
    return " ".join(text.splitlines()[0 if is_first else 1 : -1])


BLOCKS = plain_blocks(GUIDE)
CONTENTS_START = BLOCKS.index(("h2", "Contents"))
CONTENTS_END = BLOCKS.index(("h2", SECTIONS[1]))


def item_text(term: str) -> str:
    """The text of the one list item that begins with a term."""
    found = [text for tag, text in BLOCKS if tag == "li" and text.startswith(f"{term}: ")]
    assert len(found) == 1
    return found[0]


if ORIGINAL.exists():

    def words(text: str) -> list[str]:
        """The words of a text, case-folded, apostrophes dropped, parted at any other punctuation."""
        return re.findall(r"[a-z0-9]+", re.sub("['\u2019]", "", text.casefold()))

    def test_no_long_run_of_words_is_shared_with_the_original() -> None:
        """Ensures that the guide is in our own words, names at the edges of a run included."""
        length = LONGEST_COMMON_RUN + 1
        source = words(ORIGINAL.read_text(encoding="utf-8"))
        ours = words(" ".join(text for _, text in BLOCKS))
        known = {tuple(source[i : i + length]) for i in range(len(source) - length + 1)}
        runs = [tuple(ours[i : i + length]) for i in range(len(ours) - length + 1)]
        assert len(runs) > 2000
        assert [" ".join(run) for run in runs if run in known] == []


def test_sections_stand_in_order() -> None:
    """Ensures that no section is lost."""
    headings = [text for tag, text in BLOCKS if tag == "h2"]
    assert headings == [SECTIONS[0], "Contents", *SECTIONS[1:]]


def test_contents_list_names_every_section() -> None:
    """Ensures that the contents and the headings agree."""
    assert [text for _, text in BLOCKS[CONTENTS_START + 1 : CONTENTS_END]] == SECTIONS


@pytest.mark.parametrize(("section", "terms"), ITEMS.items())
def test_section_has_every_item_after_a_lead_sentence(section: str, terms: list[str]) -> None:
    """Ensures that each list is whole and is led by a sentence ending in a colon."""
    start = BLOCKS.index(("h2", section))
    after = BLOCKS[start + 1 :]
    first = next(row for row, (tag, _) in enumerate(after) if tag == "li")
    assert after[first - 1][1].endswith(":")
    assert [text.split(":")[0] for _, text in after[first : first + len(terms)]] == terms
    assert after[first + len(terms)][0] == "p"


@pytest.mark.parametrize(("term", "figure"), FIGURES)
def test_item_keeps_its_figure(term: str, figure: str) -> None:
    """Ensures that each time and count stands where it belongs."""
    assert figure in item_text(term)


@pytest.mark.parametrize(("question", "figure"), ANSWER_FIGURES)
def test_answer_keeps_its_figure(question: str, figure: str) -> None:
    """Ensures that each figure in the questions stands in its answer."""
    assert figure in BLOCKS[BLOCKS.index(("h3", question)) + 1][1]


def test_aerobic_goal_keeps_its_figure() -> None:
    """Ensures that the weekly goal is given in full."""
    assert any("at least 150 minutes a week" in text and "moderate intensity" in text for _, text in BLOCKS)


def test_no_figure_is_invented() -> None:
    """Ensures that the guide has the original's figures and no others."""
    assert set(re.findall(r"\d+(?:-\d+)?", GUIDE)) == {"5-10", "20-30", "150", "15-20", "3-5"}


def test_seek_help_list_is_whole() -> None:
    """Ensures that no situation that calls for a professional is lost."""
    start = next(row for row, (_, text) in enumerate(BLOCKS) if text.startswith("In any of these situations"))
    listed = [text for tag, text in BLOCKS[start + 1 : start + 6] if tag == "li"]
    assert len(listed) == 5
    assert [sign for sign in SEEK_HELP if not any(sign in text for text in listed)] == []


def test_each_question_is_followed_by_one_answer() -> None:
    """Ensures that the eight questions stand in order, each with its answer."""
    start, end = (BLOCKS.index(("h2", section)) for section in SECTIONS[-2:])
    asked = BLOCKS[start + 1 : end]
    assert [text for _, text in asked[::2]] == QUESTIONS
    assert {tag for tag, _ in asked[::2]} == {"h3"}
    assert {tag for tag, _ in asked[1::2]} == {"p"}
    assert len(asked) == 2 * len(QUESTIONS)


def test_attribution_and_independence_are_stated() -> None:
    """Ensures that the guide names whose recommendations it gives, and that we are not they."""
    assert BLOCKS[1][1].endswith("based on Mayo Clinic recommendations")
    assert BLOCKS[-1][1].endswith("This project is not affiliated with Mayo Clinic.")


def test_pdf_is_what_the_source_gives() -> None:
    """Ensures that guide.pdf was rendered from the present guide.md."""
    done = subprocess.run(
        [sys.executable, CORPUS / "render.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_check_notices_a_changed_source(tmp_path: Path) -> None:
    """Ensures that --check fails once the source is changed, writes nothing, and a rendering mends it."""
    for name in ("render.py", "guide.md", "guide.pdf"):
        shutil.copy(CORPUS / name, tmp_path / name)
    (tmp_path / "guide.md").write_text(GUIDE.replace("Hold briefly.", "Hold."), encoding="utf-8")
    command = [sys.executable, str(tmp_path / "render.py")]
    assert subprocess.run([*command, "--check"], capture_output=True, check=False).returncode == 1
    assert (tmp_path / "guide.pdf").read_bytes() == (CORPUS / "guide.pdf").read_bytes()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert "Hold. Slowly lower" in " ".join(PdfReader(tmp_path / "guide.pdf").pages[4].extract_text().split())


def test_pdf_text_holds_every_block_in_order() -> None:
    """Ensures that pypdf reads back each heading, paragraph and item, nothing glued, split or lost."""
    text = " ".join(page_body(page, is_first=row == 0) for row, page in enumerate(page_texts()))
    place = 0
    for tag, block in BLOCKS:
        found = text.find(f"• {block}" if tag == "li" and f"• {block}" in text else block, place)
        assert found >= 0, block
        place = found + len(block)


def test_pdf_text_holds_nothing_but_the_blocks() -> None:
    """Ensures that the pages have no text beside the source and the bullets, the contents page set aside."""
    pages = [page_body(page, is_first=row == 0) for row, page in enumerate(page_texts()) if row != 1]
    read = " ".join(pages).replace("• ", "").split()
    written = BLOCKS[:CONTENTS_START] + BLOCKS[CONTENTS_END:]
    assert read == " ".join(text for _, text in written).split()


def test_page_labels_are_roman_then_arabic_and_printed() -> None:
    """Ensures that labels begin anew with the body, and that each page shows its own."""
    reader = PdfReader(CORPUS / "guide.pdf")
    count = len(reader.pages)
    assert reader.page_labels == ["i", "ii", *map(str, range(1, count - 1))]
    assert [text.splitlines()[-1] for text in page_texts()] == reader.page_labels


def test_contents_page_gives_the_page_of_each_section() -> None:
    """Ensures that the printed contents lead to the right pages."""
    reader = PdfReader(CORPUS / "guide.pdf")
    pages = page_texts()
    lines = pages[1].splitlines()[2:-1]
    assert [line.split(" .")[0] for line in lines] == SECTIONS
    for line, section in zip(lines, SECTIONS, strict=True):
        label = line.split()[-1]
        lines_there = pages[reader.page_labels.index(label)].replace("\n", " ")
        assert section in lines_there


def test_outline_names_sections_and_questions() -> None:
    """Ensures that a PDF reader can jump to each section and each question."""
    reader = PdfReader(CORPUS / "guide.pdf")
    top = [entry.title for entry in reader.outline if isinstance(entry, Destination)]
    below = [
        entry.title
        for entries in reader.outline
        if isinstance(entries, list)
        for entry in entries
        if isinstance(entry, Destination)
    ]
    assert top == [SECTIONS[0], "Contents", *SECTIONS[1:]]
    assert below == QUESTIONS


def test_blurbs_of_the_original_are_left_out() -> None:
    """Ensures that the book adverts after the original's last answer have no trace in the corpus."""
    everything = GUIDE + " ".join(page_texts()) + (CORPUS / "guide.toml").read_text(encoding="utf-8")
    assert [word for word in BLURB_WORDS if word.casefold() in everything.casefold()] == []


def test_config_names_the_pdf_alone_as_source() -> None:
    """Ensures that the Markdown source is not read as a second document."""
    config = tomllib.loads((CORPUS / "guide.toml").read_text(encoding="utf-8"))
    named = [path.name for pattern in config["sources"] for path in CORPUS.glob(pattern)]
    assert named == ["guide.pdf"]


@pytest.mark.parametrize("region", REGIONS)
def test_region_dials_a_number_that_its_wording_shows(region: str) -> None:
    """Ensures that each region is complete, and that what is dialled is what is read."""
    table = tomllib.loads((CORPUS / "guide.toml").read_text(encoding="utf-8"))["emergency"][region]
    services = ["emergency", "urgent", "crisis"]
    assert sorted(table) == sorted([*services, *(f"{service}_call" for service in services)])
    for service in services:
        assert table[service]
        assert table[f"{service}_call"] in re.sub(r"\D", "", table[service])
