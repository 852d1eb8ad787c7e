"""The second evaluation: other guides, each ingested by itself as Markdown with nothing but its title.

    python -m benchmarks.guideqa FOLDER [--limit N] [--failures]

FOLDER holds guides as JSON ({"title", "sections", "unanswerable", "dialogs"}). A question is right in the
lead (text) when the lead (text) of its answer holds a sentence of the passage that was meant. The
failures are for folders that may be learned from.
"""

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from bot.chat import Bot, load_bot
from bot.datatypes import AnswerKind
from bot.evaluate import Judgment, Outcome, TurnJudgment, evaluate, table
from ingest.build import ingest
from ingest.datatypes import Encoder
from ingest.encode import load_encoder


def to_markdown(guide: dict[str, Any]) -> str:
    """Write a guide as a person would: headings, bullets, bold run-in titles, questions as headings."""
    parts = [f"# {guide['title']}"]
    for section in guide["sections"]:
        parts.append(f"## {section['heading']}")
        for passage in section["passages"]:
            if passage["kind"] in ("item", "faq"):
                parts.append(f"### {passage['title']}\n\n{passage['text']}")
            else:
                parts.append(re.sub(r"(?<!\n)\n(?=- )", "\n", passage["text"]).replace("\n- ", "\n\n- ", 1))
    return "\n\n".join(parts) + "\n"


def _sentences(passage: dict[str, Any]) -> tuple[str, ...]:
    lines = [line.removeprefix("- ") for line in passage["text"].split("\n")]
    if passage["kind"] == "list":
        return tuple(lines[:1])
    return tuple(s for line in lines for s in re.split(r"(?<=[.!?]) (?=[A-Z0-9])", line) if s)


def judgments(guide: dict[str, Any], name: str) -> list[Judgment]:
    """Make judgments of a guide's questions, of what it does not answer, and of its conversations."""
    passages = {p["id"]: p for section in guide["sections"] for p in section["passages"]}
    found = []
    for id_, passage in passages.items():
        for at, question in enumerate(passage["questions"]):
            turn = TurnJudgment(question["q"], AnswerKind.ANSWER, _sentences(passage))
            found.append(Judgment(f"{name}-{id_}-{at}", question["style"], "dev", (turn,)))
    for at, item in enumerate(guide["unanswerable"]):
        turn = TurnJudgment(item["q"], AnswerKind.DECLINE)
        found.append(Judgment(f"{name}-u{at}", f"unanswerable {item['why']}", "dev", (turn,)))
    for at, dialog in enumerate(guide["dialogs"]):
        turns = tuple(TurnJudgment(t["q"], AnswerKind.ANSWER, _sentences(passages[t["id"]])) for t in dialog)
        found.append(Judgment(f"{name}-d{at}", "conversation", "dev", turns))
    return found


def load_guide(path: Path, folder: Path, encoder: Encoder) -> tuple[Bot, list[Judgment]]:
    """Ingest one guide into a folder and give its bot and judgments."""
    guide = json.loads(path.read_text(encoding="utf-8"))
    source = folder / path.stem
    source.mkdir()
    (source / "guide.md").write_text(to_markdown(guide), encoding="utf-8")
    (source / "guide.toml").write_text(f"title = {json.dumps(guide['title'])}\n", encoding="utf-8")
    ingest([source], folder / f"{path.stem}-index", make_encoder=lambda _: encoder)
    return load_bot(folder / f"{path.stem}-index"), judgments(guide, path.stem)


def main() -> int:
    """Evaluate every guide of a folder; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=0, help="only the first N guides")
    parser.add_argument("--failures", action="store_true", help="show failures; not for held-out guides")
    args = parser.parse_args()
    files = sorted(args.folder.glob("*.json"))
    if not files:
        print(f"There are no guides (*.json) in {args.folder}.", file=sys.stderr)
        return 2
    encoder = load_encoder()
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        for path in files[: args.limit or None]:
            bot, own = load_guide(path, Path(folder), encoder)
            outcomes += evaluate(bot, own)
    text = table(outcomes)
    print(text if args.failures else text.split("failures in the dev half")[0].rsplit("\n", 1)[0])
    words = [o.lead_words for o in outcomes], [o.text_words for o in outcomes]
    p95 = [sorted(counts)[int(len(counts) * 0.95)] for counts in words]
    print(f"words: lead p95 {p95[0]}, text p95 {p95[1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
