"""The evaluation: judged questions in, a table by category out, with the failures of the dev half.

A judgment names places, not passages: a source, a page and a short exact quote, so that no change of
the passages makes it void. One JSON object a line:

    {"id": "q1", "category": "lay", "fact": "bridge-steps", "split": "dev",
     "turns": [{"q": "...", "kind": "answer", "all": false,
                "quotes": [{"source": "guide.pdf", "page": 5, "quote": "Lie down on your back"}]}]}

A turn is right in the lead (or the text) when the lead (text) of an answer holds one of the quotes, or
every one where "all" is true. A turn of another kind is right when the answer is of that kind.
"""

import json
import math
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.chat import Bot, Turn
from bot.datatypes import AnswerKind
from bot.render import lead_text, to_text
from ingest.datatypes import Passage
from ingest.errors import UsageError

__all__ = [
    "Judgment",
    "Outcome",
    "TurnJudgment",
    "evaluate",
    "ndcg",
    "read_judgments",
    "reciprocal_rank",
    "save_results",
    "table",
]

TOP_K = 10
MAX_FAILURES_SHOWN = 40


@dataclass(frozen=True, slots=True)
class TurnJudgment:
    """What is right for one message.

    :param quotes: Exact words of the guide.
    :param needs_all: Every quote is needed, not any one.
    """

    question: str
    kind: AnswerKind
    quotes: tuple[str, ...] = ()
    needs_all: bool = False


@dataclass(frozen=True, slots=True)
class Judgment:
    """A judged question or conversation."""

    id: str
    category: str
    split: str
    turns: tuple[TurnJudgment, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one message was answered.

    :param rank: 1-based rank of the first passage that holds a quote, 0 if none of the first ten does.
    """

    judgment: Judgment
    turn: TurnJudgment
    position: int
    kind: AnswerKind
    in_lead: bool
    in_text: bool
    rank: int
    lead: str
    lead_words: int
    text_words: int
    latency_ms: float

    @property
    def is_right(self) -> bool:
        """Right in the text, or of the right kind where there is nothing to quote."""
        return self.in_text if self.turn.kind is AnswerKind.ANSWER else self.kind is self.turn.kind


def _parse(line: str, place: str) -> Judgment:
    try:
        data = json.loads(line)
        turns = tuple(
            TurnJudgment(
                question=turn["q"],
                kind=AnswerKind(turn["kind"]),
                quotes=tuple(quote["quote"] for quote in turn.get("quotes", ())),
                needs_all=bool(turn.get("all", False)),
            )
            for turn in data["turns"]
        )
        return Judgment(data["id"], data["category"], data.get("split", "dev"), turns)
    except (ValueError, KeyError, TypeError) as exc:
        problem = f"the key {exc} is missing" if isinstance(exc, KeyError) else exc
        raise UsageError(f"{place} is not a judgment ({problem}); the form is in README.md.") from exc


def read_judgments(path: Path) -> list[Judgment]:
    """Read a file of judgments, or all ``*.jsonl`` of a folder.

    :raises UsageError: If it is not there or a line is not a judgment.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise UsageError(f"There are no judgments at {path}; name a .jsonl file or a folder of them.")
    judgments = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except ValueError as exc:
            raise UsageError(f"{file} is not text in UTF-8; judgments are lines of JSON in UTF-8.") from exc
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                judgments.append(_parse(line, f"{file} line {number}"))
    return judgments


# --- metrics ---------------------------------------------------------------------------------------


def reciprocal_rank(rank: int) -> float:
    """1 / rank, 0 where nothing relevant was found (rank 0)."""
    return 1 / rank if rank else 0.0


def ndcg(rank: int) -> float:
    """NDCG@10 with one relevant passage: 1 / log2(1 + rank) (Järvelin and Kekäläinen 2002)."""
    return 1 / math.log2(1 + rank) if rank else 0.0


def _squeeze(text: str) -> str:
    return " ".join(text.replace("\n- ", " ").split()).casefold()


def _holds(text: str, turn: TurnJudgment) -> bool:
    squeezed = _squeeze(text)
    check: Callable[[Iterable[bool]], bool] = all if turn.needs_all else any
    return bool(turn.quotes) and check(_squeeze(quote) in squeezed for quote in turn.quotes)


def _rank(passages: Sequence[Passage], turn: TurnJudgment) -> int:
    for rank, passage in enumerate(passages, 1):
        text = _squeeze(f"{passage.title} {passage.text}")
        if any(_squeeze(quote) in text for quote in turn.quotes):
            return rank
    return 0


def _outcome(judgment: Judgment, position: int, answered: Turn) -> Outcome:
    turn, answer = judgment.turns[position], answered.answer
    lead, text = lead_text(answer), to_text(answer)
    retrieval = answered.trace.retrieval
    hits = [hit.passage for hit in retrieval.hits[:TOP_K]] if retrieval else []
    is_answer = bool(answer.lead)
    return Outcome(
        judgment=judgment,
        turn=turn,
        position=position,
        kind=answer.kind,
        in_lead=is_answer and _holds(lead, turn),
        in_text=is_answer and _holds(text, turn),
        rank=_rank(hits, turn),
        lead=lead,
        lead_words=len(lead.split()),
        text_words=len(text.split()),
        latency_ms=answered.latency_ms,
    )


def evaluate(bot: Bot, judgments: Sequence[Judgment]) -> list[Outcome]:
    """Put every judged conversation to the bot."""
    outcomes = []
    for judgment in judgments:
        answered = bot.converse([turn.question for turn in judgment.turns])
        outcomes += [_outcome(judgment, position, turn) for position, turn in enumerate(answered)]
    return outcomes


# --- table -----------------------------------------------------------------------------------------


def _percent(flags: Iterable[bool | float]) -> str:
    values = [float(flag) for flag in flags]
    return f"{100 * sum(values) / len(values):6.1f}" if values else "     -"


def _row(name: str, outcomes: Sequence[Outcome]) -> str:
    asked = [o for o in outcomes if o.turn.kind is AnswerKind.ANSWER]
    others = [o for o in outcomes if o.turn.kind is not AnswerKind.ANSWER]
    return " ".join(
        [
            f"{name:22} {len(outcomes):5}",
            _percent(o.in_lead for o in asked),
            _percent(o.in_text for o in asked),
            _percent(o.rank == 1 for o in asked),
            _percent(0 < o.rank <= 5 for o in asked),
            _percent(reciprocal_rank(o.rank) for o in asked),
            _percent(ndcg(o.rank) for o in asked),
            _percent(o.kind is AnswerKind.DECLINE for o in asked),
            _percent(o.is_right for o in others),
        ]
    )


_HEAD = f"{'':22} {'n':>5}   lead   text    r@1    r@5 MRR@10 nDCG10 f.decl  other"


def _tables(outcomes: Sequence[Outcome]) -> list[str]:
    """Give the lines of one table for each split."""
    lines = []
    for split in sorted({o.judgment.split for o in outcomes}):
        own = [o for o in outcomes if o.judgment.split == split]
        lines += [f"split {split}", _HEAD]
        for category in sorted({o.judgment.category for o in own}):
            lines.append(_row(category, [o for o in own if o.judgment.category == category]))
        lines += [_row("follow-up turns", [o for o in own if o.position > 0]), _row("all", own), ""]
    return lines


def table(outcomes: Sequence[Outcome]) -> str:
    """Print percentages by split and category, then the failures of the dev half.

    lead, text: the answer holds the quote. r@k: a passage with the quote is among the first k.
    f.decl: answerable but declined. other: turns that need another kind of answer and got it.
    """
    lines = _tables(outcomes)
    times = sorted(o.latency_ms for o in outcomes)
    if times:
        p50, p95 = (times[min(len(times) - 1, int(len(times) * part))] for part in (0.5, 0.95))
        lines.append(f"latency p50 {p50:.0f} ms, p95 {p95:.0f} ms")
    failed = [o for o in outcomes if o.judgment.split == "dev" and not o.is_right]
    lines.append(f"{len(failed)} failures in the dev half" + (", the first:" if failed else ""))
    for o in failed[:MAX_FAILURES_SHOWN]:
        wanted = o.turn.quotes[0] if o.turn.quotes else o.turn.kind.value
        asked = f"{o.judgment.id}/{o.position + 1} {o.turn.question!r}"
        lines.append(f"  {asked}: wanted {wanted!r} (rank {o.rank}), got {o.kind.value}: {o.lead[:80]!r}")
    return "\n".join(lines)


# --- results ---------------------------------------------------------------------------------------


def _commit() -> str:
    """Name the state of the code: the commit, marked where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - fixed words
    except (OSError, subprocess.CalledProcessError):
        return "unversioned"
    return done.stdout.strip()


def save_results(outcomes: Sequence[Outcome], folder: Path) -> Path:
    """Write the table and each question's outcome under the commit they belong to; gives the file.

    Of the test half only what was right is written, never the texts.

    :raises UsageError: If the file cannot be written.
    """
    path = folder / f"{_commit()}.json"
    results = [
        {
            "id": o.judgment.id,
            "turn": o.position + 1,
            "split": o.judgment.split,
            "category": o.judgment.category,
            "kind": o.kind.value,
            "lead": o.in_lead,
            "text": o.in_text,
            "right": o.is_right,
            "rank": o.rank,
        }
        for o in outcomes
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps({"table": _tables(outcomes), "results": results}, indent=1), encoding="utf-8"
        )
    except OSError as exc:
        raise UsageError(f"The results cannot be written to {path}: {exc.strerror}.") from exc
    return path
