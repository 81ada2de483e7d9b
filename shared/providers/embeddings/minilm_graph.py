"""The MiniLM graph: built from the packaged safetensors with onnx alone, no torch, and quantised to 8 bits.

onnx and onnxruntime come with the extra, so they are imported by name. The fused operators are onnxruntime's own:
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

import importlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

FUSED = "com.microsoft"
OPSET, IR_VERSION = 18, 9
PREPARED = {"onnx.quant.pre_process": "onnxruntime.quant"}
"""Says that the graph is as fused as it gets; the quantiser advises otherwise through the root logger."""

Weights = dict[str, NDArray[np.float32]]


def build(folder: Path, target: Path) -> None:
    """Write the int8 graph of the model in `folder` to `target`, which appears whole or not at all; takes seconds."""
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        exact, quantised = Path(scratch, "exact.onnx"), Path(scratch, "int8.onnx")
        _Graph(folder).save(exact)
        _quantise(exact, quantised)
        os.replace(quantised, target)


def _quantise(source: Path, target: Path) -> None:
    quantization = importlib.import_module("onnxruntime.quantization")
    quantization.quantize_dynamic(
        source,
        target,
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["MatMul", "Attention"],
        extra_options={"DefaultTensorType": 1},  # onnx.TensorProto.FLOAT, which it cannot infer past fused operators
    )


class _Graph:
    """A BERT encoder, mean pooling and scaling to unit length, added operator by operator."""

    def __init__(self, folder: Path) -> None:
        self._onnx: Any = importlib.import_module("onnx")
        self._config = json.loads((folder / "config.json").read_text())
        self._weights: Weights = load_file(folder / "model.safetensors")
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def save(self, file: Path) -> None:
        hidden = self._embeddings()
        self._add("Cast", ["attention_mask"], "mask", to=self._onnx.TensorProto.INT32)
        for layer in range(self._config["num_hidden_layers"]):
            hidden = self._layer(hidden, layer)
        self._pool(hidden)
        self._onnx.save(self._model(), str(file))

    def _embeddings(self) -> str:
        words = self._weight("embeddings.word_embeddings.weight")
        kind = self._weight("embeddings.token_type_embeddings.weight")[0]
        positions = self._weight("embeddings.position_embeddings.weight") + kind
        self._add("Gather", [self._constant("words", words), "input_ids"], "word")
        self._add("Gather", [self._constant("positions", positions), self._position_ids()], "position")
        self._add("Add", ["word", "position"], "embedded")
        scale, shift = self._parameters("embeddings.LayerNorm", "embedding_norm")
        return self._add("LayerNormalization", ["embedded", scale, shift], "hidden", axis=-1, epsilon=self._epsilon)

    def _position_ids(self) -> str:
        zero, one = (self._constant(name, np.array(value)) for name, value in (("zero", 0), ("one", 1)))
        self._add("Shape", ["input_ids"], "shape")
        self._add("Gather", ["shape", one], "length", axis=0)
        return self._add("Range", [zero, "length", one], "position_ids")

    def _layer(self, hidden: str, layer: int) -> str:
        attended = self._attention(hidden, layer)
        return self._feed_forward(attended, layer)

    def _attention(self, hidden: str, layer: int) -> str:
        at, of = f"encoder.layer.{layer}.attention.", f"attention{layer}"
        heads = [f"{at}self.{part}" for part in ("query", "key", "value")]
        weight = self._constant(f"{of}_w", np.concatenate([self._weight(f"{head}.weight").T for head in heads], axis=1))
        bias = self._constant(f"{of}_b", np.concatenate([self._weight(f"{head}.bias") for head in heads]))
        count = self._config["num_attention_heads"]
        mixed = self._add("Attention", [hidden, weight, bias, "mask"], of, domain=FUSED, num_heads=count)
        return self._residual(mixed, hidden, at=f"{at}output", name=f"{of}_out")

    def _feed_forward(self, hidden: str, layer: int) -> str:
        at, of = f"encoder.layer.{layer}.", f"wide{layer}"
        weight, bias = self._parameters(f"{at}intermediate.dense", of)
        self._add("MatMul", [hidden, weight], f"{of}_product")
        active = self._add("BiasGelu", [f"{of}_product", bias], of, domain=FUSED)
        return self._residual(active, hidden, at=f"{at}output", name=f"{of}_out")

    def _residual(self, inner: str, outer: str, *, at: str, name: str) -> str:
        weight, bias = self._parameters(f"{at}.dense", f"{name}_dense")
        scale, shift = self._parameters(f"{at}.LayerNorm", f"{name}_norm")
        self._add("MatMul", [inner, weight], f"{name}_product")
        inputs = [f"{name}_product", outer, scale, shift, bias]
        return self._add("SkipLayerNormalization", inputs, name, domain=FUSED, epsilon=self._epsilon)

    def _pool(self, hidden: str) -> None:
        first, second = (self._constant(f"axis{axis}", np.array([axis])) for axis in (1, 2))
        self._add("Cast", ["attention_mask"], "weights", to=self._onnx.TensorProto.FLOAT)
        self._add("Unsqueeze", ["weights", second], "column")
        self._add("Mul", [hidden, "column"], "weighted")
        self._add("ReduceSum", ["weighted", first], "sum", keepdims=0)  # the mean has the same direction
        self._add("LpNormalization", ["sum"], "sentence_embedding", axis=1, p=2)

    def _model(self) -> Any:
        helper, types = self._onnx.helper, self._onnx.TensorProto
        names = ("input_ids", "attention_mask")
        inputs = [helper.make_tensor_value_info(name, types.INT64, ["batch", "length"]) for name in names]
        shape = ["batch", self._config["hidden_size"]]
        output = helper.make_tensor_value_info("sentence_embedding", types.FLOAT, shape)
        graph = helper.make_graph(self._nodes, "minilm", inputs, [output], self._constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        helper.set_model_props(model, PREPARED)
        return model

    @property
    def _epsilon(self) -> float:
        epsilon: float = self._config["layer_norm_eps"]
        return epsilon

    def _add(self, operator: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any) -> str:
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        # np.ascontiguousarray would make a scalar one-dimensional, which breaks the graph.
        self._constants.append(self._onnx.numpy_helper.from_array(np.array(values, order="C"), name))
        return name

    def _weight(self, name: str) -> NDArray[np.float32]:
        return self._weights[name].astype(np.float32)

    def _parameters(self, at: str, name: str) -> tuple[str, str]:
        """Constants for the weight, turned for MatMul, and the bias of one layer."""
        weight = self._constant(f"{name}_weight", self._weight(f"{at}.weight").T)
        return weight, self._constant(f"{name}_bias", self._weight(f"{at}.bias"))
