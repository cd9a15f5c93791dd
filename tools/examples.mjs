// Runs the README's example or one of examples/, as its reader would: printed code that no longer works
// is found before a reader finds it. `node tools/examples.mjs README.md|examples/01-….ts`
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** All there are, by the names that this script takes. */
export const examples = () => [
  'README.md',
  ...readdirSync('examples')
    .filter((file) => /\.(ts|js|mjs)$/.test(file))
    .sort()
    .map((file) => join('examples', file)),
];

/** The code itself: a file as it is, of a text the first fenced block of JavaScript or TypeScript. */
function code(name) {
  const text = readFileSync(name, 'utf8');
  if (!name.endsWith('.md')) return text;
  const block = /^```(?:js|ts|javascript|typescript)\n([\s\S]*?)^```/m.exec(text);
  if (!block) throw new Error(`${name} has no example: a fenced block of js or ts`);
  return block[1];
}

/** Makes JavaScript of an example. @returns its file */
export function transpiled(name) {
  // A folder of its own, so that what it writes is in nobody's way; inside the checkout, so that
  // `import 'forebay'` finds the checkout's own build.
  const folder = resolve('.cmake/examples', basename(name).replace(/\.\w+$/, ''));
  mkdirSync(folder, { recursive: true });
  // Node 20 does not run TypeScript; the types themselves are checked by the lint.
  const { outputText } = ts.transpileModule(code(name), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  const file = join(folder, 'main.mjs');
  writeFileSync(file, outputText);
  return file;
}

function run(name) {
  const file = transpiled(name);
  const { status } = spawnSync(process.execPath, [file], { cwd: dirname(file), stdio: 'inherit' });
  return status ?? 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = run(process.argv[2]);
