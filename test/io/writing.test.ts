/**
 * Tests writing to links, pipes, files of any name and folders without permissions, and a process that is killed while
 * it writes.
 */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FormatError, load, save, type Tensor, tensor } from '../../src/index.js';
import { errorOf } from '../support.js';

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-io-'));
  file = join(folder, 'model.safetensors');
});
afterEach(() => {
  chmodSync(folder, 0o755);
  rmSync(folder, { recursive: true, force: true });
});

const valueIn = (name: string) => (load(name).x as Tensor).toArray();

describe('a file that is written', () => {
  it('is the target of a symbolic link, and the link stays a link', () => {
    const link = join(folder, 'latest');
    save(file, { x: tensor([1]) });
    symlinkSync('model.safetensors', link);
    save(link, { x: tensor([2]) });
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(valueIn(file)).toEqual([2]);
    expect(readdirSync(folder).sort()).toEqual(['latest', 'model.safetensors']);
  });

  it('replaces a symbolic link whose target does not exist', () => {
    symlinkSync('gone', file);
    save(file, { x: tensor([1]) });
    expect(valueIn(file)).toEqual([1]);
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
  });

  it('has the permissions of the file that it replaces', () => {
    save(file, { x: tensor([1]) });
    for (const mode of [0o600, 0o666]) {
      chmodSync(file, mode);
      save(file, { x: tensor([2]) });
      expect(statSync(file).mode & 0o777).toBe(mode);
    }
  });

  it('may have any name that the system allows', () => {
    const names = ['a b', '-rf', '%s', '#?', `'"`, '\n', 'ü', '🙂'.repeat(60), 'x'.repeat(255)];
    for (const name of names) {
      save(join(folder, name), { x: tensor([3]) });
      expect(valueIn(join(folder, name))).toEqual([3]);
    }
    expect(readdirSync(folder).sort()).toEqual(names.sort());
  });

  it('never replaces a pipe', () => {
    execFileSync('mkfifo', [file]);
    const error = errorOf(() => save(file, { x: tensor(1) }));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toBe(`${file}: cannot be written: it exists, but is not a regular file`);
    expect(lstatSync(file).isFIFO()).toBe(true);
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
  });
});

/** Calls `act` without the rights of the superuser, because the superuser may write to every folder. */
function asNobody<T>(act: () => T): T {
  const nobody = 65534;
  if (process.geteuid?.() !== 0) return act();
  chownSync(folder, nobody, nobody);
  process.seteuid?.(nobody);
  try {
    return act();
  } finally {
    process.seteuid?.(0);
  }
}

describe('a folder', () => {
  it('without write permission stays unchanged', () => {
    save(file, { x: tensor([1]) });
    chmodSync(folder, 0o555);
    const error = errorOf(() => asNobody(() => save(file, { x: tensor([2]) })));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toContain(`${file}: cannot be written: EACCES`);
    expect(valueIn(file)).toEqual([1]);
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
  });

  it('without read permission is written to', () => {
    chmodSync(folder, 0o300);
    asNobody(() => save(file, { x: tensor([1]) }));
    expect(valueIn(file)).toEqual([1]);
  });
});

describe('a process that is killed while it writes', () => {
  it('leaves the old file or the new one', async () => {
    const length = 2 ** 21;
    const script = `
      import { save, Tensor } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
      for (let value = 1; ; value++) {
        save(${JSON.stringify(file)}, { x: new Tensor(new Float32Array(${length}).fill(value), [${length}]) });
        if (value === 1) console.log('written');
      }`;
    for (let round = 0; round < 4; round++) {
      const args = ['--input-type=module', '-e', script];
      const writer = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(writer.stdout, 'data');
      // Each round kills the process at a different point of its work.
      await new Promise((later) => setTimeout(later, 5 + 7 * round));
      writer.kill('SIGKILL');
      await once(writer, 'exit');
      const { data } = load(file).x as Tensor;
      expect(data.length).toBe(length);
      expect(data.every((element) => element === data[0])).toBe(true);
    }
  });
});
