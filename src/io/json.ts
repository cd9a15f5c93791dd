/**
 * Reads the JSON of files strictly: objects, strings and lists of sizes. Other values can be skipped. `JSON.parse` is not
 * enough: it drops one of two equal keys, and it does not give the position of an error.
 */

import { FormatError } from '../errors.js';

/**
 * The largest number of nested objects and lists. This limit prevents a stack overflow. serde_json, which the
 * reference implementation uses, has the same limit.
 */
const deepest = 127;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** An error in a JSON text, with its position in characters. */
class JsonMistake extends Error {
  constructor(
    message: string,
    readonly position: number,
  ) {
    super(message);
  }
}

/**
 * Reads JSON that is a part of a file, or a whole file.
 * @param what the name of the part in error messages
 * @param start the position of the part in the file
 * @throws FormatError, naming file and byte, if the bytes are not UTF-8, or if `read` finds a mistake
 */
export function readJson<T>(
  file: string,
  what: string,
  bytes: Uint8Array,
  start: number,
  read: (reader: JsonReader) => T,
): T {
  const text = decode(file, what, bytes, start);
  try {
    const reader = new JsonReader(text, what);
    const value = read(reader);
    reader.end();
    return value;
  } catch (cause) {
    if (!(cause instanceof JsonMistake)) throw cause;
    const before = Buffer.byteLength(text.slice(0, cause.position));
    throw new FormatError(`${file}: at byte ${start + before}: ${cause.message}`, { cause });
  }
}

function decode(file: string, what: string, json: Uint8Array, start: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
  } catch (cause) {
    // The error of the decoder has no position. Decode leniently and encode again: the first byte that differs is where
    // the text stops being valid. If no byte differs, the last character is incomplete.
    const again = Buffer.from(new TextDecoder('utf-8', { ignoreBOM: true }).decode(json));
    const differs = json.findIndex((byte, index) => byte !== again[index]);
    const at = differs < 0 ? json.length : differs;
    throw new FormatError(`${file}: at byte ${start + at}: ${what} is not UTF-8`, { cause });
  }
}

export class JsonReader {
  readonly #text: string;
  readonly #what: string;
  #position = 0;

  /** @param what the name of the text in error messages */
  constructor(text: string, what: string) {
    this.#text = text;
    this.#what = what;
  }

  get position(): number {
    return this.#position;
  }

  /** Reads an object. `member` is called before each value, and must read the value. */
  object(member: (key: string, keyPosition: number) => void): void {
    const keys = new Set<string>();
    this.#list('{', '}', () => {
      this.#skipSpace();
      const position = this.#position;
      const key = this.string();
      if (keys.has(key)) this.fail(`the key ${JSON.stringify(key)} appears twice`, position);
      keys.add(key);
      this.#expect(':');
      member(key, position);
    });
  }

  /** Reads a list of whole numbers from 0 to 2^53 - 1. */
  sizes(): number[] {
    const sizes: number[] = [];
    this.#list('[', ']', () => {
      sizes.push(this.#size());
    });
    return sizes;
  }

  string(): string {
    this.#expect('"');
    const start = this.#position - 1;
    const text = this.#text;
    let end = this.#position;
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
    if (end >= text.length) this.fail('this string does not end', start);
    this.#position = end + 1;
    let value: string;
    try {
      // The end of the string is known now. JSON.parse decodes the escapes, and refuses forbidden characters.
      value = JSON.parse(text.slice(start, end + 1)) as string;
    } catch {
      return this.fail('expected a JSON string', start);
    }
    if (!isWellFormed(value)) this.fail('this string has an unpaired surrogate', start);
    return value;
  }

  /** Skips the next value if it is `null`. @returns whether it was `null` */
  null(): boolean {
    this.#skipSpace();
    if (!this.#text.startsWith('null', this.#position)) return false;
    this.#position += 'null'.length;
    return true;
  }

  /** Skips a value of any kind. */
  skipValue(depth = 1): void {
    this.#skipSpace();
    const character = this.#text[this.#position];
    if (depth > deepest)
      this.fail(`expected at most ${deepest} levels of nesting, but there are more`);
    if (character === '{') this.object(() => this.skipValue(depth + 1));
    else if (character === '[') this.#list('[', ']', () => this.skipValue(depth + 1));
    else if (character === '"') this.string();
    else {
      scalar.lastIndex = this.#position;
      const [found] = scalar.exec(this.#text) ?? [];
      if (found === undefined) this.fail(`expected a JSON value, but found ${this.#here()}`);
      this.#position += found.length;
    }
  }

  /** Checks that only white space follows, and fails otherwise. */
  end(): void {
    this.#skipSpace();
    if (this.#position < this.#text.length)
      this.fail(`expected the end, but found ${this.#here()}`);
  }

  fail(message: string, position = this.#position): never {
    throw new JsonMistake(message, position);
  }

  #list(open: string, close: string, item: () => void): void {
    this.#expect(open);
    this.#skipSpace();
    if (this.#text[this.#position] === close) {
      this.#position++;
      return;
    }
    for (;;) {
      item();
      this.#skipSpace();
      const next = this.#text[this.#position];
      if (next !== ',' && next !== close) {
        this.fail(`expected ',' or '${close}', but found ${this.#here()}`);
      }
      this.#position++;
      if (next === close) return;
    }
  }

  #size(): number {
    this.#skipSpace();
    const start = this.#position;
    while (/[0-9]/.test(this.#text[this.#position] ?? '')) this.#position++;
    const digits = this.#text.slice(start, this.#position);
    const size = Number(digits);
    if (!/^(0|[1-9]\d*)$/.test(digits) || !Number.isSafeInteger(size)) {
      const came = digits === '' ? this.#here() : digits.slice(0, 40);
      this.fail(`expected a whole number from 0 to 2^53 - 1, but found ${came}`, start);
    }
    return size;
  }

  #expect(character: string): void {
    this.#skipSpace();
    if (this.#text[this.#position] !== character) {
      this.fail(`expected '${character}', but found ${this.#here()}`);
    }
    this.#position++;
  }

  #skipSpace(): void {
    while (' \t\n\r'.includes(this.#text[this.#position] ?? 'x')) this.#position++;
  }

  #here(): string {
    const character = this.#text[this.#position];
    return character === undefined ? `the end of ${this.#what}` : JSON.stringify(character);
  }
}

/** Returns whether a text has no unpaired surrogates. UTF-8 can represent only such a text. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
