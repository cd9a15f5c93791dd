/** Exchanges tensors as raw files in a folder, little-endian and row-major, because every language can read them. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BenchError } from './errors.js';
import { type TensorSpec, tensorsOf } from './tensors.js';
import { type Values, valuesOf, viewBytes } from './values.js';
import type { ModelSpec } from './workloads.js';

/** The description of a tensor in a file. The path `file` is relative to the folder of the exchange. */
export interface Entry {
  readonly name: string;
  readonly dtype: TensorSpec['dtype'];
  readonly shape: readonly number[];
  readonly file: string;
}

export interface Named {
  readonly name: string;
  readonly dtype: TensorSpec['dtype'];
  readonly shape: readonly number[];
  readonly values: Values;
}

export function writeTensors(folder: string, prefix: string, tensors: readonly Named[]): Entry[] {
  return tensors.map(({ name, dtype, shape, values }, index) => {
    const file = `${prefix}-${index}.raw`;
    writeFileSync(
      join(folder, file),
      Buffer.from(values.buffer, values.byteOffset, values.byteLength),
    );
    return { name, dtype, shape, file };
  });
}

export function readTensor(folder: string, { dtype, file }: Entry): Values {
  return viewBytes(dtype, readFileSync(join(folder, file)));
}

/** A collection of tensors that are found by name. */
export interface TensorSource {
  get(name: string): Named;
}

/** Tensors that were written to a folder. */
export class Tensors implements TensorSource {
  readonly #entries: ReadonlyMap<string, Entry>;

  constructor(
    readonly folder: string,
    entries: readonly Entry[],
  ) {
    this.#entries = new Map(entries.map((entry) => [entry.name, entry]));
  }

  get(name: string): Named {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new BenchError(`there is no tensor '${name}' in ${this.folder}`);
    return { ...entry, values: readTensor(this.folder, entry) };
  }
}

/** The initial values of a workload, written to a new folder. A `using` declaration removes the folder at its end. */
export class Start implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'forebay-bench-'));
  readonly entries: readonly Entry[];

  constructor(spec: ModelSpec) {
    const tensors = tensorsOf(spec).map((tensor) => ({ ...tensor, values: valuesOf(tensor) }));
    this.entries = writeTensors(this.folder, 'start', tensors);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
