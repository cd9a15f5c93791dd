// Tests that docs/situations.md matches the record of the runs, that the record contains every situation, and that the
// situations run every recipe of the guide.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Situation {
  readonly name: string;
  readonly recipe: string;
  readonly fails?: RegExp;
  readonly short?: boolean;
}
interface Row {
  readonly name: string;
  readonly tools: readonly string[];
  readonly recipe: string;
  readonly seen: 'works' | 'error';
  readonly says?: string;
}
interface Guide {
  readonly common: ReadonlyMap<string, string>;
  readonly recipes: ReadonlyMap<
    string,
    { section: { heading: string; files: ReadonlyMap<string, string> }; commands: string }
  >;
}

const root = new URL('../../', import.meta.url);
const tool = (name: string) => import(new URL(`tools/situations/${name}.mjs`, root).href);
const { families }: { families: Record<string, readonly Situation[]> } = await tool('run');
const { page }: { page(record: unknown): string } = await tool('page');
const { anchorOf, readGuide }: { anchorOf(text: string): string; readGuide(text?: string): Guide } =
  await tool('guide');
const text = (file: string) => readFileSync(new URL(file, root), 'utf8');
const record: { families: { family: string; rows: Row[] }[] } = JSON.parse(
  text('docs/situations.json'),
);
const all = Object.values(families).flat();

describe('docs/situations.md', () => {
  it('is made from the record: npm run prove situations', () => {
    expect(text('docs/situations.md')).toBe(page(record));
  });

  it('has every situation with the expected result', () => {
    const { recipes } = readGuide();
    const expected = Object.entries(families).map(([family, situations]) => [
      family,
      situations.map(({ name, recipe, fails }) => ({
        ...{ name, seen: fails === undefined ? 'works' : 'error' },
        recipe: anchorOf(recipes.get(recipe)?.section.heading ?? ''),
      })),
    ]);
    const seen = record.families.map(({ family, rows }) => [
      family,
      rows.map(({ name, seen, recipe }) => ({ name, seen, recipe })),
    ]);
    expect(seen).toEqual(expected);
  });

  it('names the tools with their versions, and shows each error', () => {
    for (const { rows } of record.families) {
      for (const { name, tools, seen, says } of rows) {
        expect(tools.length, name).toBeGreaterThan(0);
        expect(tools, name).toEqual(tools.map(() => expect.stringMatching(/^\S+ \d+\.\d+\.\d+/)));
        const pattern = all.find((one) => one.name === name)?.fails;
        expect(says === undefined, name).toBe(seen === 'works');
        if (pattern) expect(says, name).toMatch(pattern);
      }
    }
  });
});

describe('the situations', () => {
  it('have unique names, and some of each family are tried in every run of the tests', () => {
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
    for (const [family, situations] of Object.entries(families)) {
      expect(situations.filter(({ short }) => short).length, family).toBeGreaterThan(0);
    }
  });

  it('run every recipe of the guide', () => {
    const used = new Set(all.map(({ recipe }) => recipe));
    expect([...readGuide().recipes.keys()].filter((name) => !used.has(name))).toEqual([]);
  });
});

describe('the reader of recipes', () => {
  const read = (...lines: string[]) => readGuide(`${lines.join('\n')}\n`);

  it('gives a recipe the files of its own section and of the program, and no others', () => {
    const { common, recipes } = read(
      ...['## The program', '```js app.mjs', 'one;', '```'],
      ...['## Two', '```js two.mjs', 'two;', '```', '```sh', 'not this', '```'],
      ...['```sh second', 'node two.mjs', 'node app.mjs', '```'],
      ...['## Three', '```yaml three.yaml', '```'],
    );
    expect([...common]).toEqual([['app.mjs', 'one;\n']]);
    const { section, commands } = recipes.get('second') ?? {};
    expect(section?.heading).toBe('Two');
    expect([...(section?.files ?? [])]).toEqual([['two.mjs', 'two;\n']]);
    expect(commands).toBe('node two.mjs\nnode app.mjs\n');
    expect([...recipes.keys()]).toEqual(['second']);
  });

  it('refuses two recipes with the same name', () => {
    const block = ['```sh again', 'true', '```'];
    expect(() => read(...block, ...block)).toThrow('two recipes named again');
  });
});
