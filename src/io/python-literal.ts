/** Reads the Python literals in the header of a .npy file: one dictionary of strings, booleans and tuples of sizes. */

import { FormatError } from '../errors.js';

export class PythonLiteral {
  readonly #file: string;
  readonly #text: string;
  #position = 0;

  /** @param start the byte of the file at which the text starts; each character of the text is one byte of the file */
  constructor(
    file: string,
    text: string,
    readonly start: number,
  ) {
    this.#file = file;
    this.#text = text;
  }

  /** Skips white space. Returns the position of the next value, in characters from the start of the text. */
  get next(): number {
    this.#take(/\s*/y);
    return this.#position;
  }

  /** Returns the next character that is not white space; undefined at the end of the text. */
  peek(): string | undefined {
    return this.#text[this.next];
  }

  /** Reads the whole text as a dictionary. `member` is called before each value, and must read the value. */
  dictionary(member: (key: string, at: number) => void): void {
    const keys = new Set<string>();
    this.#list('{', '}', () => {
      const at = this.next;
      const key = this.string();
      if (keys.has(key)) {
        throw this.mistake(`the key ${JSON.stringify(key)} appears twice`, at);
      }
      keys.add(key);
      this.#expect(':');
      member(key, at);
    });
    if (this.next < this.#text.length) throw this.mistake(`expected the end, but ${this.#came()}`);
  }

  /** Reads a string in single or double quotes, without escapes, because NumPy writes no escapes. */
  string(): string {
    const at = this.next;
    const quoted = this.#take(/'[^'\\\n]*'|"[^"\\\n]*"/y);
    if (quoted === undefined) throw this.mistake(`expected a string, but ${this.#came()}`, at);
    return quoted.slice(1, -1);
  }

  boolean(): boolean {
    const at = this.next;
    const word = this.#take(/(True|False)\b/y);
    if (word === undefined) throw this.mistake(`expected True or False, but ${this.#came()}`, at);
    return word === 'True';
  }

  /** Reads a tuple of whole numbers from 0 to 2^53 - 1. Skips the L that Python 2 wrote after each number. */
  sizes(): number[] {
    const sizes: number[] = [];
    const comma = this.#list('(', ')', () => {
      const at = this.next;
      const digits = this.#take(/(0|[1-9]\d*)(?=L?[\s,)])/y);
      const size = Number(digits);
      if (digits === undefined || !Number.isSafeInteger(size)) {
        throw this.mistake(
          `expected a whole number from 0 to 2^53 - 1, but ${digits === undefined ? this.#came() : `found ${digits.slice(0, 40)}`}`,
          at,
        );
      }
      this.#take(/L/y);
      sizes.push(size);
    });
    // In Python, (3) is a number, not a tuple.
    if (sizes.length === 1 && !comma) throw this.mistake(`expected ',' in a tuple of one`);
    return sizes;
  }

  /** Returns an error at a position. @param at the position, in characters from the start of the text */
  mistake(message: string, at = this.#position): FormatError {
    return new FormatError(`${this.#file}: at byte ${this.start + at}: ${message}`);
  }

  /** Reads items with commas between them. @returns whether a comma follows the last item */
  #list(open: string, close: string, item: () => void): boolean {
    this.#expect(open);
    let comma = false;
    while (this.peek() !== close) {
      item();
      comma = this.peek() === ',';
      if (comma) this.#position++;
      else if (this.peek() !== close) {
        throw this.mistake(`expected ',' or '${close}', but ${this.#came()}`);
      }
    }
    this.#position++;
    return comma;
  }

  #expect(character: string): void {
    if (this.peek() !== character) {
      throw this.mistake(`expected '${character}', but ${this.#came()}`);
    }
    this.#position++;
  }

  /** Returns the match of a sticky pattern at the current position, and skips it; undefined if there is no match. */
  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#position;
    const [match] = pattern.exec(this.#text) ?? [];
    this.#position += match?.length ?? 0;
    return match;
  }

  #came(): string {
    const character = this.#text[this.#position];
    return character === undefined
      ? 'found the end of the header'
      : `found ${JSON.stringify(character)}`;
  }
}
