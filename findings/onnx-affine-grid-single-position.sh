#!/usr/bin/env bash
# onnx 1.23.2 and onnxruntime 1.32.0 (CPU): AffineGrid with align_corners puts the only position along an axis of length 1
# at opposite ends.
#
# Expected: the same place in both, and the middle, 0, as in affine_grid of PyTorch. Seen, for the identity and sizes with
# one row or one column: ONNX Runtime puts it at the last end, 1; the reference of onnx divides by 0, warns, and puts it
# at the first end, -1. The specification names the function of PyTorch, and does not name this case. With one row, all of
# a sampled image is thus read from its lower or its upper edge. The two agree for longer axes, and without align_corners.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-input onnx==1.23.2 onnxruntime==1.32.0
cat >grid.py <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper
from onnx.reference import ReferenceEvaluator

inputs = [
    helper.make_tensor_value_info('theta', TensorProto.FLOAT, [1, 2, 3]),
    helper.make_tensor_value_info('size', TensorProto.INT64, [4]),
]
output = helper.make_tensor_value_info('y', TensorProto.FLOAT, [1, None, None, 2])
identity = np.array([[[1, 0, 0], [0, 1, 0]]], np.float32)


def text(grid):
    return ' '.join(f'{x:g},{y:g}' for x, y in np.round(grid, 6).reshape(-1, 2) + 0)


for aligned in (1, 0):
    node = helper.make_node('AffineGrid', ['theta', 'size'], ['y'], align_corners=aligned)
    graph = helper.make_graph([node], 'g', inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 20)], ir_version=10)
    checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for rows, columns in ((1, 3), (3, 1), (2, 2)):
        feeds = {'theta': identity, 'size': np.array([1, 1, rows, columns], np.int64)}
        with np.errstate(all='ignore'):
            reference = ReferenceEvaluator(model).run(None, feeds)[0]
        print(f'aligned {aligned}, {rows} x {columns}')
        print('  runtime  ', text(session.run(None, feeds)[0]))
        print('  reference', text(reference))
PY
seen=$(venv/bin/python -W ignore grid.py)
echo "$seen"
expected='aligned 1, 1 x 3
  runtime   -1,1 0,1 1,1
  reference -1,-1 0,-1 1,-1
aligned 1, 3 x 1
  runtime   1,-1 1,0 1,1
  reference -1,-1 -1,0 -1,1
aligned 1, 2 x 2
  runtime   -1,-1 1,-1 -1,1 1,1
  reference -1,-1 1,-1 -1,1 1,1'
[ "$(echo "$seen" | head -9)" = "$expected" ] || { echo 'this has changed'; exit 1; }
# Without aligned corners, the two agree.
echo "$seen" | tail -9 | awk '/runtime/ {a = $0; sub(/ *runtime */, "", a)} /reference/ {b = $0; sub(/ *reference */, "", b); if (a != b) exit 1}' || { echo 'this has changed'; exit 1; }
