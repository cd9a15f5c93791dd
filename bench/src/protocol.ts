/**
 * What the harness and a contender's process say to each other: JSON, a request a line, an answer a
 * line, over standard input and output. Tensors go through files (exchange.ts).
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { BenchError } from './errors.js';
import type { Entry } from './exchange.js';
import type { FloatType, Spec, TrainingRequest } from './workloads.js';

/** What a contender is made of. */
export interface Hello {
  readonly version: string;
  /** The instruction set that it uses, where it tells. */
  readonly capability: string | null;
  readonly blas: {
    /** The shared libraries of its BLAS; none for one that is linked in. */
    readonly files: readonly string[];
    /** The processor that OpenBLAS takes this one for. */
    readonly core: string | null;
  };
  readonly threads: number;
}

/** One of the ways in which a contender can take a step, and what it computes. */
export interface Form {
  readonly name: string;
  /** Before each of the compared steps; none for a workload without training. */
  readonly losses: readonly number[];
  /** The gradients of the first loss by parameter, or the outputs of a prediction. */
  readonly results: readonly Entry[];
}

export interface Loaded {
  /** At least one; the fastest is timed. */
  readonly forms: readonly Form[];
  /** The forms that this version or machine does not have, by name: why. */
  readonly leftOut?: Readonly<Record<string, string>>;
}

export interface Memory {
  /** The most memory while training, less that after the import, in bytes. */
  readonly growth: number;
}

/** Of the program that forebay made. */
export interface ProgramStats {
  readonly productShapes: readonly (readonly [m: number, n: number, k: number])[];
  /** Bytes by what they are for. */
  readonly memory: Readonly<Record<string, number>>;
}

/** Requests by `op`: what is asked, and what is answered. */
export interface Requests {
  /** `compiled`: whether forms that need a C++ compiler are tried. */
  hello: [{ readonly threads: number; readonly compiled: boolean }, Hello];
  load: [
    {
      readonly spec: Spec;
      readonly folder: string;
      readonly manifest: readonly Entry[];
      readonly training: TrainingRequest;
      /** The name of the only form that is wanted; all of them where it is null. */
      readonly only: string | null;
    },
    Loaded,
  ];
  round: [{ readonly steps: number; readonly form: string }, { readonly seconds: number }];
  memory: [Record<never, never>, Memory];
  /** Of forebay alone. */
  stats: [Record<never, never>, ProgramStats | null];
  /** Of forebay alone, in a process that has multiplied nothing: what BLAS takes for products. */
  blas: [
    {
      readonly dtype: 'float32' | 'float64';
      readonly shapes: readonly (readonly [m: number, n: number, k: number])[];
    },
    Memory,
  ];
  /** Of forebay alone: the machine's peak in GFLOP/s. */
  peak: [{ readonly dtype: FloatType; readonly threads: number }, { readonly gflops: number }];
  /** Of forebay alone: what a copy within so many bytes of memory moves, in GB/s, read and written. */
  copy: [{ readonly bytes: number; readonly threads: number }, { readonly gigabytes: number }];
}
export type Op = keyof Requests;

export type Handlers<O extends Op = Op> = {
  readonly [K in O]: (request: Requests[K][0]) => Requests[K][1] | Promise<Requests[K][1]>;
};

/** A contender's side: answers requests until its input ends. */
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

/** The harness's side: a contender's process. One request at a time. */
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
    // A process that is gone is noticed by the end of its output; writing to it must not kill us.
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

  /** @throws BenchError with the contender's own words when it fails, or ends instead of answering */
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
