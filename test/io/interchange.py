"""Reads and writes safetensors files without forebay. python.test.ts runs this script.

    interchange.py READ WRITE

Prints the contents of the file READ as JSON, and writes the same tensors to the file WRITE in another order. The reader
and the writer of this script are a few lines that follow the specification of the format. If the package `safetensors`
is installed, the script compares the results of the package with those of the reader, and the package writes the file.
"""

import json
import struct
import sys

try:
    import numpy
    from safetensors import safe_open
    from safetensors.numpy import save_file
except ImportError:
    save_file = None


def read(file):
    with open(file, 'rb') as source:
        (length,) = struct.unpack('<Q', source.read(8))
        header = json.loads(source.read(length))
        data = source.read()
    metadata = header.pop('__metadata__', {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry['data_offsets']
        tensors[name] = [entry['dtype'], entry['shape'], data[begin:end].hex()]
    return tensors, metadata


def read_with_package(file):
    codes = {'float32': 'F32', 'float64': 'F64', 'int32': 'I32'}
    with safe_open(file, framework='numpy') as source:
        arrays = {name: source.get_tensor(name) for name in source.keys()}
        metadata = source.metadata() or {}
    tensors = {
        name: [codes[str(array.dtype)], list(array.shape), array.tobytes().hex()]
        for name, array in arrays.items()
    }
    return tensors, metadata


def write(file, tensors, metadata):
    header, data = {'__metadata__': metadata}, b''
    for name, (dtype, shape, content) in reversed(tensors.items()):
        begin = len(data)
        data += bytes.fromhex(content)
        header[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': [begin, len(data)]}
    text = json.dumps(header).encode()
    with open(file, 'wb') as target:
        target.write(struct.pack('<Q', len(text)) + text + data)


def write_with_package(file, tensors, metadata):
    dtypes = {'F32': '<f4', 'F64': '<f8', 'I32': '<i4'}
    arrays = {
        name: numpy.frombuffer(bytes.fromhex(content), dtypes[dtype]).reshape(shape)
        for name, (dtype, shape, content) in tensors.items()
    }
    save_file(arrays, file, metadata=metadata)


if __name__ == '__main__':
    tensors, metadata = read(sys.argv[1])
    if save_file is not None:
        assert read_with_package(sys.argv[1]) == (tensors, metadata), 'the package reads something else'
    (write if save_file is None else write_with_package)(sys.argv[2], tensors, metadata)
    json.dump({'package': save_file is not None, 'tensors': tensors, 'metadata': metadata}, sys.stdout)
