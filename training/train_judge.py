"""Train the judge listwise over the encoder's nearest passages and "none of them".

Run as ``python -m training.train_judge --data PATH --out FOLDER``. "None" is right for the questions that
the guide does not answer, for questions put to another guide, for questions whose passage was taken from
the list, and for questions of detail whose passage lost the sentence nearest to them.
"""

import argparse
import logging
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import BertModel

from ingest.datatypes import PassageKind
from ingest.views import ViewKind
from training.data import DIALOG, VALIDATION, Guide, add_slips, bm25_scores, read_guides
from training.figures import ALL, Floats, auc, declined_at, gold_ranks, recall_table
from training.judge import Judge
from training.model import descend, embed, linear_decay, load_bert, load_tokenizer, save_layers, tokenize
from training.train_encoder import score_guide

__all__ = ["First", "JudgedQuestion", "judge_guide", "read_first"]

LOGGER = logging.getLogger(__name__)
LEARNING_RATE = 5e-5
HEAD_RATE = 5e-4
WEIGHT_DECAY = 0.01
WARMUP = 0.05
QUESTIONS_A_STEP = 54
CANDIDATES = 5  # in training; the other five of ten teach little and cost as much
TOP_K = 10
BM25_WEIGHT = 0.02
SLIP_SHARE = 0.1
TAKEN_SHARE = 0.1  # questions whose passage is taken from the list
LOST_SHARE = 0.35  # questions of detail whose passage loses its nearest sentence
STRANGERS = 8  # questions of other guides in a step
UNANSWERABLE = 30  # at most, of the guide itself; more would make the judge doubt everything
DETAIL_STYLES = ("factoid", "how-to", "why", "typo", "voice")
MIN_SENTENCES = 2


@dataclass(frozen=True, slots=True)
class First:
    """What the first stage says of a guide.

    :param scores: Fused score of each passage for each question, the unanswerable ones last.
    :param nearest: For each answerable question, the segment of its passage nearest to it, -1 for none.
    """

    scores: Floats
    nearest: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class JudgedQuestion:
    """A question with its candidates: rows of texts, which may lie beyond the guide's own passages."""

    text: str
    candidates: tuple[int, ...]
    target: int  # place among the candidates, their number for "none"


def _nearest_segments(model: BertModel, tokenizer: Tokenizer, guide: Guide) -> tuple[int, ...]:
    sentences = [view for view in guide.views if view.kind is ViewKind.SENTENCE]
    texts = [q.text for q in guide.questions]
    with torch.no_grad():
        vectors, _ = embed(model, tokenize(tokenizer, texts + [view.text for view in sentences]))
    sims = (vectors[: len(texts)] @ vectors[len(texts) :].T).numpy()
    nearest: list[int] = []
    for question, row in zip(guide.questions, sims, strict=True):
        own = [
            (float(row[at]), view.segment) for at, view in enumerate(sentences) if view.row == question.gold
        ]
        nearest.append(max(own)[1] if own else -1)
    return tuple(nearest)


def read_first(
    guides: Sequence[Guide], layers: Path | None, late: float, cache: Path | None = None, bf16: bool = False
) -> list[First]:
    """Score guides with the encoder and BM25; kept in ``cache`` for the next run.

    :param layers: Trained layers of the encoder, None for the bundled one.
    :param late: Weight of late interaction.
    """
    if cache is not None and cache.is_file():
        kept = np.load(cache)
        return [First(kept[f"{g.name}.scores"], tuple(kept[f"{g.name}.nearest"].tolist())) for g in guides]
    model, tokenizer = load_bert(layers, bf16=bf16), load_tokenizer()
    found: list[First] = []
    for guide in guides:
        asked = [*guide.questions, *guide.unanswerable]
        dense, tokens = score_guide(model, tokenizer, guide, asked)
        scores = dense + late * tokens + BM25_WEIGHT * bm25_scores(guide, asked)
        found.append(First(scores, _nearest_segments(model, tokenizer, guide)))
    if cache is not None:
        arrays = {f"{g.name}.scores": f.scores for g, f in zip(guides, found, strict=True)}
        arrays |= {f"{g.name}.nearest": np.array(f.nearest) for g, f in zip(guides, found, strict=True)}
        np.savez(cache, **arrays)  # type: ignore[arg-type]
    return found


def _without(guide: Guide, row: int, segment: int) -> str:
    """Give the whole view of a passage that lost one sentence."""
    lost = guide.passages[row].segments[segment].text
    return guide.wholes[row].replace(lost, "").replace("  ", " ").strip()


class _Steps:
    """Makes the steps of an epoch: one guide, some of its questions, candidates and targets."""

    def __init__(
        self, guides: Sequence[Guide], first: Mapping[str, First], rng: random.Random, lost: float
    ) -> None:
        self._guides = guides
        self._first = first
        self._rng = rng
        self._lost = lost

    def epoch(self) -> Iterator[tuple[list[str], list[JudgedQuestion]]]:
        """Give passages' texts and judged questions, every question of every guide once."""
        plan: list[tuple[Guide, list[int]]] = []
        for guide in self._guides:
            places = list(range(len(guide.questions)))
            self._rng.shuffle(places)
            count = max(1, round(len(places) / QUESTIONS_A_STEP))
            plan += [(guide, places[at::count]) for at in range(count)]
        self._rng.shuffle(plan)
        for guide, places in plan:
            yield self._step(guide, places)

    def _step(self, guide: Guide, places: list[int]) -> tuple[list[str], list[JudgedQuestion]]:
        texts = list(guide.wholes)
        scores = self._first[guide.name].scores
        judged = [self._answerable(guide, at, texts) for at in places]
        unanswerable = list(enumerate(guide.unanswerable, start=len(guide.questions)))
        for at, question in self._rng.sample(unanswerable, min(UNANSWERABLE, len(unanswerable))):
            judged.append(JudgedQuestion(question.text, self._pick(scores[at], CANDIDATES), CANDIDATES))
        for _ in range(STRANGERS):
            other = self._rng.choice([g for g in self._guides if g is not guide])
            text = self._rng.choice(other.questions).text
            rows = self._rng.sample(range(len(guide.passages)), CANDIDATES)
            judged.append(JudgedQuestion(text, tuple(rows), CANDIDATES))
        return texts, judged

    def _pick(self, scores: Floats, count: int, gold: int = -1) -> tuple[int, ...]:
        """Pick wrong passages: the two nearest, others from the first ten by chance."""
        near = [int(row) for row in np.argsort(-scores, kind="stable") if row != gold][: TOP_K - (gold >= 0)]
        return tuple(near[:2] + self._rng.sample(near[2:], count - 2))

    def _answerable(self, guide: Guide, at: int, texts: list[str]) -> JudgedQuestion:
        question, first = guide.questions[at], self._first[guide.name]
        text = add_slips(question.text, self._rng) if self._rng.random() < SLIP_SHARE else question.text
        draw = self._rng.random()
        if draw < TAKEN_SHARE:
            return JudgedQuestion(text, self._pick(first.scores[at], CANDIDATES, question.gold), CANDIDATES)
        wrong = self._pick(first.scores[at], CANDIDATES - 1, question.gold)
        passage = guide.passages[question.gold]
        can_lose = first.nearest[at] >= 0 and len(passage.segments) >= MIN_SENTENCES
        if (
            passage.kind is not PassageKind.LIST
            and question.style in DETAIL_STYLES
            and can_lose
            and (self._rng.random() < self._lost)
        ):
            texts.append(_without(guide, question.gold, first.nearest[at]))
            return JudgedQuestion(text, (len(texts) - 1, *wrong), CANDIDATES)
        return JudgedQuestion(text, (question.gold, *wrong), 0)


def _logits(
    judge: Judge, tokenizer: Tokenizer, texts: Sequence[str], judged: Sequence[JudgedQuestion]
) -> Tensor:
    memory = judge.read_passages(tokenize(tokenizer, texts))
    questions = tokenize(tokenizer, [question.text for question in judged])
    return judge.score_pairs(questions, memory, [question.candidates for question in judged])


def judge_guide(judge: Judge, tokenizer: Tokenizer, guide: Guide, first: Floats) -> Floats:
    """Judge the first ten of each question; -inf for the other passages, shape as ``first``."""
    judge.eval()
    asked = [*guide.questions, *guide.unanswerable]
    rows = np.argsort(-first, axis=1, kind="stable")[:, :TOP_K]
    judged = [
        JudgedQuestion(q.text, tuple(int(r) for r in row), 0) for q, row in zip(asked, rows, strict=True)
    ]
    out = np.full(first.shape, -np.inf, dtype=np.float32)
    with torch.no_grad():
        np.put_along_axis(out, rows, _logits(judge, tokenizer, guide.wholes, judged).numpy(), axis=1)
    return out


def report(guides: Sequence[Guide], first: Sequence[First], logits: Sequence[Floats]) -> dict[str, object]:
    """Recall after reranking for some weights of the first stage, and declining by several scores."""
    questions = [question for guide in guides for question in guide.questions]
    tables: dict[str, object] = {}
    for weight in (0.0, 10.0, 20.0, 40.0, 1e6):
        ranks = [
            rank
            for g, f, j in zip(guides, first, logits, strict=True)
            for rank in gold_ranks(
                (j + weight * f.scores)[: len(g.questions)], [question.gold for question in g.questions]
            )
        ]
        tables[f"rerank first*{weight:g}"] = recall_table(questions, ranks)
    for name, score in decline_scores(first, logits).items():
        tables[f"decline {name}"] = _decline_table(guides, score)
    return tables


def decline_scores(first: Sequence[First], logits: Sequence[Floats]) -> dict[str, list[Floats]]:
    """Scores that are high where the guide answers, one array per guide."""
    best = [j.max(axis=1) for j in logits]
    near = [f.scores.max(axis=1) for f in first]
    mass = [np.log(np.exp(np.clip(j, -50, 50)).sum(axis=1)).astype(np.float32) for j in logits]
    mixed = {
        f"mass+{w:g}*first": [m + w * n for m, n in zip(mass, near, strict=True)] for w in (5.0, 10.0, 20.0)
    }
    return {"first": near, "judge max": best, "judge mass": mass, **mixed}


def _decline_table(guides: Sequence[Guide], scores: Sequence[Floats]) -> dict[str, dict[str, float]]:
    yes: list[float] = []
    no: dict[str, list[float]] = defaultdict(list)
    for guide, row in zip(guides, scores, strict=True):
        asked = [*guide.questions, *guide.unanswerable]
        for question, score in zip(asked, row.tolist(), strict=True):
            if question.gold < 0:
                no[question.style].append(score)
                no[ALL].append(score)
            elif question.style != DIALOG:
                yes.append(score)
    return {
        why: {
            "n": len(rows),
            "auc": round(auc(yes, rows), 3),
            "declined@3%": round(100 * declined_at(yes, rows, 0.03), 1),
            "declined@6%": round(100 * declined_at(yes, rows, 0.06), 1),
        }
        for why, rows in no.items()
        if rows
    }


def show(tables: Mapping[str, object]) -> None:
    """Print the tables, one line each."""
    for name, table in tables.items():
        if not isinstance(table, dict) or name == "times":
            LOGGER.info(f"  {name} {table}")
        elif name.startswith("rerank"):
            styles = " ".join(f"{style}:{row['@1']}" for style, row in table.items() if style != ALL)
            LOGGER.info(f"  {name:24s} {table[ALL]['@1']} {table[ALL]['@3']} {table[ALL]['@5']} | {styles}")
        else:
            kinds = " ".join(
                f"{w}: {r['auc']} {r['declined@3%']} {r['declined@6%']}" for w, r in table.items()
            )
            LOGGER.info(f"  {name:24s} {kinds}")


def train(args: argparse.Namespace) -> None:
    """Train on the guides of ``--data``'s train folder but the validation ones, unless ``--all``."""
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)  # noqa: S311 - a reproducible shuffle, no secret
    args.out.mkdir(parents=True, exist_ok=True)
    guides = read_guides(args.data / "train", *args.guides)
    found = read_first(
        guides, None, 0.0, args.out.parent / "first_bundled.npz", args.bf16
    )  # tuned layers know these guides
    first = {guide.name: scores for guide, scores in zip(guides, found, strict=True)}
    judged = [guide for guide in guides if guide.name in VALIDATION]
    learned = guides if args.all else [guide for guide in guides if guide.name not in VALIDATION]
    judge, tokenizer = Judge(load_bert(args.init, args.dropout, args.bf16), args.joint), load_tokenizer()
    if args.init is not None:
        judge.load_head(load_file(str(args.init)))
    own = [p for n, p in judge.named_parameters() if not n.startswith("bert.")]
    layers = [p for n, p in judge.named_parameters() if n.startswith("bert.") and p.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": layers, "lr": args.rate},
            {"params": own, "lr": args.rate * HEAD_RATE / LEARNING_RATE},
        ],
        weight_decay=WEIGHT_DECAY,
    )
    steps = _Steps(learned, first, rng, args.lost)
    per_epoch = sum(max(1, round(len(g.questions) / QUESTIONS_A_STEP)) for g in learned)
    total = args.steps or per_epoch * args.epochs
    schedule = linear_decay(optimizer, total, WARMUP)
    recipe = {key: str(value) for key, value in vars(args).items()} | {"guides": [g.name for g in learned]}
    started, losses, step = time.monotonic(), [0.0], 0
    while step < total:
        for texts, batch in steps.epoch():
            if step == total:
                break
            judge.train()
            logits = _logits(judge, tokenizer, texts, batch)
            logits = torch.cat([logits, torch.zeros(len(batch), 1)], dim=1)
            loss = functional.cross_entropy(logits, torch.tensor([question.target for question in batch]))
            losses.append(descend(loss, optimizer, schedule, [*layers, *own]))
            step += 1
            if step % 10 == 0:
                minutes = (time.monotonic() - started) / 60
                LOGGER.info(f"step {step}/{total} loss {np.mean(losses[-10:]):.3f} minutes {minutes:.1f}")
            if step % args.every == 0 or step == total:
                tables: dict[str, object] = {}
                if not args.all:
                    near = [first[guide.name] for guide in judged]
                    scored = [
                        judge_guide(judge, tokenizer, g, f.scores) for g, f in zip(judged, near, strict=True)
                    ]
                    tables = report(judged, near, scored)
                    show(tables)
                save_layers(
                    judge.bert, args.out, {"recipe": recipe, "step": step, "validation": tables}, judge.head()
                )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of guideqa, with train/ in it")
    parser.add_argument("--guides", type=Path, nargs="*", default=[], help="further folders of guides")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, default=None, help="weights to begin with; bundled without")
    parser.add_argument(
        "--rate", type=float, default=LEARNING_RATE, help="of the layers; the head's is ten times it"
    )
    parser.add_argument("--joint", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=0, help="instead of epochs")
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--bf16", action="store_true", help="multiply in bfloat16 (fast with AMX)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lost", type=float, default=LOST_SHARE)
    parser.add_argument("--all", action="store_true", help="learn from the validation guides too")
    parser.add_argument("--every", type=int, default=130, help="steps between two checkpoints")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train(_arguments())
