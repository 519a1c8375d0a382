"""A policy as a file that other programs run: raw observation in, action as executed out, normalisation inside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from mgail_dyna import runtime
from mgail_dyna.errors import UserError
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.storage import replacing
from mgail_dyna.types import Array, FloatArray

Format = Literal["onnx", "keras", "npz"]
INPUT, OUTPUT = "observation", "action"
# Of ONNX's operators; the runtime of 2021 and later ones know it.
OPSET = 13
# Observations that an exported policy is tried on, and how far its actions may be off, in units of the action.
TRIED, TOLERANCE = 1_000, 1e-5

Act = Callable[[FloatArray], Array]


def export_policy(path: str | Path, policy: NumpyPolicy, form: Format) -> float:
    """Writes `policy` as a file, reads it back, and compares both.

    Args:
        path: of the file.
        policy: to write; its mean action is exported.
        form: "onnx": a graph from `observation [n, d]` float32 to `action [n, a]` float32, or `[n]` int64 where
            discrete; "keras": a model of the same signature; "npz": the arrays (`docs/deploy.md`).

    Returns:
        The largest difference of an action on 1,000 observations, in units of the action.

    Raises:
        UserError: a package is missing, the file cannot be written, or the exported policy acts differently.
    """
    file = Path(path)
    if file.suffix != f".{form}":
        raise UserError(f"{file}: expected a file ending in .{form}, found {file.suffix or 'no ending'}")
    write, read = _FORMATS[form]
    size = len(policy.layers[0][0])
    observations = policy.mean + policy.std * np.random.default_rng(0).standard_normal((TRIED, size), np.float32)
    with replacing(file) as fresh:
        named = fresh.with_name(file.name)  # Keras and NumPy look at the ending
        write(policy, named)
        difference = _difference(policy, read(named)(observations.astype(np.float32)), policy.act(observations))
        if not difference <= TOLERANCE:
            raise UserError(
                f"{file}: expected the actions of the policy, found others (by {difference:.1g} of their unit)"
            )
        named.replace(fresh)
    return difference


def _difference(policy: NumpyPolicy, found: Array, expected: Array) -> float:
    if found.shape != expected.shape:
        return float("inf")
    off = np.abs(found.astype(np.float64) - expected)
    return float((off / policy.spec.scale if policy.spec.kind == "continuous" else off).max())


def _write_npz(policy: NumpyPolicy, path: Path) -> None:
    spec = policy.spec
    numbers: dict[str, Any] = {
        **{name: array for name, array in policy.weights.items() if name != "log_std"},
        **{"mean": policy.mean, "std": policy.std, "clip": policy.clip},
        **{"activation": policy.activation, "squash": policy.squash, "start": spec.start},
    }
    if spec.kind == "continuous":
        numbers |= {"center": spec.center, "scale": spec.scale, "reach": spec.reach, "low": spec.low, "high": spec.high}
    with path.open("wb") as file:
        np.savez(file, **numbers)


def _read_npz(path: Path) -> Act:
    with np.load(path, allow_pickle=False) as file:
        part = dict(file)

    def act(observation: FloatArray) -> Array:
        x = np.clip((observation - part["mean"]) / part["std"], -part["clip"], part["clip"])
        layers = sum(name.startswith("kernel_") for name in part)
        for i in range(layers):
            x = x @ part[f"kernel_{i}"] + part[f"bias_{i}"]
            if i < layers - 1:
                x = np.tanh(x) if part["activation"] == "tanh" else np.maximum(x, 0)
        if "low" not in part:
            return np.asarray(part["start"] + x.argmax(axis=-1))
        x = part["reach"] * np.tanh(x / part["reach"]) if part["squash"] else x
        return np.clip(part["center"] + part["scale"] * x, part["low"], part["high"])

    return act


def _write_keras(policy: NumpyPolicy, path: Path) -> None:
    runtime.import_tensorflow()
    from mgail_dyna.backend import keras

    ops, spec = keras.ops, policy.spec
    size = len(policy.layers[0][0])
    inputs = keras.Input((size,), name=INPUT)
    x = ops.clip((inputs - policy.mean) / policy.std, -float(policy.clip), float(policy.clip))
    for i, (kernel, bias) in enumerate(policy.layers):
        last = i == len(policy.layers) - 1
        dense = keras.layers.Dense(len(bias), "linear" if last else policy.activation)
        x = dense(x)
        dense.set_weights([kernel, bias])
    if spec.kind == "discrete":
        outputs = ops.cast(ops.argmax(x, axis=-1), "int64") + spec.start
    else:
        x = ops.tanh(x / spec.reach) * spec.reach if policy.squash else x
        outputs = ops.minimum(ops.maximum(x * spec.scale + spec.center, spec.low), spec.high)
    keras.Model(inputs, outputs, name="policy").save(path)


def _read_keras(path: Path) -> Act:
    from mgail_dyna.backend import keras

    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    return lambda observation: np.asarray(model(observation))


def _write_onnx(policy: NumpyPolicy, path: Path) -> None:
    onnx, _ = _onnx()
    from onnx import TensorProto, helper, numpy_helper

    spec, size = policy.spec, len(policy.layers[0][0])
    constants: list[Any] = []
    nodes: list[Any] = []

    def node(kind: str, result: str, value: str, *arrays: tuple[str, Array | np.float32 | np.int64], **how: Any) -> str:
        constants.extend(numpy_helper.from_array(np.asarray(array), name) for name, array in arrays)
        nodes.append(helper.make_node(kind, [value, *(name for name, _ in arrays)], [result], **how))
        return result

    x = node("Sub", "centred", INPUT, ("mean", policy.mean))
    x = node("Div", "scaled", x, ("std", policy.std))
    x = node("Clip", "normalised", x, ("least", -policy.clip), ("most", policy.clip))
    for i, (kernel, bias) in enumerate(policy.layers):
        x = node("MatMul", f"product_{i}", x, (f"kernel_{i}", kernel))
        x = node("Add", f"layer_{i}", x, (f"bias_{i}", bias))
        if i < len(policy.layers) - 1:
            x = node({"tanh": "Tanh", "relu": "Relu"}[policy.activation], f"hidden_{i}", x)
    if spec.kind == "discrete":
        x = node("ArgMax", "choice", x, axis=-1, keepdims=0)
        node("Add", OUTPUT, x, ("start", np.int64(spec.start)))
        output = helper.make_tensor_value_info(OUTPUT, TensorProto.INT64, ["n"])
    else:
        assert spec.low is not None and spec.high is not None
        if policy.squash:
            x = node("Div", "of_reach", x, ("reach", spec.reach))
            x = node("Mul", "mean_action", node("Tanh", "inside", x), ("reach_again", spec.reach))
        x = node("Mul", "stretched", x, ("scale", spec.scale))
        x = node("Add", "moved", x, ("center", spec.center))
        x = node("Max", "above_low", x, ("low", spec.low))
        node("Min", OUTPUT, x, ("high", spec.high))
        output = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", spec.size])
    observation = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", size])
    graph = helper.make_graph(nodes, "policy", [observation], [output], constants)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="mgail_dyna", ir_version=8
    )
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def _read_onnx(path: Path) -> Act:
    _, onnxruntime = _onnx()
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return lambda observation: np.asarray(session.run([OUTPUT], {INPUT: observation})[0])


def _onnx() -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise UserError(
            f"onnx: expected the packages onnx and onnxruntime, found no {error.name}; "
            f"install them, in the checkout: {runtime.installing('.[onnx]')}"
        ) from None
    return onnx, onnxruntime


_FORMATS: dict[Format, tuple[Callable[[NumpyPolicy, Path], None], Callable[[Path], Act]]] = {
    "onnx": (_write_onnx, _read_onnx),
    "keras": (_write_keras, _read_keras),
    "npz": (_write_npz, _read_npz),
}
assert set(_FORMATS) == set(get_args(Format))
