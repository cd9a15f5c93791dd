// A peer is a library that the benchmark compares with forebay. This peer computes nothing, but gives correct results:
// it returns the files of forebay's results, which it finds in the folder that `load` names. The name of each of its
// forms (its execution modes) is a time, such as "3 ms", which it reports for each step. If SLOWER=n is set, it reports
// n times as much. The peer appends each request to the file FOREBAY_TEST_LOG.
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const { FOREBAY_TEST_LOG: log, FOREBAY_TEST_FORMS: names, SLOWER: slower = '1' } = process.env;
const wrong = '1 ms, wrong';
/** Returns a copy of the results with the gradients of two weights of the same shape exchanged. */
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
  // The peer only reports a time. It does not wait that long.
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
