/**
 * Reads the records of a CSV file, one at a time. The format is RFC 4180 in UTF-8; a line may also end in LF alone.
 * Only a window of the file is in memory. It is as long as the longest field that is accepted, so the memory does not
 * grow with the file. forebay has its own reader and uses no package, because the core must have no dependencies. A
 * file that the RFC allows to be read in several ways is refused.
 */

import { FormatError } from '../errors.js';
import { bytesAt } from './bytes.js';
import type { OpenFile } from './files.js';

export interface Dialect {
  /** The byte between fields. */
  readonly separator: number;
  /** The byte around fields that contain a separator or the end of a line. If undefined, fields are never quoted. */
  readonly quote?: number | undefined;
}

/** The largest number of fields in a record. */
export const mostColumns = 100_000;
// The longest field in bytes. No number is this long, so a longer field most likely has a quote that is not closed.
const windowBytes = 2 ** 20;

const [lineFeed, carriageReturn] = [0x0a, 0x0d];
const byteOrderMark = [0xef, 0xbb, 0xbf];
const [hash, space] = [0x23, 0x20];
const end = -1;

export class RecordReader {
  /** The fields of the current record. Fields that `next` does not decode are empty strings. */
  readonly fields: string[] = [];
  /** Whether the current record is an empty line. A line with only a pair of quotes is not empty. */
  isEmptyLine = false;

  readonly #file: string;
  readonly #open: OpenFile;
  readonly #dialect: Dialect;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  readonly #window: Buffer;
  /** `#filled` is the number of bytes in the window. `#offset` is the position in the file after these bytes. */
  #filled = 0;
  #offset = 0;
  /** Indices in the window: `#start` is the first byte of the current field, `#at` is the next byte to read. */
  #start = 0;
  #at = 0;
  /** The position of the next byte, for errors: its line, and its character in this line. Both count from 1. */
  #line = 1;
  #character = 1;
  /** The line and character at which each field of the record begins. */
  readonly #positions: [line: number, character: number][] = [];

  constructor(file: string, open: OpenFile, dialect: Dialect) {
    this.#file = file;
    this.#open = open;
    this.#dialect = dialect;
    this.#window = Buffer.alloc(Math.min(windowBytes, open.size));
    const begin = bytesAt(open, 0, Math.min(byteOrderMark.length, open.size));
    if (byteOrderMark.every((byte, at) => begin[at] === byte)) this.#offset = begin.length;
  }

  /** The number of the line on which the current record begins, from 1. */
  get line(): number {
    return (this.#positions[0] as [number, number])[0];
  }

  /**
   * Skips a comment mark before the first record: `#` and spaces, as `numpy.savetxt` writes them before the
   * names of columns. If the first field is only `#`, it is a name, and is not skipped.
   * @returns whether there was a comment mark
   */
  takeCommentMark(): boolean {
    this.#start = this.#at;
    const { separator, quote } = this.#dialect;
    if (this.#peek() !== hash || separator === hash || quote === hash) return false;
    const character = this.#character;
    this.#advance(hash);
    while (this.#peek() === space) this.#advance(space);
    const next = this.#peek();
    const isName =
      next === separator || next === end || next === lineFeed || next === carriageReturn;
    // Go back to the start of the field. Its bytes are still in the window.
    if (isName) [this.#at, this.#character] = [this.#start, character];
    return !isName;
  }

  /**
   * Reads the next record.
   * @param width the number of fields that the record must have, unless its line is empty; if undefined, any number
   * @param wanted the indices of the fields to decode; if undefined, all fields
   * @returns false at the end of the file
   * @throws FormatError, naming file, line and character, if the record is not valid
   */
  next(width?: number, wanted?: ReadonlySet<number>): boolean {
    if (this.#peek() === end) return false;
    let count = 0;
    do {
      this.#positions[count] = [this.#line, this.#character];
      if (count === (width ?? mostColumns)) {
        throw this.mistake(
          width === undefined
            ? `expected at most ${mostColumns} fields, but there are more`
            : `expected ${width} fields, as in the first record, but there are more`,
          count,
        );
      }
      this.fields[count] = this.#field(count, wanted === undefined || wanted.has(count));
      this.isEmptyLine = count === 0 && this.#at === this.#start;
      count++;
    } while (this.#endField());
    this.isEmptyLine &&= count === 1;
    this.fields.length = count;
    if (width === undefined || count === width || this.isEmptyLine) return true;
    throw this.mistake(`expected ${width} fields, as in the first record, but found ${count}`, 0);
  }

  /** Returns an error with the position of a field. @param field the index of the field in the current record */
  mistake(message: string, field: number, cause?: unknown): FormatError {
    const [line, character] = this.#positions[field] ?? [this.#line, this.#character];
    return this.mistakeAt(line, character, message, cause);
  }

  mistakeAt(line: number, character: number, message: string, cause?: unknown): FormatError {
    return new FormatError(`${this.#file}: line ${line}, character ${character}: ${message}`, {
      cause,
    });
  }

  #field(field: number, wanted: boolean): string {
    const { quote } = this.#dialect;
    this.#start = this.#at;
    if (quote === undefined || this.#peek() !== quote) {
      this.#skipPlain(quote);
      return wanted ? this.#decode(this.#start, this.#at, field) : '';
    }
    const doubled = this.#skipQuoted(quote, field);
    if (!wanted) return '';
    const text = this.#decode(this.#start + 1, this.#at - 1, field);
    const mark = String.fromCharCode(quote);
    return doubled ? text.replaceAll(mark + mark, mark) : text;
  }

  #skipPlain(quote: number | undefined): void {
    const { separator } = this.#dialect;
    const window = this.#window;
    while (this.#peek() !== end) {
      // A loop without calls over all bytes in the window, because most of the time of reading is spent here.
      const filled = this.#filled;
      let [at, character] = [this.#at, this.#character];
      let byte = window[at] as number;
      while (
        byte !== separator &&
        byte !== lineFeed &&
        byte !== carriageReturn &&
        byte !== quote &&
        at < filled
      ) {
        if ((byte & 0xc0) !== 0x80) character++;
        byte = window[++at] as number;
      }
      [this.#at, this.#character] = [at, character];
      if (at === filled) continue;
      if (byte !== quote) return;
      throw this.mistakeAt(
        this.#line,
        character,
        'a quote within a field that does not begin with one',
      );
    }
  }

  /** Skips a quoted field. @returns whether it contains doubled quotes */
  #skipQuoted(quote: number, field: number): boolean {
    let doubled = false;
    this.#advance(quote);
    for (;;) {
      const byte = this.#peek();
      if (byte === end) throw this.mistake('this quote is not closed', field);
      this.#advance(byte);
      if (byte !== quote) continue;
      if (this.#peek() !== quote) return doubled;
      doubled = true;
      this.#advance(quote);
    }
  }

  /** Skips the separator or line end after a field. @returns whether the record has another field */
  #endField(): boolean {
    const byte = this.#peek();
    if (byte === end) return false;
    const [line, character] = [this.#line, this.#character];
    this.#start = this.#at;
    this.#advance(byte);
    if (byte === this.#dialect.separator) return true;
    if (byte === lineFeed) return false;
    if (byte !== carriageReturn) {
      throw this.mistakeAt(
        line,
        character,
        'expected a separator or the end of the line after a quote',
      );
    }
    if (this.#peek() !== lineFeed) {
      throw this.mistakeAt(line, character, 'expected a line feed after a carriage return');
    }
    this.#advance(lineFeed);
    return false;
  }

  #advance(byte: number): void {
    this.#at++;
    if (byte === lineFeed) {
      this.#line++;
      this.#character = 1;
    } else if ((byte & 0xc0) !== 0x80) {
      this.#character++;
    }
  }

  /** Returns the next byte, or `end` at the end of the file. The window keeps all bytes of the current field. */
  #peek(): number {
    if (this.#at < this.#filled) return this.#window[this.#at] as number;
    const left = this.#open.size - this.#offset;
    if (left === 0) return end;
    this.#window.copy(this.#window, 0, this.#start, this.#filled);
    this.#at -= this.#start;
    this.#filled -= this.#start;
    this.#start = 0;
    const count = Math.min(left, this.#window.length - this.#filled);
    if (count === 0) {
      throw this.mistakeAt(
        this.#line,
        this.#character,
        `a field goes on for more than ${windowBytes} bytes: is a quote not closed?`,
      );
    }
    this.#open.readInto(this.#window.subarray(this.#filled, this.#filled + count), this.#offset);
    this.#offset += count;
    this.#filled += count;
    return this.#window[this.#at] as number;
  }

  #decode(start: number, stop: number, field: number): string {
    // Do not call TextDecoder for ASCII text. A call takes a microsecond, and most fields have only a few digits.
    const text = this.#window.toString('latin1', start, stop);
    if (!/[^\0-\x7f]/.test(text)) return text;
    try {
      return this.#decoder.decode(this.#window.subarray(start, stop));
    } catch (cause) {
      throw this.mistake('this field is not UTF-8', field, cause);
    }
  }
}
