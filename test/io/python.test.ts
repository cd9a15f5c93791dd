import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  adam,
  checkpoint,
  compile,
  evaluate,
  FeedForward,
  input,
  load,
  loadMetadata,
  mse,
  resume,
  save,
  Tensor,
  tanh,
  tensor,
} from '../../src/index.js';
import { randomTensor } from '../support.js';

const script = fileURLToPath(new URL('interchange.py', import.meta.url));

/**
 * Returns the first Python that has a module; undefined if none has it. /usr/bin/python3 is tried, too, because the
 * Python packages of Debian are installed for it.
 */
function pythonWith(module: string): string | undefined {
  // This code looks for the module without importing it, because importing PyTorch takes seconds.
  const look = `import importlib.util, sys; sys.exit(importlib.util.find_spec('${module}') is None)`;
  return ['python3', '/usr/bin/python3'].find((python) => {
    return spawnSync(python, ['-c', look], { stdio: 'ignore' }).status === 0;
  });
}

const codes = {
  float32: 'F32',
  float64: 'F64',
  int32: 'I32',
  bool: 'BOOL',
  uint8: 'U8',
} as const;
const described = (tensors: Record<string, Tensor>) =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, data }]) => [
      name,
      [codes[dtype], shape, Buffer.from(data.buffer as ArrayBuffer).toString('hex')],
    ]),
  );

describe('Python', () => {
  it('reads the files that forebay saves, and writes files that forebay loads', (context) => {
    if (!pythonWith('json')) return context.skip('there is no python3 here');
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

  /** Compares the outputs of a network in forebay with the outputs that `apply.py` computes from the saved network. */
  function compare(framework: string, python: string) {
    const folder = mkdtempSync(join(tmpdir(), 'forebay-python-'));
    try {
      const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')];
      const net = new FeedForward('net', { inputs: 3, units: 2, seed: 1, activation: tanh });
      const wide = new FeedForward('wide', { inputs: 3, units: 2, seed: 2, dtype: 'float64' });
      const x64 = randomTensor([4, 3], 3);
      const x = tensor(new Float32Array(x64.data), { shape: [4, 3] });
      const labels = tensor(new Int32Array([1, 0, 1, 2]));
      save(ours, {
        ...Object.fromEntries([...net.parameters, ...wide.parameters].map((p) => [p.name, p])),
        x,
        x64,
        labels,
      });
      execFileSync(python, [
        fileURLToPath(new URL('apply.py', import.meta.url)),
        framework,
        ours,
        theirs,
      ]);
      const { y, y64, picked, ...changed } = load(theirs);
      const close = (found: Tensor | undefined, expected: Tensor, digits: number) => {
        expect([found?.dtype, found?.shape]).toEqual([expected.dtype, expected.shape]);
        expected.data.forEach((value, index) => {
          expect(found?.data[index]).toBeCloseTo(value, digits);
        });
      };
      close(y, evaluate(net.apply(x)), 6);
      close(y64, evaluate(wide.apply(x64)), 14);
      expect(picked).toEqual(tensor(new Int32Array([2, 1, 2, 2 ** 31 - 1])));
      // The parameters that Python changed are loaded into the same net.
      const before = net.weight.value.toArray() as number[][];
      load(theirs, net.parameters);
      expect(net.weight.value.toArray()).toEqual(
        before.map((row) => row.map((value) => Math.fround(value - 0.5))),
      );
      expect(Object.keys(changed).sort()).toEqual(['net.bias', 'net.weight']);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  it.each(['numpy', 'torch'])(
    'applies a saved net with %s, and writes parameters that forebay loads',
    (framework) => {
      const python = pythonWith(framework);
      // If the framework is not installed, the output of the tests says that it was left out.
      if (!python) return console.log(`left out: no python3 here has ${framework}`);
      compare(framework, python);
    },
  );

  it('reads a checkpoint, and writes one that forebay resumes', async (context) => {
    if (!pythonWith('json')) return context.skip('there is no python3 here');
    const training = () => {
      const net = new FeedForward('net', { inputs: 3, units: 2, seed: 1 });
      const loss = mse(net.apply(input('x', ['batch', 3])), input('y', ['batch', 2]));
      const updates = adam(loss, net.parameters);
      return { updates, program: compile({ outputs: { loss }, updates }) };
    };
    const feeds = { x: Tensor.ones([1, 3]), y: Tensor.ones([1, 2]) };
    const [one, other] = [training(), training()];
    one.program.run(feeds);
    const folder = mkdtempSync(join(tmpdir(), 'forebay-python-'));
    try {
      const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')];
      await checkpoint(ours, one);
      const read = JSON.parse(
        execFileSync('python3', [script, ours, theirs], { encoding: 'utf8' }),
      );
      // The file contains the number of steps that Adam counts, and the number of runs, because random draws depend on
      // it.
      const step = Buffer.alloc(8);
      step.writeDoubleLE(1);
      expect(read.tensors['net.weight.adam.step']).toEqual(['F64', [], step.toString('hex')]);
      expect(JSON.parse(read.metadata['forebay.runs'])).toEqual([1]);
      resume(theirs, other);
      expect(other.program.run(feeds)).toEqual(one.program.run(feeds));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
