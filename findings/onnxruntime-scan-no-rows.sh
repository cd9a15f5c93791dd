#!/usr/bin/env bash
# onnxruntime 1.32.0 (CPU): Scan refuses a sequence of no rows, where Loop with a trip count of 0 returns the initial state.
#
# Expected: the state as it was, and no rows, as the pseudocode of the specification says for a sequence length of 0. Seen: the
# run fails with "Invalid dim0_offset of 0. Dimension 0 is 0", also if the graph of the step has no scan output. The same sum
# as a Loop over the same rows returns the state and [0, 2]. So a model whose number of steps has a name may fail on an empty
# sequence, or not, by which of the two operators its exporter chose.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-input onnx==1.23.2 onnxruntime==1.32.0
cat >scan.py <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper

onnxruntime.set_default_logger_severity(4)


def info(name, shape, dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def scan(rows):
    """The sum of rows; also the sum up to each row, if `rows` is true."""
    nodes = [helper.make_node('Add', ['s', 'x'], ['next'])]
    outputs = [info('next', [2])]
    if rows:
        nodes.append(helper.make_node('Identity', ['next'], ['row']))
        outputs.append(info('row', [2]))
    body = helper.make_graph(nodes, 'body', [info('s', [2]), info('x', [2])], outputs)
    results = ['sum', 'rows'][: len(outputs)]
    return [helper.make_node('Scan', ['start', 'xs'], results, body=body, num_scan_inputs=1)], results


def loop(_):
    nodes = [
        helper.make_node('Gather', ['xs', 'i'], ['x'], axis=0),
        helper.make_node('Add', ['s', 'x'], ['next']),
        helper.make_node('Identity', ['next'], ['row']),
        helper.make_node('Identity', ['more'], ['still']),
    ]
    inputs = [info('i', [], TensorProto.INT64), info('more', [], TensorProto.BOOL), info('s', [2])]
    outputs = [info('still', [], TensorProto.BOOL), info('next', [2]), info('row', [2])]
    body = helper.make_graph(nodes, 'body', inputs, outputs)
    return [
        helper.make_node('Shape', ['xs'], ['shape'], start=0, end=1),
        helper.make_node('Squeeze', ['shape'], ['count']),
        helper.make_node('Loop', ['count', '', 'start'], ['sum', 'rows'], body=body),
    ], ['sum', 'rows']


def shown(made, count):
    nodes, results = made
    outputs = [info(name, [2] if name == 'sum' else [None, 2]) for name in results]
    graph = helper.make_graph(nodes, 'g', [info('start', [2]), info('xs', ['n', 2])], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=8)
    checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    feeds = {'start': np.array([1, 2], np.float32), 'xs': np.ones([count, 2], np.float32)}
    try:
        return ' '.join(f'{one.tolist()} {list(one.shape)}' for one in session.run(None, feeds))
    except Exception as error:
        return 'fails' if 'Invalid dim0_offset of 0' in str(error) else str(error)


for name, make, rows in (('Scan', scan, True), ('Scan without rows', scan, False), ('Loop', loop, True)):
    for count in (1, 0):
        print(f'{name}, {count} steps: {shown(make(rows), count)}')
PY
seen=$(venv/bin/python scan.py)
echo "$seen"
[ "$seen" = 'Scan, 1 steps: [2.0, 3.0] [2] [[2.0, 3.0]] [1, 2]
Scan, 0 steps: fails
Scan without rows, 1 steps: [2.0, 3.0] [2]
Scan without rows, 0 steps: fails
Loop, 1 steps: [2.0, 3.0] [2] [[2.0, 3.0]] [1, 2]
Loop, 0 steps: [1.0, 2.0] [2] [] [0, 2]' ] || { echo 'this has changed'; exit 1; }
