"""Writes the models with which the tests of exportOnnx compare its bytes.

    python test/onnx/golden/make.py

Made with onnx 1.23.2 and NumPy 2. The models are those that test/onnx/export.test.ts exports, built with the helpers of
the Python package.
"""

import pathlib

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

here = pathlib.Path(__file__).parent


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def save(name, opset, ir, nodes, inputs, outputs, tensors, metadata):
    graph = helper.make_graph(nodes, "graph", inputs, outputs, tensors)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir, producer_name="forebay"
    )
    helper.set_model_props(model, metadata)
    checker.check_model(model, full_check=True)
    (here / f"{name}.onnx").write_bytes(model.SerializeToString())


def node(kind, inputs, outputs, name, **attributes):
    made = helper.make_node(kind, inputs, outputs, name=name)
    # helper.make_node sorts attributes by name.
    made.attribute.extend(helper.make_attribute(key, one) for key, one in attributes.items())
    return made


weight = np.array([[1, 2, 3], [-1, 0.5, 0]], np.float32)
save(
    "dense",
    18,
    8,
    [
        node("Gemm", ["x", "net.weight", "net.bias"], ["Gemm_0"], "Gemm_0"),
        node("Relu", ["Gemm_0"], ["hidden"], "Relu_0"),
        node("ArgMax", ["hidden"], ["class"], "ArgMax_0", axis=1, keepdims=0),
    ],
    [value("x", TensorProto.FLOAT, ["batch", 2])],
    [
        value("hidden", TensorProto.FLOAT, ["batch", 3]),
        value("class", TensorProto.INT64, ["batch"]),
    ],
    [
        numpy_helper.from_array(weight, "net.weight"),
        numpy_helper.from_array(np.array([0.5, 0, -1], np.float32), "net.bias"),
    ],
    {"made by": "a test"},
)

save(
    "gather",
    21,
    10,
    [
        node("Gather", ["table", "tokens"], ["Gather_0"], "Gather_0", axis=0),
        node("LayerNormalization", ["Gather_0", "scale"], ["y"], "LayerNormalization_0", axis=-1, epsilon=0.25),
    ],
    [value("tokens", TensorProto.INT64, [2, "steps"])],
    [value("y", TensorProto.DOUBLE, [2, "steps", 2])],
    [
        numpy_helper.from_array(np.array([[1, 2], [3, 5], [0, -1]], np.float64), "table"),
        numpy_helper.from_array(np.array([1, 2], np.float64), "scale"),
    ],
    {},
)
