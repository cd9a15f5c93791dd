/** Tables of numbers as tensors: CSV files (RFC 4180), columns chosen by name. */

import { describeValue } from '../arguments/describe.js';
import { FormatError, ValueError } from '../errors.js';
import type { TypedArray } from '../tensor/dtype.js';
import { allocate, Tensor } from '../tensor/tensor.js';
import { inMemory } from './bytes.js';
import { type CsvColumn, type CsvOptions, type Plan, planOf, type Wanted } from './csv-options.js';
import { RecordReader } from './csv-records.js';
import type { OpenFile } from './files.js';
import { type FileSource, sourceOf } from './sources.js';

export type { CsvColumn, CsvColumns, CsvOptions } from './csv-options.js';

/**
 * Reads a CSV file of numbers.
 *
 * Records end in CR LF or LF; quoted fields may hold separators, ends of lines and doubled quotes;
 * the text is UTF-8. Spaces around values and around names of columns are not part of them. Only the columns that are
 * asked for need be numbers: decimal, with or without a fraction and an exponent, or nan, inf, -inf.
 *
 * Unless `header` says which it is, the first record names the columns, except where all its fields are numbers: then
 * it is data, as in the files of `numpy.savetxt`, and columns are known by their places, from 0.
 *
 * Empty lines are skipped. In a table of one column, where an empty line is also how an empty value would be written,
 * one between two records is a missing value; those at the end of the file are skipped there too, as in pandas
 * (Python's csv writes an empty value as `""`).
 * @param file a path, a `file:` URL, or the bytes of a file
 * @returns the tensors by name
 * @throws FormatError, naming file, line and character, if the file is missing or is not such a table: records of
 *   unequal length, two columns of the name that is asked for, a missing column or value, text where a number is wanted,
 *   a number that the dtype does not hold; ValueError or DTypeError for an option
 */
export function loadCsv(file: FileSource, options?: CsvOptions): Record<string, Tensor> {
  const source = sourceOf(file, 'loadCsv');
  const plan = planOf('loadCsv', options);
  return source.read((open) => readTable(source.name, open, plan));
}

/**
 * As `loadCsv`, from text.
 * @throws FormatError, ValueError or DTypeError, as `loadCsv` does
 */
export function parseCsv(text: string, options?: CsvOptions): Record<string, Tensor> {
  if (typeof text !== 'string') {
    throw new ValueError(
      `parseCsv: expected a text, but received ${describeValue(text)}; loadCsv reads files and bytes`,
    );
  }
  return readCsv('parseCsv', inMemory('parseCsv', Buffer.from(text)), options);
}

/** As `loadCsv`, from bytes wherever they are. `file`: how errors name them. */
export function readCsv(
  file: string,
  open: OpenFile,
  options?: CsvOptions,
): Record<string, Tensor> {
  return readTable(file, open, planOf(file, options));
}

/** What a table needs of a record: its fields, and where they are, for errors. */
type Row = Pick<RecordReader, 'fields' | 'mistake'>;

function readTable(file: string, open: OpenFile, plan: Plan): Record<string, Tensor> {
  const records = new RecordReader(file, open, plan.dialect);
  const isComment = plan.header !== false && records.takeCommentMark();
  if (!records.next()) {
    throw new FormatError(
      `${file}: expected ${plan.header === false ? 'a record' : 'a header'}, but the file is empty`,
    );
  }
  const isHeader = plan.header ?? (isComment || !isData(records.fields, plan));
  const columns = new Columns(file, records, isHeader, plan);
  const { width } = columns;
  // The shortest row is its separators and its line's end.
  const mostRows = Math.floor(open.size / width) + 1;
  const tables = (plan.wanted ?? columns.all()).map((wanted) => {
    const chosen = wanted.columns.map((column) => columns.placeOf(column));
    return new Table(wanted, plan, chosen, mostRows, columns);
  });
  const used = new Set(tables.flatMap(({ chosen }) => chosen));
  const whole = used.size === width ? undefined : used;
  let rows = 0;
  const add = (row: Row) => {
    for (const table of tables) table.add(row);
    rows++;
  };
  // In a table of one column: how many empty lines lie before the record that is next, and where the first is.
  let [empty, firstEmpty] = [0, 0];
  // Without a header the first record, of which all fields were decoded, is the first row.
  for (let any = !isHeader || records.next(width, whole); any; any = records.next(width, whole)) {
    if (records.isEmptyLine) {
      if (empty === 0) firstEmpty = records.line;
      if (width === 1) empty++;
      continue;
    }
    for (let line = firstEmpty; empty > 0; empty--, line++) add(emptyRow(records, line));
    add(records);
  }
  return Object.fromEntries(tables.map((table) => [table.wanted.name, table.tensor(rows)]));
}

/** An empty line, as the record of one column that it turned out to be. */
function emptyRow(records: RecordReader, line: number): Row {
  return { fields: [''], mistake: (message) => records.mistakeAt(line, 1, message) };
}

/** Whether a first record is data: it has a number, and numbers and missing values only. */
function isData(fields: readonly string[], { missing }: Plan): boolean {
  const values = fields.map((field) => field.trim()).filter((value) => !missing.has(value));
  return values.length > 0 && values.every((value) => numberOf(value) !== undefined);
}

/** The columns of a file: where each is, and what it is called. */
class Columns {
  readonly width: number;
  readonly #file: string;
  readonly #records: RecordReader;
  /** In their order; undefined without a header. */
  readonly #names: readonly string[] | undefined;
  /** Whether numbers in the first record decided that it is no header. */
  readonly #wasData: boolean;
  readonly #places = new Map<string, number>();
  /** Of the names that several columns have: the first two places. */
  readonly #twice = new Map<string, readonly [number, number]>();

  /** @param records at the first record */
  constructor(file: string, records: RecordReader, isHeader: boolean, plan: Plan) {
    this.#file = file;
    this.#records = records;
    this.width = records.fields.length;
    this.#wasData = !isHeader && plan.header === undefined;
    if (!isHeader) return;
    this.#names = records.fields.map((name) => name.trim());
    for (const [place, name] of this.#names.entries()) {
      const before = this.#places.get(name);
      if (before === undefined) this.#places.set(name, place);
      else if (!this.#twice.has(name)) this.#twice.set(name, [before, place]);
    }
  }

  /** All of them, each of which becomes a tensor. @throws FormatError if two have one name */
  all(): Wanted[] {
    return Array.from({ length: this.width }, (_, place) => {
      const name = this.#names?.[place];
      if (name !== undefined) this.#refuseTwice(name);
      return { name: name ?? `${place}`, columns: [place], isMatrix: false };
    });
  }

  /** @throws FormatError if there is no such column, or if several have its name; at the first record */
  placeOf(column: CsvColumn): number {
    const place = typeof column === 'number' ? column : this.#places.get(column.trim());
    if (place !== undefined && place < this.width) {
      if (typeof column === 'string') this.#refuseTwice(column.trim());
      return place;
    }
    const names = (this.#names ?? []).slice(0, 20).map((name) => JSON.stringify(name));
    const named = names.length > 0 ? `: ${names.join(', ')}${this.width > 20 ? ', …' : ''}` : '';
    const remedy =
      this.#wasData && typeof column === 'string'
        ? '; all fields of the first record are numbers, so it was read as data: header: true makes it the names'
        : '';
    throw new FormatError(
      `${this.#file}: there is no column ${JSON.stringify(column)} (there are ${this.width}${named})${remedy}`,
    );
  }

  /** How errors name a column. */
  describe(place: number): string {
    const name = this.#names?.[place];
    return `column ${name === undefined ? place + 1 : JSON.stringify(name)}`;
  }

  #refuseTwice(name: string): void {
    const [first, second] = this.#twice.get(name) ?? [];
    if (first === undefined || second === undefined) return;
    throw this.#records.mistake(
      `columns ${first + 1} and ${second + 1} are both named ${JSON.stringify(name)}; choose columns by their places, from 0`,
      second,
    );
  }
}

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const special = /^([+-]?)(?:(nan)|inf(?:inity)?)$/i;

/** One tensor, as it grows. */
class Table {
  #data: TypedArray;
  #length = 0;

  constructor(
    readonly wanted: Wanted,
    readonly plan: Plan,
    readonly chosen: readonly number[],
    readonly mostRows: number,
    readonly columns: Columns,
  ) {
    this.#data = this.#allocate(Math.min(mostRows, 1024));
  }

  add(records: Row): void {
    if (this.#length + this.chosen.length > this.#data.length) this.#grow();
    for (const place of this.chosen) {
      const text = (records.fields[place] as string).trim();
      this.#data[this.#length] = this.#number(records, text, place);
      this.#length++;
    }
  }

  tensor(rows: number): Tensor {
    const data = this.#data.slice(0, this.#length);
    return new Tensor(data, this.wanted.isMatrix ? [rows, this.chosen.length] : [rows]);
  }

  #grow(): void {
    const rows = Math.min(this.mostRows, (2 * this.#data.length) / this.chosen.length);
    const more = this.#allocate(rows);
    more.set(this.#data);
    this.#data = more;
  }

  #allocate(rows: number): TypedArray {
    const { name } = this.wanted;
    return allocate(this.plan.dtypeOf(name), [rows, this.chosen.length], `tensor '${name}':`);
  }

  #number(records: Row, text: string, place: number): number {
    const { missing, fill } = this.plan;
    if (missing.has(text)) {
      if (fill !== undefined) return fill;
      throw records.mistake(
        `a value is missing in ${this.columns.describe(place)}; give a fill`,
        place,
      );
    }
    const value = numberOf(text);
    if (value === undefined) {
      throw records.mistake(
        `expected a number in ${this.columns.describe(place)}, but found ${JSON.stringify(text.slice(0, 40))}`,
        place,
      );
    }
    if (this.#holds(value, text)) return value;
    const dtype = this.plan.dtypeOf(this.wanted.name);
    throw records.mistake(
      `${text.slice(0, 40)} in ${this.columns.describe(place)} is not a number that ${dtype} holds`,
      place,
    );
  }

  #holds(value: number, text: string): boolean {
    if (this.#data instanceof Int32Array) return value === (value | 0);
    const stored = this.#data instanceof Float32Array ? Math.fround(value) : value;
    return Number.isFinite(stored) || special.test(text);
  }
}

function numberOf(text: string): number | undefined {
  if (decimal.test(text)) return Number(text);
  const [, sign, nan] = special.exec(text) ?? [];
  if (sign === undefined) return undefined;
  if (nan !== undefined) return NaN;
  return sign === '-' ? -Infinity : Infinity;
}
