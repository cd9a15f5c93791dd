import { describe, expect, it, vi } from 'vitest';
import { UsageError } from '../../bench/src/errors.js';
import { parseOptions } from '../../bench/src/options.js';
import { workloads } from '../../bench/src/workloads.js';

const parse = (...argv: string[]) => parseOptions(argv);

describe('the options of the benchmark', () => {
  it('default to all workloads and peers on one thread, without requiring any peer', () => {
    const options = parse();
    expect(options).toMatchObject({
      ...{ threads: 1, rounds: 11, peersAsked: false, compiled: true, readme: false },
    });
    expect(options?.only).toEqual(Object.keys(workloads));
    const all = ['torch', 'jax', 'onnx', 'tfjs-wasm', 'brain'];
    expect(options?.peers.map(({ name }) => name)).toEqual(all);
    expect(options).not.toHaveProperty('json');
  });

  it('select workloads and peers, in the order of the table', () => {
    const options = parse('--only', 'mlp-1,lstm-seed', '--peers', 'brain, torch', '--threads', '2');
    expect(options).toMatchObject({ only: ['lstm-seed', 'mlp-1'], threads: 2, peersAsked: true });
    expect(options?.peers.map(({ name }) => name)).toEqual(['torch', 'brain']);
    expect(parse('--peers', 'none')).toMatchObject({ peers: [], peersAsked: true });
    expect(parse('--rounds', '3', '--json', 'a', '--svg', 'b')).toMatchObject({
      rounds: 3,
      json: 'a',
      svg: 'b',
    });
    expect(parse('--no-compiled', '--python', 'p', '--from', 'r', '--readme')).toMatchObject({
      compiled: false,
      python: 'p',
      from: 'r',
      readme: true,
    });
  });

  it.each([
    [['--only', 'lstm-tiny'], /no workload 'lstm-tiny'.*lstm-seed, lstm-small/s],
    [['--only', ''], /no workload ''/],
    [['--only', 'lstm-medum'], /Did you mean 'lstm-medium'\?/],
    [['--only', 'predict'], /Did you mean 'predict-1'\?/],
    [['--peers', 'torch,keras'], /no peer 'keras'.*torch, jax, onnx, tfjs-wasm, brain, none\./s],
    [['--peers', 'JXA'], /Did you mean 'jax'\?/],
    [['--peers', 'tfjs'], /Did you mean 'tfjs-wasm'\?/],
    [['--round', '3'], /Did you mean --rounds\?/],
    [['--threads', '0'], /--threads.*'0'.*whole number from 1/s],
    [['--threads', 'two'], /'two'/],
    [['--rounds', '1.5'], /--rounds.*'1\.5'/s],
    [['--rounds', '-1'], /--rounds/],
    [['--json'], /--json/],
    [['--jsn', 'x'], /--jsn/],
    [['stray'], /argument/],
  ])('refuse %j and say what was expected', (argv, message) => {
    expect(() => parse(...argv)).toThrow(UsageError);
    expect(() => parse(...argv)).toThrow(message);
  });

  it('print the help and do nothing else', () => {
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    try {
      expect(parse('--help')).toBeUndefined();
      const text = write.mock.calls.map(([chunk]) => String(chunk)).join('');
      for (const word of ['--threads', 'lstm-large', 'tfjs-wasm']) expect(text).toContain(word);
    } finally {
      write.mockRestore();
    }
  });
});
