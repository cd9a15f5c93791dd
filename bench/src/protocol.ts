/**
 * The protocol between the harness and the process of a contender: requests and answers in JSON, one per line, over
 * standard input and output. Tensors are exchanged through files (exchange.ts).
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { BenchError } from './errors.js';
import type { Entry } from './exchange.js';
import type { FloatType, ModelSpec, Spec, TrainingRequest } from './workloads.js';

/** The answer to the request `hello`: the version and the libraries of a contender. */
export interface Hello {
  readonly version: string;
  /** The instruction set that the contender uses; null if it does not report one. */
  readonly capability: string | null;
  readonly blas: {
    /** The shared libraries of its BLAS; empty if the BLAS is linked in. */
    readonly files: readonly string[];
    /** The processor type for which OpenBLAS chose its kernels; null if it is unknown. */
    readonly core: string | null;
  };
  readonly threads: number;
}

/** One of the ways in which a contender can take a step, and the results of this way. */
export interface Form {
  readonly name: string;
  /** The loss before each of the compared steps; empty for a workload without training. */
  readonly losses: readonly number[];
  /** The gradient of the first loss with respect to each parameter, or the output of a prediction. */
  readonly results: readonly Entry[];
}

export interface Loaded {
  /** The forms that the contender has loaded. The harness finds the fastest and times it. */
  readonly forms: readonly Form[];
  /** The forms that this version or machine does not support, by name, each with the reason. */
  readonly leftOut?: Readonly<Record<string, string>>;
}

export interface Memory {
  /** The peak memory while training, minus the memory after the import, in bytes. */
  readonly growth: number;
}

/** The statistics of the program of forebay. */
export interface ProgramStats {
  readonly productShapes: readonly (readonly [m: number, n: number, k: number, trips?: number])[];
  /** The number of bytes of memory, by purpose. */
  readonly memory: Readonly<Record<string, number>>;
}

/** For each `op`, the type of its request and the type of its answer. */
export interface Requests {
  /** If `compiled` is true, forms that need a C++ compiler are tried. */
  hello: [{ readonly threads: number; readonly compiled: boolean }, Hello];
  load: [
    {
      readonly spec: Spec;
      readonly folder: string;
      readonly manifest: readonly Entry[];
      readonly training: TrainingRequest;
      /** The name of the only form to load; null for all forms. */
      readonly only: string | null;
    },
    Loaded,
  ];
  /**
   * The same gradients or output, computed in float64 from the initial values in the manifest. Only for forebay. The
   * files begin with `exact`.
   */
  exact: [
    { readonly spec: ModelSpec; readonly folder: string; readonly manifest: readonly Entry[] },
    { readonly results: readonly Entry[] },
  ];
  round: [{ readonly steps: number; readonly form: string }, { readonly seconds: number }];
  memory: [Record<never, never>, Memory];
  /** The statistics of the program; null if none is loaded. Only for forebay. */
  stats: [Record<never, never>, ProgramStats | null];
  /** The memory that BLAS allocates for products. Only for forebay, in a process that has not computed any product. */
  blas: [
    {
      readonly dtype: 'float32' | 'float64';
      readonly shapes: readonly (readonly [m: number, n: number, k: number])[];
    },
    Memory,
  ];
  /** The peak speed of the machine in GFLOP/s. Only for forebay. */
  peak: [{ readonly dtype: FloatType; readonly threads: number }, { readonly gflops: number }];
  /** The speed of a copy in a buffer of `bytes` bytes, in GB/s, read and written. Only for forebay. */
  copy: [{ readonly bytes: number; readonly threads: number }, { readonly gigabytes: number }];
}
export type Op = keyof Requests;

export type Handlers<O extends Op = Op> = {
  readonly [K in O]: (request: Requests[K][0]) => Requests[K][1] | Promise<Requests[K][1]>;
};

/** Called by the process of a contender: answers requests until its input ends. */
export async function serve(handlers: Partial<Handlers>): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const { op, ...request } = JSON.parse(line) as { op: Op };
    let answer: unknown;
    try {
      const handler = handlers[op] as ((request: unknown) => unknown) | undefined;
      if (handler === undefined) throw new BenchError(`'${op}' is not asked of this contender`);
      answer = await handler(request);
    } catch (error) {
      answer = {
        error: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
      };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

/** Used by the harness: starts the process of a contender and sends requests to it, one at a time. */
export class Contender implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: AsyncIterator<string>;
  readonly #gone: Promise<string>;
  #complaints = '';

  constructor(
    readonly name: string,
    { file, args }: Command,
    env: NodeJS.ProcessEnv,
  ) {
    this.#child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    // An error of writing to the process is ignored. If the process has ended, `ask` notices the end of its output.
    this.#child.stdin.on('error', () => {});
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints = (this.#complaints + text).slice(-4000);
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#gone = new Promise((resolve) => {
      this.#child.on('error', (error) => resolve(error.message));
      this.#child.on('close', (status, signal) => resolve(signal ?? `status ${status}`));
    });
  }

  /**
   * Sends a request and returns the answer.
   *
   * @throws BenchError with the error output of the contender if it fails or exits instead of answering
   */
  async ask<O extends Op>(op: O, request: Requests[O][0]): Promise<Requests[O][1]> {
    this.#child.stdin.write(`${JSON.stringify({ ...request, op })}\n`);
    const { value, done } = await this.#lines.next();
    if (done) {
      const how = await this.#gone;
      const last = this.#complaints.trim();
      throw new BenchError(
        `${this.name} ended (${how}) instead of answering '${op}'\n${last}`.trim(),
      );
    }
    const answer = JSON.parse(value as string) as Requests[O][1] | { readonly error: string };
    if (answer !== null && 'error' in answer) {
      throw new BenchError(`${this.name} failed to ${op}: ${answer.error}`);
    }
    return answer as Requests[O][1];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#gone;
  }
}
