"""Writes test/onnx/data/keras.json.gz: small models that Keras exports by tf2onnx, with inputs and results.

    python test/onnx/keras_exports.py

Made with keras 3.15.1, tensorflow-cpu 2.21.0, tf2onnx 1.17.0 and onnxruntime 1.32.0. The results are those of
ONNX Runtime, or of Keras where ONNX Runtime cannot read the model.
"""

import base64
import gzip
import json
import os
import pathlib
import tempfile

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import onnx
import onnxruntime
from keras import layers

keras.utils.set_random_seed(1)
random = np.random.default_rng(1)

images = keras.Sequential([
    keras.Input((8, 8, 1)), layers.Conv2D(4, 3, padding="same", strides=2), layers.BatchNormalization(),
    layers.Activation("relu"), layers.DepthwiseConv2D(3, padding="same"), layers.MaxPooling2D(),
    layers.UpSampling2D(), layers.GlobalAveragePooling2D(), layers.Dropout(0.5), layers.Dense(3, activation="softmax")])

tokens = keras.Input((6,), dtype="int32")
embedded = layers.Embedding(20, 8)(tokens)
attended = layers.MultiHeadAttention(2, 4)(embedded, embedded)
normal = layers.LayerNormalization()(layers.Add()([embedded, attended]))
text = keras.Model(tokens, layers.Dense(2, activation="gelu")(layers.GlobalAveragePooling1D()(normal)))

table = keras.Input((4,))
hidden = layers.Dense(8, activation="swish")(table)
numbers = keras.Model(table, [layers.Dense(1)(hidden), layers.Dense(2, activation="tanh")(hidden)])

found = []
for name, model, values in (
    ("images", images, random.normal(size=(2, 8, 8, 1)).astype(np.float32)),
    ("text", text, random.integers(20, size=(2, 6)).astype(np.int32)),
    ("numbers", numbers, random.normal(size=(3, 4)).astype(np.float32)),
):
    model(values)  # a model that was never called cannot be exported
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.onnx")
        model.export(str(path), format="onnx", verbose=False)
        content = path.read_bytes()
    graph = onnx.load_from_string(content).graph
    feeds = {graph.input[0].name: values}
    names = [one.name for one in graph.output]
    if any(node.op_type == "Erfc" for node in graph.node):
        # tf2onnx writes this operator for the exact GELU. ONNX has none of this name, so ONNX Runtime refuses the model.
        results = [np.asarray(model(values))]
    else:
        results = onnxruntime.InferenceSession(content).run(names, feeds)
    arrays = lambda record: {
        key: {"shape": list(value.shape), "dtype": str(value.dtype), "data": value.ravel().tolist()}
        for key, value in record.items()
    }
    found.append({
        "name": f"keras {name}",
        "files": {"model.onnx": base64.b64encode(content).decode()},
        "inputs": arrays(feeds),
        "outputs": arrays(dict(zip(names, results))),
    })
    sets = {one.domain or "ai.onnx": one.version for one in onnx.load_from_string(content).opset_import}
    print(name, len(content), "bytes", sets, names)

target = pathlib.Path(__file__).parent / "data/keras.json.gz"
target.write_bytes(gzip.compress(json.dumps(found).encode(), 9, mtime=0))
print(len(found), "models,", target.stat().st_size, "bytes")
