"""Makes state dicts of PyTorch, and checks files that forebay wrote. pytorch.test.ts reads the committed files.

    pytorch.py make FOLDER      writes a file NAME.safetensors for each module below, the inputs and the outputs of all
                                modules (examples.safetensors), and numbers in 16 bits (narrow.safetensors)
    pytorch.py check FOLDER     loads each NAME.safetensors into a new module with load_state_dict(strict=True), and
                                compares its outputs with those in examples.safetensors beside this script

All tensors are float64, except where a name says otherwise. The committed files were made with PyTorch 2.15 and
safetensors 0.8.0.
"""

import os
import sys

import torch
from safetensors.torch import load_file, save_file
from torch import nn

command, folder = sys.argv[1:]
committed = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'pytorch')


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.linear = nn.Linear(4, 4, bias=False)

    def forward(self, x):
        return x + self.linear(self.norm(x))


class Net(nn.Module):
    """A module of the user, with a parameter and a buffer of its own."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.scale = nn.Parameter(torch.randn(4))
        self.register_buffer('shift', torch.randn(4))
        self.head = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x * self.scale + self.shift)


class Tied(nn.Module):
    """One module in two places."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = self.first

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


class Attention(nn.MultiheadAttention):
    def forward(self, x):
        return super().forward(x, x, x, need_weights=False)[0]


cases = {
    'linear': (lambda: nn.Linear(3, 2), (5, 3)),
    'linear-without-bias': (lambda: nn.Linear(3, 2, bias=False), (5, 3)),
    'conv1d': (lambda: nn.Conv1d(4, 6, 3, groups=2), (2, 4, 5)),
    'conv2d': (lambda: nn.Conv2d(2, 3, (2, 3), bias=False), (1, 2, 4, 5)),
    'conv-transpose2d': (lambda: nn.ConvTranspose2d(4, 6, (2, 3), stride=2, groups=2), (1, 4, 2, 3)),
    'embedding': (lambda: nn.Embedding(5, 3), None),
    'layer-norm': (lambda: nn.LayerNorm(4), (3, 4)),
    'rms-norm': (lambda: nn.RMSNorm(4, eps=1e-5), (3, 4)),
    'group-norm': (lambda: nn.GroupNorm(2, 4), (2, 4, 3)),
    'batch-norm': (lambda: nn.BatchNorm1d(3), (4, 3)),
    'sequential': (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)),
        (2, 1, 4, 4),
    ),
    'net': (Net, (3, 4)),
    'tied': (Tied, (2, 3)),
    'rnn': (lambda: nn.RNN(3, 2), (4, 2, 3)),
    'rnn-layers': (lambda: nn.RNN(3, 2, num_layers=2, bidirectional=True), (4, 2, 3)),
    'gru': (lambda: nn.GRU(3, 2), (4, 2, 3)),
    'gru-layers': (lambda: nn.GRU(3, 2, num_layers=2, dropout=0.5), (4, 2, 3)),
    'lstm': (lambda: nn.LSTM(3, 2), (4, 2, 3)),
    'lstm-layers': (lambda: nn.LSTM(3, 2, num_layers=3, dropout=0.5), (4, 2, 3)),
    'lstm-bidirectional': (lambda: nn.LSTM(3, 2, num_layers=2, bidirectional=True), (4, 2, 3)),
    'attention': (lambda: Attention(4, 2, batch_first=True), (2, 3, 4)),
    'encoder': (lambda: nn.TransformerEncoderLayer(4, 2, 6, batch_first=True), (2, 3, 4)),
    'encoder-norm-first': (
        lambda: nn.TransformerEncoderLayer(4, 2, 6, 0.5, 'gelu', batch_first=True, norm_first=True),
        (2, 3, 4),
    ),
}


def output(module, example):
    """Returns the result in inference. Recurrent layers return their hidden states and the last states."""
    module.eval()
    with torch.no_grad():
        result = module(example)
    return (result[0] if isinstance(result, tuple) else result).contiguous()


def make():
    torch.manual_seed(15)
    examples = {}
    for name, (build, size) in cases.items():
        module = build().double()
        for parameter in module.parameters():
            # Weights of normalisations would be 1, and some biases 0.
            nn.init.normal_(parameter, std=0.7)
        example = torch.tensor([[0, 4], [3, 3]]) if size is None else torch.randn(size, dtype=torch.float64)
        if 'batch-norm' in name or name == 'sequential':
            for _ in range(3):
                module(2 * torch.randn_like(example) + 1)
        # Clones, because save_file refuses tensors that share memory.
        state = {key: value.clone().contiguous() for key, value in module.state_dict().items()}
        save_file(state, os.path.join(folder, f'{name}.safetensors'))
        examples[f'{name}.x'] = example.int() if size is None else example
        examples[f'{name}.y'] = output(module, example)
        if name == 'net':
            for kind in (torch.float16, torch.bfloat16):
                narrow = {key: value.to(kind) for key, value in state.items()}
                save_file(narrow, os.path.join(folder, f'net-{str(kind)[6:]}.safetensors'))
    save_file(examples, os.path.join(folder, 'examples.safetensors'))
    save_file(numbers(), os.path.join(folder, 'narrow.safetensors'))


def numbers():
    """Numbers near the limits of the 16-bit floats and halfway between two of them, in float32 and rounded."""
    exact = [0.0, -0.0, 1.0, -2.5, 0.1, 1 / 3, float('inf'), float('-inf'), 1e-45, -1e-45, 65504.0]
    # The largest number that is rounded down to the largest float16, and numbers that are rounded up to the next binade.
    exact += [65519.99609375, -65519.99609375, 2047.5, 4094.0, 2 - 2**-12]
    # Halfway between two neighbours: of float16 (11 significant bits), of bfloat16 (8 bits), and of subnormal float16.
    for unit in (2.0**-10, 2.0**-7, 2.0**-24):
        for odd in (1, 3, 5):
            exact += [1 + odd * unit / 2, -(1 + odd * unit / 2), odd * 2.0**-25, odd * 2.0**-25 * (1 + 2.0**-20)]
    # At the limit between normal and subnormal float16, and half of the smallest one.
    exact += [2.0**-14, 2.0**-14 - 2.0**-25, 2.0**-14 - 2.0**-24, 2.0**-25, -(2.0**-25), 2.0**-26]
    # Subnormal numbers of bfloat16, with ties.
    exact += [2.0**-126, 2.0**-133, 2.0**-134, 3 * 2.0**-134, 2.0**-126 - 2.0**-134, -(2.0**-127)]
    random = torch.randn(200, generator=torch.Generator().manual_seed(1)) * torch.logspace(-9, 4, 200)
    source = torch.cat([torch.tensor(exact), random])
    large = torch.tensor([3.3895313892515355e38, -3.3895313892515355e38, 3.3e38, 1e30, 65520.0])
    half = source.half()
    assert not torch.isinf(half[8:]).any()
    return {
        'source': source,
        'F16': half,
        'BF16': source.bfloat16(),
        'large': large,
        'large.BF16': large.bfloat16(),
    }


def check():
    examples = load_file(os.path.join(committed, 'examples.safetensors'))
    for name, (build, size) in cases.items():
        module = build().double()
        state = load_file(os.path.join(folder, f'{name}.safetensors'))
        kinds = {key: value.dtype for key, value in module.state_dict().items()}
        assert kinds == {key: value.dtype for key, value in state.items()}, name
        module.load_state_dict(state, strict=True)
        example = examples[f'{name}.x']
        difference = (output(module, example.long() if size is None else example) - examples[f'{name}.y']).abs().max()
        assert difference < 1e-10, (name, difference)
        print(f'{name}: {len(state)} tensors, difference {difference:.1e}')


{'make': make, 'check': check}[command]()
