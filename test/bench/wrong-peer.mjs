// A peer (a library that the benchmark compares with forebay) that computes nothing: it answers all requests, but its
// gradients are zero. The benchmark must notice this.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const zeros = (folder, manifest) =>
  manifest
    .filter(({ name }) => name.includes('.'))
    .map(({ name, shape }, index) => {
      const file = `wrong-${index}.raw`;
      const size = shape.reduce((product, dim) => product * dim, 1);
      writeFileSync(join(folder, file), new Uint8Array(4 * size));
      return { name, shape, dtype: 'float32', file };
    });

const answers = {
  hello: () => ({ version: '0', capability: null, blas: { files: [], core: null }, threads: 1 }),
  load: ({ folder, manifest }) => ({
    forms: [{ name: 'lazy', losses: [], results: zeros(folder, manifest) }],
  }),
  round: () => {
    console.error('out of fuel');
    process.exit(3);
  },
};

createInterface({ input: process.stdin }).on('line', (line) => {
  const { op, ...request } = JSON.parse(line);
  const answer = answers[op]?.(request) ?? { error: `no '${op}' here` };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
