/** Tests files that are written off the JavaScript thread: their content before, during and after the write. */

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FormatError } from '../../src/index.js';
import { assertWritable, writeInBackground } from '../../src/io/background.js';

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-background-'));
  file = join(folder, 'it');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bytes = (text: string) => new TextEncoder().encode(text);
const content = () => readFileSync(file, 'utf8');

describe('a file that is written in the background', () => {
  it('holds its parts one after another, and leaves no other file behind', async () => {
    await writeInBackground(file, [bytes('one '), bytes(''), bytes('two')]);
    expect(content()).toBe('one two');
    expect(readdirSync(folder)).toEqual(['it']);
  });

  it('may be larger than the pieces that are written at a time', async () => {
    const large = new Uint8Array(2 ** 24 + 5);
    for (let index = 0; index < large.length; index += 4099) large[index] = index;
    await writeInBackground(file, [bytes('x'), large]);
    expect(Buffer.compare(readFileSync(file).subarray(1), large)).toBe(0);
  });

  it('keeps the old content until the new content is complete', async () => {
    writeFileSync(file, 'old');
    const before = statSync(file).ino;
    const write = writeInBackground(file, [bytes('new')]);
    expect(content()).toBe('old');
    await write;
    expect(content()).toBe('new');
    expect(statSync(file).ino).not.toBe(before);
  });

  it('holds the content of the last call, even if the writes are not awaited one by one', async () => {
    // A large write takes much longer than a small one. If the writes did not wait for each other, a large write would
    // end last.
    const large = new Array<Uint8Array>(16).fill(new Uint8Array(2 ** 21));
    const writes = [large, [bytes('second')], large, [bytes('last')]].map((parts) => {
      return writeInBackground(file, parts);
    });
    await Promise.all(writes);
    expect(content()).toBe('last');
    expect(readdirSync(folder)).toEqual(['it']);
  });

  it('keeps its permissions, and a symbolic link to it stays a link', async () => {
    const link = join(folder, 'link');
    writeFileSync(file, 'old');
    chmodSync(file, 0o666);
    symlinkSync('it', link);
    await writeInBackground(link, [bytes('new')]);
    expect(content()).toBe('new');
    expect(statSync(file).mode & 0o777).toBe(0o666);
    expect(readdirSync(folder).sort()).toEqual(['it', 'link']);
  });

  it('throws a FormatError if it cannot be written, and the next write succeeds', async () => {
    mkdirSync(file);
    const refused = writeInBackground(file, [bytes('x')]);
    const after = refused.catch(() => rmSync(file, { recursive: true }));
    await expect(refused).rejects.toThrow(
      new FormatError(`${file}: cannot be written: it exists, but is not a regular file`),
    );
    await after;
    await writeInBackground(file, [bytes('y')]);
    expect(content()).toBe('y');
  });

  it('keeps the old content and leaves no other file if the write fails halfway', async () => {
    writeFileSync(file, 'old');
    // The second part is invalid, so that writing it fails. A full disk would have the same effect, but a test cannot
    // fill the disk.
    const parts = [bytes('new'), { length: 1, subarray: () => 3 }];
    await expect(writeInBackground(file, parts as never)).rejects.toBeInstanceOf(FormatError);
    expect(content()).toBe('old');
    expect(readdirSync(folder)).toEqual(['it']);
  });
});

describe('temporary files', () => {
  const gone = spawnSync(process.execPath, ['-e', '']).pid;
  const names = (...pids: number[]) => pids.map((pid) => `it.${pid}.00c0ffee.tmp`);

  it('of processes that have ended are removed; all others are kept', async () => {
    const living = [...names(process.ppid), ...names(process.pid)];
    const foreign = [`it2.${gone}.00c0ffee.tmp`, `it.${gone}.tmp`, `it.${gone}.00c0ffee.tmp.bak`];
    for (const name of [...names(gone), ...living, ...foreign]) {
      writeFileSync(join(folder, name), '');
    }
    await writeInBackground(file, [bytes('x')]);
    expect(readdirSync(folder).sort()).toEqual(['it', ...living, ...foreign].sort());
  });

  it('of an earlier process with our process id are removed (in a container, ids repeat)', async () => {
    const [ours] = names(process.pid) as [string];
    writeFileSync(join(folder, ours), '');
    const yesterday = Date.now() / 1000 - 86_400;
    utimesSync(join(folder, ours), yesterday, yesterday);
    await writeInBackground(file, [bytes('x')]);
    expect(readdirSync(folder)).toEqual(['it']);
  });
});

describe('assertWritable', () => {
  it('refuses a folder that does not exist, and creates no file', async () => {
    const nowhere = join(folder, 'no', 'where');
    await expect(assertWritable(nowhere)).rejects.toThrow(
      new FormatError(
        `${nowhere}: cannot be written: ENOENT: no such file or directory, access '${join(folder, 'no')}'`,
      ),
    );
    await assertWritable(file);
    expect(existsSync(file)).toBe(false);
  });
});
