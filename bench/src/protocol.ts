/**
 * The protocol between the harness and the process of a contender: requests and answers in JSON, one per line, over
 * standard input and output. Tensors are exchanged through files (exchange.ts).
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { BenchError } from './errors.js';
import type { Entry } from './exchange.js';
import type { FloatType, Spec, TrainingRequest } from './workloads.js';

/** The versions and libraries of a contender. */
export interface Hello {
  readonly version: string;
  /** The instruction set that it uses, if it reports one. */
  readonly capability: string | null;
  readonly blas: {
    /** The shared libraries of its BLAS; empty if the BLAS is linked in. */
    readonly files: readonly string[];
    /** The processor that OpenBLAS takes this one for. */
    readonly core: string | null;
  };
  readonly threads: number;
}

/** One of the ways in which a contender can take a step, and what it computes. */
export interface Form {
  readonly name: string;
  /** The loss before each of the compared steps; empty for a workload without training. */
  readonly losses: readonly number[];
  /** The gradients of the first loss for each parameter, or the outputs of a prediction. */
  readonly results: readonly Entry[];
}

export interface Loaded {
  /** At least one form. The fastest is timed. */
  readonly forms: readonly Form[];
  /** The reasons why this version or machine lacks certain forms, by the name of the form. */
  readonly leftOut?: Readonly<Record<string, string>>;
}

export interface Memory {
  /** The peak memory while training, minus the memory after the import, in bytes. */
  readonly growth: number;
}

/** The statistics of the program of forebay. */
export interface ProgramStats {
  readonly productShapes: readonly (readonly [m: number, n: number, k: number])[];
  /** Bytes by purpose. */
  readonly memory: Readonly<Record<string, number>>;
}

/** The types of requests and answers, by `op`. */
export interface Requests {
  /** `compiled`: whether forms that need a C++ compiler are tried. */
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
  round: [{ readonly steps: number; readonly form: string }, { readonly seconds: number }];
  memory: [Record<never, never>, Memory];
  /** Only for forebay. */
  stats: [Record<never, never>, ProgramStats | null];
  /** Only for forebay, in a process that has computed no product: the memory that BLAS allocates for products. */
  blas: [
    {
      readonly dtype: 'float32' | 'float64';
      readonly shapes: readonly (readonly [m: number, n: number, k: number])[];
    },
    Memory,
  ];
  /** Only for forebay: the peak speed of the machine in GFLOP/s. */
  peak: [{ readonly dtype: FloatType; readonly threads: number }, { readonly gflops: number }];
  /** Only for forebay: the rate of a copy in a buffer of so many bytes, in GB/s, read and written. */
  copy: [{ readonly bytes: number; readonly threads: number }, { readonly gigabytes: number }];
}
export type Op = keyof Requests;

export type Handlers<O extends Op = Op> = {
  readonly [K in O]: (request: Requests[K][0]) => Requests[K][1] | Promise<Requests[K][1]>;
};

/** The side of the contender: answers requests until its input ends. */
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

/** The side of the harness: the process of a contender, with one request at a time. */
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
    // If the process has ended, the end of its output reports it. An error of writing to it is ignored.
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

  /** @throws BenchError with the error output of the contender if it fails or exits instead of answering */
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
