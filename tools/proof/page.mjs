// docs/reliability.md, made of docs/proof.json and nothing else.

/** `killsSurvived` as people write it. */
const inWords = (key) => key.replace(/([a-z0-9])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`);

function number(value) {
  if (Number.isInteger(value)) return value.toLocaleString('en-US');
  return value.toLocaleString('en-US', { maximumSignificantDigits: 4 });
}

const valueAsText = (value) => {
  if (typeof value === 'number') return number(value);
  if (Array.isArray(value)) return value.map(valueAsText).join(', ');
  return String(value);
};

/** A proof's figures as [what, how many] in words; figures of figures are named by both. */
function rows(figures, path = []) {
  return Object.entries(figures).flatMap(([key, value]) => {
    const here = [...path, inWords(key)];
    const nested = typeof value === 'object' && value !== null && !Array.isArray(value);
    return nested ? rows(value, here) : [[here.join(', '), valueAsText(value)]];
  });
}

/** A proof's figures in one line. */
export const figuresAsText = (figures) =>
  rows(figures)
    .map(([what, value]) => `${what}: ${value}`)
    .join('; ');

const machineAsText = ({ cpu, cores, memory, os, node, simd, blas }) =>
  `${cpu}, ${cores} cores, ${memory}; ${os}; Node ${node}; kernels: ${simd}; ${blas}`;

/** One promise: the sentence, the command, and what it showed. A failure is shown like anything else. */
function section(entry) {
  const { name, promise, command, counts, seconds, held, figures, commit, date, machine } = entry;
  const where = machine === undefined ? '' : `, on ${machineAsText(machine)}`;
  const state = held
    ? `Held${counts === 'full' ? '' : ' in its short form; the full one, which is the promise, has not been recorded'}`
    : '**NOT HELD**';
  const shown = held
    ? [
        '| | |',
        '|---|---|',
        ...rows(figures).map(([what, value]) => `| ${what} | ${value.replace(/[|\n]/g, ' ')} |`),
      ]
    : ['```', String(figures.reason), '```'];
  return `## ${name}

${promise ?? 'The proof broke before it could say what it shows.'}

\`${command}\` (in continuous integration, with smaller counts: \`npm run prove -- --short ${name}\`)

${state}: commit ${commit}, ${date}, ${seconds} s${where}.

${shown.join('\n')}
`;
}

/** The page as text. `record` is docs/proof.json. */
export function page(record) {
  return `# What forebay promises

<!-- made by tools/prove.mjs of docs/proof.json: npm run prove -->

Each promise has a command that shows it. A full run writes its figures here (\`npm run prove\` for all, and
for one as below); every run of the tests does the same with smaller counts. What was run on another commit
or another machine than the page says so.

Shown at commit ${record.commit}, ${record.date}, on ${machineAsText(record.machine)}.

${record.promises.map(section).join('\n')}`;
}
