import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { load, loadMetadata, save, Tensor, tensor } from '../../src/index.js';

const script = fileURLToPath(new URL('interchange.py', import.meta.url));

function hasPython(): boolean {
  try {
    execFileSync('python3', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const codes = { float32: 'F32', float64: 'F64', int32: 'I32' } as const;
const described = (tensors: Record<string, Tensor>) =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, data }]) => [
      name,
      [codes[dtype], shape, Buffer.from(data.buffer as ArrayBuffer).toString('hex')],
    ]),
  );

describe('Python', () => {
  it('reads what forebay saves, and writes what forebay loads', (context) => {
    if (!hasPython()) return context.skip('there is no python3 here');
    const bits = new Float32Array(new Uint32Array([0x7fc12345, 0xffa00001, 0x80000000, 1]).buffer);
    const tensors = {
      'lstm.forget.weight': tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]),
      'bits é': tensor(bits),
      count: tensor(new Int32Array([-(2 ** 31), 2 ** 31 - 1])),
      step: tensor(0.1, { dtype: 'float64' }),
      nothing: Tensor.zeros([0, 4]),
    };
    const metadata = { by: 'forebay', ключ: '"\\\n' };
    const folder = mkdtempSync(join(tmpdir(), 'forebay-python-'));
    try {
      const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')];
      save(ours, tensors, { metadata });
      const read = JSON.parse(
        execFileSync('python3', [script, ours, theirs], { encoding: 'utf8' }),
      );
      console.log(`with Python's safetensors package: ${read.package ? 'yes' : 'no'}`);
      expect(read.tensors).toEqual(described(tensors));
      expect(read.metadata).toEqual(metadata);
      expect(described(load(theirs))).toEqual(described(tensors));
      expect(loadMetadata(theirs)).toEqual(metadata);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
