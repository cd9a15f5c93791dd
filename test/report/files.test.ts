import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeWhole } from '../../src/report/files.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('writeWhole', () => {
  it('creates the folders, replaces the file, and leaves no other file', () => {
    const file = join(folder, 'a/b/c.txt');
    writeWhole(file, 'one');
    writeWhole(file, Uint8Array.of(0x74, 0x77, 0x6f));
    expect(readFileSync(file, 'utf8')).toBe('two');
    expect(readdirSync(join(folder, 'a/b'))).toEqual(['c.txt']);
  });

  it('leaves no temporary file if it cannot write', () => {
    mkdirSync(join(folder, 'taken/by-a-folder'), { recursive: true });
    expect(() => writeWhole(join(folder, 'taken'), 'x')).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(readdirSync(folder)).toEqual(['taken']);
  });
});
