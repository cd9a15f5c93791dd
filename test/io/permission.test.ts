/** Tests saving under the permission model of Node, which forbids fsync and fchmod even where writing is allowed. */

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { load } from '../../src/index.js';
import { savesAreDurable } from '../../src/io/durable.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-permission-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const flags = process.allowedNodeEnvironmentFlags;
const flag = flags.has('--permission') ? '--permission' : '--experimental-permission';
const library = new URL('../../dist/index.js', import.meta.url).href;
const durable = new URL('../../dist/io/durable.js', import.meta.url).href;

/**
 * Runs a script that may read everything and write only to `writable`. The script prints JSON.
 * @returns the parsed output of the script
 */
function allowed(writable: string, script: string, reading = '*'): unknown {
  const args = [
    flag,
    '--allow-addons',
    `--allow-fs-read=${reading}`,
    `--allow-fs-write=${writable}`,
  ];
  const head = `import * as fb from ${JSON.stringify(library)};
    import { savesAreDurable } from ${JSON.stringify(durable)};
    const folder = ${JSON.stringify(folder)};
    const w = fb.parameter('w', [[1]]);
    const loss = fb.mean(fb.square(fb.sub(fb.input('x', ['batch', 1]), w)));
    const updates = fb.sgd(loss, [w], { rate: 0.1 });`;
  const file = join(folder, 'script.mjs');
  writeFileSync(file, `${head}\n${script}`);
  return JSON.parse(execFileSync(process.execPath, [...args, file], { encoding: 'utf8' }));
}

describe('under node --permission', () => {
  it('every function that saves works, writes atomically and keeps the permissions of the file', () => {
    const files = ['a.safetensors', 'a.npy', 'a.npz', 'by hand', 'by fit'];
    for (const name of files) {
      writeFileSync(join(folder, name), 'old');
      chmodSync(join(folder, name), 0o640);
    }
    const said = allowed(
      folder,
      `fb.save(folder + '/a.safetensors', [w]);
      fb.saveNpy(folder + '/a.npy', w);
      fb.saveNpz(folder + '/a.npz', [w]);
      await fb.checkpoint(folder + '/by hand', { updates });
      const program = fb.compile({ outputs: { loss }, updates });
      const file = folder + '/by fit';
      await fb.fit(program, { x: [[1], [2], [3]] }, { epochs: 2, batchSize: 1, checkpoint: { file } });
      console.log(JSON.stringify([savesAreDurable(), fb.resume(file, { updates, program }).runs]));`,
    );
    expect(said).toEqual([false, [6]]);
    expect(readdirSync(folder).sort()).toEqual([...files, 'script.mjs'].sort());
    for (const name of files) expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o640);
    expect(load(join(folder, 'a.safetensors')).w?.toArray()).toEqual([[1]]);
  });

  it('a folder that is not allowed is refused, and the error says what to allow', () => {
    const other = mkdtempSync(join(tmpdir(), 'forebay-permission-'));
    try {
      const said = allowed(
        other,
        `const failures = [];
        try { fb.save(folder + '/x', [w]); } catch (error) { failures.push(error); }
        await fb.checkpoint(folder + '/x', { updates }).catch((error) => failures.push(error));
        console.log(JSON.stringify(failures.map(({ code, message }) => [code, message])));`,
      );
      const failure = [
        'FOREBAY_FORMAT',
        expect.stringContaining('allow its folder with --allow-fs-read'),
      ];
      expect(said).toEqual([failure, failure]);
      expect(readdirSync(folder)).toEqual(['script.mjs']);
    } finally {
      rmSync(other, { recursive: true });
    }
  });
});

it('without --permission, saving flushes the file to disk', () => {
  expect(savesAreDurable()).toBe(true);
});
