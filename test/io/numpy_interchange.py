"""Reads and writes .npy and .npz files with NumPy. numpy.test.ts runs this script.

    numpy_interchange.py FOLDER

Prints the contents of FOLDER/*.npy and FOLDER/*.npz as JSON. Writes files into the same folder: each of the arrays
below in every byte order, memory order and version that NumPy can write, and some archives and unsupported arrays.
"""

import io
import json
import os
import sys

import numpy
from numpy.lib import format as npy

folder = sys.argv[1]


def described(array):
    return [array.dtype.str, list(array.shape), array.tobytes().hex()]


def path(name):
    return os.path.join(folder, name)


read = {}
for name in sorted(os.listdir(folder)):
    if name.endswith('.npy'):
        read[name] = described(numpy.load(path(name)))
    if name.endswith('.npz'):
        with numpy.load(path(name)) as archive:
            read[name] = {key: described(archive[key]) for key in archive.files}

arrays = {
    code: numpy.arange(24).reshape(2, 3, 4).astype(code) * 5
    for code in ['f2', 'f4', 'f8', 'i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'i8', 'u8']
}
arrays['b1'] = numpy.array([[True, False, True]])
arrays['bits'] = numpy.frombuffer(bytes.fromhex('4523c17f010000ff000000800100000000000080'), '<f4')
arrays['half'] = numpy.frombuffer(bytes.fromhex('003c01000080ff7bff03000400fc007c'), '<f2')
arrays['scalar'] = numpy.array(2.5)
arrays['empty'] = numpy.zeros((2, 0, 3), 'f4')

written = {}
for name, array in arrays.items():
    for order in '<>':
        for layout in 'CF':
            for version in [(1, 0), (2, 0), (3, 0)]:
                one = numpy.asarray(array, dtype=array.dtype.newbyteorder(order), order=layout)
                file = f'{name}-{"le" if order == "<" else "be"}-{layout}-{version[0]}.npy'
                with open(path(file), 'wb') as target:
                    npy.write_array(target, one, version)
                written[file] = [list(array.shape), array.astype('f8').ravel().tolist()]

values = {'one': numpy.arange(3), 'two/é': numpy.zeros((50, 50), 'f4')}
numpy.savez(path('stored.npz'), **values)
numpy.savez_compressed(path('deflated.npz'), **values)


class Pipe(io.BytesIO):
    """A stream that cannot seek, so that zipfile writes the sizes after the data."""

    def seekable(self):
        return False

    def tell(self):
        raise io.UnsupportedOperation

    def seek(self, *_):
        raise io.UnsupportedOperation


pipe = Pipe()
numpy.savez(pipe, **values)
with open(path('piped.npz'), 'wb') as target:
    target.write(pipe.getvalue())

numpy.save(path('objects.npy'), numpy.array([{'a': 1}], dtype=object), allow_pickle=True)
numpy.save(path('complex.npy'), numpy.array([1j]))
numpy.save(path('text.npy'), numpy.array(['a']))
numpy.save(path('bytes.npy'), numpy.array([b'a']))
numpy.save(path('dates.npy'), numpy.array(['2020-01-01'], 'M8[D]'))
numpy.save(path('fields.npy'), numpy.array([(1, 2.0)], [('a', 'i4'), ('b', 'f4')]))
numpy.save(path('wide.npy'), numpy.array([1], numpy.longdouble))
numpy.save(path('large.npy'), numpy.array([1, 2**31]))

# NaN and infinities are written as strings, because JSON does not have them.
for _, flat in written.values():
    flat[:] = [value if numpy.isfinite(value) else str(value) for value in flat]
json.dump({'read': read, 'written': written}, sys.stdout)
