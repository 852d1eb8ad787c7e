"""Write the graphs that ONNX Runtime serves, without their weights.

A graph file holds the shape of a computation and the names of its weights; the weights stay in the
safetensors files and are handed over when a session is opened, so nothing is stored twice and no graph
changes when weights are trained again. A weight that the exporter turned over is named ``<name>.T``.

Run as ``python -m training.export`` (needs onnx and onnxscript).
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional

from training.judge import WIDTH, Judge
from training.model import HEADS, load_bert

LOGGER = logging.getLogger(__name__)
ENCODER_GRAPH = Path("ingest/weights/encoder.onnx")
JUDGE_PASSAGES_GRAPH = Path("bot/weights/judge-passages.onnx")
JUDGE_QUESTION_GRAPH = Path("bot/weights/judge-question.onnx")
OPSET = 20
_BATCH, _TOKENS, _SEEN = Dim("batch"), Dim("tokens"), Dim("seen")


class _Encoder(nn.Module):
    """Mean of the token states, length 1, as sentence-transformers does; and each state, length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.bert = load_bert()

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        states = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask[..., None].to(states.dtype)
        pooled = (states * weights).sum(1) / weights.sum(1)
        return functional.normalize(pooled, dim=-1), functional.normalize(states, dim=-1)


class _JudgePassages(nn.Module):
    """What the judge keeps of passages: keys and values of each joint layer, and the pooled states."""

    def __init__(self, judge: Judge) -> None:
        super().__init__()
        self.judge = judge

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.judge.read_padded(ids, mask.bool())


class _JudgeQuestion(nn.Module):
    """What one question and its candidates give: the head's score and the cosine, still unscaled."""

    def __init__(self, judge: Judge) -> None:
        super().__init__()
        self.judge = judge

    def forward(
        self, ids: Tensor, keys: Tensor, values: Tensor, seen: Tensor, pooled: Tensor
    ) -> tuple[Tensor, Tensor]:
        return self.judge.compare_padded(ids, torch.ones_like(ids).bool(), keys, values, seen.bool(), pooled)


def _find(value: Any, known: Mapping[str, Any]) -> str | None:
    for name, tensor in known.items():
        if tensor.shape == value.shape and np.array_equal(tensor, value):
            return name
        if tensor.ndim == 2 and tensor.T.shape == value.shape and np.array_equal(tensor.T, value):
            return f"{name}.T"
    return None


def strip_weights(model: onnx.ModelProto, state: Mapping[str, Tensor]) -> list[str]:
    """Take the weights out of a graph and name each after the tensor that belongs there.

    :param state: The tensors by the names that their files use; all different from one another.
    :return: The names that the graph asks for, in order.
    :raises ValueError: If a weight of the graph is none of them.
    """
    known = {name: tensor.detach().numpy() for name, tensor in state.items()}
    names: dict[str, str] = {}
    for initializer in model.graph.initializer:
        value = numpy_helper.to_array(initializer)
        name = _find(value, known)
        if name is None and (value.size == 1 or value.dtype != np.float32):
            continue  # a constant of the computation
        if name is None:
            raise ValueError(f"A weight of shape {value.shape} is none of the model's.")
        names[initializer.name] = initializer.name = name
        initializer.ClearField("raw_data")
        initializer.data_location = onnx.TensorProto.EXTERNAL
        initializer.external_data.add(key="location", value="weights")
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    return list(names.values())


def _export(
    module: nn.Module,
    inputs: Mapping[str, tuple[Tensor, dict[int, Any]]],
    outputs: Sequence[str],
    state: Mapping[str, Tensor],
    path: Path,
) -> None:
    program = torch.onnx.export(
        module.eval(),
        tuple(tensor for tensor, _ in inputs.values()),
        dynamo=True,
        dynamic_shapes=tuple(shape for _, shape in inputs.values()),
        input_names=list(inputs),
        output_names=list(outputs),
        opset_version=OPSET,
        verbose=False,
    )
    if program is None:
        raise ValueError(f"The exporter gave no graph for {path}.")
    program.optimize()
    model = program.model_proto
    names = strip_weights(model, state)
    for value in (*model.graph.node, *model.graph.value_info):
        value.ClearField("metadata_props")  # paths of the machine that exported it
    model.graph.ClearField("value_info")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    path.with_suffix(".txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    LOGGER.info(f"{path}: {path.stat().st_size / 1000:.0f} KB, {len(model.graph.node)} nodes")


def main() -> None:
    """Write the three graphs."""
    torch.manual_seed(1)
    ids = torch.randint(5, 1000, (3, 17))
    mask = torch.ones_like(ids)
    both = {0: _BATCH, 1: _TOKENS}
    texts = {"ids": (ids, both), "mask": (mask, both)}
    encoder = _Encoder()
    _export(encoder, texts, ["vectors", "tokens"], encoder.bert.state_dict(), ENCODER_GRAPH)
    judge = Judge(load_bert())
    for tensor in judge.head().values():
        torch.nn.init.normal_(tensor)  # no two alike, so that each is found by its values
    state = judge.bert.state_dict() | judge.head()
    _export(_JudgePassages(judge), texts, ["keys", "values", "pooled"], state, JUDGE_PASSAGES_GRAPH)
    joint = len(judge.bert.encoder.layer) - judge.split
    shape = (4, joint, HEADS, 23, WIDTH // HEADS)  # tensors of their own: one given twice becomes one input
    question = {
        "ids": (ids[:1], {1: _TOKENS}),
        "keys": (torch.randn(shape), {0: _BATCH, 3: _SEEN}),
        "values": (torch.randn(shape), {0: _BATCH, 3: _SEEN}),
        "seen": (torch.ones(4, 23, dtype=torch.long), {0: _BATCH, 1: _SEEN}),
        "pooled": (torch.randn(4, WIDTH), {0: _BATCH}),
    }
    _export(_JudgeQuestion(judge), question, ["mixed", "cosine"], state, JUDGE_QUESTION_GRAPH)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    LOGGER.setLevel(logging.INFO)
    with torch.no_grad():
        main()
