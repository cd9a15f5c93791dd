"""The workloads as modules of PyTorch, each in its fastest form, with initial weights read from files."""

import torch
from torch import nn
from torch.nn import functional

from peer import layers_of
from torch_files import linear_gradients, load_linear, tensor_of
from torch_recurrent import FusedGRU, FusedLSTM, NodeByNode


class AutoEncoder(nn.Module):
    """A variational auto-encoder. Its noise is read from the files, so that its results can be compared."""

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
        self.x = tensor_of(files, "x")
        self.noise = tensor_of(files, "noise")

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
    """Linear layers with ReLU between them, for training (with labels) and for prediction."""

    def __init__(self, spec, files):
        super().__init__()
        sizes = spec["layers"]
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        for name, layer in zip(layers_of(spec), self.linears):
            load_linear(layer, files, name)
        self.names = layers_of(spec)
        self.x = tensor_of(files, "x")
        self.labels = tensor_of(files, "labels").long() if "labels" in files else None

    def forward(self, x):
        for layer in self.linears[:-1]:
            x = functional.relu(layer(x))
        return self.linears[-1](x)

    def loss(self):
        return functional.cross_entropy(self(self.x), self.labels)

    def gradients(self):
        result = {}
        for name, layer in zip(self.names, self.linears):
            result.update(linear_gradients(layer, name))
        return result


class Convolutions(nn.Module):
    """Convolutions with ReLU, the mean of each channel, and a linear layer. The images have adjacent columns."""

    memory_format = torch.contiguous_format

    def __init__(self, spec, files):
        super().__init__()
        channels = spec["channels"]
        pairs = list(zip(channels, channels[1:]))
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairs)
        self.readout = nn.Linear(channels[-1], spec["classes"])
        with torch.no_grad():
            for index, layer in enumerate(self.convolutions):
                layer.weight.copy_(tensor_of(files, f"conv{index}.weight"))
                layer.bias.copy_(tensor_of(files, f"conv{index}.bias"))
        load_linear(self.readout, files, "readout")
        self.to(memory_format=self.memory_format)
        self.x = tensor_of(files, "x").contiguous(memory_format=self.memory_format)
        self.labels = tensor_of(files, "labels").long()

    def loss(self):
        y = self.x
        for layer in self.convolutions:
            y = functional.relu(layer(y))
        return functional.cross_entropy(self.readout(y.mean((2, 3))), self.labels)

    def gradients(self):
        result = linear_gradients(self.readout, "readout")
        for index, layer in enumerate(self.convolutions):
            result[f"conv{index}.weight"] = layer.weight.grad
            result[f"conv{index}.bias"] = layer.bias.grad
        return result


def load_layers(layers, files):
    """Copies weights and biases, if there are any, into layers. The keys of `layers` are the names of the workload."""
    with torch.no_grad():
        for name, layer in layers.items():
            weight = tensor_of(files, f"{name}.weight")
            layer.weight.copy_(weight.T if isinstance(layer, nn.Linear) else weight)
            if f"{name}.bias" in files:
                layer.bias.copy_(tensor_of(files, f"{name}.bias"))


def layer_gradients(layers, files):
    """Returns the gradients of layers by the names of the workload."""
    result = {}
    for name, layer in layers.items():
        gradient = layer.weight.grad
        result[f"{name}.weight"] = gradient.T if isinstance(layer, nn.Linear) else gradient
        if f"{name}.bias" in files:
            result[f"{name}.bias"] = layer.bias.grad
    return result


class Network(nn.Module):
    """A classifier or a regression with layers by the names of the workload, `layers`, and `forward(x)`."""

    memory_format = None

    def setup(self, spec, files, layers):
        self.spec = spec
        self.layers = layers
        self.files = files
        self.held = nn.ModuleList(layers.values())
        load_layers(layers, files)
        self.x = tensor_of(files, "x")
        if self.x.dtype == torch.int32:
            self.x = self.x.long()
        if self.memory_format is not None:
            self.to(memory_format=self.memory_format)
            self.x = self.x.contiguous(memory_format=self.memory_format)
        self.target = tensor_of(files, "target") if "target" in files else None
        self.labels = tensor_of(files, "labels").long() if "labels" in files else None

    def loss(self):
        y = self(self.x)
        if self.labels is None:
            return functional.mse_loss(y, self.target)
        return functional.cross_entropy(y.flatten(0, -2), self.labels.flatten())

    def gradients(self):
        return layer_gradients(self.layers, self.files)


class ConvolutionNet(Network):
    """Convolutions with batch normalisation, ReLU and pooling, and two linear layers. Adjacent columns."""

    memory_format = torch.contiguous_format

    def __init__(self, spec, files):
        super().__init__()
        channels, layers = spec["channels"], {}
        for index, (a, b) in enumerate(zip(channels, channels[1:])):
            layers[f"conv{index}"] = nn.Conv2d(a, b, 3, padding=1)
            layers[f"norm{index}"] = nn.BatchNorm2d(b)
        side = spec["side"] // 2 ** (len(channels) - 1)
        layers["hidden"] = nn.Linear(channels[-1] * side * side, spec["hidden"])
        layers["readout"] = nn.Linear(spec["hidden"], spec["classes"])
        self.setup(spec, files, layers)

    def forward(self, x):
        layers = self.layers
        for index in range(len(self.spec["channels"]) - 1):
            x = functional.relu(layers[f"norm{index}"](layers[f"conv{index}"](x)))
            x = functional.max_pool2d(x, 2)
        return layers["readout"](functional.relu(layers["hidden"](x.flatten(1))))


class ResNet(Network):
    """Residual blocks. Adjacent columns."""

    memory_format = torch.contiguous_format

    def __init__(self, spec, files):
        super().__init__()
        filters = spec["filters"]
        layers = {"stem": nn.Conv2d(spec["channels"], filters, 3, padding=1)}
        for block in range(spec["blocks"]):
            for half in ("first", "second"):
                name = f"block{block}.{half}"
                layers[f"{name}.conv"] = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
                layers[f"{name}.norm"] = nn.BatchNorm2d(filters)
        layers["readout"] = nn.Linear(filters, spec["classes"])
        self.setup(spec, files, layers)

    def forward(self, x):
        layers = self.layers
        half = lambda name, x: layers[f"{name}.norm"](layers[f"{name}.conv"](x))
        x = layers["stem"](x)
        for block in range(self.spec["blocks"]):
            inner = functional.relu(half(f"block{block}.first", x))
            x = functional.relu(x + half(f"block{block}.second", inner))
        return layers["readout"](x.mean((2, 3)))


class Temporal(Network):
    """Causal dilated convolutions over series, and a linear layer that reads the last element."""

    def __init__(self, spec, files):
        super().__init__()
        layers, channels = {}, spec["channels"]
        for index in range(spec["convolutions"]):
            layers[f"conv{index}"] = nn.Conv1d(channels, spec["filters"], 3, dilation=2**index)
            channels = spec["filters"]
        layers["readout"] = nn.Linear(channels, 1)
        self.setup(spec, files, layers)

    def forward(self, x):
        for index in range(self.spec["convolutions"]):
            x = functional.relu(self.layers[f"conv{index}"](functional.pad(x, (2 * 2**index, 0))))
        return self.layers["readout"](x[:, :, -1])


class Bag(Network):
    """The mean of embeddings, and two linear layers. The embedding is looked up and averaged."""

    def __init__(self, spec, files):
        super().__init__()
        self.setup(
            spec,
            files,
            {
                "words": self.embedding(spec["words"], spec["width"]),
                "hidden": nn.Linear(spec["width"], spec["hidden"]),
                "readout": nn.Linear(spec["hidden"], spec["classes"]),
            },
        )

    @staticmethod
    def embedding(words, width):
        return nn.Embedding(words, width)

    def mean(self, x):
        return self.layers["words"](x).mean(1)

    def forward(self, x):
        return self.layers["readout"](functional.relu(self.layers["hidden"](self.mean(x))))


class EmbeddingBag(Bag):
    """The same with nn.EmbeddingBag, which does not store the embeddings."""

    @staticmethod
    def embedding(words, width):
        return nn.EmbeddingBag(words, width, mode="mean")

    def mean(self, x):
        return self.layers["words"](x)


class Gpt(Network):
    """A transformer that predicts the next token. Its attention is `scaled_dot_product_attention`."""

    def __init__(self, spec, files):
        super().__init__()
        width = spec["width"]
        layers = {
            "gpt.tokens": nn.Embedding(spec["vocabulary"], width),
            "gpt.positions": nn.Embedding(spec["tokens"], width),
        }
        for block in range(spec["blocks"]):
            name = f"gpt.blocks.{block}"
            layers[f"{name}.norm1"] = nn.LayerNorm(width)
            layers[f"{name}.qkv"] = nn.Linear(width, 3 * width)
            layers[f"{name}.out"] = nn.Linear(width, width)
            layers[f"{name}.norm2"] = nn.LayerNorm(width)
            layers[f"{name}.up"] = nn.Linear(width, 4 * width)
            layers[f"{name}.down"] = nn.Linear(4 * width, width)
        layers["gpt.norm"] = nn.LayerNorm(width)
        layers["gpt.logits"] = nn.Linear(width, spec["vocabulary"], bias=False)
        self.setup(spec, files, layers)

    def forward(self, x):
        layers = self.layers
        y = layers["gpt.tokens"](x) + layers["gpt.positions"].weight
        for block in range(self.spec["blocks"]):
            layer = lambda name: layers[f"gpt.blocks.{block}.{name}"]
            y = y + layer("out")(self.attention(layer("qkv")(layer("norm1")(y))))
            y = y + layer("down")(functional.gelu(layer("up")(layer("norm2")(y))))
        return layers["gpt.logits"](layers["gpt.norm"](y))

    def attention(self, qkv):
        """Returns the results of all heads, of the shape [batch, tokens, width]."""
        batch, tokens, _ = qkv.shape
        q, k, v = qkv.view(batch, tokens, 3, self.spec["heads"], -1).permute(2, 0, 3, 1, 4)
        heads = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return heads.transpose(1, 2).reshape(batch, tokens, -1)


def channels_last(kind):
    """Returns a class of networks whose images have adjacent channels."""
    return type(f"{kind.__name__}ChannelsLast", (kind,), {"memory_format": torch.channels_last})


def orders(kind):
    return {"channels first": kind, "channels last": channels_last(kind)}


class ChannelsLast(Convolutions):
    """The same, with adjacent channels."""

    memory_format = torch.channels_last


# For each kind of workload, the forms that a user of PyTorch would choose from, by name.
MODELS = {
    "lstm-nodes": {"gate by gate": NodeByNode, "nn.LSTM": FusedLSTM},
    "lstm": {"nn.LSTM": FusedLSTM},
    "gru": {"nn.GRU": FusedGRU},
    "vae": {"": AutoEncoder},
    "mlp": {"": Perceptron},
    "conv": {"channels first": Convolutions, "channels last": ChannelsLast},
    "cnn": orders(ConvolutionNet),
    "resnet": orders(ResNet),
    "tcn": {"": Temporal},
    "bag": {"nn.Embedding": Bag, "nn.EmbeddingBag": EmbeddingBag},
    "gpt": {"": Gpt},
    "predict": {"": Perceptron},
}
