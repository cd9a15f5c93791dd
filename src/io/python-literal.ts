/** The few Python literals that the header of a .npy file is made of, read strictly. */

import { FormatError } from '../errors.js';

export class PythonLiteral {
  readonly #file: string;
  readonly #text: string;
  #position = 0;

  /** @param start the byte of the file at which the text starts; a byte is a character */
  constructor(
    file: string,
    text: string,
    readonly start: number,
  ) {
    this.#file = file;
    this.#text = text;
  }

  /** Where the next value starts. */
  get next(): number {
    this.#take(/\s*/y);
    return this.#position;
  }

  /** The next character that is no space, if there is one. */
  peek(): string | undefined {
    return this.#text[this.next];
  }

  /** All of the text: a dictionary, then white space. `member` is called at each value, and must read it. */
  dictionary(member: (key: string, at: number) => void): void {
    const keys = new Set<string>();
    this.#list('{', '}', () => {
      const at = this.next;
      const key = this.string();
      if (keys.has(key)) {
        throw this.mistake(`the key ${JSON.stringify(key)} is there twice`, at);
      }
      keys.add(key);
      this.#expect(':');
      member(key, at);
    });
    if (this.next < this.#text.length) throw this.mistake(`expected the end, but ${this.#came()}`);
  }

  /** In quotes of either kind, without escapes: NumPy writes none. */
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

  /** A tuple of whole numbers, none negative, as many as a double counts; Python 2 wrote an L after them. */
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
    // (3) is the number three.
    if (sizes.length === 1 && !comma) throw this.mistake(`expected ',' in a tuple of one`);
    return sizes;
  }

  /** @param at where, in characters from the start of the text */
  mistake(message: string, at = this.#position): FormatError {
    return new FormatError(`${this.#file}: at byte ${this.start + at}: ${message}`);
  }

  /** Items with commas between them, and perhaps one after them: whether there is one. */
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

  /** What matches here, if anything does; the pattern is sticky. */
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
