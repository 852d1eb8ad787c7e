"""The bot in a terminal: one answer, a conversation, a batch, how an answer came about, an evaluation."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bot.answer import MIN_ODDS
from bot.chat import Bot, Trace, load_bot
from bot.plain import to_plain
from bot.render import to_record, to_terminal
from ingest.errors import UsageError, run_command

LEAVING = {"exit", "quit", ":q", "bye"}
MAX_HITS_SHOWN = 5
RESULTS = Path("build/evaluation")  # one file for each commit


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bot",
        description="Answer from the guide. Without a question: a conversation. 'why QUESTION': how the "
        "answer came about. 'eval JUDGMENTS.jsonl': the evaluation table.",
    )
    parser.add_argument("words", nargs="*", metavar="QUESTION", help='the question, or: why "question"')
    index = Path(os.environ.get("GUIDE_INDEX", "index"))
    parser.add_argument("--index", type=Path, default=index, metavar="DIR")
    parser.add_argument("--batch", type=Path, metavar="IN.jsonl", help="answer the conversations in a file")
    parser.add_argument("--out", type=Path, metavar="OUT.jsonl", help="where the batch's answers go")
    return parser


# --- batch -----------------------------------------------------------------------------------------


def _read_batch(path: Path) -> list[tuple[Any, list[str]]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        what = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise UsageError(f"The batch file {path} cannot be read: {what}; name another file.") from exc
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
            turns = item["turns"]
            if not isinstance(turns, list) or not all(isinstance(turn, str) for turn in turns):
                raise TypeError
            rows.append((item["id"], turns))
        except (ValueError, KeyError, TypeError) as exc:
            raise UsageError(
                f'{path} line {number} is not {{"id": "x", "turns": ["message", ...]}}; correct that line.'
            ) from exc
    return rows


def _batch(bot: Bot, source: Path, target: Path) -> int:
    rows = _read_batch(source)
    try:
        with target.open("w", encoding="utf-8") as file:
            for id_, turns in tqdm(rows, disable=not sys.stderr.isatty(), unit="conversation"):
                records = [to_record(turn.answer, turn.latency_ms) for turn in bot.converse(turns)]
                file.write(json.dumps({"id": id_, "answers": records}, ensure_ascii=False) + "\n")
    except OSError as exc:
        raise UsageError(f"The answers cannot be written to {target}: {exc.strerror}.") from exc
    return 0


# --- why -------------------------------------------------------------------------------------------


def _why_lines(trace: Trace) -> list[str]:
    lines = [f"safety: {trace.assessment.urgency.value}", *(f"    {line}" for line in trace.assessment.why)]
    if trace.small_talk is not None:
        lines.append(f"small talk: {trace.small_talk.value}")
    if trace.query is not None:
        query = trace.query
        lines.append(f"searched also as: {to_plain(query.text)!r}")
        lines.append(f"query: {query.text!r}, type {query.type.value}, follow-up: {query.is_follow_up}")
    if trace.retrieval is not None:
        lines.append(f"dense similarity of the first hit: {trace.retrieval.dense:.3f}")
        pairs = zip(trace.retrieval.hits, trace.retrieval.evidence, strict=True)
        for hit, parts in list(pairs)[:MAX_HITS_SHOWN]:
            name = hit.passage.title or hit.passage.text[:50].replace("\n", " ")
            lines.append(
                f"  {hit.rank}. {hit.score:.3f} = part {parts.part:.3f} + whole {parts.whole:.3f}"
                f" + words {parts.bm25:.3f} + bonus {parts.bonus:.3f} + context {parts.context:.3f}"
                f" + late {parts.late:.3f}"
                f"  {hit.passage.kind.value}, page {hit.passage.page_label}: {name}"
            )
    if trace.draft is not None:
        missing = f" ({trace.draft.missing})" if trace.draft.missing else ""
        if trace.draft.odds is not None:
            lines.append(f"judge: {trace.draft.odds:.2f}, needed {MIN_ODDS:.2f}")
        lines.append(f"decision: {trace.draft.reason.value}{missing}")
    return lines


# --- conversation ----------------------------------------------------------------------------------


def _converse(bot: Bot) -> int:
    print(f"{bot.title}\n{bot.disclaimer}\nAsk a question; an empty line or Ctrl-D ends.\n")
    history: list[dict[str, str]] = []
    while True:
        try:
            message = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return 0
        if not message or message.casefold() in LEAVING:
            return 0
        answer = bot.reply(message, history)
        shown = to_terminal(answer)
        print(f"\n{shown}\n")
        history += [{"role": "user", "content": message}, {"role": "assistant", "content": shown}]


def _run(args: argparse.Namespace) -> int:
    command = args.words[0] if args.words else ""
    if (args.batch is None) != (args.out is None):
        raise UsageError("A batch needs both files: --batch IN.jsonl --out OUT.jsonl")
    if command == "eval" and len(args.words) != 2:
        raise UsageError("Name one file or folder of judgments: python -m bot eval JUDGMENTS.jsonl")
    if command == "why" and len(args.words) < 2:
        raise UsageError('Give the question: python -m bot why "question"')
    bot = load_bot(args.index)
    if args.batch is not None:
        return _batch(bot, args.batch, args.out)
    if not args.words:
        return _converse(bot)
    if command == "eval":
        from bot.evaluate import evaluate, read_judgments, save_results, table  # noqa: PLC0415 - for this only

        outcomes = evaluate(bot, read_judgments(Path(args.words[1])))
        print(table(outcomes))
        print(f"Results: {save_results(outcomes, RESULTS)}")
        return 0
    if command == "why":
        _, trace = bot.explain(" ".join(args.words[1:]))
        print("\n".join(_why_lines(trace)))
        return 0
    print(to_terminal(bot.reply(" ".join(args.words))))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    args = _parser().parse_args(argv)
    return run_command(lambda: _run(args))


if __name__ == "__main__":
    sys.exit(main())
