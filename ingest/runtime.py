"""Graphs that run without torch: the only module that imports onnxruntime.

Takes a graph file without weights and the weights by name, gives a session. The weights stay where they
are (safetensors); ``training/export.py`` writes the graphs, each with the names of its weights beside it.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as faults

from ingest.errors import EncoderError

__all__ = ["Session", "open_session", "pad"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

onnxruntime.disable_telemetry_events()  # only builds for Windows have any


_FAULTS = (  # these have no ancestor of their own
    faults.Fail,
    faults.InvalidArgument,
    faults.InvalidGraph,
    faults.InvalidProtobuf,
    faults.RuntimeException,
)


class Session:
    """An open graph; may be run from several threads at once.

    :param weights: What the session reads its weights from; it does not keep them alive itself.
    """

    def __init__(self, session: onnxruntime.InferenceSession, weights: list[Floats]) -> None:
        self._session = session
        self._weights = weights

    def run(self, **inputs: Floats | Ints) -> list[Floats]:
        """Run the graph; gives its outputs in their order."""
        return [np.asarray(output) for output in self._session.run(None, inputs)]


def open_session(graph: Path, weights: Mapping[str, Floats]) -> Session:
    """Open a graph with its weights.

    :param weights: By the names of the model they come from; the graph asks for ``<name>.T`` where it
        needs one turned over. Half precision is widened.
    :raises EncoderError: If the graph is missing or damaged, or a weight that it needs is not there.
    """
    options = onnxruntime.SessionOptions()
    # One thread a run: several questions at once then share the cores instead of fighting for them.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        names = graph.with_suffix(".txt").read_text(encoding="utf-8").split()
        arrays = [_weight(weights, name) for name in names]
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in arrays]
        options.add_external_initializers(names, values)
        session = onnxruntime.InferenceSession(
            graph.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except (OSError, KeyError, RuntimeError, ValueError, *_FAULTS) as exc:
        raise EncoderError(
            f"The graph {graph} is missing or damaged, or its weights do not fit; install the product again."
        ) from exc
    return Session(session, arrays)


def _weight(weights: Mapping[str, Floats], name: str) -> Floats:
    stored = weights[name.removesuffix(".T")]
    return np.ascontiguousarray(stored.T if name.endswith(".T") else stored, dtype=np.float32)


def pad(ids: list[list[int]]) -> tuple[Ints, Ints]:
    """Make rows equally long; gives the ids, shape (texts, tokens), and 1 where a token is."""
    lengths = np.array([len(row) for row in ids])
    mask = (np.arange(lengths.max())[None, :] < lengths[:, None]).astype(np.int64)
    tokens = np.zeros_like(mask)
    tokens[mask == 1] = np.concatenate([np.array(row, dtype=np.int64) for row in ids])
    return tokens, mask
