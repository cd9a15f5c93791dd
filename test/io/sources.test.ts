/**
 * Tests the sources that loaders and savers accept (paths, `file:` URLs, bytes), and a working directory that changes.
 */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  checkpoint,
  compile,
  type FileSource,
  FormatError,
  input,
  load,
  loadCsv,
  loadMetadata,
  loadNpy,
  loadNpz,
  mean,
  parameter,
  parseCsv,
  resume,
  save,
  saveNpy,
  saveNpz,
  sgd,
  square,
  sub,
  Tensor,
  tensor,
  ValueError,
} from '../../src/index.js';
import * as train from '../../src/train/fit.js';
import { errorOf } from '../support.js';

let folder = '';
let home = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay sources é%-'));
  home = process.cwd();
});
afterEach(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});

function training() {
  const w = parameter('w', [[1]]);
  const x = input('x', ['batch', 1]);
  const loss = mean(square(sub(x, w)));
  const updates = sgd(loss, [w], { rate: 0.1 });
  return { w, updates, program: compile({ outputs: { loss }, updates }) };
}

const x = tensor([[1, 2]]);
/** For each loader, a function that writes a file, a function that reads it, and the expected result. */
const kinds: Record<
  string,
  { write(file: string | URL): unknown; read(source: FileSource): unknown; expected: unknown }
> = {
  load: { write: (file) => save(file, { x }), read: (source) => load(source), expected: { x } },
  loadMetadata: {
    write: (file) => save(file, { x }, { metadata: { a: 'b' } }),
    read: (source) => loadMetadata(source),
    expected: { a: 'b' },
  },
  loadNpy: { write: (file) => saveNpy(file, x), read: (source) => loadNpy(source), expected: x },
  loadNpz: {
    write: (file) => saveNpz(file, { x }, { compress: true }),
    read: (source) => loadNpz(source),
    expected: { x },
  },
  loadCsv: {
    write: (file) => writeFileSync(file, 'a\n1\n'),
    read: (source) => loadCsv(source),
    expected: { a: tensor([1]) },
  },
  resume: {
    write: (file) => checkpoint(file, { updates: training().updates, metadata: { at: '3' } }),
    read: (source) => resume(source, { updates: training().updates }).metadata,
    expected: { at: '3' },
  },
};

describe.each(Object.entries(kinds))('%s', (name, { write, read, expected }) => {
  it('reads a path, a file: URL and bytes', async () => {
    const url = pathToFileURL(join(folder, 'a file'));
    await write(url);
    expect(readdirSync(folder)).toEqual(['a file']);
    const bytes = readFileSync(url);
    const apart = Buffer.concat([Buffer.from('xyz'), bytes, Buffer.from('!')]);
    const shared = new SharedArrayBuffer(bytes.length);
    new Uint8Array(shared).set(bytes);
    const sources: FileSource[] = [
      join(folder, 'a file'),
      url,
      url.href,
      bytes,
      new Uint8Array(bytes),
      new Uint8Array(bytes).buffer,
      apart.subarray(3, 3 + bytes.length),
      shared,
      runInNewContext('Uint8Array.from(bytes)', { bytes: [...bytes] }) as Uint8Array,
    ];
    for (const source of sources) expect(read(source)).toEqual(expected);
  });

  it('names the bytes as its source in errors', () => {
    const error = errorOf(() => read(new Uint8Array(3).fill(0xff)));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message.startsWith(`the bytes given to ${name}: `)).toBe(true);
    const gone = new Uint8Array(3);
    structuredClone(gone, { transfer: [gone.buffer] });
    for (const source of [gone, gone.buffer]) {
      expect(errorOf(() => read(source)).message).toBe(
        `${name}: the bytes have been transferred away`,
      );
    }
  });

  it.each<[unknown, string]>([
    ['', 'the string ""'],
    ['a\0b', 'the string "a\\u0000b"'],
    ['file://other.host/x', 'the string "file://other.host/x"'],
    [new URL('https://example.com/x'), 'the URL https://example.com/x'],
    [{ href: 3 }, 'an object'],
    [new Float32Array(2), 'an object of type Float32Array'],
    [undefined, 'undefined'],
    [Symbol('x'), 'a symbol'],
  ])('refuses %o', (source, described) => {
    const error = errorOf(() => read(source as never));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toContain(
      `${name}: expected the path of a file or a file: URL, but received ${described}`,
    );
  });
});

describe('savers', () => {
  it.each<[string, (file: never) => unknown]>([
    ['save', (file) => save(file, { x })],
    ['saveNpy', (file) => saveNpy(file, x)],
    ['saveNpz', (file) => saveNpz(file, { x })],
    ['checkpoint', (file) => checkpoint(file, { updates: training().updates })],
  ])('%s refuses bytes and other URLs', async (name, write) => {
    for (const file of [new Uint8Array(2), new URL('https://example.com/x'), 7]) {
      const error = await Promise.resolve()
        .then(() => write(file as never))
        .catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(ValueError);
      expect((error as Error).message).toContain(
        `${name}: expected the path of a file or a file: URL, but received`,
      );
    }
  });

  it('refuse a layer, and suggest its parameters', () => {
    class Layer {
      readonly name = 'layer';
      readonly parameters = [parameter('w', 1)];
    }
    for (const act of [save, saveNpz] as const) {
      const error = errorOf(() => act(join(folder, 'x'), new Layer() as never));
      expect(error.message).toBe(
        `${act.name}: expected a list of parameters and states, or a record of them by name, but received an object of type Layer; its parameters are a list: give LAYER.parameters`,
      );
    }
    save(join(folder, 'x'), new Layer().parameters);
    const error = errorOf(() => load(join(folder, 'x'), new Layer() as never));
    expect(error.message).toContain('give LAYER.parameters');
  });

  it.each<[string, (file: string) => unknown, string]>([
    ['save', (file) => save(file, { x }, { meta: {} } as never), "save: there is no option 'meta'"],
    [
      'saveNpz',
      (file) => saveNpz(file, { x }, { compressed: true } as never),
      "did you mean 'compress'?",
    ],
    [
      'save of null',
      (file) => save(file, { x }, null as never),
      'save: expected an options object',
    ],
  ])('refuse wrong options: %s', (_, write, message) => {
    expect(errorOf(() => write(join(folder, 'x'))).message).toContain(message);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a relative path', () => {
  it('is resolved against the working directory at the time of the call', async () => {
    const [here, there] = ['here', 'there'].map((name) => join(folder, name)) as [string, string];
    for (const place of [here, there]) mkdirSync(place);
    const { updates, program } = training();

    process.chdir(here);
    const written = checkpoint('by hand', { updates });
    process.chdir(there);
    await written;
    expect([readdirSync(here), readdirSync(there)]).toEqual([['by hand'], []]);

    process.chdir(here);
    const fitting = train.fit(
      program,
      { x: Tensor.ones([6, 1]) },
      {
        epochs: 3,
        batchSize: 2,
        checkpoint: { file: 'by fit', every: { batches: 1 } },
        onBatch: () => process.chdir(there),
      },
    );
    process.chdir(there);
    await fitting;
    expect([readdirSync(here).sort(), readdirSync(there)]).toEqual([['by fit', 'by hand'], []]);
  });

  it('is the same file as its absolute path, and their writes happen in order', async () => {
    process.chdir(folder);
    const { updates, w } = training();
    const writes = [checkpoint('it', { updates })];
    w.set([[2]]);
    writes.push(checkpoint(join(process.cwd(), 'it'), { updates }));
    w.set([[3]]);
    writes.push(checkpoint('./it', { updates }));
    await Promise.all(writes);
    expect(load('it').w?.item()).toBe(3);
    expect(readdirSync(folder)).toEqual(['it']);
  });

  it('is refused if the working directory does not exist', async () => {
    const gone = join(folder, 'gone');
    mkdirSync(gone);
    process.chdir(gone);
    rmSync(gone, { recursive: true });
    await expect(checkpoint('it', { updates: training().updates })).rejects.toMatchObject({
      name: 'FormatError',
      message: 'it: the working directory is gone; give an absolute path',
    });
  });
});

describe('parseCsv', () => {
  it('accepts only a string; the error names loadCsv for bytes', () => {
    expect(errorOf(() => parseCsv(Buffer.from('a\n1\n') as never)).message).toContain(
      'loadCsv reads files and bytes',
    );
  });
});
