// Makes the tarball that would be published, checks that it has exactly the files that users need, and prints its size:
// `node tools/package.mjs`. Other checks install the tarball (tools/install.mjs).
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, '.cmake/package');
/** The path of the tarball. It does not depend on the version. */
export const tarball = join(folder, 'forebay.tgz');

/** Every file of the package must match one of these patterns, and every pattern must match a file. */
const wanted = [
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|ARCHITECTURE\.md)$/,
  // The files to which the README and the guides link, so that links and pictures also work in node_modules.
  /^docs\/(guides\/)?[\w-]+\.md$/,
  /^docs\/pictures\/[\w-]+\.(png|svg)$/,
  /^examples\/[\w-]+\.ts$/,
  /^bench\/README\.md$/,
  // The modules that users import, and their types. Maps and sources, for stack traces and "go to definition".
  /^dist\/(?!cli\/|report\/)[\w/-]+\.(js|d\.ts)(\.map)?$/,
  // The wrappers for `import`, and the package.json that says that the modules above are CommonJS.
  /^dist\/(onnx\/|tfjs\/)?index\.(mjs|d\.mts)$/,
  /^dist\/package\.json$/,
  /^src\/(?!cli\/|report\/)[\w/-]+\.ts$/,
  // The command, bundled with the libraries, and with the fonts and other files that it needs to draw.
  /^dist\/cli\/[\w-]+\.mjs$/,
  /^dist\/cli\/assets\/(Arimo_\w+\.ttf|index_bg\.wasm)$/,
  /^dist\/cli\/LICENSES\.md$/,
  // The license of the library that reads Protocol Buffers, which is bundled.
  /^dist\/onnx\/LICENSES\.md$/,
  // The compiled addons, and everything that is needed to compile the addon on other systems.
  /^prebuilds\/[\w+-]+\/(forebay\.napi(\.glibc)?\.node|LICENSES\.txt)$/,
  /^native\/binding\.gyp$/,
  /^native\/[\w-]+\.cjs$/,
  /^native\/(kernels|program|routines|binding)\/([\w-]+\/)?\w+\.(cc|h)$/,
  /^native\/vendor\/(napi(-inl)?(\.deprecated)?\.h|LICENSE\.md)$/,
  /^native\/vendor\/node\/(LICENSE|include\/node\/(common\.gypi|(js_native|node)_api(_types)?\.h))$/,
];

/** Checks the list of the paths of the package. Returns a message for each fault. */
export function faultsOf(paths) {
  const strays = paths.filter((path) => !wanted.some((pattern) => pattern.test(path)));
  const lacking = wanted.filter((pattern) => !paths.some((path) => pattern.test(path)));
  return [
    ...strays.map((path) => `nobody needs ${path}`),
    ...lacking.map((pattern) => `no file matches ${pattern.source}`),
  ];
}

/**
 * Returns the links in pages that do not lead to a file of the package, as "page: link". The website of npm resolves a
 * relative link in the repository of package.json, which has the same files.
 */
export function brokenLinks(pages, paths) {
  const folders = new Set(paths.flatMap((path) => [...ancestors(path)]));
  return Object.entries(pages).flatMap(([page, text]) =>
    [...text.matchAll(/\]\(([^)\s#]+)(#[^)\s]*)?\)/g)]
      .map(([, link]) => link)
      .filter((link) => !/^https?:/.test(link))
      .filter((link) => {
        const target = posix.join(posix.dirname(page), link);
        return !paths.includes(target) && !folders.has(target);
      })
      .map((link) => `${page}: ${link}`),
  );
}

function* ancestors(path) {
  for (let folder = posix.dirname(path); folder !== '.'; folder = posix.dirname(folder))
    yield folder;
}

/** Packs the tarball. @returns the report of npm: `files`, and the sizes packed (`size`) and unpacked, in bytes */
export function pack() {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const stdio = ['ignore', 'pipe', 'inherit'];
  const answer = execFileSync('npm', ['pack', '--json', '--pack-destination', folder], {
    ...{ cwd: root, encoding: 'utf8', stdio },
  });
  // npm runs a build before it packs, so the output of the build comes before the JSON.
  const [account] = JSON.parse(answer.slice(answer.search(/^\[/m)));
  renameSync(join(folder, account.filename), tarball);
  writeFileSync(join(folder, 'account.json'), JSON.stringify(account));
  return account;
}

/** Returns the report of npm on the tarball that was packed last. */
export const account = () => JSON.parse(readFileSync(join(folder, 'account.json'), 'utf8'));

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { files, size, unpackedSize } = pack();
  const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  console.log(`${files.length} files, ${mb(size)} packed, ${mb(unpackedSize)} unpacked`);
  const rooms = new Map();
  for (const { path, size: bytes } of files) {
    const room = path.startsWith('dist/cli/') ? 'dist/cli' : path.replace(/\/.*/, '');
    rooms.set(room, (rooms.get(room) ?? 0) + bytes);
  }
  for (const [room, bytes] of rooms) console.log(`  ${room}: ${mb(bytes)}`);
  const paths = files.map(({ path }) => path);
  const pages = paths.filter((path) => path.endsWith('.md') && !path.includes('LICENSE'));
  const texts = pages.map((page) => [page, readFileSync(join(root, page), 'utf8')]);
  const broken = brokenLinks(Object.fromEntries(texts), paths);
  const faults = [...faultsOf(paths), ...broken.map((link) => `a link is broken: ${link}`)];
  if (faults.length > 0) throw new Error(`The tarball has faults:\n${faults.join('\n')}`);
}
