/**
 * `forebay doctor`: which native half was loaded, from where, and what is wrong with this machine or
 * its settings, each with its remedy. It works above all where the addon does not.
 */

import { availableParallelism } from 'node:os';
import { savesAreDurable } from '../io/durable.js';
import { type Diagnosis, diagnose } from '../native/diagnose.js';
import { glibcVersion, staleRemedy } from '../native/remedy.js';
import { manifest } from './manifest.js';

/** All that the doctor looks at. */
export interface Patient extends Diagnosis {
  /** What package.json says. */
  readonly version: string;
  readonly engines: string;
  readonly node: string;
  readonly platform: string;
  readonly arch: string;
  readonly glibc: string | undefined;
  readonly processors: number;
  /** Whether a file that was saved is on the disk when the call returns. */
  readonly durable: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function examined(): Patient {
  const { version, engines } = manifest();
  return {
    ...diagnose(),
    version,
    engines: engines.node,
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    glibc: process.platform === 'linux' ? glibcVersion() : undefined,
    processors: availableParallelism(),
    durable: savesAreDurable(),
    env: process.env,
  };
}

/** Prints what it finds. @returns whether all is well */
export function doctor(print: (text: string) => void, patient: Patient = examined()): boolean {
  for (const [name, value] of facts(patient)) print(`${name.padEnd(9)} ${value}\n`);
  const findings = findingsOf(patient);
  if (findings.length === 0) {
    print('\nAll is well.\n');
    return true;
  }
  print(`\n${findings.length === 1 ? 'One thing is' : `${findings.length} things are`} off:\n`);
  for (const finding of findings) print(`- ${finding}\n`);
  return false;
}

function* facts(of: Patient): Generator<readonly [string, string]> {
  yield ['forebay', of.version];
  const origins = {
    prebuilt: 'prebuilt, came with the package',
    'built here': 'built on this machine',
  };
  const chosen = of.env.FOREBAY_PREBUILD ? ', chosen by FOREBAY_PREBUILD' : '';
  yield ['addon', of.origin === undefined ? 'none' : `${origins[of.origin]}${chosen}`];
  if (of.file !== undefined) yield ['', of.file];
  if (of.info !== undefined) {
    const { version, abi, blas, simd, threads } = of.info;
    yield ['', `version ${version}, ABI ${abi}`];
    yield ['BLAS', `${blas.library.trim()}, core ${blas.core}`];
    yield ['kernels', `${simd.active} (this machine can run ${simd.available.join(', ')})`];
    yield ['threads', `${threads}; processors: ${of.processors}`];
  }
  yield ['Node', `${of.node} on ${of.platform}-${of.arch}`];
  if (of.platform === 'linux') {
    yield ['libc', of.glibc === undefined ? 'not glibc (untested)' : `glibc ${of.glibc}`];
  }
  const late = 'not forced to the disk (fsync), which node --permission forbids';
  yield ['saving', of.durable ? 'on the disk when save returns (fsync)' : late];
}

/** OpenBLAS's kernels that use AVX2 or better: what a processor that has it should get. */
const fastCores = /^(Haswell|Zen|SkylakeX|Cooperlake|Sapphirerapids)$/i;

function findingsOf(of: Patient): string[] {
  const found: string[] = [];
  if (!nodeFits(of.node, of.engines)) {
    found.push(`Node is ${of.node}, but forebay needs ${of.engines}: install one of those.`);
  }
  if (of.error !== undefined) found.push(`${of.error.message}.`);
  if (of.info === undefined) return found;
  const { version, simd, blas } = of.info;
  if (version !== of.version) {
    found.push(`The addon is stale: it is version ${version}, not ${of.version}; ${staleRemedy}.`);
  }
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
    // One thread is what forebay makes of it anyway.
    if (value === undefined || value === '' || value === '1') continue;
    found.push(
      `${name} is '${value}', but forebay holds OpenBLAS at one thread and splits the work itself: unset it, and call setThreads(${value}) if that many are wanted.`,
    );
  }
  return found;
}

/** Whether a version is in a range of the form `^20.19.0 || >=22.12.0`. */
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
