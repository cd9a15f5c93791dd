/**
 * `forebay doctor` prints which native addon was loaded and from where, and the problems of this machine or its
 * settings, each with a remedy. The command also works if the addon does not load.
 */

import { availableParallelism } from 'node:os';
import { savesAreDurable } from '../io/durable.js';
import { type Diagnosis, diagnose } from '../native/diagnose.js';
import { glibcVersion, type Runtime, runtime, usesMusl } from '../native/surroundings.js';
import { manifest } from './manifest.js';

/** The facts about the addon, the machine and its settings that `forebay doctor` examines. */
export interface Machine extends Diagnosis {
  /** `version` and `engines` are the version and the value of `engines.node` in package.json. */
  readonly version: string;
  readonly engines: string;
  readonly runtime: Runtime;
  readonly platform: string;
  readonly arch: string;
  readonly musl: boolean;
  readonly glibc: string | undefined;
  readonly processors: number;
  /** Whether a file is on the disk when the call that saves it returns. */
  readonly durable: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function examined(): Machine {
  const { version, engines } = manifest();
  return {
    ...diagnose(),
    version,
    engines: engines.node,
    runtime: runtime(),
    platform: process.platform,
    arch: process.arch,
    musl: usesMusl(),
    glibc: glibcVersion(),
    processors: availableParallelism(),
    durable: savesAreDurable(),
    env: process.env,
  };
}

/** Prints facts about the machine, and the problems that were found. @returns true if no problem was found */
export function doctor(print: (text: string) => void, machine: Machine = examined()): boolean {
  for (const [name, value] of facts(machine)) print(`${name.padEnd(9)} ${value}\n`);
  const findings = findingsOf(machine);
  if (findings.length === 0) {
    print('\nNo problems found.\n');
    return true;
  }
  print(`\n${findings.length === 1 ? '1 problem' : `${findings.length} problems`} found:\n`);
  for (const finding of findings) print(`- ${finding}\n`);
  return false;
}

const origins = {
  configure: 'named by configure',
  FOREBAY_ADDON: 'named by FOREBAY_ADDON',
  built: 'built on this machine',
  prebuilt: 'prebuilt, came with the package',
};

function* facts(of: Machine): Generator<readonly [string, string]> {
  yield ['forebay', of.version];
  yield ['addon', of.choice === undefined ? 'none' : origins[of.choice.by]];
  if (of.choice !== undefined) yield ['', of.choice.file];
  if (of.info !== undefined) {
    const { version, abi, blas, simd, threads } = of.info;
    yield ['', `version ${version}, ABI ${abi}`];
    yield ['BLAS', `${blas.library.trim()}, core ${blas.core}`];
    yield ['kernels', `${simd.active} (this machine can run ${simd.available.join(', ')})`];
    yield ['threads', `${threads}; processors: ${of.processors}`];
  }
  yield [of.runtime.name, `${of.runtime.version} on ${of.platform}-${of.arch}`];
  if (of.platform === 'linux') yield ['libc', libcOf(of)];
  const late = 'not forced to the disk (fsync), which node --permission forbids';
  yield ['saving', of.durable ? 'on the disk when save returns (fsync)' : late];
}

function libcOf({ musl, glibc, runtime }: Machine): string {
  if (musl) return 'musl';
  return glibc === undefined ? `glibc (${runtime.name} does not say which)` : `glibc ${glibc}`;
}

/** The OpenBLAS cores that use AVX2 or better. A processor with AVX2 should use one of them. */
const fastCores = /^(Haswell|Zen|SkylakeX|Cooperlake|Sapphirerapids)$/i;

function findingsOf(of: Machine): string[] {
  const found: string[] = [];
  // Bun and Deno report the version of Node with which they are compatible. This version is not checked.
  if (of.runtime.name === 'Node' && !nodeFits(of.runtime.version, of.engines)) {
    found.push(
      `Node is ${of.runtime.version}, but forebay needs ${of.engines}: install one of those.`,
    );
  }
  if (of.error !== undefined) found.push(`${of.error.message}.`);
  if (of.info === undefined) return found;
  const { simd, blas } = of.info;
  const best = simd.available.at(-1);
  if (simd.active !== best) {
    found.push(
      `FOREBAY_SIMD is '${of.env.FOREBAY_SIMD}', but this machine can run ${best}, which is faster: unset it.`,
    );
  }
  if (
    simd.available.includes('avx2') &&
    /OpenBLAS/.test(blas.library) &&
    !fastCores.test(blas.core)
  ) {
    const forced = of.env.OPENBLAS_CORETYPE;
    found.push(
      forced === undefined
        ? `OpenBLAS takes this processor for a ${blas.core}, which is slower: set OPENBLAS_CORETYPE=Haswell, or update OpenBLAS.`
        : `OPENBLAS_CORETYPE is '${forced}', so OpenBLAS uses the kernels of ${blas.core}, which are slower: unset it.`,
    );
  }
  for (const name of ['OPENBLAS_NUM_THREADS', 'GOTO_NUM_THREADS']) {
    const value = of.env[name];
    // The value 1 is no problem, because forebay itself sets OpenBLAS to one thread.
    if (value === undefined || value === '' || value === '1') continue;
    found.push(
      `${name} is '${value}', but forebay holds OpenBLAS at one thread and splits the work itself: unset it, and call setThreads(${value}) if that many are wanted.`,
    );
  }
  return found;
}

/** Returns whether a version is in a range, which has a form such as `^20.19.0 || >=22.12.0`. */
export function nodeFits(version: string, range: string): boolean {
  const numbers = (text: string) => text.split('.').map(Number) as [number, number, number];
  const has = numbers(version);
  return range.split('||').some((part) => {
    const [, sign, text] = /^\s*(\^|>=)(\d+\.\d+\.\d+)\s*$/.exec(part) ?? [];
    if (text === undefined) return false;
    const wants = numbers(text);
    if (sign === '^' && has[0] !== wants[0]) return false;
    const first = wants.findIndex((number, index) => number !== has[index]);
    return first === -1 || (has[first] as number) > (wants[first] as number);
  });
}
