#!/usr/bin/env bash
# keras 3.15.1 with tf2onnx 1.17.0: the mean of a Normalization layer is missing in the exported model.
#
# Expected: a model with layers.Normalization has one input in its ONNX file, as the model has, also after adapt(). Seen:
# the file has three. The mean and the variance have become inputs without a value. The reciprocal of the deviation, 2
# here, is in the file; the mean, 0.5, is nowhere. The export succeeds without a warning. Who feeds only the data gets an
# error that names tensors inside of the layer; who makes them zeros gets results that are shifted by the mean.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-input keras==3.15.1 tensorflow-cpu==2.21.0 tf2onnx==1.17.0 onnx==1.23.2
cat >normalization.py <<'PY'
import os

os.environ['KERAS_BACKEND'] = 'tensorflow'
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
import keras
import numpy as np
import onnx

data = np.array([[0.0], [1.0]], 'float32')  # mean 0.5, variance 0.25
given = keras.layers.Normalization(mean=0.5, variance=0.25)
learnt = keras.layers.Normalization()
learnt.adapt(data)
for name, layer in {'given': given, 'learnt': learnt}.items():
    model = keras.Sequential([keras.Input((1,)), layer])
    print(f'{name}: results {model.predict(data, verbose=0).ravel().tolist()}', end=', ')
    model.export('model.onnx', format='onnx', verbose=False)
    graph = onnx.load('model.onnx').graph
    numbers = sorted(float(x) for one in graph.initializer for x in onnx.numpy_helper.to_array(one).ravel())
    print(f'inputs {len(graph.input)}, numbers {numbers}')
PY
seen=$(venv/bin/python normalization.py 2>/dev/null | grep 'results')
echo "$seen"
expected='given: results [-1.0, 1.0], inputs 3, numbers [2.0]
learnt: results [-1.0, 1.0], inputs 3, numbers [2.0]'
[ "$seen" = "$expected" ] || { echo 'this has changed'; exit 1; }
