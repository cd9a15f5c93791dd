// Tests forebay in a bundle. Importing it never throws. The first native call loads the addon that FOREBAY_ADDON names.
// If the variable is not set, the call throws an error that says to leave forebay external.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const addon = process.env.FOREBAY_ADDON ?? join(root, 'build/Release/forebay.node');
const folder = mkdtempSync(join(tmpdir(), 'forebay-bundled-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const program = (forebay: string) => `${forebay}
  console.log('imported');
  try { console.log(fb.evaluate(fb.add(1, 2)).item()); } catch (error) { console.log(error.code, error.message); }
`;

async function bundled(format: 'esm' | 'cjs', source: 'import' | 'require'): Promise<string> {
  const entry = join(folder, `${source}-${format}.${source === 'import' ? 'mjs' : 'cjs'}`);
  const library = join(root, source === 'import' ? 'dist/index.mjs' : 'dist/index.js');
  const name = JSON.stringify(library);
  writeFileSync(
    entry,
    program(source === 'import' ? `import * as fb from ${name};` : `const fb = require(${name});`),
  );
  const build = await rolldown({ input: entry, platform: 'node' });
  const file = join(folder, `out-${source}.${format === 'esm' ? 'mjs' : 'cjs'}`);
  await build.write({ file, format, codeSplitting: false });
  await build.close();
  return file;
}

function run(file: string, env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
    encoding: 'utf8',
    env,
  });
  return { status, stderr, lines: stdout.trim().split('\n') };
}

describe.each(['esm', 'cjs'] as const)('a bundle of format %s', (format) => {
  it.each(['import', 'require'] as const)('works for a program that uses %s', async (source) => {
    const file = await bundled(format, source);
    const { status, stderr, lines } = run(file);
    expect({ status, stderr, first: lines[0] }).toEqual({
      status: 0,
      stderr: '',
      first: 'imported',
    });
    expect(lines[1]).toMatch(/^FOREBAY_NATIVE .*forebay was bundled.*--external:forebay/);
    expect(run(file, { FOREBAY_ADDON: addon }).lines).toEqual(['imported', '3']);
  });
});

describe('the code of the library', () => {
  const files = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.js') && !/^(cli|report)[\\/]/.test(file),
  );
  const code = (file: string) => readFileSync(join(root, 'dist', file), 'utf8');

  it('requires nothing but itself when it is imported: esbuild makes a call that throws of require("node:fs")', () => {
    expect(files.length).toBeGreaterThan(80);
    // tsc does not indent the top-level statements of a module, which run at its import. Indented statements run later.
    const required = files.flatMap((file) =>
      [...code(file).matchAll(/^\S.*\brequire\(["']([^"']*)["']\)/gm)].map((of) => of[1] as string),
    );
    expect(required.length).toBeGreaterThan(80);
    expect(required.filter((name) => !name.startsWith('.'))).toEqual([]);
  });

  // If the `require` of `path` were not in a `try`, esbuild would end with an error when it bundles for a browser. If
  // the name had the prefix `node:`, webpack would end with an error.
  it('requires nothing else later but path, within try, so that no bundler ends with an error', () => {
    const later = files.flatMap((file) =>
      [...code(file).matchAll(/^[ \t]+.*\brequire\(["'](?!\.)([^"']*)["']\)/gm)].map((of) => ({
        file: file.replaceAll('\\', '/'),
        name: of[1],
      })),
    );
    expect(later).toEqual([{ file: 'native/locate.js', name: 'path' }]);
    expect(code('native/locate.js')).toMatch(
      /try \{\s+(\/\/.*\s+)?path = require\('path'\);\s+\}\s+catch/,
    );
  });

  it('uses __dirname and __filename only where they may be missing', () => {
    const uses = files.filter((file) => /\b__(dirname|filename)\b/.test(code(file)));
    expect(uses.filter((file) => !/typeof __(dirname|filename)/.test(code(file)))).toEqual([]);
    expect(files.filter((file) => /\bimport\.meta\b/.test(code(file)))).toEqual([]);
  });

  // The tool nft of Vercel finds the file of the addon if its path is a string literal. Turbopack finds it only if the
  // literal is an argument of a function of `path`, and only if `path` is the result of `require`.
  it.each([
    'prebuilds/linux-x64/forebay.napi.glibc.node',
    'prebuilds/linux-arm64/forebay.napi.glibc.node',
    'build/Release/forebay.node',
  ])('names %s in the form that tools that trace files follow', (file) => {
    expect(code('native/locate.js')).toContain(`path.resolve(\`\${__dirname}/../../${file}\`)`);
  });
});
