"""Fine-tune the encoder listwise: for a question, the softmax over all passages of its guide.

The score is the one that serving uses: half the best part (title or sentence), half the whole passage.
Run as ``python -m training.train_encoder --data PATH --out FOLDER``.
"""

import argparse
import json
import logging
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import BertModel

from training.data import (
    VALIDATION,
    Gloss,
    Guide,
    Question,
    add_slips,
    bm25_scores,
    read_glosses,
    read_guides,
)
from training.figures import ALL, Floats, gold_ranks, recall_table
from training.model import descend, embed, linear_decay, load_bert, load_tokenizer, save_layers, tokenize

__all__ = ["recall_tables", "score_all", "score_guide"]

LOGGER = logging.getLogger(__name__)
TEMPERATURE = 0.05
LEARNING_RATE = 5e-5
WEIGHT_DECAY = 0.01
WARMUP = 0.05
# Half a small guide's questions, a sixth of a large one's: passages are most of the cost and encoded once.
QUESTIONS_A_STEP = 54
LARGE_GUIDE = 40  # passages
QUESTIONS_A_LARGE_STEP = 180
GLOSSES_A_STEP = 48  # each is told from the 47 others
SLIP_SHARE = 0.1  # questions that get slips of typing
BM25_WEIGHT = 0.02
TOKEN_WEIGHT = 0.75  # of late interaction, where it is trained too


def _dense(questions: Tensor, wholes: Tensor, parts: Tensor, rows: Tensor) -> Tensor:
    """Half the best part, half the whole, shape (questions, passages); without parts the whole stands in."""
    whole = questions @ wholes.T
    best = torch.full_like(whole, -2.0).scatter_reduce(
        1, rows.expand(len(questions), -1), questions @ parts.T, reduce="amax"
    )
    return 0.5 * torch.where(best < -1.5, whole, best) + 0.5 * whole


def _late(questions: Sequence[Tensor], passages: Sequence[Tensor]) -> Tensor:
    """Late interaction (ColBERT's MaxSim): mean over the question's tokens of the passage's best token."""
    counts = [len(tokens) for tokens in questions]
    lengths = [len(tokens) for tokens in passages]
    every = torch.cat(list(passages)).T
    sims = torch.split(torch.cat(list(questions)) @ every, lengths, dim=1)
    best = torch.stack([part.amax(dim=1) for part in sims], dim=1)
    rows = torch.split(best, counts)
    return torch.stack([row.mean(dim=0) for row in rows])


def _score(
    model: BertModel, tokenizer: Tokenizer, guide: Guide, questions: Sequence[str], late: bool
) -> list[Tensor]:
    """Score all passages for each question: single vectors, and late interaction where asked for."""
    wholes, parts = guide.wholes, guide.parts
    ids = tokenize(tokenizer, [*questions, *wholes, *(view.text for view in parts)])
    many, held = len(questions), len(questions) + len(wholes)
    vectors, tokens = embed(model, ids, held if late else 0)
    rows = torch.tensor([view.row for view in parts])
    scores = [_dense(vectors[:many], vectors[many:held], vectors[held:], rows)]
    return [*scores, _late(tokens[:many], tokens[many:])] if late else scores


def score_guide(
    model: BertModel, tokenizer: Tokenizer, guide: Guide, questions: Sequence[Question]
) -> tuple[Floats, Floats]:
    """Score all passages for each question with the model as it is: single vectors, late interaction."""
    model.eval()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        dense, late = _score(model, tokenizer, guide, [question.text for question in questions], late=True)
    return dense.numpy(), late.numpy()


def recall_tables(
    guides: Sequence[Guide],
    scored: Sequence[Sequence[Floats]],
    weights: Sequence[tuple[float, float]],
) -> dict[str, dict[str, dict[str, float]]]:
    """Recall by style for each pair of weights (late interaction, BM25) added to the single-vector score.

    :param scored: For each guide the scores by single vectors, late interaction and BM25.
    """
    questions = [question for guide in guides for question in guide.questions]
    gold = [[question.gold for question in guide.questions] for guide in guides]
    tables: dict[str, dict[str, dict[str, float]]] = {}
    for late_weight, bm25_weight in weights:
        ranks = [
            rank
            for (dense, late, bm25), rows in zip(scored, gold, strict=True)
            for rank in gold_ranks((dense + late_weight * late + bm25_weight * bm25)[: len(rows)], rows)
        ]
        tables[f"late={late_weight} bm25={bm25_weight}"] = recall_table(questions, ranks)
    return tables


def score_all(
    model: BertModel, tokenizer: Tokenizer, guides: Sequence[Guide]
) -> list[tuple[Floats, Floats, Floats]]:
    """Score by single vectors, late interaction and BM25: answerable questions first, then the others."""
    asked = [[*guide.questions, *guide.unanswerable] for guide in guides]
    return [
        (*score_guide(model, tokenizer, guide, questions), bm25_scores(guide, questions))
        for guide, questions in zip(guides, asked, strict=True)
    ]


def _steps(
    guides: Sequence[Guide], glosses: Sequence[Gloss], rng: random.Random
) -> Iterator[tuple[Guide, list[Question]] | list[Gloss]]:
    """One epoch: every question and gloss once, in steps of one guide or of glosses, shuffled."""
    steps: list[tuple[Guide, list[Question]] | list[Gloss]] = []
    for guide in guides:
        questions = list(guide.questions)
        rng.shuffle(questions)
        many = QUESTIONS_A_STEP if len(guide.passages) < LARGE_GUIDE else QUESTIONS_A_LARGE_STEP
        count = max(1, round(len(questions) / many))
        steps += [(guide, questions[at::count]) for at in range(count)]
    mixed = rng.sample(glosses, len(glosses))
    steps += [mixed[at : at + GLOSSES_A_STEP] for at in range(0, len(mixed), GLOSSES_A_STEP)]
    rng.shuffle(steps)
    yield from steps


def _gloss_loss(model: BertModel, tokenizer: Tokenizer, glosses: Sequence[Gloss]) -> Tensor:
    """Softmax over the glosses of a step: lay to answer, lay to plain, plain to answer, averaged."""
    texts = [gloss.lay for gloss in glosses] + [g.plain for g in glosses] + [g.answer for g in glosses]
    vectors, _ = embed(model, tokenize(tokenizer, texts))
    many = len(glosses)
    lay, plain, answer = vectors[:many], vectors[many : 2 * many], vectors[2 * many :]
    gold = torch.arange(many)
    pairs = ((lay, answer), (lay, plain), (plain, answer))
    return torch.stack([functional.cross_entropy(a @ b.T / TEMPERATURE, gold) for a, b in pairs]).mean()


def _loss(
    model: BertModel,
    tokenizer: Tokenizer,
    step: tuple[Guide, list[Question]] | list[Gloss],
    late: bool,
    rng: random.Random,
) -> Tensor:
    if isinstance(step, list):
        return _gloss_loss(model, tokenizer, step)
    guide, batch = step
    texts = [add_slips(q.text, rng) if rng.random() < SLIP_SHARE else q.text for q in batch]
    gold = torch.tensor([question.gold for question in batch])
    scores = _score(model, tokenizer, guide, texts, late)
    loss = functional.cross_entropy(scores[0] / TEMPERATURE, gold)
    if late:
        loss = 0.5 * loss + 0.5 * functional.cross_entropy(
            (scores[0] + TOKEN_WEIGHT * scores[1]) / TEMPERATURE, gold
        )
    return loss


def _report(step: int, loss: float, started: float, tables: dict[str, dict[str, dict[str, float]]]) -> None:
    LOGGER.info(f"step {step} loss {loss:.3f} minutes {(time.monotonic() - started) / 60:.1f}")
    for name, table in tables.items():
        styles = " ".join(f"{s}:{row['@1']}" for s, row in table.items() if s != ALL)
        LOGGER.info(f"  {name:24s} {table[ALL]['@1']} {table[ALL]['@3']} {table[ALL]['@5']} | {styles}")


def train(args: argparse.Namespace) -> None:
    """Train on the guides of ``--data``'s train folder but the validation ones, unless ``--all``."""
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    np.random.seed(args.seed)
    rng = random.Random(args.seed)  # noqa: S311 - a reproducible shuffle, no secret
    guides = read_guides(args.data / "train", *args.guides)
    glosses = [gloss for folder in args.glosses for gloss in read_glosses(folder)]
    judged = [guide for guide in guides if guide.name in VALIDATION]
    learned = guides if args.all else [guide for guide in guides if guide.name not in VALIDATION]
    model, tokenizer = load_bert(args.init, args.dropout, args.bf16), load_tokenizer()
    for layer in list(model.encoder.layer)[: args.frozen]:
        layer.requires_grad_(False)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=args.rate, weight_decay=WEIGHT_DECAY)
    total = args.epochs * len(list(_steps(learned, glosses, random.Random(0))))  # noqa: S311
    total = args.steps or total
    schedule = linear_decay(optimizer, total, WARMUP)
    weights = [(0.0, 0.0), (0.0, BM25_WEIGHT), (TOKEN_WEIGHT, BM25_WEIGHT)]
    started, losses, step = time.monotonic(), [0.0], 0
    recipe = {key: str(value) for key, value in vars(args).items()} | {"guides": [g.name for g in learned]}
    while step < total:
        for planned in _steps(learned, glosses, rng):
            if step == total:
                break
            model.train()
            loss = _loss(model, tokenizer, planned, args.late, rng)
            losses.append(descend(loss, optimizer, schedule, trained))
            step += 1
            if step % 10 == 0:
                LOGGER.info(f"step {step}/{total} loss {np.mean(losses[-10:]):.3f}")
            if step % args.every == 0 or step == total:
                tables = (
                    {} if args.all else recall_tables(judged, score_all(model, tokenizer, judged), weights)
                )
                _report(step, float(np.mean(losses[-50:])), started, tables)
                card = {"recipe": recipe, "step": step, "of": total, "validation": tables}
                save_layers(model, args.out, card, {}, is_whole=True)
    (args.out / "losses.json").write_text(json.dumps(losses[1:]), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of guideqa, with train/ in it")
    parser.add_argument("--guides", type=Path, nargs="*", default=[], help="further folders of guides")
    parser.add_argument("--glosses", type=Path, nargs="*", default=[], help="folders of glosses")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, default=None, help="layers to begin with; bundled without")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=0, help="instead of epochs")
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=LEARNING_RATE)
    parser.add_argument("--late", action="store_true", help="train late interaction beside single vectors")
    parser.add_argument(
        "--bf16", action="store_true", help="multiply in bfloat16, where the processor has AMX"
    )
    parser.add_argument("--frozen", type=int, default=0, help="layers from below that stay as they are")
    parser.add_argument("--all", action="store_true", help="learn from the validation guides too")
    parser.add_argument("--every", type=int, default=130, help="steps between two checkpoints")
    parser.add_argument("--threads", type=int, default=1, help="more fight with whatever else runs")
    return parser.parse_args()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train(_arguments())
