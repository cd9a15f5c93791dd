// biome.json allows only certain imports between the folders of src/. This test checks biome.json: it lints every
// possible import between two folders, and compares the result with the table `arrows`.
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

const base = ['errors', 'arguments'];
const core = [...base, 'tensor', 'graph', 'ops'];
const library = [
  'native',
  'ir',
  'primitives',
  'evaluate',
  'compile',
  'autodiff',
  'optim',
  'losses',
  'nn',
  'data',
  'modules',
  'io',
  'train',
];
/** For each folder of src/, and for errors.ts and index.ts, the folders and files that it may import. */
const arrows: Record<string, string[]> = {
  errors: [],
  arguments: ['errors'],
  tensor: base,
  graph: [...base, 'tensor'],
  modules: [...base, 'tensor', 'graph'],
  ops: [...base, 'tensor', 'graph'],
  native: [...base, 'tensor'],
  ir: [...base, 'tensor', 'graph', 'native'],
  primitives: [...base, 'tensor', 'graph', 'native', 'ir'],
  evaluate: [...core, 'native', 'ir', 'primitives'],
  compile: [...core, 'modules', 'native', 'ir', 'primitives', 'evaluate'],
  autodiff: [...core, 'evaluate'],
  optim: [...core, 'modules', 'evaluate', 'autodiff'],
  losses: core,
  nn: [...core, 'losses', 'modules', 'evaluate', 'autodiff'],
  data: [...base, 'tensor', 'io'],
  io: [...base, 'tensor', 'graph', 'modules'],
  train: [...core, ...library.filter((folder) => folder !== 'train')],
  imports: [...base, 'tensor', 'graph'],
  onnx: [...core, 'losses', 'nn', 'modules', 'io', 'evaluate', 'imports'],
  tfjs: [...core, 'losses', 'nn', 'modules', 'io', 'evaluate', 'imports'],
  report: [...base, 'tensor', 'graph'],
  index: [...core, ...library],
  cli: [...core, ...library, 'imports', 'onnx', 'tfjs', 'report', 'index'],
};
const rooms = Object.keys(arrows);
const isFile = (room: string) => room === 'errors' || room === 'index';

/** Lints only the given files, with only one rule of Biome. Returns the files that the rule refuses. */
function refused(rule: string, files: Record<string, string>): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-arrows-'));
  try {
    copyFileSync(join(root, 'biome.json'), join(folder, 'biome.json'));
    for (const [file, source] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), source);
    }
    const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');
    const options = [`--only=${rule}`, '--reporter=json', '--max-diagnostics=none'];
    let report = '';
    try {
      report = execFileSync(process.execPath, [biome, 'lint', ...options, '.'], {
        cwd: folder,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    } catch (error) {
      // If Biome refuses a file, it exits with an error, but the report is in stdout.
      report = (error as { stdout: string }).stdout;
    }
    const { diagnostics } = JSON.parse(report) as {
      diagnostics: { category: string; location: { path: string | { file: string } } }[];
    };
    const paths = diagnostics
      .filter(({ category }) => category === `lint/${rule}`)
      .map(({ location: { path } }) => (typeof path === 'string' ? path : path.file));
    return [...new Set(paths)].sort();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('imports between the folders of src/', () => {
  let refusals: Set<string>;
  /**
   * Returns the path of a file in `from` that imports only from `to`. errors.ts and index.ts are files, not folders.
   */
  const file = (from: string, to: string) => `src/${from}${isFile(from) ? '' : `/to-${to}`}.ts`;
  const specifier = (from: string, to: string) =>
    `${isFile(from) ? '.' : '..'}/${to}${isFile(to) ? '' : '/some'}.js`;

  beforeAll(() => {
    refusals = new Set();
    // Each file contains only one import. So for each imported folder, a new set of files is made and linted.
    for (const to of rooms) {
      const importers = rooms.filter((from) => from !== to);
      const files = importers.map((from) => [
        file(from, to),
        `import { a } from '${specifier(from, to)}';\nexport const b = a;\n`,
      ]);
      for (const path of refused('style/noRestrictedImports', Object.fromEntries(files))) {
        const from = importers.find((room) => file(room, to) === path);
        refusals.add(`${from} <- ${to}`);
      }
    }
  });

  it.each(rooms)('%s may import what the design allows, and nothing else', (from) => {
    const others = rooms.filter((to) => to !== from);
    const allowed = others.filter((to) => !refusals.has(`${from} <- ${to}`));
    expect(allowed.sort()).toEqual([...(arrows[from] ?? [])].sort());
  });

  it('are declared for every folder', () => {
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
    expect(folders.filter((folder) => !rooms.includes(folder))).toEqual([]);
  });

  it('are refused in every form of import, also in a nested folder', () => {
    const files = {
      'src/tensor/type.ts': "import type { A } from '../nn/a.js';\nexport type B = A;\n",
      'src/tensor/reexport.ts': "export * from '../nn/a.js';\n",
      'src/tensor/dynamic.ts': "export const a = await import('../nn/a.js');\n",
      'src/tensor/deep/er.ts': "import '../../nn/a.js';\n",
    };
    expect(refused('style/noRestrictedImports', files)).toEqual(Object.keys(files).sort());
  });

  it('load the addon in src/native only', () => {
    const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
    const loaders = files.filter(
      (file) =>
        file.endsWith('.ts') &&
        /\bdlopen\(|\.node['"`]\)/.test(readFileSync(join(root, 'src', file), 'utf8')),
    );
    expect(loaders.map((file) => file.replaceAll('\\', '/')).sort()).toEqual([
      'cli/build.ts', // contains the file name of the addon that it builds
      'native/addon.ts',
      'native/locate.ts',
    ]);
  });

  it('do not go through the package name', () => {
    const files = { 'src/ops/self.ts': "import { add } from 'forebay';\nexport const a = add;\n" };
    expect(refused('style/noRestrictedImports', files)).toEqual(Object.keys(files));
  });

  it('form no cycle', () => {
    const files = {
      'src/ops/a.ts': "import { b } from './b.js';\nexport const a = () => b;\n",
      'src/ops/b.ts': "import { a } from './a.js';\nexport const b = () => a;\n",
    };
    expect(refused('suspicious/noImportCycles', files)).toEqual(Object.keys(files));
  });
});
