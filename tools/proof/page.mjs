// Makes the text of docs/reliability.md. Its only source is docs/proof.json.

/** Turns a key such as `killsSurvived` into words: 'kills survived'. Units and names keep their case. */
const inWords = (key) =>
  key
    .replace(/^cpp/, 'C++')
    .replace(/^typeScript/, 'TypeScript')
    .replace(/([a-z0-9+])(MiB|MB|(?<!^Type)[A-Z])/g, (_, before, next) => {
      return `${before} ${next.length > 1 ? next : next.toLowerCase()}`;
    });

function number(value) {
  if (Number.isInteger(value)) return value.toLocaleString('en-US');
  return value.toLocaleString('en-US', { maximumSignificantDigits: 4 });
}

const valueAsText = (value) => {
  if (typeof value === 'number') return number(value);
  if (Array.isArray(value)) return value.map(valueAsText).join(', ');
  return String(value);
};

/**
 * Returns the figures of a proof as rows of [name, value]. The name of a nested figure has the names of both levels.
 */
function rows(figures, path = []) {
  return Object.entries(figures).flatMap(([key, value]) => {
    const here = [...path, inWords(key)];
    const nested = typeof value === 'object' && value !== null && !Array.isArray(value);
    return nested ? rows(value, here) : [[here.join(', '), valueAsText(value)]];
  });
}

/** Returns the figures of a proof as one line of text. */
export const figuresAsText = (figures) =>
  rows(figures)
    .map(([what, value]) => `${what}: ${value}`)
    .join('; ');

const machineAsText = ({ cpu, cores, memory, os, node, simd, blas }) =>
  `${cpu}, ${cores} cores, ${memory}; ${os}; Node ${node}; kernels: ${simd}; ${blas}`;

/** Returns the section of a promise: its sentence, its command, and its figures or, if it was not held, the reason. */
function section(entry) {
  const { name, promise, command, counts, seconds, held, figures, commit, date, machine } = entry;
  const where = machine === undefined ? '' : `, on ${machineAsText(machine)}`;
  const state = held
    ? `Held${counts === 'full' ? '' : ' in the short form; no full run, which is the promise, has been recorded'}`
    : '**NOT HELD**';
  const shown = held
    ? [
        '| | |',
        '|---|---|',
        ...rows(figures).map(([what, value]) => `| ${what} | ${value.replace(/[|\n]/g, ' ')} |`),
      ]
    : ['```', String(figures.reason), '```'];
  return `## ${name}

${promise ?? 'The proof failed before it could name its promise.'}

\`${command}\` (in continuous integration, with smaller counts: \`npm run prove -- --short ${name}\`)

${state}: commit ${commit}, ${date}, ${seconds} s${where}.

${shown.join('\n')}
`;
}

/** Returns the page as text. `record` is the content of docs/proof.json. */
export function page(record) {
  return `# What forebay promises

<!-- made by tools/prove.mjs from docs/proof.json: npm run prove -->

Each promise has a command that verifies it. A full run writes its figures here: \`npm run prove\` runs all, and
each section shows the command for one. Every run of the tests does the same with smaller counts. If a promise was
verified on another commit or another machine than the one below, its section says so.

Verified at commit ${record.commit}, ${record.date}, on ${machineAsText(record.machine)}.

${record.promises.map(section).join('\n')}`;
}
