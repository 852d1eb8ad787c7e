"""The judge: does this passage answer this question? A cross-encoder of which only the question moves.

The lower half of MiniLM reads question and passage apart, and the passage goes on apart through the upper
half, so all of a passage is computed once, when the guide is read. In the upper half the question's tokens
see their own and the passage's tokens. A pair costs the question's few tokens and half the layers: about a
twelfth of a usual cross-encoder (the idea of PreTTR, MacAvaney et al. 2020, "Efficient Document Re-Ranking
for Transformers by Precomputing Term Representations", carried to the passage's upper half).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertModel

from training.model import keys_values, precision_of, run_layer

__all__ = ["Judge", "PassageMemory"]

WIDTH = 384
HIDDEN = 128
PAIR_TOKENS = 512  # padded question tokens in one pass through the upper half


@dataclass(frozen=True, slots=True)
class PassageMemory:
    """What the judge keeps of the passages of a guide.

    :param keys: Shape (passages, joint layers, heads, tokens, width of a head).
    :param values: As the keys.
    :param mask: True where a token is, shape (passages, tokens).
    :param pooled: Mean of the last states, shape (passages, width).
    """

    keys: Tensor
    values: Tensor
    mask: Tensor
    pooled: Tensor


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    return (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def _pad(ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    width = max(len(row) for row in ids)
    tokens = torch.tensor([[*row, *[0] * (width - len(row))] for row in ids])
    return tokens, torch.tensor([[at < len(row) for at in range(width)] for row in ids])


class Judge(nn.Module):
    """Scores pairs; above 0 the passage answers, for 0 is the score of "none of them".

    :param bert: MiniLM; its embeddings and lower layers are frozen.
    :param joint: How many of its layers, from the top, see question and passage together.
    """

    def __init__(self, bert: BertModel, joint: int = 3) -> None:
        super().__init__()
        self.bert = bert
        self.split = len(bert.encoder.layer) - joint
        for layer in bert.encoder.layer[: self.split]:
            layer.requires_grad_(False)
        self.side = nn.Parameter(torch.zeros(WIDTH))  # tells the passage's tokens from the question's
        self.token = nn.Linear(WIDTH, HIDDEN)
        self.mix = nn.Linear(2 * WIDTH + 2 * HIDDEN, HIDDEN)
        self.out = nn.Linear(HIDDEN, 1)
        self.scale = nn.Parameter(torch.tensor([20.0, -12.0]))  # of the cosine, and what is added
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def head(self) -> dict[str, Tensor]:
        """Give the trained tensors that are not MiniLM's, by name."""
        return {
            f"judge.{name}": value
            for name, value in self.state_dict().items()
            if not name.startswith("bert.")
        }

    def load_head(self, weights: Mapping[str, Tensor]) -> None:
        """Take over the head's tensors from stored weights; others are passed over, a lacking one stays."""
        own = {
            name.removeprefix("judge."): w.float() for name, w in weights.items() if name.startswith("judge.")
        }
        self.load_state_dict(own, strict=False)

    def _lower(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Read texts apart through the frozen layers, shape (texts, tokens, width)."""
        with torch.no_grad():
            states = self.bert.embeddings(input_ids=tokens)
            for layer in self.bert.encoder.layer[: self.split]:
                states = run_layer(layer, states, *keys_values(layer, states), mask[:, None, None, :])
        return cast(Tensor, states)

    def read_padded(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run padded passages through the model by themselves; gives keys, values and pooled states."""
        states = self._lower(tokens, mask) + self.side
        keys, values = [], []
        for layer in self.bert.encoder.layer[self.split :]:
            key, value = keys_values(layer, states)
            keys.append(key)
            values.append(value)
            states = run_layer(layer, states, key, value, mask[:, None, None, :])
        return torch.stack(keys, dim=1), torch.stack(values, dim=1), _mean(states, mask)

    def read_passages(self, ids: Sequence[Sequence[int]]) -> PassageMemory:
        """Run passages through the model by themselves and keep what questions will look at."""
        tokens, mask = _pad(ids)
        with precision_of(self.bert):
            keys, values, pooled = self.read_padded(tokens, mask)
        return PassageMemory(keys, values, mask, pooled)

    def score_pairs(
        self, questions: Sequence[Sequence[int]], memory: PassageMemory, pairs: Sequence[Sequence[int]]
    ) -> Tensor:
        """Score each question with its candidates, shape (questions, candidates).

        :param questions: Word pieces of each question.
        :param pairs: For each question the rows of its candidates, equally many for all.
        """
        order = sorted(range(len(questions)), key=lambda at: -len(questions[at]))
        many = len(pairs[0])
        scores: list[Tensor] = [torch.empty(0)] * len(questions)
        while order:
            size = max(1, PAIR_TOKENS // (many * len(questions[order[0]])))
            now, order = order[:size], order[size:]
            rows = torch.tensor([row for at in now for row in pairs[at]])
            for at, scored in zip(
                now, self._joint([questions[at] for at in now], memory, rows, many), strict=True
            ):
                scores[at] = scored
        return torch.stack(scores)

    def _joint(self, ids: Sequence[Sequence[int]], memory: PassageMemory, rows: Tensor, many: int) -> Tensor:
        tokens, mask = _pad(ids)
        kept = (memory.keys[rows], memory.values[rows], memory.mask[rows], memory.pooled[rows])
        with precision_of(self.bert):
            mixed, cosine = self.compare_padded(tokens, mask, *kept)
        mixed, cosine = mixed.float(), cosine.float()
        return (mixed + self.scale[0] * cosine + self.scale[1]).view(len(ids), many)

    def compare_padded(
        self, tokens: Tensor, mask: Tensor, keys: Tensor, values: Tensor, seen: Tensor, pooled: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Compare padded questions with their equal share of candidates each.

        :param keys: Of the candidates, in the order of the questions, as in ``PassageMemory``.
        :param seen: Mask of the candidates.
        :return: The score of the head and the cosine of the pooled states, shape (candidates,) each.
        """
        many = keys.shape[0] // tokens.shape[0]
        states = self._lower(tokens, mask).repeat_interleave(many, 0)
        mask = mask.repeat_interleave(many, 0)
        both = torch.cat([mask, seen], dim=1)[:, None, None, :]
        for at, layer in enumerate(self.bert.encoder.layer[self.split :]):
            key, value = keys_values(layer, states)
            key = torch.cat([key, keys[:, at]], dim=2)
            value = torch.cat([value, values[:, at]], dim=2)
            states = run_layer(layer, states, key, value, both)
        return self._judge(states, mask, pooled)

    def _judge(self, states: Tensor, mask: Tensor, passage: Tensor) -> tuple[Tensor, Tensor]:
        question = _mean(states, mask)
        product = functional.normalize(question, dim=-1) * functional.normalize(passage, dim=-1)
        each = functional.gelu(self.token(states))  # one uncovered word is enough to make a passage wrong
        worst = each.masked_fill(~mask[..., None], -1e4).amax(1)
        features = torch.cat([question, WIDTH**0.5 * product, worst, _mean(each, mask)], dim=-1)
        mixed = self.out(functional.gelu(self.mix(features))).squeeze(-1)
        return mixed, product.sum(-1)
