// Writes docs/names.md, the tables of ops, losses, layers, initialisers, optimizers and schedules, with the names that
// they have in PyTorch, Keras and TensorFlow.js: `npm run tables`. The names of forebay are the exports of dist/. Those
// of the others are in tools/tables/peers.json. It also writes docs/onnx.md (tools/tables/onnx.mjs). test/house/tables.test.ts fails if an export has no row, or if the page
// is not up to date.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { page as onnxPage } from './tables/onnx.mjs';

const root = new URL('..', import.meta.url);
const file = (path) => fileURLToPath(new URL(path, root));
const require = createRequire(import.meta.url);

/** The tables of docs/names.md by kind: the title, and a sentence that is shown above the table. */
const tables = {
  ops: ['Ops', 'Functions that return nodes. `defineOp` adds your own.'],
  losses: [
    'Losses',
    'Cross-entropies take logits. Those of Keras also take probabilities, and need the option `from_logits`.',
  ],
  layers: ['Layers', 'Classes of modules. A subclass of `Module` is your own.'],
  initializers: ['Initialisers', 'Members of `initializers`.'],
  optimizers: [
    'Optimizers',
    'Functions that return updates, and the rules and transforms of which `optimize` makes them.',
  ],
  schedules: ['Schedules', 'Members of `schedules`, for the learning rate.'],
};

/** Public functions of src/ops that do not return nodes. */
const notOps = ['defineOp'];

/** Returns the names that the modules of a folder of dist/ export. */
function namesIn(folder) {
  const modules = readdirSync(file(`dist/${folder}`), { recursive: true, encoding: 'utf8' });
  return new Set(
    modules
      .filter((name) => name.endsWith('.js'))
      .flatMap((name) => Object.keys(require(file(`dist/${folder}/${name}`)))),
  );
}

/** Returns the public names of each kind. */
export function exported() {
  const forebay = require(file('dist/index.js'));
  const isLayer = (name) => forebay[name].prototype instanceof forebay.Module;
  const publicIn = (folder) => {
    const names = namesIn(folder);
    return Object.keys(forebay).filter(
      (name) => names.has(name) && typeof forebay[name] === 'function',
    );
  };
  return {
    ops: publicIn('ops').filter((name) => !notOps.includes(name)),
    losses: publicIn('losses'),
    layers: Object.keys(forebay).filter(
      (name) => typeof forebay[name] === 'function' && isLayer(name),
    ),
    initializers: Object.keys(forebay.initializers),
    optimizers: publicIn('optim'),
    schedules: Object.keys(forebay.schedules),
  };
}

/** Returns tools/tables/peers.json: by kind and name, the names in PyTorch, Keras and TensorFlow.js. */
export const peers = () => JSON.parse(readFileSync(file('tools/tables/peers.json'), 'utf8'));

/** Returns the names that have no row in peers.json, as "kind: name". */
export const missing = (names = exported(), rows = peers()) =>
  Object.entries(names).flatMap(([kind, list]) =>
    list.filter((name) => !(name in rows[kind])).map((name) => `${kind}: ${name}`),
  );

/** Returns the rows of peers.json that name no export, as "kind: name". */
export const unused = (names = exported(), rows = peers()) =>
  Object.entries(rows).flatMap(([kind, table]) =>
    Object.keys(table)
      .filter((name) => !names[kind].includes(name))
      .map((name) => `${kind}: ${name}`),
  );

/** Returns docs/names.md. */
export function page(names = exported(), rows = peers()) {
  const cell = (name) => {
    if (name === null) return '–';
    return name.includes(' ') ? name.replace(/\S+$/, '`$&`') : `\`${name}\``;
  };
  const sections = Object.entries(tables).map(([kind, [title, sentence]]) => {
    const lines = names[kind]
      .toSorted((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))
      .map((name) => `| ${[name, ...rows[kind][name]].map(cell).join(' | ')} |`);
    const head = '| forebay | PyTorch | Keras | TensorFlow.js |\n|---|---|---|---|';
    return `## ${title}\n\n${sentence}\n\n${head}\n${lines.join('\n')}\n`;
  });
  return `# Names in other libraries

What forebay provides, and the nearest equivalents in PyTorch 2, Keras 3 and TensorFlow.js 4. \`–\` means that a library
has no equivalent. The arguments and the order of axes can differ: the docstring of each name describes its own.

<!-- \`npm run tables\` writes this page. -->

${sections.join('\n')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lacking = missing();
  if (lacking.length > 0) {
    console.error(`add rows to tools/tables/peers.json for:\n${lacking.join('\n')}`);
    process.exitCode = 1;
  } else {
    writeFileSync(file('docs/names.md'), page());
    writeFileSync(file('docs/onnx.md'), onnxPage());
  }
}
