// Does what a user does: installs the tarball that would be published into an empty project, where
// node-gyp builds the addon, then imports, requires and type-checks it there.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const project = '.cmake/package';
/** Where the installed package lies, its addon in build/Release. */
export const consumer = join(project, 'node_modules/forebay');

function check() {
  process.chdir(fileURLToPath(new URL('..', import.meta.url)));
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project, { recursive: true });
  const npm = (cwd, ...args) =>
    execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

  const [{ filename, files, size }] = JSON.parse(
    npm('.', 'pack', '--json', '--pack-destination', project),
  );
  console.log(`${filename}: ${files.length} files, ${size} bytes`);
  const strays = files
    .map(({ path }) => path)
    .filter((path) => !/^(dist|native|src|binding\.gyp|package\.json|[A-Z]+(\.md)?$)/.test(path));
  if (strays.length > 0) throw new Error(`The tarball should not hold ${strays.join(', ')}`);

  writeFileSync(join(project, 'package.json'), '{ "private": true }\n');
  npm(
    project,
    'install',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--foreground-scripts',
    `./${filename}`,
  );

  // An empty environment: what works must not hang on a variable that we happen to have.
  const node = (...args) =>
    execFileSync(process.execPath, args, { cwd: project, env: {}, stdio: 'inherit' });
  node('-e', "require('forebay').nativeInfo()");
  node(
    '--input-type=module',
    '-e',
    "import { createRequire } from 'node:module'; import * as fb from 'forebay';" +
      "if (createRequire(process.cwd() + '/')('forebay').Tensor !== fb.Tensor) throw new Error('two copies');",
  );
  writeFileSync(
    join(project, 'check.ts'),
    "import * as fb from 'forebay';\nexport const t: fb.Tensor = fb.tensor([1, 2, 3]);\n",
  );
  const compilerOptions = {
    ...{ noEmit: true, strict: true, target: 'es2022', module: 'nodenext' },
    types: ['node'],
    skipLibCheck: false, // our declarations are the library that is checked
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  node(resolve('node_modules/typescript/bin/tsc'), '-p', '.');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) check();
