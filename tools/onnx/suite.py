"""Writes the node tests of the Python package onnx to a folder, for tools/onnx/suite.mjs.

    python tools/onnx/suite.py FOLDER

The package makes its tests in memory. Each becomes a folder with the model, and with the inputs and outputs as
TensorProto messages. The tolerances are in suite.json. Made with onnx 1.23.2.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases


def tensors(folder, kind, values, infos):
    """Writes values as files. Returns their names, or None if one is not a tensor."""
    names = []
    for index, (value, info) in enumerate(zip(values, infos)):
        if isinstance(value, (np.ndarray, np.generic, int, float)):
            value = numpy_helper.from_array(np.asarray(value), info.name)
        if not isinstance(value, onnx.TensorProto):
            return None
        (folder / f"{kind}_{index}.pb").write_bytes(value.SerializeToString())
        names.append(info.name)
    return names


def main(root):
    listed = []
    for case in collect_testcases(None):
        folder = root / case.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(case.model.SerializeToString())
        graph = case.model.graph
        defaults = {tensor.name for tensor in graph.initializer}
        infos = [info for info in graph.input if info.name not in defaults]
        entry = {
            "name": case.name,
            "rtol": case.rtol,
            "atol": case.atol,
            "operator": graph.node[-1].op_type if graph.node else "",
            "sets": [],
        }
        for number, (inputs, outputs) in enumerate(case.data_sets):
            data = folder / f"data_{number}"
            data.mkdir(exist_ok=True)
            if isinstance(inputs, dict):
                inputs = [inputs[info.name] for info in infos]
            entry["sets"].append({
                "inputs": tensors(data, "input", inputs, infos),
                "outputs": tensors(data, "output", outputs, graph.output),
            })
        listed.append(entry)
    (root / "suite.json").write_text(json.dumps({"onnx": onnx.__version__, "cases": listed}))
    print(len(listed), "cases of onnx", onnx.__version__)


main(pathlib.Path(sys.argv[1]))
