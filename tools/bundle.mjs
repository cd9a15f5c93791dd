// Writes dist/cli: the `forebay` command, bundled with the libraries that it uses to draw and to print, and a list of
// the licences of these libraries. They are bundled so that the package has no dependencies, and so that an import of
// the library loads none of them. The library of forebay/onnx is put into dist/onnx.
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const src = join(root, 'src');
const out = join(root, 'dist/cli');
const inside = ['cli', 'report'].map((room) => join(src, room) + sep);

/**
 * The files that the command reads at run time. They are copied to dist/cli/assets, where src/report/assets.ts finds
 * them.
 */
const assets = [
  '@expo-google-fonts/arimo/400Regular/Arimo_400Regular.ttf',
  '@expo-google-fonts/arimo/700Bold/Arimo_700Bold.ttf',
  '@resvg/resvg-wasm/index_bg.wasm',
].map((file) => join(root, 'node_modules', file));

/**
 * A plugin that keeps the modules of the library out of the bundle, which imports them from dist/. If they were
 * bundled, every error class would exist twice.
 */
const library = {
  name: 'library',
  resolveId(specifier, importer) {
    if (importer === undefined || !specifier.startsWith('.')) return null;
    if (!inside.some((room) => importer.startsWith(room))) return null;
    const target = resolve(dirname(importer), specifier);
    if (!target.startsWith(src + sep) || inside.some((room) => target.startsWith(room)))
      return null;
    return { id: `../${relative(src, target).replaceAll(sep, '/')}`, external: 'relative' };
  },
};

export async function bundle() {
  await bundleCommand();
  await bundleWire();
}

/**
 * Puts the library that src/onnx/wire.ts exports into dist/onnx/wire.js. It is the only module of the library with code
 * of another package, and its types are used within src/onnx alone.
 */
async function bundleWire() {
  const folder = join(root, 'dist/onnx');
  const build = await rolldown({
    input: join(src, 'onnx/wire.ts'),
    platform: 'node',
    onLog: strict,
  });
  const { output } = await build.write({
    file: join(folder, 'wire.js'),
    format: 'cjs',
    comments: { legal: true, annotation: false, jsdoc: false },
  });
  await build.close();
  writeFileSync(join(folder, 'wire.d.ts'), 'export {};\n');
  const bundled = output.flatMap(({ modules = {} }) => Object.keys(modules));
  writeFileSync(join(folder, 'LICENSES.md'), licences(bundled, 'forebay/onnx'));
}

/** Turns warnings into errors, because if a library cannot be found, rolldown only warns and leaves it out. */
function strict(level, log, report) {
  report(level === 'warn' ? 'error' : level, log);
}

async function bundleCommand() {
  rmSync(out, { recursive: true, force: true });
  const build = await rolldown({
    input: { main: join(src, 'cli/main.ts'), shell: join(src, 'cli/shell.ts') },
    platform: 'node',
    plugins: [library],
    onLog: strict,
  });
  const { output } = await build.write({
    dir: out,
    format: 'esm',
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name]-[hash].mjs',
    comments: { legal: true, annotation: false, jsdoc: false },
  });
  await build.close();
  mkdirSync(join(out, 'assets'));
  for (const file of assets) copyFileSync(file, join(out, 'assets', basename(file)));
  const bundled = output.flatMap(({ modules = {} }) => Object.keys(modules));
  writeFileSync(join(out, 'LICENSES.md'), licences([...bundled, ...assets], 'the forebay command'));
}

// ---- Licences.

/** Returns the folder of the npm package that a file belongs to; undefined for a file of forebay. */
function packageOf(file) {
  const found = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(file);
  return found?.[0];
}

/** Third-party code that a package contains without naming it in its own licence files. */
const within = {
  '@viz-js/viz':
    'It contains Graphviz (https://graphviz.org, Eclipse Public License) and Expat (https://libexpat.github.io, MIT), compiled to WebAssembly.',
};

/** Returns the text of LICENSES.md: every package in the bundle, with its licence and the text of the licence. */
function licences(files, what) {
  const folders = new Set(files.map(packageOf).filter((folder) => folder !== undefined));
  const entries = new Map(); // the keys are name and version, because a package may be installed in several folders
  for (const folder of folders) {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    if (!manifest.license) throw new Error(`the package.json in ${folder} names no licence`);
    const texts = readdirSync(folder, { recursive: true })
      .filter((file) => /^(licenses[\\/])?(licen[cs]e|copying|notice)[^\\/]*$/i.test(file))
      .map((file) => join(folder, file))
      .filter((file) => statSync(file).isFile())
      .sort();
    entries.set(`${manifest.name} ${manifest.version}`, {
      ...manifest,
      home: manifest.homepage ?? manifest.repository?.url ?? manifest.repository,
      texts: texts.map((file) => readFileSync(file, 'utf8').trim()),
    });
  }
  const sorted = [...entries.keys()].sort().map((key) => entries.get(key));
  const rows = sorted.map(
    ({ name, version, license, home }) => `| ${name} | ${version} | ${license} | ${home} |`,
  );
  return [
    `# Packages that are bundled with ${what}\n`,
    'In addition to forebay, the files in this folder contain these packages from npm:\n',
    ['| package | version | licence | home |', '|---|---|---|---|', ...rows].join('\n'),
    '',
    ...sorted.map(words),
  ].join('\n');
}

function words({ name, license, author, texts }) {
  const by = typeof author === 'string' ? author : author?.name;
  const none = `The package has no licence file. Its package.json says: ${license}${by ? `, by ${by}` : ''}.`;
  const said = texts.length === 0 ? [none] : texts.map((text) => `\`\`\`text\n${text}\n\`\`\``);
  return `## ${name}\n\n${[...(within[name] ? [within[name]] : []), ...said].join('\n\n')}\n`;
}
