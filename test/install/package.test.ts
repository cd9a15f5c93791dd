// Tests which files the package has, and which of them are loaded by an import of the library and by the command.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { version } from '../../src/arguments/version.js';

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

/** Returns the CommonJS and ES modules that Node loads for a script, as paths relative to the checkout. */
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

  it('is tested by a list that would contain the files of the command', () => {
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
    // If a package has a binding.gyp in its folder, npm adds an install script. "gypfile": false forbids that, but a
    // lock file does not record it, and "npm ci" uses the lock file.
    expect(existsSync(join(root, 'binding.gyp'))).toBe(false);
    expect(faultsOf(['binding.gyp'])).toContain('nobody needs binding.gyp');
    expect(manifest.gypfile).toBe(false);
  });

  it('has the version that the addon is compared with', () => {
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
    // The bundled packages that were CommonJS import the modules of Node without the prefix `node:`.
    expect(foreign.filter((of) => !/^(events|readline|module|util|tty)$/.test(of))).toEqual([]);
  });

  it('does not contain the library, but imports it, so that the classes of errors are the same', () => {
    expect(code.some((text) => /class ForebayError\b/.test(text))).toBe(false);
    expect(code.some((text) => text.includes('"../errors.js"'))).toBe(true);
  });

  it('lists the packages that it contains, with their licences', () => {
    const page = readFileSync(join(folder, 'LICENSES.md'), 'utf8');
    const packages = [...page.matchAll(/^\| (\S+) \| [\d.]+ \| (\S.*?) \|/gm)].map((row) => row[1]);
    // Some of these packages are imported by src/cli and src/report. The others are dependencies of those.
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

describe('the check of the files in the package', () => {
  const needed = [
    ...[
      'package.json',
      'dist/index.js',
      'dist/index.mjs',
      'dist/package.json',
      'src/index.ts',
      'dist/cli/main.mjs',
      'dist/cli/LICENSES.md',
      'dist/onnx/LICENSES.md',
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

  it('accepts a package with a file of each kind', () => {
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
  ])('refuses %s', (file) => {
    expect(faultsOf([...needed, file])).toEqual([`nobody needs ${file}`]);
  });

  it.each(needed)('notices that %s is missing', (file) => {
    expect(faultsOf(needed.filter((other) => other !== file))).toHaveLength(1);
  });
});

describe('links between pages of the package', () => {
  const paths = ['README.md', 'docs/guides/a.md', 'docs/pictures/p.svg', 'examples/01.ts'];

  it.each([
    ['README.md', '[a](docs/guides/a.md), [b](examples), ![p](docs/pictures/p.svg)'],
    ['docs/guides/a.md', '[r](../../README.md#part), ![p](../pictures/p.svg), [web](https://x.y)'],
  ])('are accepted if they lead to files and folders of the package: %s', (page, text) => {
    expect(brokenLinks({ [page]: text }, paths)).toEqual([]);
  });

  it.each(['docs/guides/b.md', 'src/index.ts', '../other'])('are refused to %s', (link) => {
    expect(brokenLinks({ 'README.md': `[x](${link})` }, paths)).toEqual([`README.md: ${link}`]);
  });

  it('can be resolved by npm, because package.json names the repository', () => {
    expect(manifest.repository?.url).toMatch(/^git\+https:\/\/.*\.git$/);
  });
});
