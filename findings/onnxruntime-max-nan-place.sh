#!/usr/bin/env bash
# onnxruntime 1.32.0 (CPU): whether a maximum keeps a NaN depends on the operator, on the NaN's place and on the dtype.
#
# Expected: NaN in gives NaN out, as Max of two tensors does, or NaN is always dropped. Seen, for the values 1, 2, 3, 4
# with one of them replaced by NaN (N: the result is NaN): ReduceMax keeps a NaN only in the first place. MaxPool in
# float64 does the same. MaxPool in float32 keeps it only in the last place, and in windows of 2 or 3 in no place.
# A diverged activation can therefore leave a pooling layer as a finite number. PyTorch gives NaN in each case.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-input onnx==1.23.2 onnxruntime==1.32.0
cat >maximum.py <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper

types = {'float32': TensorProto.FLOAT, 'float64': TensorProto.DOUBLE}


def run(op, feeds, out, **attributes):
    dtype = types[str(feeds['x'].dtype)]
    values = [helper.make_tensor_value_info(k, dtype, v.shape) for k, v in feeds.items()]
    y = helper.make_tensor_value_info('y', dtype, out)
    graph = helper.make_graph([helper.make_node(op, list(feeds), ['y'], **attributes)], 'g', values, [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=8)
    checker.check_model(model, full_check=True)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)[0]


for dtype in types:
    for op, size in (('Max', 4), ('ReduceMax', 4), ('MaxPool', 4), ('MaxPool', 3)):
        marks = ''
        for place in range(size):
            x = np.arange(1, size + 1, dtype=dtype)
            x[place] = np.nan
            if op == 'Max':
                y = run(op, {'x': x, 'z': np.zeros(size, dtype)}, [size])
            elif op == 'ReduceMax':
                y = run(op, {'x': x}, [], keepdims=0)
            else:
                y = run(op, {'x': x.reshape(1, 1, size)}, [1, 1, 1], kernel_shape=[size])
            marks += 'N' if np.isnan(y).any() else '.'
        print(dtype, op, marks)
PY
seen=$(venv/bin/python maximum.py)
echo "$seen"
expected='float32 Max NNNN
float32 ReduceMax N...
float32 MaxPool ...N
float32 MaxPool ...
float64 Max NNNN
float64 ReduceMax N...
float64 MaxPool N...
float64 MaxPool N..'
[ "$seen" = "$expected" ] || { echo 'this has changed'; exit 1; }
