"""Writes an ONNX model of dense layers with ReLU between them: python onnx_model.py FOLDER MANIFEST LAYERS FILE

FOLDER and MANIFEST (JSON) say where the weights are, LAYERS (JSON) is the list of sizes, and FILE is the output.
"""

import json
import sys

import numpy
from onnx import TensorProto, helper, numpy_helper, save

from peer import Files, layers_of


def main(folder, manifest, sizes, path):
    files = Files(folder, json.loads(manifest))
    sizes = json.loads(sizes)
    names = layers_of({"layers": sizes})
    initializers, nodes = [], []
    value = "x"
    for index, name in enumerate(names):
        for part in ("weight", "bias"):
            data, dtype, shape = files.read(f"{name}.{part}")
            array = numpy.frombuffer(data, dtype=dtype).reshape(shape)
            initializers.append(numpy_helper.from_array(array, f"{name}.{part}"))
        last = index == len(names) - 1
        product = "output" if last else f"{name}.product"
        # The weights have the shape [inputs, units], so Gemm does not have to transpose them.
        nodes.append(helper.make_node("Gemm", [value, f"{name}.weight", f"{name}.bias"], [product]))
        if not last:
            value = f"{name}.output"
            nodes.append(helper.make_node("Relu", [product], [value]))
    batch = files.entries["x"]["shape"][0]
    tensor = lambda name, units: helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, units])
    graph = helper.make_graph(nodes, "layers", [tensor("x", sizes[0])], [tensor("output", sizes[-1])], initializers)
    # These versions are from 2023. Every ONNX Runtime since 1.16 can read them.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    save(model, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
