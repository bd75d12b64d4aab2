"""Writing a fitted network as an ONNX file."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any

import torch
from torch import Tensor, nn

from ..attention._bottleneck._exportable import ExportableSensitivity
from ..attention._bottleneck._network import BottleneckLSTM
from ._predictor import WindowPredictor

# The weights that define the others of a mode, by the mode.
ATTENTION_OF_MODE = {"time": "time", "feature": "feature", "both": "cell"}


def write_onnx(
    predictor: WindowPredictor,
    path: str | PathLike[str],
    *,
    window_shape: tuple[int, int],
    attention_mode: str | None,
    metadata: dict[str, str],
) -> None:
    """Write a network with its scaling to a file.

    Scaling is computed in double precision and the network in single precision, since the LSTM of
    ONNX Runtime has no other.

    Parameters
    ----------
    predictor : WindowPredictor
        What is exported; it is not changed.

    path : str or path
        The file.

    window_shape : tuple of int
        T and F.

    attention_mode : {"time", "feature", "both"} or None
        Mode of the attention; None for a file with the prediction alone.

    metadata : dict of str
        Properties of the file.
    """
    _check_installed()
    predictor = copy.deepcopy(predictor).cpu().eval()
    network = predictor.network.float()
    if isinstance(network, BottleneckLSTM):
        network.sensitivity = ExportableSensitivity(network.gate)
    names = ["prediction"] if attention_mode is None else ["prediction", "attention"]
    example = torch.zeros(2, *window_shape, dtype=torch.float64)
    batch = torch.export.Dim("n_samples")
    with torch.no_grad(), _without_messages():
        try:
            program: Any = torch.onnx.export(
                _Outputs(predictor, attention_mode),
                (example,),
                input_names=["X"],
                output_names=names,
                dynamic_shapes=({0: batch},),
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            if attention_mode is None:
                raise
            raise ValueError(
                "The attention of this network cannot be written to an ONNX file, since its "
                "computation branches on values. Set attention=False to write the prediction alone."
            ) from error
        # The exporter falls back to the number of samples of the example without an error.
        n_samples = program.model.graph.inputs[0].shape[0]
        assert not isinstance(n_samples, int), "a network must take any number of samples"
        for node in program.model.graph:  # where they were made: the paths of this machine
            for part in (node, *node.outputs):
                part.metadata_props.clear()
        program.model.metadata_props.update(metadata)
        program.save(path)


def _check_installed() -> None:
    """Raise an ImportError unless there is what the exporter needs."""
    try:
        import onnxscript  # noqa: F401

        is_installed = torch.__version__ >= "2.9"  # its default exporter is the present one
    except ImportError:
        is_installed = False
    if not is_installed:
        raise ImportError(
            "to_onnx needs onnx, onnxscript and torch 2.9 or later. Install them with "
            "pip install 'sk-tsattn[onnx]'."
        )


class _Outputs(nn.Module):
    """The outputs of the file.

    **Shape**: X (B, T, F) → prediction, attention of the mode
    """

    def __init__(self, predictor: WindowPredictor, attention_mode: str | None) -> None:
        super().__init__()
        self.predictor = predictor
        self.attention_mode = attention_mode

    def forward(self, X: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        if self.attention_mode is None:
            prediction: Tensor = self.predictor(X)
            return prediction
        prediction, weights = self.predictor.attend(X)
        return prediction, weights[ATTENTION_OF_MODE[self.attention_mode]].double()


@contextmanager
def _without_messages() -> Iterator[None]:
    """Drop the exporter's messages about its own code."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
