// What is in the package, and what of it is loaded by whom.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { version } from '../../src/native/version.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { brokenLinks, faultsOf } = (await import(join(root, 'tools/package.mjs'))) as {
  faultsOf(paths: readonly string[]): string[];
  brokenLinks(pages: Record<string, string>, paths: readonly string[]): string[];
};
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly gypfile?: boolean;
  readonly repository?: { readonly url: string };
  readonly scripts: Record<string, string>;
  readonly dependencies?: Record<string, string>;
};

/** The modules that Node loads for a script, of either kind, as paths below the checkout. */
function modulesOf(script: string): string[] {
  const required = `import { createRequire } from 'node:module';
    for (const file of Object.keys(createRequire('/').cache)) console.log('file://' + file);`;
  const hooks = `import { writeSync } from 'node:fs';
    export function load(url, context, next) {
      writeSync(1, url + '\\n');
      return next(url, context);
    }`;
  const register = `import { register } from 'node:module';
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hooks)}));`;
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [
      '--import',
      `data:text/javascript,${encodeURIComponent(register)}`,
      '--input-type=module',
      '-e',
      `${script};\n${required}`,
    ],
    { cwd: root, encoding: 'utf8' },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const files = stdout.split('\n').filter((url) => url.startsWith('file:'));
  return [...new Set(files.map((url) => fileURLToPath(url).slice(root.length)))];
}

describe("import 'forebay'", () => {
  it('loads the library and nothing else: no package, no command, no picture', () => {
    const modules = modulesOf("import 'forebay'");
    expect(modules).toContain('dist/index.mjs');
    expect(modules).toContain('dist/ops/matmul.js');
    expect(modules.filter((file) => !/^dist\/(?!cli\/|report\/)[\w/-]+\.m?js$/.test(file))).toEqual(
      [],
    );
  });

  it('would be seen to load the command', () => {
    expect(
      modulesOf("import './dist/cli/shell.mjs'").some((file) => file.startsWith('dist/cli/')),
    ).toBe(true);
  });

  it('depends on no other package', () => {
    expect(manifest.dependencies).toBeUndefined();
  });

  it('runs nothing when it is installed', () => {
    const scripts = ['preinstall', 'install', 'postinstall', 'prepare'];
    expect(scripts.filter((name) => name in manifest.scripts)).toEqual([]);
    // Where there is a binding.gyp in the package's folder, npm adds a script of its own. "gypfile": false forbids that,
    // but a lock file does not record it, and "npm ci" goes by the lock file.
    expect(existsSync(join(root, 'binding.gyp'))).toBe(false);
    expect(faultsOf(['binding.gyp'])).toContain('nobody needs binding.gyp');
    expect(manifest.gypfile).toBe(false);
  });

  it('is of the version that the addon is compared with', () => {
    expect(manifest.version).toBe(version);
  });
});

describe('the bundled command', () => {
  const folder = join(root, 'dist/cli');
  const code = readdirSync(folder)
    .filter((file) => file.endsWith('.mjs'))
    .map((file) => readFileSync(join(folder, file), 'utf8'));

  it('imports nothing but Node, the library and itself', () => {
    const specifiers = code.flatMap((text) =>
      [...text.matchAll(/^(?:import|export)\b[^'"\n]*from\s*["']([^"']+)["']/gm)].map(
        (of) => of[1] as string,
      ),
    );
    expect(specifiers.length).toBeGreaterThan(10);
    const foreign = specifiers.filter(
      (of) => !/^(node:\w+|\.\.\/[\w/-]+\.js|\.\/[\w-]+\.mjs)$/.test(of),
    );
    // What was CommonJS names Node's own modules without the prefix.
    expect(foreign.filter((of) => !/^(events|readline|module|util|tty)$/.test(of))).toEqual([]);
  });

  it('has the library once: an error of the library is the same class to both', () => {
    expect(code.some((text) => /class ForebayError\b/.test(text))).toBe(false);
    expect(code.some((text) => text.includes('"../errors.js"'))).toBe(true);
  });

  it('lists the packages that are in it, with their licences', () => {
    const page = readFileSync(join(folder, 'LICENSES.md'), 'utf8');
    const packages = [...page.matchAll(/^\| (\S+) \| [\d.]+ \| (\S.*?) \|/gm)].map((row) => row[1]);
    // What src/cli and src/report import, and some of what those bring.
    for (const name of ['commander', 'cli-progress', 'echarts', 'zrender', 'fast-png', 'fflate']) {
      expect(packages).toContain(name);
    }
    for (const name of ['@viz-js/viz', '@resvg/resvg-wasm', '@expo-google-fonts/arimo']) {
      expect(packages).toContain(name);
    }
    expect(new Set(packages).size).toBe(packages.length);
    expect(page).toContain('SIL OPEN FONT LICENSE');
    expect(page).toContain('Graphviz');
  });
});

describe('the list of what a user needs', () => {
  const needed = [
    ...[
      'package.json',
      'dist/index.js',
      'dist/index.mjs',
      'dist/package.json',
      'src/index.ts',
      'dist/cli/main.mjs',
      'dist/cli/LICENSES.md',
    ],
    ...['docs/guides/compile.md', 'docs/pictures/step.svg', 'examples/01-first-steps.ts'],
    'bench/README.md',
    ...['dist/cli/assets/index_bg.wasm', 'prebuilds/linux-x64/forebay.napi.glibc.node'],
    ...[
      'native/binding.gyp',
      'native/sources.cjs',
      'native/kernels/map.cc',
      'native/vendor/napi.h',
    ],
    'native/vendor/node/include/node/node_api.h',
  ];

  it('is content with a file of each kind', () => {
    expect(faultsOf(needed)).toEqual([]);
  });

  it.each([
    'test/support.ts',
    'native/test/main.cc',
    'native/kernels/body/coefficients.py',
    'dist/.tsbuildinfo',
    'dist/report/plot.js',
    'src/cli/main.ts',
    'dist/cli/assets/Comic.ttf',
    'tools/build.mjs',
    'node_modules/echarts/index.js',
  ])('wants no %s', (file) => {
    expect(faultsOf([...needed, file])).toEqual([`nobody needs ${file}`]);
  });

  it.each(needed)('misses %s', (file) => {
    expect(faultsOf(needed.filter((other) => other !== file))).toHaveLength(1);
  });
});

describe('links between pages of the package', () => {
  const paths = ['README.md', 'docs/guides/a.md', 'docs/pictures/p.svg', 'examples/01.ts'];

  it.each([
    ['README.md', '[a](docs/guides/a.md), [b](examples), ![p](docs/pictures/p.svg)'],
    ['docs/guides/a.md', '[r](../../README.md#part), ![p](../pictures/p.svg), [web](https://x.y)'],
  ])('lead to files and folders that are in it: %s', (page, text) => {
    expect(brokenLinks({ [page]: text }, paths)).toEqual([]);
  });

  it.each(['docs/guides/b.md', 'src/index.ts', '../other'])('are broken to %s', (link) => {
    expect(brokenLinks({ 'README.md': `[x](${link})` }, paths)).toEqual([`README.md: ${link}`]);
  });

  it('are of a repository that package.json names, so that npm can resolve them', () => {
    expect(manifest.repository?.url).toMatch(/^git\+https:\/\/.*\.git$/);
  });
});
