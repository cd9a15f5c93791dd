/** Loads the addon once, at the first native call. So importing forebay does no work, and never throws. */

import { version } from '../arguments/version.js';
import { NativeError } from '../errors.js';
import type { TypedArray } from '../tensor/dtype.js';
import { wrongKind } from './file-kind.js';
import { type Choice, chooseAddon } from './locate.js';
import { namedBy, nothingFound, remedyFor, replace } from './remedy.js';
import {
  abi,
  expectedKernels,
  expectedRoutines,
  type KernelFacts,
  type KernelRow,
  type ReductionFacts,
  type RoutineFacts,
} from './table.js';

/** The addon's description of itself. */
export interface Description {
  readonly abi: number;
  readonly version: string;
  /** The kernels of the addon. The id of a kernel is its index in this list. */
  readonly kernels: readonly KernelFacts[];
  /** The routines of the addon. The id of a routine is its index in this list. */
  readonly routines: readonly RoutineFacts[];
  readonly simd: { readonly active: string; readonly available: readonly string[] };
  readonly blas: { readonly library: string; readonly core: string; readonly threads: number };
  /**
   * The width of a panel, by dtype. It is the number of columns of a right operand that forebay's own product kernel
   * processes at a time.
   */
  readonly panels: { readonly float32: number; readonly float64: number };
}

/** An opaque object that the addon returns and later takes as an argument. */
export interface Handle<Kind extends string> {
  readonly kind?: Kind;
}

/**
 * The entry points of the addon. `kernels.ts` documents the arguments named `geometry`; `program.ts` documents all
 * other arguments.
 */
export interface Addon {
  describe(): Description;
  map(kernel: number, geometry: Float64Array, out: TypedArray, ...inputs: TypedArray[]): void;
  reduce(kernel: number, geometry: Float64Array, out: TypedArray, input: TypedArray): void;
  product(
    geometry: Float64Array,
    alpha: number,
    beta: number,
    out: TypedArray,
    a: TypedArray,
    b: TypedArray,
  ): void;
  random(kernel: number, seed: number, run: number, out: TypedArray): void;
  /** Returns whether the call succeeded. If not, `report` contains the numbers of the failure (see `IndexOutOfRange`). */
  routine(geometry: Float64Array, report: Float64Array, ...operands: TypedArray[]): boolean;

  panelsSave(geometry: Float64Array): number;
  createQueue(): Handle<'queue'>;
  createKept(bytes: number): Handle<'kept'>;
  expireKept(kept: Handle<'kept'>): void;
  disposeKept(kept: Handle<'kept'>): void;
  createProgram(
    code: Float64Array,
    leaves: readonly TypedArray[],
    queue: Handle<'queue'>,
    own: readonly TypedArray[] | null,
    kept: Handle<'kept'> | null,
  ): Handle<'program'>;
  runProgram(
    program: Handle<'program'>,
    run: number,
    threads: number,
    checkFinite: boolean,
    keepOutputs: boolean,
    ...memory: readonly TypedArray[]
  ): number;
  profileProgram(
    program: Handle<'program'>,
    run: number,
    threads: number,
    nanoseconds: Float64Array,
    ...memory: readonly TypedArray[]
  ): number;
  startProgram(
    program: Handle<'program'>,
    run: number,
    steps: number,
    threads: number,
    checkFinite: boolean,
    done: (status: number, steps: number, run: number, ...failure: number[]) => void,
    ...memory: readonly TypedArray[]
  ): number;
  readFailure(program: Handle<'program'>, report: Float64Array): void;
  /** Writes the iterations of the loops around the instruction that failed. Returns the number of these loops. */
  readIterations(program: Handle<'program'>, numbers: Float64Array): number;
  cancelRun(run: number): void;
  disposeProgram(program: Handle<'program'>): void;
  claimLeaves(reads: readonly TypedArray[], writes: readonly TypedArray[]): Handle<'claim'>;
  beginWrites(claim: Handle<'claim'>): void;
  releaseLeaves(claim: Handle<'claim'>): void;
  gatherRows(
    out: TypedArray,
    source: TypedArray,
    rows: Int32Array | Float64Array,
    from: number,
    batch: number,
    inner: number,
  ): void;
  fmaPeak(bits: number): number;
  setThreads(threads: number): void;
  getThreads(): number;
}

type Identified = KernelFacts & { readonly id: number };

interface Loaded {
  readonly addon: Addon;
  readonly description: Description;
  readonly kernels: Readonly<Record<KernelRow['family'], ReadonlyMap<string, Identified>>>;
  readonly routines: ReadonlyMap<string, RoutineFacts & { readonly id: number }>;
}

let loaded: Loaded | undefined;

/** Returns whether the addon is loaded. If it is, another addon cannot be chosen any more. */
export function isLoaded(): boolean {
  return loaded !== undefined;
}

/**
 * Returns the addon, and loads it at the first call.
 * @throws NativeError, with the remedy, if the addon is missing, does not load or is of another version
 */
export function load(): Loaded {
  loaded ??= open();
  return loaded;
}

/** Returns the facts of a kernel. @throws NativeError if there is no kernel of that name */
export function kernelFacts(family: 'reduce', name: string): Identified & ReductionFacts;
export function kernelFacts(family: KernelRow['family'], name: string): Identified;
export function kernelFacts(family: KernelRow['family'], name: string): Identified {
  const facts = load().kernels[family].get(name);
  if (facts === undefined) {
    throw new NativeError(`the native addon has no kernel '${name}' of family '${family}'`);
  }
  return facts;
}

/** Returns the id of a kernel. @throws NativeError if there is no kernel of that name */
export function kernelId(family: KernelRow['family'], name: string): number {
  return kernelFacts(family, name).id;
}

/** Returns the facts of a routine. @throws NativeError if there is no routine of that name */
export function routineFacts(name: string): RoutineFacts & { readonly id: number } {
  const facts = load().routines.get(name);
  if (facts === undefined) throw new NativeError(`the native addon has no routine '${name}'`);
  return facts;
}

function open(): Loaded {
  const choice = chooseAddon();
  if (choice === undefined) throw new NativeError(nothingFound());
  const addon = openFile(choice);
  if (typeof addon.describe !== 'function') {
    throw refused(choice, 'it is the addon of another package', replace(choice));
  }
  let description: Description;
  try {
    description = addon.describe();
  } catch (cause) {
    throw new NativeError(messageOf(cause), { cause });
  }
  verify(description, choice);
  const kernels = {
    map: new Map(),
    cast: new Map(),
    reduce: new Map(),
    product: new Map(),
    random: new Map(),
  };
  description.kernels.forEach((row, id) => {
    kernels[row.family].set(row.name, { ...row, id });
  });
  const routines = new Map(description.routines.map((row, id) => [row.name, { ...row, id }]));
  return { addon, description, kernels, routines };
}

function openFile(choice: Choice): Addon {
  const wrong = wrongKind(choice.file);
  if (wrong !== undefined) throw refused(choice, wrong, replace(choice));
  const holder = { exports: {} as Addon };
  try {
    // `require` cannot be used, for three reasons. Bundlers replace it. In a single executable, it loads only Node's
    // own modules. And some tools load each file that is named in a `require`, and fail if a file is not JavaScript.
    process.dlopen(holder, choice.file);
  } catch (cause) {
    const reason = messageOf(cause).replace(/\.$/, '');
    throw refused(choice, reason, remedyFor(reason, choice), cause);
  }
  return holder.exports;
}

function refused(choice: Choice, reason: string, remedy: string, cause?: unknown): NativeError {
  return new NativeError(
    `forebay's native addon could not be loaded from ${choice.file}${namedBy(choice)}: ${reason}; ${remedy}`,
    { cause },
  );
}

/** Checks that an addon fits this version of forebay. @throws NativeError, naming the difference, if it does not fit */
export function verify(description: Description, choice: Choice): void {
  const stale = (what: string) =>
    new NativeError(
      `forebay's native addon ${choice.file}${namedBy(choice)} is stale: ${what}; ${replace(choice)}`,
    );
  if (description.abi !== abi) {
    throw stale(
      `it is of version ${description.version} and speaks ABI ${description.abi}, but forebay ${version} needs ABI ${abi}`,
    );
  }
  if (description.version !== version) {
    throw stale(`it is of version ${description.version}, but this is forebay ${version}`);
  }
  for (const { family, name, arity, dtypes } of expectedKernels) {
    const kernel = description.kernels.find((row) => row.family === family && row.name === name);
    if (!kernel) throw stale(`it lacks the ${family} kernel '${name}'`);
    if (kernel.arity !== arity) {
      throw stale(`its ${family} kernel '${name}' takes ${kernel.arity} operands, not ${arity}`);
    }
    const lacking = dtypes.filter((dtype) => !kernel.dtypes.includes(dtype));
    if (lacking.length > 0) {
      throw stale(`its ${family} kernel '${name}' lacks ${lacking.join(' and ')}`);
    }
  }
  for (const expected of expectedRoutines) {
    const { name, dtypes } = expected;
    const routine = description.routines.find((row) => row.name === name);
    if (!routine) throw stale(`it lacks the routine '${name}'`);
    for (const part of ['reads', 'writes', 'integers'] as const) {
      if (routine[part] === expected[part]) continue;
      throw stale(`its routine '${name}' has ${routine[part]} ${part}, not ${expected[part]}`);
    }
    const lacking = dtypes.filter((dtype) => !routine.dtypes.includes(dtype));
    if (lacking.length > 0) {
      throw stale(`its routine '${name}' lacks ${lacking.join(' and ')}`);
    }
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] as string) : String(error);
}
