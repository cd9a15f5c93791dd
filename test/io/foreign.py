"""Writes files with PyTorch and NumPy. foreign.test.ts reads the committed files.

    foreign.py FOLDER

batch-norm.safetensors contains the state of a torch.nn.BatchNorm1d(2), with its int64 count. types.safetensors contains
an array of every type of safetensors 0.8.0. Its arrays of 8-bit floats have every possible value. types.json contains
the values of types.safetensors, converted to float64 by PyTorch. types.npz, savetxt*.txt and savetxt-comma.csv are
written by NumPy. The committed files were made with PyTorch 2.15, safetensors 0.8.0 and NumPy 2.4.
"""

import json
import os
import struct
import sys

import numpy
import torch
from safetensors.torch import save_file

folder = sys.argv[1]


def path(name):
    return os.path.join(folder, name)


torch.manual_seed(1)
norm = torch.nn.BatchNorm1d(2)
norm(torch.randn(5, 2))
save_file(norm.state_dict(), path('batch-norm.safetensors'), metadata={'by': 'torch'})

every = torch.arange(256, dtype=torch.int64).to(torch.uint8)
tensors = {
    'BOOL': torch.tensor([True, False, True]),
    'U8': torch.tensor([0, 255], dtype=torch.uint8),
    'I8': torch.tensor([-128, 127], dtype=torch.int8),
    'I16': torch.tensor([[-(2**15), 2**15 - 1]], dtype=torch.int16),
    'U16': torch.tensor([0, 2**16 - 1], dtype=torch.uint16),
    'I32': torch.tensor([-(2**31), 2**31 - 1], dtype=torch.int32),
    'U32': torch.tensor([0, 2**31 - 1], dtype=torch.uint32),
    'I64': torch.tensor([-(2**31), 2**31 - 1]),
    'U64': torch.tensor([0, 2**31 - 1], dtype=torch.uint64),
    'F16': torch.tensor([1, -2.5, 65504, 6e-8, float('inf'), float('nan'), -0.0], dtype=torch.float16),
    'BF16': torch.tensor([1, -2.5, 3e38, 1e-40, float('-inf'), float('nan'), -0.0], dtype=torch.bfloat16),
    'F32': torch.tensor([0.1, 3e38]),
    'F64': torch.tensor([0.1, 1e300], dtype=torch.float64),
    'F8_E5M2': every.clone().view(torch.float8_e5m2),
    'F8_E4M3': every.clone().view(torch.float8_e4m3fn),
    'F8_E5M2FNUZ': every.clone().view(torch.float8_e5m2fnuz),
    'F8_E4M3FNUZ': every.clone().view(torch.float8_e4m3fnuz),
    'F8_E8M0': every.clone().view(torch.float8_e8m0fnu),
    'C64': torch.tensor([1 + 2j]),
    'large': torch.tensor([1, 2**53]),
}
save_file(tensors, path('types.safetensors'))
codes = {}
with open(path('types.safetensors'), 'rb') as source:
    (length,) = struct.unpack('<Q', source.read(8))
    codes = {name: entry['dtype'] for name, entry in json.loads(source.read(length)).items()}
assert all(name in (code, 'large') for name, code in codes.items()), codes


def numbers(tensor):
    flat = tensor.to(torch.float64).flatten().tolist()
    # NaN, infinities and -0.0 are written as strings. JSON has neither NaN nor infinities, and the sign of -0.0 would
    # be lost.
    return [value if numpy.isfinite(value) and str(value) != '-0.0' else str(value) for value in flat]


values = {name: numbers(tensor) for name, tensor in tensors.items() if name != 'C64'}
with open(path('types.json'), 'w') as target:
    json.dump(values, target, separators=(',', ':'))
    target.write('\n')

numpy.savez(
    path('types.npz'),
    weight=numpy.array([[0.5, -1]], 'f4'),
    steps=numpy.array(7),
    large=numpy.array([1, 2**53]),
    complex=numpy.array([1j]),
    objects=numpy.array([{'a': 1}], dtype=object),
    text=numpy.array(['a']),
    fields=numpy.array([(1, 2.0)], [('a', 'i4'), ('b', 'f4')]),
    deep=numpy.zeros((1,) * 40),
)

table = numpy.array([[1, 2.5], [3, -4]])
numpy.savetxt(path('savetxt.txt'), table)
numpy.savetxt(path('savetxt-header.txt'), table, header='a b')
numpy.savetxt(path('savetxt-comma.csv'), table, delimiter=',', header='a,b', fmt='%g')
numpy.savetxt(path('savetxt-column.txt'), table[:, 0], header='a', fmt='%d')
