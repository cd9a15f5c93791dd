#!/usr/bin/env bash
# PyTorch 2.15.0, onnxscript 0.7.2: the ONNX exporter ties the statistics of a fresh BatchNorm to its scale and shift.
#
# Expected: the four tensors of a BatchNorm stay four initializers, for they have four meanings. Seen: initializers of
# equal value are merged, and a fresh BatchNorm has weight = variance = 1 and bias = mean = 0. The operator then reads
# scale, shift, shift, scale. Inference is right. Whoever trains the file's weights changes the statistics with them.
# With optimize=False the four are apart.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-input torch==2.15.0 onnx==1.23.2 onnxscript==0.7.2
cat >export.py <<'PY'
import contextlib
import io

import onnx
import torch

net = torch.nn.Sequential(torch.nn.Conv1d(2, 4, 3), torch.nn.ReLU(), torch.nn.BatchNorm1d(4)).eval()
for optimize in (True, False):
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(net, (torch.ones(2, 2, 8),), 'net.onnx', optimize=optimize)
    graph = onnx.load('net.onnx').graph
    norm = next(node for node in graph.node if node.op_type == 'BatchNormalization')
    print(*norm.input[1:])
PY
seen=$(venv/bin/python export.py 2>/dev/null)
echo "scale, shift, mean, variance; then the same with optimize=False:"
echo "$seen"
expected='2.weight 2.bias 2.bias 2.weight
2.weight 2.bias 2.running_mean 2.running_var'
[ "$seen" = "$expected" ] || { echo 'this has changed'; exit 1; }
