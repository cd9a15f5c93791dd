// Tests which BLAS the addon is built with. Both build files must choose the same BLAS. Machines that we do not have
// are simulated.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

interface Blas {
  readonly name: string;
  readonly includes: readonly string[];
  readonly folders: readonly string[];
  readonly libraries: readonly string[];
  readonly defines: readonly string[];
}
interface Machine {
  readonly platform: string;
  readonly output: (command: string, ...args: string[]) => string | undefined;
  readonly exists: (file: string) => boolean;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const require = createRequire(import.meta.url);
const { chooseBlas } = require('../../native/blas.cjs') as {
  chooseBlas: (machine?: Machine) => Blas | undefined;
};

/** Returns a simulated machine on which each command prints the given text, and other commands do not exist. */
const machine = (
  platform: string,
  prints: Record<string, string>,
  files: string[] = [],
): Machine => ({
  platform,
  output: (command) => prints[command],
  exists: (file) => files.includes(file),
});

describe('the BLAS of a build', () => {
  it('is the OpenBLAS that pkg-config finds, on any system', () => {
    const prints = { 'pkg-config': '-I/opt/include -L/opt/lib  -lopenblas -lm' };
    for (const platform of ['linux', 'darwin']) {
      expect(
        chooseBlas(machine(platform, { ...prints, brew: '/keg' }, ['/keg/include/cblas.h'])),
      ).toEqual({
        name: 'OpenBLAS',
        includes: ['/opt/include'],
        folders: ['/opt/lib'],
        libraries: ['-lopenblas', '-lm'],
        defines: [],
      });
    }
  });

  it('is the OpenBLAS of Homebrew on a Mac, if pkg-config finds none', () => {
    const mac = machine('darwin', { brew: '/keg' }, ['/keg/include/cblas.h']);
    expect(chooseBlas(mac)).toMatchObject({
      includes: ['/keg/include'],
      folders: ['/keg/lib'],
      libraries: ['-lopenblas'],
    });
  });

  it('is Accelerate on any other Mac, also if brew names a folder that does not exist', () => {
    for (const prints of [{ brew: '/keg' }, {}] as Record<string, string>[]) {
      expect(chooseBlas(machine('darwin', prints))).toMatchObject({
        libraries: ['Accelerate.framework'],
        defines: ['FOREBAY_ACCELERATE', 'ACCELERATE_NEW_LAPACK'],
      });
    }
  });

  it('is undefined on Linux without pkg-config, and the build stops', () => {
    expect(
      chooseBlas(machine('linux', { brew: '/keg' }, ['/keg/include/cblas.h'])),
    ).toBeUndefined();
  });

  it('is read by both build files from native/blas.cjs', () => {
    const parts = ['includes', 'folders', 'libraries', 'defines'];
    const gyp = readFileSync(join(root, 'native/binding.gyp'), 'utf8');
    const cmake = readFileSync(join(root, 'CMakeLists.txt'), 'utf8');
    for (const part of parts) expect(gyp).toContain(`"<!@(node native/blas.cjs ${part})"`);
    expect(cmake).toContain(`foreach(part ${parts.join(' ')})`);
    const here = chooseBlas();
    for (const part of parts) {
      const printed = execFileSync(process.execPath, ['native/blas.cjs', part], { cwd: root });
      expect(printed.toString().trim()).toBe(here?.[part as 'defines'].join(' '));
    }
  });
});

describe('the code for Accelerate', () => {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-accelerate-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('compiles without OpenBLAS, against the declarations that it uses', () => {
    mkdirSync(join(folder, 'Accelerate'));
    const product = (name: string, type: string) =>
      `void cblas_${name}(CBLAS_ORDER, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, int, int, int, ${type}, const ${type}*, int, const ${type}*, int, ${type}, ${type}*, int);`;
    writeFileSync(
      join(folder, 'Accelerate/Accelerate.h'),
      `enum CBLAS_ORDER { CblasRowMajor = 101 };
       enum CBLAS_TRANSPOSE { CblasNoTrans = 111, CblasTrans = 112 };
       extern "C" { ${product('sgemm', 'float')} ${product('dgemm', 'double')} }`,
    );
    const flags = ['-std=c++17', '-fsyntax-only', '-Wall', '-Werror', '-DFOREBAY_ACCELERATE'];
    const { status, stderr } = spawnSync(
      'c++',
      [...flags, `-I${folder}`, '-Inative', 'native/kernels/blas.cc'],
      { cwd: root, encoding: 'utf8' },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});
