"""LSTMs and GRUs as modules of PyTorch, each in its fastest form, with initial weights read from files."""

import torch
from torch import nn
from torch.nn import functional

from peer import GATES, GRU_GATES
from torch_files import DTYPES, linear_gradients, load_linear, tensor_of


def activation_of(spec):
    """Returns the activation function of the readout (output layer) of a recurrent network."""
    return torch.tanh if spec["readout"] == "tanh" else nn.Identity()


class NodeByNode(nn.Module):
    """An LSTM with a tanh readout (output layer), built from primitive operations for each gate and each time step."""

    def __init__(self, spec, files):
        super().__init__()
        names = [f"lstm.{gate}" for gate in GATES] + ["readout"]
        self.named = {
            f"{name}.{part}": nn.Parameter(tensor_of(files, f"{name}.{part}"))
            for name in names
            for part in ("weight", "bias")
        }
        self.plain = nn.ParameterList(self.named.values())
        x = tensor_of(files, "x")
        self.x = x.unbind(0)
        self.target = tensor_of(files, "target")
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
    """nn.LSTM, and a readout (output layer) for every time step."""

    def __init__(self, spec, files):
        super().__init__()
        inputs, dtype = spec["inputs"], DTYPES[spec["dtype"]]
        self.lstm = nn.LSTM(inputs, spec["units"], dtype=dtype)
        self.readout = nn.Linear(spec["units"], spec["outputs"], dtype=dtype)
        self.activation = activation_of(spec)
        weights = [tensor_of(files, f"lstm.{gate}.weight") for gate in GATES]
        biases = [tensor_of(files, f"lstm.{gate}.bias") for gate in GATES]
        with torch.no_grad():
            self.lstm.weight_ih_l0.copy_(torch.cat([w[:inputs] for w in weights], 1).T)
            self.lstm.weight_hh_l0.copy_(torch.cat([w[inputs:] for w in weights], 1).T)
            self.lstm.bias_ih_l0.copy_(torch.cat(biases))
            self.lstm.bias_hh_l0.zero_()
        # PyTorch adds two biases. If the second were trained too, their sum would change twice as fast, at
        # the cost of more work.
        self.lstm.bias_hh_l0.requires_grad_(False)
        load_linear(self.readout, files, "readout")
        self.x = tensor_of(files, "x")
        self.target = tensor_of(files, "target")

    def loss(self):
        hidden, _ = self.lstm(self.x)
        return functional.mse_loss(self.activation(self.readout(hidden)), self.target)

    def gradients(self):
        result = linear_gradients(self.readout, "readout")
        of_inputs = self.lstm.weight_ih_l0.grad.T.chunk(4, 1)
        of_hidden = self.lstm.weight_hh_l0.grad.T.chunk(4, 1)
        biases = self.lstm.bias_ih_l0.grad.chunk(4)
        for gate, x, h, bias in zip(GATES, of_inputs, of_hidden, biases):
            result[f"lstm.{gate}.weight"] = torch.cat((x, h), 0)
            result[f"lstm.{gate}.bias"] = bias
        return result


class FusedGRU(nn.Module):
    """nn.GRU, and a readout (output layer) for every time step."""

    def __init__(self, spec, files):
        super().__init__()
        self.gru = nn.GRU(spec["inputs"], spec["units"])
        self.readout = nn.Linear(spec["units"], spec["outputs"])
        self.activation = activation_of(spec)
        with torch.no_grad():
            for part, (weight, bias) in self.parts().items():
                names = [f"gru.{gate}.{part}" for gate in GRU_GATES]
                weight.copy_(torch.cat([tensor_of(files, f"{name}.weight") for name in names], 1).T)
                bias.copy_(torch.cat([tensor_of(files, f"{name}.bias") for name in names]))
        load_linear(self.readout, files, "readout")
        self.x = tensor_of(files, "x")
        self.target = tensor_of(files, "target")

    def parts(self):
        """Returns the weight and the bias of all gates for the input, and those for the hidden state."""
        gru = self.gru
        return {"input": (gru.weight_ih_l0, gru.bias_ih_l0), "hidden": (gru.weight_hh_l0, gru.bias_hh_l0)}

    def loss(self):
        hidden, _ = self.gru(self.x)
        return functional.mse_loss(self.activation(self.readout(hidden)), self.target)

    def gradients(self):
        result = linear_gradients(self.readout, "readout")
        for part, (weight, bias) in self.parts().items():
            for gate, of_weight, of_bias in zip(GRU_GATES, weight.grad.T.chunk(3, 1), bias.grad.chunk(3)):
                result[f"gru.{gate}.{part}.weight"] = of_weight
                result[f"gru.{gate}.{part}.bias"] = of_bias
        return result
