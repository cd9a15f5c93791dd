/** Reads tables of numbers as tensors: CSV files (RFC 4180), with columns chosen by name. */

import { describeValue } from '../arguments/describe.js';
import { FormatError, ValueError } from '../errors.js';
import { isFloating, misfit, type TypedArray } from '../tensor/dtype.js';
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
 * Records end in CR LF or LF. Quoted fields may contain separators, line ends and doubled quotes. The text is
 * UTF-8. Spaces around values and around column names are ignored. Only the requested columns must be numbers:
 * decimal, with or without a fraction and an exponent, or nan, inf, -inf.
 *
 * Without the option `header`, the first record holds the names of the columns, unless all its fields are numbers.
 * Such a record is data, as in the files of `numpy.savetxt`, and columns are then chosen by index, from 0.
 *
 * Empty lines are skipped, with one exception: in a table of one column, an empty line between two records is a
 * missing value. Empty lines at the end of the file are skipped in every table, as in pandas. (Python's csv module
 * writes an empty value as `""`, not as an empty line.)
 * @param file a path, a `file:` URL, or the bytes of a file
 * @returns the tensors by name, of shape [rows], or [rows, columns] if a list of columns was given for the name. They
 *   are float32, unless the option `dtype` gives another dtype
 * @throws FormatError, naming file, line and character, if the file is missing, if records have different lengths,
 *   if a requested column is missing or two columns have its name, if a value is missing and there is no `fill`, or
 *   if a value is not a number or does not fit the dtype; ValueError or DTypeError if an option is not acceptable
 */
export function loadCsv(file: FileSource, options?: CsvOptions): Record<string, Tensor> {
  const source = sourceOf(file, 'loadCsv');
  const plan = planOf('loadCsv', options);
  return source.read((open) => readTable(source.name, open, plan));
}

/**
 * Reads CSV text as `loadCsv` reads a file.
 * @throws FormatError, ValueError or DTypeError, as `loadCsv` does
 */
export function parseCsv(text: string, options?: CsvOptions): Record<string, Tensor> {
  if (typeof text !== 'string') {
    throw new ValueError(
      `parseCsv: expected a string, but received ${describeValue(text)}; loadCsv reads files and bytes`,
    );
  }
  return readCsv('parseCsv', inMemory('parseCsv', Buffer.from(text)), options);
}

/** Reads CSV from an `OpenFile`, as `loadCsv` does. `file` is the name of the file in error messages. */
export function readCsv(
  file: string,
  open: OpenFile,
  options?: CsvOptions,
): Record<string, Tensor> {
  return readTable(file, open, planOf(file, options));
}

/** The members of a `RecordReader` that a table uses: the fields of a record, and errors with their positions. */
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
  // The shortest row consists of `width - 1` separators and a line end. The last row needs no line end.
  const mostRows = Math.floor(open.size / width) + 1;
  const tables = (plan.wanted ?? columns.all()).map((wanted) => {
    const chosen = wanted.columns.map((column) => columns.indexOf(column));
    return new Table(wanted, plan, chosen, mostRows, columns);
  });
  const used = new Set(tables.flatMap(({ chosen }) => chosen));
  const whole = used.size === width ? undefined : used;
  let rows = 0;
  const add = (row: Row) => {
    for (const table of tables) table.add(row);
    rows++;
  };
  // In a table of one column, `empty` counts the empty lines since the last record; `firstEmpty` is the first of them.
  let [empty, firstEmpty] = [0, 0];
  // Without a header, the first record is the first row. It has been read above, with all its fields decoded.
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

/** Returns an empty line as a row whose only field is empty. */
function emptyRow(records: RecordReader, line: number): Row {
  return { fields: [''], mistake: (message) => records.mistakeAt(line, 1, message) };
}

/** Returns whether the first record is data: it has only numbers and missing values, and at least one number. */
function isData(fields: readonly string[], { missing }: Plan): boolean {
  const values = fields.map((field) => field.trim()).filter((value) => !missing.has(value));
  return values.length > 0 && values.every((value) => numberOf(value) !== undefined);
}

/** The columns of a file: their indices and names. */
class Columns {
  readonly width: number;
  readonly #file: string;
  readonly #records: RecordReader;
  /** The names in the order of the file; undefined if the file has no header. */
  readonly #names: readonly string[] | undefined;
  /** True if the first record was read as data because its fields are numbers, not because of the option `header`. */
  readonly #wasData: boolean;
  /** The index of the first column with each name. */
  readonly #indices = new Map<string, number>();
  /** The indices of the first two columns with the same name, for each name that several columns have. */
  readonly #twice = new Map<string, readonly [number, number]>();

  /** @param records a reader whose current record is the first record of the file */
  constructor(file: string, records: RecordReader, isHeader: boolean, plan: Plan) {
    this.#file = file;
    this.#records = records;
    this.width = records.fields.length;
    this.#wasData = !isHeader && plan.header === undefined;
    if (!isHeader) return;
    this.#names = records.fields.map((name) => name.trim());
    for (const [column, name] of this.#names.entries()) {
      const before = this.#indices.get(name);
      if (before === undefined) this.#indices.set(name, column);
      else if (!this.#twice.has(name)) this.#twice.set(name, [before, column]);
    }
  }

  /**
   * Returns the description of one tensor for each column of the file.
   * @throws FormatError if two columns have the same name
   */
  all(): Wanted[] {
    return Array.from({ length: this.width }, (_, column) => {
      const name = this.#names?.[column];
      if (name !== undefined) this.#refuseTwice(name);
      return { name: name ?? `${column}`, columns: [column], isMatrix: false };
    });
  }

  /** Returns the index of a column. @throws FormatError if there is no such column, or if several have its name */
  indexOf(column: CsvColumn): number {
    const index = typeof column === 'number' ? column : this.#indices.get(column.trim());
    if (index !== undefined && index < this.width) {
      if (typeof column === 'string') this.#refuseTwice(column.trim());
      return index;
    }
    const names = (this.#names ?? []).slice(0, 20).map((name) => JSON.stringify(name));
    const named = names.length > 0 ? `: ${names.join(', ')}${this.width > 20 ? ', …' : ''}` : '';
    const remedy =
      this.#wasData && typeof column === 'string'
        ? '; all fields of the first record are numbers, so it was read as data; header: true reads it as names'
        : '';
    throw new FormatError(
      `${this.#file}: there is no column ${JSON.stringify(column)} (there are ${this.width}${named})${remedy}`,
    );
  }

  /** Returns the description of a column for error messages. */
  describe(column: number): string {
    const name = this.#names?.[column];
    return `column ${name === undefined ? column + 1 : JSON.stringify(name)}`;
  }

  #refuseTwice(name: string): void {
    const [first, second] = this.#twice.get(name) ?? [];
    if (first === undefined || second === undefined) return;
    throw this.#records.mistake(
      `columns ${first + 1} and ${second + 1} are both named ${JSON.stringify(name)}; choose columns by index, from 0`,
      second,
    );
  }
}

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const special = /^([+-]?)(?:(nan)|inf(?:inity)?)$/i;

/** Collects the rows of one tensor. Its memory grows as rows are added. */
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
    for (const column of this.chosen) {
      const text = (records.fields[column] as string).trim();
      this.#data[this.#length] = this.#number(records, text, column);
      this.#length++;
    }
  }

  tensor(rows: number): Tensor {
    const data = this.#data.slice(0, this.#length);
    return new Tensor(
      data,
      this.wanted.isMatrix ? [rows, this.chosen.length] : [rows],
      this.plan.dtypeOf(this.wanted.name),
    );
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

  #number(records: Row, text: string, column: number): number {
    const { missing, fill } = this.plan;
    if (missing.has(text)) {
      if (fill !== undefined) return fill;
      throw records.mistake(
        `a value is missing in ${this.columns.describe(column)}; give a fill`,
        column,
      );
    }
    const value = numberOf(text);
    if (value === undefined) {
      throw records.mistake(
        `expected a number in ${this.columns.describe(column)}, but found ${JSON.stringify(text.slice(0, 40))}`,
        column,
      );
    }
    if (this.#holds(value, text)) return value;
    const dtype = this.plan.dtypeOf(this.wanted.name);
    throw records.mistake(
      `${text.slice(0, 40)} in ${this.columns.describe(column)} does not fit in ${dtype}`,
      column,
    );
  }

  #holds(value: number, text: string): boolean {
    const dtype = this.plan.dtypeOf(this.wanted.name);
    if (!isFloating(dtype)) return misfit(value, dtype) === undefined;
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
