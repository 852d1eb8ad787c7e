"""The tables of the model card: encoder, judge and declining on one set of guides, with times.

Run as ``python -m training.evaluate --data PATH --split validation|heldout --encoder FILE --judge FILE``.
Weights are chosen on the validation guides; the held-out ones are for judging only.
"""

import argparse
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from training.data import VALIDATION, Guide, read_guides
from training.figures import Floats
from training.judge import Judge
from training.model import load_bert, load_tokenizer, tokenize
from training.train_encoder import recall_tables, score_all
from training.train_judge import TOP_K, First, judge_guide, report, show

LOGGER = logging.getLogger(__name__)
WEIGHTS = tuple((late, bm25) for late in (0.0, 0.25, 0.5, 1.0) for bm25 in (0.0, 0.01, 0.02, 0.03))


def load_judge(layers: Path, joint: int) -> Judge:
    """Put a stored judge together: bundled MiniLM, trained upper layers, head."""
    judge = Judge(load_bert(layers), joint)
    state = load_file(str(layers))
    head = {
        name.removeprefix("judge."): value.float()
        for name, value in state.items()
        if name.startswith("judge.")
    }
    missing, unexpected = judge.load_state_dict(head, strict=False)
    if unexpected or any(not name.startswith("bert.") for name in missing):
        raise ValueError(f"The judge's file {layers} lacks {missing} or has {unexpected}.")
    return judge.eval()


def time_judge(judge: Judge, guides: Sequence[Guide], threads: int, count: int = 60) -> dict[str, float]:
    """Milliseconds to judge ten candidates of one question, passages read before."""
    torch.set_num_threads(threads)
    tokenizer, guide, times = load_tokenizer(), guides[0], []
    with torch.no_grad():
        memory = judge.read_passages(tokenize(tokenizer, guide.wholes))
        for question in guide.questions[:count]:
            started = time.perf_counter()
            judge.score_pairs(tokenize(tokenizer, [question.text]), memory, [list(range(TOP_K))])
            times.append(1000 * (time.perf_counter() - started))
    return {"p50_ms": round(float(np.median(times)), 1), "p95_ms": round(float(np.quantile(times, 0.95)), 1)}


def _scores(args: argparse.Namespace, guides: Sequence[Guide]) -> list[tuple[Floats, Floats, Floats]]:
    """Score with the encoder, or read what an earlier run kept in ``--scores``."""
    if args.scores is not None and args.scores.is_file():
        kept = np.load(args.scores)
        return [(kept[f"{g.name}.0"], kept[f"{g.name}.1"], kept[f"{g.name}.2"]) for g in guides]
    scored = score_all(load_bert(args.encoder), load_tokenizer(), guides)
    if args.scores is not None:
        arrays = {
            f"{g.name}.{at}": part for g, s in zip(guides, scored, strict=True) for at, part in enumerate(s)
        }
        np.savez(args.scores, **arrays)  # type: ignore[arg-type]
    return scored


def main(args: argparse.Namespace) -> None:
    """Print the tables and write them to ``--out``."""
    torch.set_num_threads(args.threads)
    guides = read_guides(args.data / ("heldout" if args.split == "heldout" else "train"))
    if args.split == "validation":
        guides = [guide for guide in guides if guide.name in VALIDATION]
    scored = _scores(args, guides)
    tables: dict[str, object] = {
        f"rerank {name}": table for name, table in recall_tables(guides, scored, WEIGHTS).items()
    }
    if args.judge:
        judge, tokenizer = load_judge(args.judge, args.joint), load_tokenizer()
        first = [First(dense + args.late * late + args.bm25 * bm25, ()) for dense, late, bm25 in scored]
        logits = [judge_guide(judge, tokenizer, g, f.scores) for g, f in zip(guides, first, strict=True)]
        tables |= report(guides, first, logits)
        if args.logits is not None:
            named = {g.name: rows for g, rows in zip(guides, logits, strict=True)}
            np.savez(args.logits, **named)  # type: ignore[arg-type]
        tables["times"] = {str(n): time_judge(judge, guides, n) for n in (1, 2)}
    show(tables)
    args.out.write_text(json.dumps(tables, indent=1), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of guideqa")
    parser.add_argument("--split", choices=("validation", "heldout"), default="validation")
    parser.add_argument("--encoder", type=Path, default=None, help="trained layers; bundled without")
    parser.add_argument("--judge", type=Path, default=None)
    parser.add_argument("--joint", type=int, default=3)
    parser.add_argument(
        "--late", type=float, default=0.5, help="weight of late interaction in the first stage"
    )
    parser.add_argument("--bm25", type=float, default=0.02, help="weight of BM25 in the first stage")
    parser.add_argument("--scores", type=Path, default=None, help="keeps the encoder's scores (.npz)")
    parser.add_argument("--logits", type=Path, default=None, help="keeps the judge's scores (.npz)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main(_arguments())
