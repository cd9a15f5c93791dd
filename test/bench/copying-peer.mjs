// A peer that asks nobody and is right: its results are those of forebay, which it finds in the folder. Its forms
// take as long as their names say, "3 ms"; under the environment SLOWER=n, n times as long. Each request that it
// gets is appended to the file FOREBAY_TEST_LOG.
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const { FOREBAY_TEST_LOG: log, FOREBAY_TEST_FORMS: names, SLOWER: slower = '1' } = process.env;
const wrong = '1 ms, wrong';
/** With the gradients of two weights of one shape exchanged. */
const exchanged = ([first, second, third, ...rest]) => [
  { ...first, file: third.file },
  second,
  { ...third, file: first.file },
  ...rest,
];

const answers = {
  hello: () => ({ version: '1', capability: null, blas: { files: [], core: null }, threads: 1 }),
  load: ({ folder, manifest, only }) => {
    const files = readdirSync(folder).filter((file) => file.startsWith('forebay-'));
    const parameters = manifest.filter(({ name }) => name.includes('.'));
    const results = parameters.map(({ name, shape, dtype }, index) => {
      const file = `forebay-${index}.raw`;
      if (!files.includes(file)) throw new Error(`${join(folder, file)} is not there`);
      return { name, shape, dtype, file };
    });
    const all = names === '' ? [] : names.split('|');
    const own = all.filter((name) => only === null || name === only);
    const forms = own.map((name) => ({
      name,
      losses: [],
      results: name === wrong ? exchanged(results) : results,
    }));
    return { forms, leftOut: { 'on a GPU': 'there is none' } };
  },
  // Says how long it took; nobody has to wait for it.
  round: ({ steps, form }) => ({
    seconds: (steps * Number.parseFloat(form) * Number(slower)) / 1000,
  }),
  memory: () => ({ growth: 1e6 }),
};

createInterface({ input: process.stdin }).on('line', (line) => {
  const { op, ...request } = JSON.parse(line);
  if (log) appendFileSync(log, `${op} ${request.form ?? request.only ?? ''} ${slower}\n`);
  process.stdout.write(`${JSON.stringify(answers[op](request))}\n`);
});
