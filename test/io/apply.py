"""Applies a network that forebay saved, and changes it, with NumPy or PyTorch. python.test.ts runs this script.

    apply.py numpy|torch READ WRITE

The file READ contains a float32 network of one layer with its input x, a float64 network with its input x64, and int32
labels. The script writes to the file WRITE the outputs of both networks, the labels plus 1 (but the last is the largest
int32), and the changed parameters of the float32 network.
"""

import sys

from interchange import read, write


def with_numpy():
    import numpy

    dtypes = {'F32': numpy.float32, 'F64': numpy.float64, 'I32': numpy.int32}

    def array(dtype, shape, content):
        return numpy.frombuffer(bytes.fromhex(content), dtypes[dtype]).reshape(shape)

    return array, numpy.tanh, lambda a: a.dtype.name, lambda a: a.tobytes()


def with_torch():
    import torch

    dtypes = {'F32': torch.float32, 'F64': torch.float64, 'I32': torch.int32}

    def array(dtype, shape, content):
        return torch.frombuffer(bytearray.fromhex(content), dtype=dtypes[dtype]).reshape(shape)

    return array, torch.tanh, lambda a: str(a.dtype).split('.')[1], lambda a: a.numpy().tobytes()


array, tanh, name_of, bytes_of = {'numpy': with_numpy, 'torch': with_torch}[sys.argv[1]]()
tensors, _ = read(sys.argv[2])
given = {name: array(*entry) for name, entry in tensors.items()}

labels = given['labels'] + 1
labels[-1] = 2**31 - 1
results = {
    'y': tanh(given['x'] @ given['net.weight'] + given['net.bias']),
    'y64': given['x64'] @ given['wide.weight'] + given['wide.bias'],
    'picked': labels,
    'net.weight': given['net.weight'] - 0.5,
    'net.bias': given['net.bias'],
}
codes = {'float32': 'F32', 'float64': 'F64', 'int32': 'I32'}
write(
    sys.argv[3],
    {name: [codes[name_of(a)], list(a.shape), bytes_of(a).hex()] for name, a in results.items()},
    {},
)
