// Tests that docs/reliability.md matches the record of the proofs, that the record contains every promise, and that a
// promise counts as not held if the process of its proof crashes or hangs.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

interface Entry {
  readonly name: string;
  readonly promise?: string;
  readonly counts: 'full' | 'short';
  readonly held: boolean;
  readonly figures: Readonly<Record<string, unknown>>;
}
interface Prover {
  promiseNames(): string[];
  prove(name: string, options: object): Promise<Entry>;
}
interface Pages {
  page(record: { promises: readonly Entry[] }): string;
}

const root = new URL('../../', import.meta.url);
const { promiseNames, prove }: Prover = await import(new URL('tools/proof/process.mjs', root).href);
const { page }: Pages = await import(new URL('tools/proof/page.mjs', root).href);
const text = (file: string) => readFileSync(new URL(file, root), 'utf8');
const record: { promises: Entry[] } = JSON.parse(text('docs/proof.json'));

describe('docs/reliability.md', () => {
  it('is made from the record: node tools/prove.mjs --page', () => {
    expect(text('docs/reliability.md')).toBe(page(record));
  });

  it('has exactly the promises of proof/, with the same text: npm run prove NAME', async () => {
    const promises = await Promise.all(
      promiseNames().map(async (name) => {
        const { default: proof } = await import(new URL(`proof/${name}.mjs`, root).href);
        expect(proof.name).toBe(name);
        return [name, proof.promise];
      }),
    );
    expect(record.promises.map(({ name, promise }) => [name, promise])).toEqual(promises);
  });

  it('has a full run of every promise', () => {
    const short = record.promises.filter(({ counts, held }) => counts !== 'full' || !held);
    expect(short.map(({ name }) => name)).toEqual([]);
  });
});

describe('a proof', () => {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-proof-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const proved = (name: string, body: string, patience = {}) => {
    const file = join(folder, `${name}.mjs`);
    writeFileSync(
      file,
      `export default { name: '${name}', promise: 'Well.', async prove({ log, full }) { ${body} } };`,
    );
    const waits = { full: 20_000, short: 20_000, end: 20_000, ...patience };
    const options = { full: false, log: () => {}, file: pathToFileURL(file).href, patience: waits };
    return prove(name, options);
  };

  it('that returns is held, and its figures are recorded', async () => {
    const entry = await proved('kept', 'log("on"); return { full, rounds: 3 };');
    expect(entry).toMatchObject({ held: true, counts: 'short', promise: 'Well.' });
    expect(entry.figures).toEqual({ full: false, rounds: 3 });
  });

  it.each([
    ['throws', 'throw new Error("it is not so");', /it is not so/],
    ['crashes', 'process.abort();', /ended by SIGABRT/],
    ['is killed', 'process.kill(process.pid, "SIGKILL"); await new Promise(() => {});', /SIGKILL/],
    ['exits early', 'process.exit(0);', /exit status is 0/],
    [
      'waits for a promise that never settles',
      'await new Promise(() => {});',
      /exit status is \d+/,
    ],
    ['crashes at its end', 'process.on("exit", () => process.abort()); return {};', /SIGABRT/],
    ['has an unhandled rejection', 'Promise.reject(new Error("unheard")); return {};', /unheard/],
  ])('that %s is not held', async (name, body, reason) => {
    const { held, figures } = await proved(name.replaceAll(' ', '-'), body);
    expect(held).toBe(false);
    expect(figures.reason).toMatch(reason);
  });

  it.each([
    ['hangs', 'for (;;);', { short: 1000 }, /it sent nothing for 1 s/],
    [
      'does not end',
      'setInterval(() => {}, 1000); return {};',
      { end: 100 },
      /did not end for 0.1 s/,
    ],
  ])('that %s is not held', async (name, body, patience, reason) => {
    const { held, figures } = await proved(name.replaceAll(' ', '-'), body, patience);
    expect(held).toBe(false);
    expect(figures.reason).toMatch(reason);
  });
});
