import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compile,
  copy,
  Dense,
  DTypeError,
  FormatError,
  GraphError,
  input,
  load,
  loadNpz,
  Module,
  mean,
  mul,
  type Node,
  type Restored,
  restore,
  Sequential,
  ShapeError,
  StateError,
  save,
  saveNpz,
  state,
  type TransferOptions,
  tensor,
  ValueError,
  type Variable,
} from '../../src/index.js';
import { errorOf } from '../support.js';

/** A dense layer whose result is divided by a running mean, which is a state. */
class Net extends Module {
  readonly dense = new Dense(this.scope('dense'), { inputs: 2, units: 3 });
  readonly mean: Variable = this.state('mean', 1);
  forward(x: Node) {
    return mul(this.dense.apply(x), this.mean);
  }
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-restore-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
const file = () => join(folder, 'net.safetensors');
const valuesOf = (module: Module) =>
  [...module.entries().values()].map(({ value }) => value.toArray());

describe('save and restore', () => {
  it('write and read the parameters and the states of a module by their relative paths', () => {
    const net = new Net('net');
    net.mean.set(4);
    save(file(), net);
    expect(Object.keys(load(file())).sort()).toEqual(['dense.bias', 'dense.weight', 'mean']);
    const other = new Net('another name');
    expect(restore(file(), other)).toEqual({ missing: [], unexpected: [] });
    expect(valuesOf(other)).toEqual(valuesOf(net));
    const third = new Net('third');
    load(file(), third);
    expect(valuesOf(third)).toEqual(valuesOf(net));
    const path = join(folder, 'net.npz');
    saveNpz(path, net);
    const fourth = new Net('fourth');
    loadNpz(path, fourth);
    expect(valuesOf(fourth)).toEqual(valuesOf(net));
  });

  it('write and read several modules and variables by their names in a record', () => {
    const [body, head, step] = [new Net('x'), new Net('y'), state('s', 7)];
    save(file(), { body, head, step });
    expect(Object.keys(load(file()))).toContain('head.dense.weight');
    const [first, second] = [new Net('p'), new Net('q')];
    restore(file(), { body: first, head: second, step });
    expect(valuesOf(first)).toEqual(valuesOf(body));
    expect(valuesOf(second)).toEqual(valuesOf(head));
    // Only the head, and the other tensors are left out.
    const third = new Net('r');
    const left = restore(file(), { head: third }, { strict: false });
    expect(valuesOf(third)).toEqual(valuesOf(head));
    expect(left.missing).toEqual([]);
    expect([...left.unexpected].sort()).toEqual([
      'body.dense.bias',
      'body.dense.weight',
      'body.mean',
      'step',
    ]);
  });

  it('find the tensors by the option map: a function of the path, or a record', () => {
    const trunk = new Net('trunk');
    save(file(), { trunk });
    const net = new Net('net');
    restore(file(), net, { map: (path) => `trunk.${path}` });
    expect(valuesOf(net)).toEqual(valuesOf(trunk));
    save(file(), { 'dense.weight': trunk.dense.weight, b: trunk.dense.bias as Variable });
    const other = new Net('other');
    other.mean.set(9);
    const names = new Map([
      ['dense.weight', 'dense.weight'],
      ['dense.bias', 'b'],
    ]);
    restore(file(), other, { map: (path) => names.get(path) });
    expect(valuesOf(other).slice(0, 2)).toEqual(valuesOf(trunk).slice(0, 2));
    expect(other.mean.value.item()).toBe(9);
    expect(restore(file(), other, { map: { 'dense.bias': 'b' }, strict: false }).missing).toEqual([
      'mean',
    ]);
  });

  const untouched = (run: (net: Net) => unknown) => {
    const net = new Net('net');
    const before = valuesOf(net);
    const error = errorOf(() => run(net));
    expect(valuesOf(net)).toEqual(before);
    return error;
  };

  it('refuse with one error that lists all that is missing, unexpected and misshapen', () => {
    save(file(), {
      'dense.weight': tensor([[1, 2, 3]]),
      mean: tensor(1, { dtype: 'float64' }),
      extra: tensor(1),
      more: tensor(1),
    });
    const error = untouched((net) => restore(file(), net));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toBe(
      `${file()}: the values do not fit the variables: missing: 'dense.bias'; unexpected: 'extra', 'more'; of another shape: 'dense.weight' is [1, 3], but [parameter 'net.dense.weight'] is [2, 3]; of another dtype: 'mean' is float64, but [state 'net.mean'] is float32; give the option map if the names differ, or strict: false to leave out what is missing or unexpected; give the option dtype to convert elements`,
    );
    const lax = untouched((net) => restore(file(), net, { strict: false }));
    expect(lax.message).not.toContain('missing');
    expect(lax.message).toContain('of another shape');
  });

  it.each<[string, Record<string, unknown>, unknown]>([
    ['only shapes', { mean: tensor([1]) }, ShapeError],
    ['only dtypes', { mean: tensor(1, { dtype: 'int32' }) }, DTypeError],
  ])('refuse with the error of %s if nothing else is wrong', (_what, wrong, Kind) => {
    const good = new Net('good');
    save(file(), { dense: good.dense, ...wrong } as never);
    expect(untouched((net) => restore(file(), net))).toBeInstanceOf(Kind);
  });

  it.each<[string, unknown, unknown, TransferOptions | undefined, string]>([
    ['a number', 7, ValueError, undefined, 'expected a list of parameters and states'],
    ['a list of modules', [new Net('l')], ValueError, undefined, 'give a record of modules'],
    [
      'a tensor',
      { a: tensor(1) },
      ValueError,
      undefined,
      "expected a parameter or a state for 'a'",
    ],
    [
      'equal paths',
      { n: new Net('n'), 'n.mean': state('m', 1) },
      GraphError,
      undefined,
      "two of the parameters are named 'n.mean'",
    ],
    [
      'a map of a path that is not there',
      new Net('m'),
      ValueError,
      { map: { 'dense.wait': 'w' } },
      "the option map has the path 'dense.wait', but no variable has this path",
    ],
    [
      'a map that returns no name',
      new Net('k'),
      ValueError,
      { map: () => 7 as unknown as string },
      'the option map must return a name or undefined, but returned number 7',
    ],
    ['no map', new Net('j'), ValueError, { map: 7 as never }, 'the option map must be a function'],
  ])('refuse %s', (_what, into, Kind, options, message) => {
    save(file(), new Net('net'));
    const error = errorOf(() => restore(file(), into as Restored, options));
    expect(error).toBeInstanceOf(Kind);
    expect(error.message).toContain(message);
  });
});

describe('copy', () => {
  it('copies parameters and states by their relative paths', () => {
    const [from, to] = [new Net('from'), new Net('to')];
    from.mean.set(5);
    copy(from, to);
    expect(valuesOf(to)).toEqual(valuesOf(from));
    copy({ a: from.mean }, { b: to.mean }, { map: { b: 'a' } });
  });

  it('reads all values before it writes one', () => {
    const [a, b] = [state('a', 1), state('b', 2)];
    copy({ a, b }, { a: b, b: a });
    expect([a.value.item(), b.value.item()]).toEqual([2, 1]);
  });

  it('refuses modules that differ, and changes nothing', () => {
    const from = new Sequential('from', [new Net('part')]);
    const to = new Net('to');
    const before = valuesOf(to);
    const error = errorOf(() => copy(from, to));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toContain(
      "missing: 'dense.weight', 'dense.bias', 'mean'; unexpected: '0.d",
    );
    expect(valuesOf(to)).toEqual(before);
  });
});

it('copy and restore refuse a variable that a run in flight uses', async () => {
  const net = new Net('net');
  save(file(), net);
  const program = compile({ outputs: { y: mean(net.apply(input('x', [1, 2]))) } });
  const run = program.runAsync({ x: tensor([[1, 2]]) });
  for (const act of [() => restore(file(), net), () => copy(new Net('other'), net)]) {
    expect(errorOf(act)).toBeInstanceOf(StateError);
  }
  copy(net, new Net('other')); // The run only reads `net`.
  await run;
  restore(file(), net);
});
