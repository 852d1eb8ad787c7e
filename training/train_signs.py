"""Fine-tune vectors for the warning-sign gate: wordings of one sign together, harmless ones away from all.

Learns from the example wordings of the gate itself and, as harmless ones, from the questions to the guides
in ``training/guides``. Embeddings and lower layers stay those of the bundled model. Serving compares
vectors with the examples (``bot.sign_likeness``), so an example added later counts without training.
Run as ``python -m training.train_signs --out FOLDER``.
"""

import argparse
import hashlib
import logging
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertModel

from bot.datatypes import Urgency
from bot.safety import universal_signs
from bot.sign_examples import examples_of
from bot.sign_words import trained_reader
from ingest.signs import TIERS, WarningSigns, read_signs
from training.data import read_guides
from training.model import (
    descend,
    keys_values,
    linear_decay,
    load_bert,
    load_tokenizer,
    near_lengths,
    precision_of,
    run_layer,
    save_layers,
    tokenize,
)

__all__ = ["SignModel", "Wording", "fold_of", "read_wordings"]

LOGGER = logging.getLogger(__name__)
BATCH = 128
LEARNING_RATE = 2e-4
PROTOTYPE_RATE = 4e-3
WEIGHT_DECAY = 0.01
WARMUP = 0.1
SCALE = 16.0  # of the cosine with a prototype
MIXED_SHARE = 0.3  # wordings put among harmless ones, as a sign stands in a story
MIXED_WITH = (1, 1, 1, 2, 3)


@dataclass(frozen=True, slots=True)
class Wording:
    """A wording in one spelling; ``sign`` is its place among the signs, their number for a harmless one."""

    text: str
    sign: int


def fold_of(text: str, folds: int) -> int:
    """Give the fold that a text belongs to, by its checksum."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % folds


def read_wordings(signs: WarningSigns, guides: Path) -> list[Wording]:
    """Read the example wordings, then the questions to other guides as harmless ones; each text once."""
    reader, phrases = trained_reader(signs)
    harmless = len(signs.signs)
    examples = examples_of(signs, reader, phrases)
    found = {item.text: item.sign if item.sign >= 0 else harmless for item in examples}
    for guide in read_guides(guides):
        for question in guide.questions:
            found.setdefault(reader.spelled(question.text), harmless)
    return [Wording(text, sign) for text, sign in found.items() if text]


class SignModel:
    """MiniLM whose upper layers are trained; what the frozen lower ones give is computed apart.

    :param trained: How many layers, from the top.
    """

    def __init__(self, bert: BertModel, trained: int) -> None:
        self.bert = bert
        layers = list(bert.encoder.layer)
        self.lower, self.upper = layers[: len(layers) - trained], layers[len(layers) - trained :]
        for layer in self.lower:
            layer.requires_grad_(False)

    def read(self, ids: Sequence[Sequence[int]]) -> list[Tensor]:
        """Run texts through the frozen layers; gives the states of each text's tokens."""
        self.bert.eval()  # type: ignore[no-untyped-call]
        states: list[Tensor] = [torch.empty(0)] * len(ids)
        with torch.no_grad():
            for rows in near_lengths([len(row) for row in ids]):
                tokens, mask = _pad([torch.tensor(ids[row])[:, None] for row in rows])
                given = self.bert.embeddings(input_ids=tokens[..., 0])
                with precision_of(self.bert):
                    through = _through(self.lower, given, mask).float()
                for row, read in zip(rows, through, strict=True):
                    states[row] = read[: len(ids[row])].clone()
        return states

    def embed(self, states: Sequence[Tensor]) -> Tensor:
        """Run states through the trained layers: mean of the tokens, length 1, shape (texts, width)."""
        vectors: list[Tensor] = [torch.empty(0)] * len(states)
        for rows in near_lengths([len(row) for row in states]):
            given, mask = _pad([states[row] for row in rows])
            with precision_of(self.bert):
                through = _through(self.upper, given, mask)
            seen = through.float() * mask[..., None]
            pooled = functional.normalize(seen.sum(1) / mask.sum(1, keepdim=True), dim=-1)
            for row, vector in zip(rows, pooled, strict=True):
                vectors[row] = vector
        return torch.stack(vectors)


def _pad(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    padded = nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
    lengths = torch.tensor([len(row) for row in rows])
    return padded, torch.arange(padded.shape[1])[None] < lengths[:, None]


def _through(layers: Sequence[Any], states: Tensor, mask: Tensor) -> Tensor:
    for layer in layers:
        states = run_layer(layer, states, *keys_values(layer, states), mask[:, None, None, :])
    return states


def _loss(vectors: Tensor, signs: Tensor, prototypes: Tensor, ranks: Tensor) -> Tensor:
    """Cross entropy over the signs and "harmless", and for each tier over "at least so urgent".

    Which of two emergencies it is matters less than that it is one.
    """
    logits = functional.log_softmax(SCALE * vectors @ functional.normalize(prototypes, dim=-1).T, dim=1)
    loss = functional.nll_loss(logits, signs)
    for least in range(1, len(TIERS) + 1):
        is_up = ranks >= least
        up = torch.logsumexp(logits.masked_fill(~is_up, -1e9), dim=1)
        down = torch.logsumexp(logits.masked_fill(is_up, -1e9), dim=1)
        loss = loss - torch.where(is_up[signs], up, down).mean() / len(TIERS)
    return loss


def _mixed(wording: Wording, harmless: Sequence[str], rng: random.Random) -> str:
    """Put a wording among harmless ones."""
    texts = rng.choices(harmless, k=rng.choice(MIXED_WITH))
    texts.insert(rng.randint(0, len(texts)), wording.text)
    return " ".join(texts)


def _prototypes(model: SignModel, states: Sequence[Tensor], signs: Tensor, count: int) -> nn.Parameter:
    """Begin with the mean vector of each sign's wordings; zero where a sign has none."""
    with torch.no_grad():
        members = functional.one_hot(signs, count).float()
        return nn.Parameter(members.T @ model.embed(states) / members.sum(0).clamp(min=1.0)[:, None])


def _steps(
    model: SignModel,
    tokenizer: Tokenizer,
    wordings: Sequence[Wording],
    states: Sequence[Tensor],
    rng: random.Random,
) -> Iterator[tuple[list[Tensor], Tensor]]:
    """Give epochs without end: states and signs of each batch."""
    harmless = max(wording.sign for wording in wordings)
    plain = [wording.text for wording in wordings if wording.sign == harmless]
    while True:
        order = rng.sample(range(len(wordings)), len(wordings))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            batch = [states[row] for row in rows]
            mixed = [at for at in range(len(rows)) if rng.random() < MIXED_SHARE]
            texts = [_mixed(wordings[rows[at]], plain, rng) for at in mixed]
            for at, read in zip(mixed, model.read(tokenize(tokenizer, texts)), strict=True):
                batch[at] = read
            yield batch, torch.tensor([wordings[row].sign for row in rows])


def train(args: argparse.Namespace) -> None:
    """Train on all wordings, or on all but one fold of them."""
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)  # noqa: S311 - a reproducible shuffle, no secret
    signs = universal_signs().merge(read_signs(args.signs))
    harmless = len(signs.signs)
    wordings = [
        wording
        for wording in read_wordings(signs, args.guides)
        if args.fold < 0 or fold_of(wording.text, args.folds) != args.fold
    ]
    ranks = torch.tensor([*(Urgency(sign.tier).rank for sign in signs.signs), 0])
    model, tokenizer = (
        SignModel(load_bert(args.init, args.dropout, args.bf16), args.trained),
        load_tokenizer(),
    )
    layers = [parameter for parameter in model.bert.parameters() if parameter.requires_grad]
    states = model.read(tokenize(tokenizer, [wording.text for wording in wordings]))
    known = torch.tensor([wording.sign for wording in wordings])
    prototypes = _prototypes(model, states, known, harmless + 1)
    optimizer = torch.optim.AdamW(
        [{"params": layers, "lr": args.rate}, {"params": [prototypes], "lr": PROTOTYPE_RATE}],
        weight_decay=WEIGHT_DECAY,
    )
    total = round(args.epochs * len(wordings) / BATCH)
    schedule = linear_decay(optimizer, total, WARMUP)
    started, losses = time.monotonic(), []
    steps = _steps(model, tokenizer, wordings, states, rng)
    for step in range(1, total + 1):
        batch, gold = next(steps)
        model.bert.train()
        loss = _loss(model.embed(batch), gold, prototypes, ranks)
        losses.append(descend(loss, optimizer, schedule, layers))
        if step % 20 == 0 or step == total:
            minutes = (time.monotonic() - started) / 60
            LOGGER.info(f"step {step}/{total} loss {np.mean(losses[-20:]):.3f} minutes {minutes:.1f}")
    recipe = {key: str(value) for key, value in vars(args).items()} | {"wordings": len(wordings)}
    LOGGER.info(save_layers(model.bert, args.out, {"recipe": recipe, "losses": losses[::20]}, {}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--signs", type=Path, default=Path("corpus/warning-signs"))
    parser.add_argument("--guides", type=Path, default=Path("training/guides"), help="harmless questions")
    parser.add_argument(
        "--init", type=Path, default=Path("ingest/weights/encoder.safetensors"), help="layers to begin with"
    )
    parser.add_argument("--trained", type=int, default=3, help="layers from the top")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--rate", type=float, default=LEARNING_RATE)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument(
        "--bf16", action="store_true", help="multiply in bfloat16, where the processor has AMX"
    )
    parser.add_argument("--fold", type=int, default=-1, help="fold to leave out, for judging; -1 for none")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train(_arguments())
