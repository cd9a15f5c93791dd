/** Finds the Python interpreter that runs the peers written in Python. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** The folder into which `bench/peers/install.mjs` installs. */
export const peersFolder = `${root}.cmake/peers`;

const ownPython = `${peersFolder}/venv/bin/python`;

/**
 * Finds the first Python that can import all of these modules. If FOREBAY_BENCH_PYTHON is set, only the Python that it
 * names is tried. Otherwise the order is: the Python that install.mjs installed, the first in the PATH,
 * /usr/bin/python3.
 *
 * @returns the Python as a command or a path; undefined if none has the modules
 */
export function findPython(modules: readonly string[]): string | undefined {
  const asked = process.env.FOREBAY_BENCH_PYTHON;
  const own = existsSync(ownPython) ? [ownPython] : [];
  const candidates = asked ? [asked] : [...own, 'python3', '/usr/bin/python3'];
  // The script only looks for the modules, because this is much faster than importing them.
  const test = `import importlib.util, sys; sys.exit(not all(map(importlib.util.find_spec, sys.argv[1:])))`;
  return candidates.find((python) => spawnSync(python, ['-c', test, ...modules]).status === 0);
}
