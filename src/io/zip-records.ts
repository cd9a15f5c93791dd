/** Describes the records of a zip archive, and reads and writes their fields. */

import { FormatError } from '../errors.js';

export const methods = { stored: 0, deflated: 8 } as const;
export type Method = (typeof methods)[keyof typeof methods];

/** The signature of each record (its first bytes, as a little-endian number), and the length of its fixed part. */
export const records = {
  local: { signature: 0x04034b50, bytes: 30 },
  central: { signature: 0x02014b50, bytes: 46 },
  end: { signature: 0x06054b50, bytes: 22 },
  end64: { signature: 0x06064b50, bytes: 56 },
  locator64: { signature: 0x07064b50, bytes: 20 },
} as const;

/** The value of a 16-bit field whose number is in a zip64 record instead. `none32` is the same for 32-bit fields. */
export const none16 = 0xffff;
export const none32 = 0xffffffff;
/** The id of the zip64 extra field. */
export const extra64 = 0x0001;
/** The bits of the field for flags that a member has in its records. */
export const flags = {
  encrypted: 1,
  sizesFollow: 8,
  patched: 32,
  utf8: 2048,
  masked: 8192,
} as const;

/** Reads little-endian numbers, one after another. */
export class FieldReader {
  readonly #view: DataView;
  #next = 0;

  /** @param start the position in the file of the first byte of `all` */
  constructor(
    readonly file: string,
    readonly all: Uint8Array,
    readonly start: number,
  ) {
    this.#view = new DataView(all.buffer, all.byteOffset, all.byteLength);
  }

  /** The position in the file of the next byte to read. */
  get position(): number {
    return this.start + this.#next;
  }

  get left(): number {
    return this.all.length - this.#next;
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** Reads a number of 64 bits. @throws FormatError if it is larger than 2^53 - 1 */
  u64(): number {
    const value = this.#view.getBigUint64(this.#advance(8), true);
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    throw this.mistake(`${value} is larger than any file`, this.position - 8);
  }

  bytes(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.all.subarray(start, start + length);
  }

  part(length: number): FieldReader {
    const start = this.position;
    return new FieldReader(this.file, this.bytes(length), start);
  }

  skip(length: number): void {
    this.#advance(length);
  }

  signature(signature: number, what: string): void {
    const at = this.position;
    const came = this.u32();
    if (came === signature) return;
    throw this.mistake(`expected ${what} (${hex(signature)}), but found ${hex(came)}`, at);
  }

  mistake(message: string, at = this.position): FormatError {
    return new FormatError(`${this.file}: at byte ${at}: ${message}`);
  }

  #advance(length: number): number {
    if (length > this.left) {
      throw this.mistake(`truncated: expected ${length} bytes, but ${this.left} are left here`);
    }
    const start = this.#next;
    this.#next += length;
    return start;
  }
}

const hex = (value: number) => `0x${value.toString(16).padStart(8, '0')}`;

/** Writes little-endian numbers, one after another. */
export class FieldWriter {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #next = 0;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.#view = new DataView(this.bytes.buffer);
  }

  u16(value: number): this {
    this.#view.setUint16(this.#next, value, true);
    this.#next += 2;
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.#next, value, true);
    this.#next += 4;
    return this;
  }

  u64(value: number): this {
    this.#view.setBigUint64(this.#next, BigInt(value), true);
    this.#next += 8;
    return this;
  }
}
