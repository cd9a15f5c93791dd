// Runs the example of the README, or a file of examples/, as a reader would, so that we notice if published code no
// longer works: `node tools/examples.mjs README.md|examples/01-….ts [ARGUMENTS]`
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** Returns the names of all examples, as this script accepts them. */
export const examples = () => [
  'README.md',
  ...readdirSync('examples')
    .filter((file) => /\.(ts|js|mjs)$/.test(file))
    .sort()
    .map((file) => join('examples', file)),
];

/**
 * Returns the code of an example: the whole file or, in a .md file, the first fenced block of JavaScript or TypeScript.
 */
function code(name) {
  const text = readFileSync(name, 'utf8');
  if (!name.endsWith('.md')) return text;
  const block = /^```(?:js|ts|javascript|typescript)\n([\s\S]*?)^```/m.exec(text);
  if (!block) throw new Error(`${name} has no example: a fenced block of js or ts`);
  return block[1];
}

/** Compiles an example to JavaScript. @returns the path of the output file */
export function transpiled(name) {
  // Each example has a separate folder, so that its output files do not disturb other examples. The folder is inside
  // the checkout, so that `import 'forebay'` finds the build of the checkout.
  const folder = resolve('.cmake/examples', basename(name).replace(/\.\w+$/, ''));
  mkdirSync(folder, { recursive: true });
  // The example is compiled, because Node 20 does not run TypeScript. Its types are checked by the lint.
  const { outputText } = ts.transpileModule(code(name), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  const file = join(folder, 'main.mjs');
  writeFileSync(file, outputText);
  return file;
}

/** The arguments of examples that take minutes without them. */
const shortened = { '09-mnist-cnn.ts': ['1', '6400'], '11-onnx.ts': ['900', '3'] };

function run(name, given) {
  const file = transpiled(name);
  const args = [file, ...(given.length > 0 ? given : (shortened[basename(name)] ?? []))];
  // Arguments may be paths, which are relative to the current folder.
  const cwd = given.length > 0 ? process.cwd() : dirname(file);
  const { status } = spawnSync(process.execPath, args, { cwd, stdio: 'inherit' });
  return status ?? 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = run(process.argv[2], process.argv.slice(3));
}
