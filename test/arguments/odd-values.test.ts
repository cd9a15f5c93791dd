// Calls every public function, constructor, method and setter, with each odd value in the position of each argument and
// option. An odd value is one that a function may not expect, such as a revoked proxy. Each call must succeed or throw
// a ForebayError. If a new export has no valid call in the table of valid-calls.ts, the first test fails.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  allDeclaredOptions,
  type Declaration,
  type DeclaredOptions,
} from '../../src/arguments/options.js';
import { GraphError } from '../../src/index.js';
import { type Call, complaint, oddValues, placesIn, replaced } from './odd.js';

const before = process.cwd();
const folder = mkdtempSync(join(tmpdir(), 'forebay-odd-'));
// An odd value that is used as a file name creates a file in this folder. The import below writes files, too.
process.chdir(folder);
const { declarationOf, everyCallable, leftOver, refusing } = await import('./valid-calls.js');

afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true, force: true });
});

const callables = everyCallable();
const ready = callables.flatMap(({ name, call, invoke }) =>
  call === undefined ? [] : [[name, { call, invoke }] as const],
);

/**
 * Returns the positions in a call where odd values are put, and the declarations of the options objects among its
 * arguments.
 */
function placesOf(name: string, { args }: Call) {
  const declared = new Set<DeclaredOptions<Declaration>>();
  const places = placesIn(args, (object) => {
    const options = declarationOf(name, object);
    if (options) declared.add(options);
    return [...new Set([...Object.keys(object), ...Object.keys(options?.declaration ?? {})])];
  });
  return { places, declared };
}

describe('the table of valid calls', () => {
  it('has a call for every export', () => {
    expect(callables.filter(({ call }) => call === undefined).map(({ name }) => name)).toEqual([]);
  });

  it('has no call for a name that is not exported', () => {
    expect(leftOver(new Set(callables.map(({ name }) => name)))).toEqual([]);
  });

  it('has a call for every declared options object', () => {
    const met = new Set(ready.flatMap(([name, { call }]) => [...placesOf(name, call()).declared]));
    const others = allDeclaredOptions().filter((options) => !met.has(options));
    expect(others.map(({ of }) => of)).toEqual([]);
  });

  it.each(ready)('%s succeeds', async (name, { call, invoke }) => {
    if (refusing.has(name)) expect(() => invoke(call())).toThrow(GraphError);
    else await invoke(call());
  });
});

describe('odd values', () => {
  it('are at least 25', () => {
    expect(Object.keys(oddValues).length).toBeGreaterThanOrEqual(25);
  });

  it.each(ready)('in %s cause no error except ForebayErrors', async (name, { call, invoke }) => {
    const { places } = placesOf(name, call());
    const complaints: string[] = [];
    for (const place of places) {
      for (const [what, make] of Object.entries(oddValues)) {
        const { on, args } = call();
        const odd = { ...(on && { on }), args: replaced(args, place, make()) };
        const wrong = await complaint(() => invoke(odd));
        if (wrong !== undefined) complaints.push(`${what} as [${place.join('.')}]: ${wrong}`);
      }
    }
    expect(complaints, complaints.join('\n')).toEqual([]);
  });
});
