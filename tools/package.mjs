// Makes the tarball that would be published, and holds what is in it against what a user needs.
// `node tools/package.mjs` prints its size; other checks install it (tools/install.mjs).
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, '.cmake/package');
/** Where it lies, whatever the version. */
export const tarball = join(folder, 'forebay.tgz');

/** Every file of the package matches one of these, and each of these has a file. */
const wanted = [
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|ARCHITECTURE\.md)$/,
  // What the README and the guides link to: so every link and picture works from node_modules, too.
  /^docs\/(guides\/)?[\w-]+\.md$/,
  /^docs\/pictures\/[\w-]+\.(png|svg)$/,
  /^examples\/[\w-]+\.ts$/,
  /^bench\/README\.md$/,
  // What is imported, with its types; sources and maps, for stack traces and "go to definition".
  /^dist\/(?!cli\/|report\/)[\w/-]+\.(js|d\.ts)(\.map)?$/,
  // The same by `import`; and for Node, that the modules above are CommonJS.
  /^dist\/index\.(mjs|d\.mts)$/,
  /^dist\/package\.json$/,
  /^src\/(?!cli\/|report\/)[\w/-]+\.ts$/,
  // The command, with all that it draws by.
  /^dist\/cli\/[\w-]+\.mjs$/,
  /^dist\/cli\/assets\/(Arimo_\w+\.ttf|index_bg\.wasm)$/,
  /^dist\/cli\/LICENSES\.md$/,
  // The addon: built, and what builds it where the built one does not fit.
  /^prebuilds\/[\w+-]+\/(forebay\.napi(\.glibc)?\.node|LICENSES\.txt)$/,
  /^native\/binding\.gyp$/,
  /^native\/[\w-]+\.cjs$/,
  /^native\/(kernels|program|binding)\/([\w-]+\/)?\w+\.(cc|h)$/,
  /^native\/vendor\/(napi(-inl)?(\.deprecated)?\.h|LICENSE\.md)$/,
  /^native\/vendor\/node\/(LICENSE|include\/node\/(common\.gypi|(js_native|node)_api(_types)?\.h))$/,
];

/** What is wrong with a list of paths in the package: in words, or nothing. */
export function faultsOf(paths) {
  const strays = paths.filter((path) => !wanted.some((pattern) => pattern.test(path)));
  const lacking = wanted.filter((pattern) => !paths.some((path) => pattern.test(path)));
  return [
    ...strays.map((path) => `nobody needs ${path}`),
    ...lacking.map((pattern) => `there is nothing like ${pattern.source}`),
  ];
}

/**
 * The links of pages that lead to no file of the package, as "page: link". On npm's page, a link that is not absolute
 * is one into the repository of package.json, in which the same files lie.
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

/** Packs. @returns npm's account: `files`, and the sizes packed and unpacked, in bytes */
export function pack() {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const stdio = ['ignore', 'pipe', 'inherit'];
  const answer = execFileSync('npm', ['pack', '--json', '--pack-destination', folder], {
    ...{ cwd: root, encoding: 'utf8', stdio },
  });
  // What the build prints on the way comes first.
  const [account] = JSON.parse(answer.slice(answer.search(/^\[/m)));
  renameSync(join(folder, account.filename), tarball);
  writeFileSync(join(folder, 'account.json'), JSON.stringify(account));
  return account;
}

/** npm's account of the tarball that was made last. */
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
  const faults = [...faultsOf(paths), ...broken.map((link) => `a link leads nowhere: ${link}`)];
  if (faults.length > 0)
    throw new Error(`The tarball is not what a user needs:\n${faults.join('\n')}`);
}
