// The scripts of proof/ and tools/ are JavaScript, so the compiler does not check what they import from the library.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

const scripts = ['proof', 'tools']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
      join(folder, name),
    ),
  )
  .filter((file) => file.endsWith('.mjs'));

/** The imports of modules in dist/: the script, the module of src/, and the names. */
const imported = scripts.flatMap((script) => {
  const text = readFileSync(join(root, script), 'utf8');
  const statements = text.matchAll(
    /(?:import|const)\s*\{([^}]*)\}\s*(?:from|=\s*await import\()\s*'([^']*dist\/[^']*\.js)'/g,
  );
  return [...statements].map(([, names = '', path = '']) => ({
    script,
    source: relative(root, join(root, dirname(script), path))
      .replace(/^dist/, 'src')
      .replace(/\.js$/, '.ts'),
    names: names.split(',').map((name) => name.trim().split(/\s+as\s+|\s*:\s*/)[0] ?? ''),
  }));
});

describe('scripts import from the library', () => {
  it('in several files', () => {
    expect(new Set(imported.map(({ script }) => script)).size).toBeGreaterThan(5);
  });

  it.each(imported)(
    '$script takes $names of $source, which exports them',
    async ({ source, names }) => {
      const exported = Object.keys(await import(join(root, source)));
      expect(exported).toEqual(expect.arrayContaining(names.filter((name) => name !== '')));
    },
  );
});
