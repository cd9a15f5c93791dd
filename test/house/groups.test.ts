// native/kernels/body/groups.h is generated from the fused loops of the models in tools/groups/models.mjs. This test
// generates it again.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { buildGraph } from '../../bench/src/forebay/graph.js';
import { tensorsOf } from '../../bench/src/tensors.js';
import { workloads } from '../../bench/src/workloads.js';

interface Generator {
  readonly generated: URL;
  /** Returns the text of the file. */
  readonly groups: (bench: object) => string;
}
const tool = new URL('../../tools/groups.mjs', import.meta.url).href;
const { generated, groups }: Generator = await import(tool);

it('has a generated file of compiled loops that is up to date', () => {
  const committed = readFileSync(generated, 'utf8');
  const made = groups({ workloads, tensorsOf, buildGraph });
  expect(made === committed, 'the file is not up to date: run `npm run groups`').toBe(true);
});
