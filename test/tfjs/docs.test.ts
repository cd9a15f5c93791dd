/** The table of layers in the guide lists all layers, with what is not supported, and where they differ. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { layers } from '../../src/tfjs/layers/index.js';

it('docs/guides/tfjs.md lists the layers of the table', () => {
  const guide = readFileSync(new URL('../../docs/guides/tfjs.md', import.meta.url), 'utf8');
  const shown = [...guide.matchAll(/^\| `(\w+)` \| (.*?) ?\| (.*?) ?\|$/gm)].map((cells) =>
    cells.slice(1),
  );
  expect(shown).toEqual(
    Object.entries(layers).map(([name, { without, differs }]) => [
      name,
      without ?? '',
      differs ?? '',
    ]),
  );
});
