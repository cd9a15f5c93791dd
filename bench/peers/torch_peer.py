"""PyTorch's side of the benchmark: the same work, from the same weights, in PyTorch's best form.

Run by bench/src, with which it speaks JSON, a line a message, over standard input and output
(bench/README.md has the messages). Numbers travel as raw files, little-endian, row by row.
"""

import ctypes
import json
import os
import pathlib
import sys
import time

import torch
from torch import nn
from torch.nn import functional

DTYPES = {"float32": torch.float32, "float64": torch.float64, "int32": torch.int32}
GATES = ("input", "forget", "cell", "output")  # in nn.LSTM's order


def status_bytes(key):
    """A figure in kB of this process, such as VmRSS, in bytes."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}")


def reset_peak():
    """Forgets the most memory that this process has had (VmHWM), where the kernel lets us."""
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


class Files:
    """The folder through which tensors are exchanged."""

    def __init__(self, folder, manifest):
        self.folder = pathlib.Path(folder)
        self.entries = {entry["name"]: entry for entry in manifest}

    def read(self, name):
        entry = self.entries[name]
        data = bytearray((self.folder / entry["file"]).read_bytes())
        return torch.frombuffer(data, dtype=DTYPES[entry["dtype"]]).reshape(entry["shape"]).clone()

    def write(self, results):
        """Writes named tensors; returns what another reader needs to read them."""
        manifest = []
        for index, (name, value) in enumerate(results.items()):
            dense = value.detach().contiguous()
            file = f"torch-{index}.raw"
            size = dense.nelement() * dense.element_size()
            (self.folder / file).write_bytes(ctypes.string_at(dense.data_ptr(), size))
            dtype = next(key for key, kind in DTYPES.items() if kind == dense.dtype)
            manifest.append({"name": name, "dtype": dtype, "shape": list(dense.shape), "file": file})
        return manifest


def load_linear(layer, files, name):
    """forebay keeps weights as [inputs, units], PyTorch as [units, inputs]."""
    with torch.no_grad():
        layer.weight.copy_(files.read(f"{name}.weight").T)
        layer.bias.copy_(files.read(f"{name}.bias"))


def linear_gradients(layer, name):
    return {f"{name}.weight": layer.weight.grad.T, f"{name}.bias": layer.bias.grad}


class NodeByNode(nn.Module):
    """An LSTM with a tanh readout from primitive operations, gate by gate, step by step."""

    def __init__(self, spec, files):
        super().__init__()
        names = [f"lstm.{gate}" for gate in GATES] + ["readout"]
        self.named = {
            f"{name}.{part}": nn.Parameter(files.read(f"{name}.{part}"))
            for name in names
            for part in ("weight", "bias")
        }
        self.plain = nn.ParameterList(self.named.values())
        x = files.read("x")
        self.x = x.unbind(0)
        self.target = files.read("target")
        self.zeros = torch.zeros(spec["batch"], spec["units"], dtype=x.dtype)

    def loss(self):
        p = self.named
        hidden = cell = self.zeros
        outputs = []
        for x in self.x:
            z = torch.cat((x, hidden), 1)
            admit = torch.sigmoid(z @ p["lstm.input.weight"] + p["lstm.input.bias"])
            forget = torch.sigmoid(z @ p["lstm.forget.weight"] + p["lstm.forget.bias"])
            output = torch.sigmoid(z @ p["lstm.output.weight"] + p["lstm.output.bias"])
            candidate = torch.tanh(z @ p["lstm.cell.weight"] + p["lstm.cell.bias"])
            cell = forget * cell + admit * candidate
            hidden = output * torch.tanh(cell)
            outputs.append(torch.tanh(hidden @ p["readout.weight"] + p["readout.bias"]))
        return functional.mse_loss(torch.stack(outputs), self.target)

    def gradients(self):
        return {name: parameter.grad for name, parameter in self.named.items()}


class FusedLSTM(nn.Module):
    """nn.LSTM and a linear readout of every step."""

    def __init__(self, spec, files):
        super().__init__()
        self.inputs = spec["inputs"]
        self.lstm = nn.LSTM(spec["inputs"], spec["units"])
        self.readout = nn.Linear(spec["units"], spec["outputs"])
        weights = [files.read(f"lstm.{gate}.weight") for gate in GATES]
        with torch.no_grad():
            self.lstm.weight_ih_l0.copy_(torch.cat([w[: self.inputs] for w in weights], 1).T)
            self.lstm.weight_hh_l0.copy_(torch.cat([w[self.inputs :] for w in weights], 1).T)
            self.lstm.bias_ih_l0.copy_(torch.cat([files.read(f"lstm.{gate}.bias") for gate in GATES]))
            self.lstm.bias_hh_l0.zero_()
        # The second bias adds nothing but work, and would double the rate of the first.
        self.lstm.bias_hh_l0.requires_grad_(False)
        load_linear(self.readout, files, "readout")
        self.x = files.read("x")
        self.target = files.read("target")

    def loss(self):
        hidden, _ = self.lstm(self.x)
        return functional.mse_loss(self.readout(hidden), self.target)

    def gradients(self):
        result = linear_gradients(self.readout, "readout")
        of_inputs = self.lstm.weight_ih_l0.grad.T.chunk(4, 1)
        of_hidden = self.lstm.weight_hh_l0.grad.T.chunk(4, 1)
        biases = self.lstm.bias_ih_l0.grad.chunk(4)
        for gate, x, h, bias in zip(GATES, of_inputs, of_hidden, biases):
            result[f"lstm.{gate}.weight"] = torch.cat((x, h), 0)
            result[f"lstm.{gate}.bias"] = bias
        return result


class AutoEncoder(nn.Module):
    """A variational auto-encoder whose noise is given, so that two sides can be compared."""

    def __init__(self, spec, files):
        super().__init__()
        inputs, hidden, latent = spec["inputs"], spec["hidden"], spec["latent"]
        self.encoder = nn.Linear(inputs, hidden)
        self.mean = nn.Linear(hidden, latent)
        self.logSigma = nn.Linear(hidden, latent)
        self.decoder = nn.Linear(latent, hidden)
        self.logits = nn.Linear(hidden, inputs)
        for name, layer in self.named_children():
            load_linear(layer, files, f"vae.{name}")
        self.x = files.read("x")
        self.noise = files.read("noise")

    def loss(self):
        features = torch.tanh(self.encoder(self.x))
        mean, log_sigma = self.mean(features), self.logSigma(features)
        sigma = torch.exp(log_sigma)
        logits = self.logits(torch.tanh(self.decoder(mean + sigma * self.noise)))
        likelihood = functional.binary_cross_entropy_with_logits(logits, self.x, reduction="sum")
        divergence = 0.5 * (mean * mean + sigma * sigma - 1 - 2 * log_sigma).sum()
        return (likelihood + divergence) / len(self.x)

    def gradients(self):
        result = {}
        for name, layer in self.named_children():
            result.update(linear_gradients(layer, f"vae.{name}"))
        return result


class Perceptron(nn.Module):
    """Linear layers with ReLU between them."""

    def __init__(self, spec, files):
        super().__init__()
        sizes = spec["layers"]
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        for index, layer in enumerate(self.linears):
            load_linear(layer, files, f"layer{index}")
        self.x = files.read("x")
        self.labels = files.read("labels").long() if "labels" in files.entries else None

    def forward(self, x):
        for layer in self.linears[:-1]:
            x = functional.relu(layer(x))
        return self.linears[-1](x)

    def loss(self):
        return functional.cross_entropy(self(self.x), self.labels)

    def gradients(self):
        result = {}
        for index, layer in enumerate(self.linears):
            result.update(linear_gradients(layer, f"layer{index}"))
        return result


MODELS = {"lstm-nodes": NodeByNode, "lstm": FusedLSTM, "vae": AutoEncoder, "mlp": Perceptron, "predict": Perceptron}
OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}


class Peer:
    def __init__(self):
        # Tensors and threads of the import, before anything is computed.
        self.memory_at_import = status_bytes("VmRSS")

    def hello(self, threads):
        torch.set_num_threads(threads)
        files = sorted({line.split()[-1] for line in open("/proc/self/maps") if "blas" in line and "/" in line})
        core = None
        for file in files:
            library = ctypes.CDLL(file)
            if hasattr(library, "openblas_get_corename"):
                library.openblas_get_corename.restype = ctypes.c_char_p
                core = library.openblas_get_corename().decode()
        config = torch.__config__.show()
        capability = [line.split(":")[1].strip() for line in config.splitlines() if "CPU capability" in line]
        return {
            "version": torch.__version__,
            "capability": capability[0] if capability else None,
            "blas": {"files": [os.path.realpath(file) for file in files], "core": core},
            "threads": torch.get_num_threads(),
        }

    def load(self, spec, folder, manifest, training):
        files = Files(folder, manifest)
        self.model = MODELS[spec["kind"]](spec, files)
        if spec["kind"] == "predict":
            self.step = self.predict
            with torch.inference_mode():
                output = self.model(self.model.x).clone()
            reset_peak()
            return {"losses": [], "results": files.write({"output": output}), "variants": ["inference_mode"]}
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.step = self.train
        self.optimizer = OPTIMIZERS[spec["optimizer"]](parameters, lr=spec["rate"], foreach=False)
        losses = []
        for _ in range(training["checkSteps"]):
            self.train()
            if not losses:
                gradients = files.write(self.model.gradients())
            losses.append(self.last.item())
        self.group = self.optimizer.param_groups[0]
        self.group["lr"] = training["timedRate"]
        reset_peak()
        return {"losses": losses, "results": gradients, "variants": ["foreach", "for-loop"]}

    def train(self):
        self.optimizer.zero_grad(set_to_none=True)
        self.last = self.model.loss()
        self.last.backward()
        self.optimizer.step()

    def predict(self):
        with torch.inference_mode():
            self.last = self.model(self.model.x)

    def round(self, steps, variant):
        if self.step == self.train:
            self.group["foreach"] = variant == "foreach"
        step = self.step
        start = time.perf_counter()
        for _ in range(steps):
            step()
        return {"seconds": time.perf_counter() - start}

    def memory(self):
        return {"growth": status_bytes("VmHWM") - self.memory_at_import}


def main():
    # Whatever a library prints must not fall among the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer = Peer()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(peer, request.pop("op"))(**request)
        except Exception as error:  # the other side names the peer and stops
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


main()
