"""Writes test/onnx/data/exports.json.gz: small models that PyTorch and scikit-learn export, with inputs and results.

    python test/onnx/exports.py

Made with torch 2.15.0, onnxscript 0.7.2, scikit-learn 1.9.1, skl2onnx 1.20.0, onnx 1.23.2 and onnxruntime 1.30.0. The
results are those of ONNX Runtime, or of PyTorch where ONNX Runtime has no kernel.
"""

import base64
import gzip
import io
import json
import pathlib
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler
from torch import nn

warnings.filterwarnings("ignore")
torch.manual_seed(1)
random = np.random.default_rng(1)


class Tokens(nn.Module):
    """An encoder of tokens: embedding, transformer layer, mean."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, tokens):
        return self.head(self.layer(self.embedding(tokens)).mean(1))


class Attending(nn.Module):
    """Attention by the function that has an operator of its own since operator set 23."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(8, 24)

    def forward(self, x):
        q, k, v = self.project(x).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        return nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.layer = kind(3, 4, num_layers=2, bidirectional=True)

    def forward(self, x):
        return self.layer(x)[0]


class Images(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.SiLU(),
            nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.GroupNorm(2, 4), nn.Hardswish(),
            nn.Upsample(scale_factor=2), nn.ConvTranspose2d(4, 2, 2, stride=2), nn.MaxPool2d(2),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(8, 3), nn.Softmax(-1))

    def forward(self, x):
        return self.net(x)


class Shapes(nn.Module):
    """Arithmetic with shapes."""

    def forward(self, x):
        batch, length, width = x.shape
        y = x.reshape(batch, length * width).view(batch, 2, -1)
        y = torch.cat([y, y.flip(1)[:, :1]], 1)
        return torch.where(y > 0, y, torch.nn.functional.softplus(y)).expand(2, *y.shape).transpose(0, 1)


images, sequences = torch.randn(2, 1, 8, 8), torch.randn(5, 2, 3)
trained = Images()
trained.train()
for _ in range(3):
    trained(torch.randn(16, 1, 8, 8) * 2 + 1)  # so that the statistics are not those of a new layer

torch_models = {
    "images": (trained, (images,), ["x"], {}),
    "tokens": (Tokens(), (torch.randint(20, (2, 6)),), ["tokens"], {}),
    "attention": (Attending(), (torch.randn(2, 5, 8),), ["x"], {}),
    "lstm": (Recurrent(nn.LSTM), (sequences,), ["x"], {}),
    "gru": (Recurrent(nn.GRU), (sequences,), ["x"], {}),
    "rnn": (Recurrent(nn.RNN), (sequences,), ["x"], {}),
    "shapes": (Shapes(), (torch.randn(3, 4, 2),), ["x"], {0: "batch"}),
}

found = []


def add(name, files, inputs):
    """Adds a model, given by its files, with the results of ONNX Runtime."""
    with tempfile.TemporaryDirectory() as folder:
        for file, content in files.items():
            pathlib.Path(folder, file).write_bytes(content)
        session = onnxruntime.InferenceSession(str(pathlib.Path(folder, "model.onnx")))
        names = [one.name for one in session.get_outputs()]
        types = [one.type for one in session.get_outputs()]
        wanted = [n for n, t in zip(names, types) if t in ("tensor(float)", "tensor(int64)", "tensor(double)")]
        results = session.run(wanted, inputs)
    arrays = lambda record: {
        key: {"shape": list(value.shape), "dtype": str(value.dtype), "data": np.asarray(value).ravel().tolist()}
        for key, value in record.items()
    }
    found.append({
        "name": name,
        "files": {file: base64.b64encode(content).decode() for file, content in files.items()},
        "inputs": arrays(inputs),
        "outputs": arrays(dict(zip(wanted, results))),
    })
    sets = {one.domain or "ai.onnx": one.version for one in onnx.load_from_string(files["model.onnx"], ).opset_import} if "model.onnx" in files else {}
    print(name, {file: len(content) for file, content in files.items()}, sets, wanted)


def exported(model, inputs, names, dynamic, opset, dynamo):
    model.eval()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.onnx")
        options = {"input_names": names, "opset_version": opset}
        if dynamo:
            shapes = [dict(dynamic) for _ in inputs] if dynamic else None
            torch.onnx.export(model, inputs, str(path), dynamo=True, dynamic_shapes=tuple(shapes) if shapes else None, **options)
        else:
            torch.onnx.export(model, inputs, str(path), dynamo=False, dynamic_axes={name: dynamic for name in names} if dynamic else None, **options)
        return {file.name: file.read_bytes() for file in sorted(pathlib.Path(folder).iterdir())}


for name, (model, inputs, names, dynamic) in torch_models.items():
    for opset, dynamo in ((18, True), (20, True), (23, True), (13, False), (17, False)):
        try:
            files = exported(model, inputs, names, dynamic, opset, dynamo)
            feeds = {n: i.numpy() for n, i in zip(names, inputs)}
            add(f"torch {name}, opset {opset}, {'dynamo' if dynamo else 'torchscript'}", files, feeds)
        except Exception as error:
            print("NOT", name, opset, dynamo, type(error).__name__, str(error)[:300])

x = random.normal(size=(40, 4)).astype(np.float32)
labels = (x[:, 0] + x[:, 1] > 0).astype(np.int64) + (x[:, 2] > 0.5)
for name, model, target in (
    ("logistic regression of 3 classes", make_pipeline(StandardScaler(), LogisticRegression()), labels),
    ("logistic regression of 2 classes", make_pipeline(Normalizer(), LogisticRegression()), labels > 0),
    ("linear regression", make_pipeline(MinMaxScaler(), LinearRegression()), x[:, :2] * 3 + 1),
):
    model.fit(x, target.astype(np.int64) if target.ndim == 1 else target)
    classifier = hasattr(model, "predict_proba")
    options = {"options": {id(model): {"zipmap": False}}} if classifier else {}
    proto = to_onnx(model, x[:5], target_opset=18, **options)
    add(f"scikit-learn {name}", {"model.onnx": proto.SerializeToString()}, {proto.graph.input[0].name: x[:5]})

target = pathlib.Path(__file__).parent / "data/exports.json.gz"
target.write_bytes(gzip.compress(json.dumps(found).encode(), 9, mtime=0))
print(len(found), "models,", target.stat().st_size, "bytes")
