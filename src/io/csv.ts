/** Tables of numbers as tensors: CSV files (RFC 4180), columns chosen by name. */

import { describeValue } from '../arguments/describe.js';
import { DTypeError, FormatError, ValueError } from '../errors.js';
import { assertDType, type DType, type TypedArray } from '../tensor/dtype.js';
import { allocate, Tensor } from '../tensor/tensor.js';
import { inMemory } from './bytes.js';
import { type Dialect, RecordReader } from './csv-records.js';
import { assertPath, type OpenFile, withFile } from './files.js';

/** A column by its name in the header, or by its place, from 0. */
export type CsvColumn = string | number;

/** What `loadCsv` and `parseCsv` may be told. */
export interface CsvOptions {
  /**
   * The tensors to make, by name: from one column, of shape [rows]; from a list of n columns, of shape
   * [rows, n]. Or a list of columns, each of which becomes a tensor of its own name (of its place, where
   * it is given by that); all of them by default.
   */
  readonly columns?:
    | readonly CsvColumn[]
    | Readonly<Record<string, CsvColumn | readonly CsvColumn[]>>
    | undefined;
  /** Whether the first record names the columns; true by default. */
  readonly header?: boolean | undefined;
  /** One ASCII character; a comma by default. */
  readonly separator?: string | undefined;
  /** One ASCII character, `"` by default; false when quotes are characters like others. */
  readonly quote?: string | false | undefined;
  /** The texts, spaces around them aside, that stand for a missing value; only the empty one by default. */
  readonly missing?: readonly string[] | undefined;
  /** What a missing value becomes; without it, one is refused. */
  readonly fill?: number | undefined;
  /** Of all tensors, or by the names of the tensors; float32 by default. */
  readonly dtype?: DType | Readonly<Record<string, DType>> | undefined;
}

/**
 * Reads a CSV file of numbers.
 *
 * Records end in CR LF or LF; quoted fields may hold separators, ends of lines and doubled quotes;
 * the text is UTF-8. Only the columns that are asked for need be numbers: decimal, with or without a fraction and an
 * exponent, or nan, inf, -inf. Empty lines are skipped, except in a table of one column, where they are missing values.
 * @returns the tensors by name
 * @throws FormatError, naming file, line and column, for a file that is missing or no such table: records of unequal
 *   length, two columns of one name, a missing column or value, text where a number is wanted, a
 *   number that the dtype does not hold; ValueError or DTypeError for an option
 */
export function loadCsv(file: string, options: CsvOptions = {}): Record<string, Tensor> {
  assertPath(file, 'loadCsv:');
  const plan = planOf('loadCsv', options);
  return withFile(file, (open) => readTable(file, open, plan));
}

/**
 * As `loadCsv`, from text.
 * @throws FormatError, ValueError or DTypeError, as `loadCsv` does
 */
export function parseCsv(text: string, options: CsvOptions = {}): Record<string, Tensor> {
  if (typeof text !== 'string') {
    throw new ValueError(`parseCsv: expected a text, but received ${describeValue(text)}`);
  }
  return readCsv('parseCsv', inMemory('parseCsv', Buffer.from(text)), options);
}

/** As `loadCsv`, from bytes wherever they are. `file`: how errors name them. */
export function readCsv(
  file: string,
  open: OpenFile,
  options: CsvOptions = {},
): Record<string, Tensor> {
  return readTable(file, open, planOf(file, options));
}

type Wanted = readonly [name: string, columns: CsvColumn | readonly CsvColumn[]];

/** The options, found to be such. */
interface Plan {
  readonly wanted: readonly Wanted[] | undefined;
  readonly header: boolean;
  readonly dialect: Dialect;
  readonly missing: ReadonlySet<string>;
  readonly fill: number | undefined;
  readonly dtypeOf: (name: string) => DType;
}

function planOf(context: string, options: CsvOptions): Plan {
  const { columns, header = true, separator = ',', quote = '"', missing = [''], fill } = options;
  const refuse = (expected: string, came: unknown) =>
    new ValueError(`${context}: expected ${expected}, but received ${describeValue(came)}`);
  if (typeof header !== 'boolean') throw refuse('header to be true or false', header);
  const isMark = (mark: unknown) => typeof mark === 'string' && /^[\0-\x7f]$/.test(mark);
  if (!isMark(separator) || /[\r\n]/.test(separator)) {
    throw refuse('a separator of one ASCII character', separator);
  }
  if (quote !== false && (!isMark(quote) || /[\r\n]/.test(quote) || quote === separator)) {
    throw refuse('false, or a quote of one ASCII character that is not the separator', quote);
  }
  if (!Array.isArray(missing) || missing.some((text) => typeof text !== 'string')) {
    throw refuse('a list of the texts that stand for a missing value', missing);
  }
  if (fill !== undefined && typeof fill !== 'number') throw refuse('a number to fill in', fill);
  const dialect = {
    separator: separator.charCodeAt(0),
    quote: quote === false ? undefined : quote.charCodeAt(0),
  };
  const wanted = columns === undefined ? undefined : wantedOf(columns, refuse);
  return {
    wanted,
    header,
    dialect,
    missing: new Set(missing.map((text) => text.trim())),
    fill,
    dtypeOf: dtypesOf(context, options, wanted),
  };
}

function wantedOf(
  columns: NonNullable<CsvOptions['columns']>,
  refuse: (expected: string, came: unknown) => ValueError,
): Wanted[] {
  if (typeof columns !== 'object' || columns === null) {
    throw refuse('a list of columns, or a record of them by the names of tensors', columns);
  }
  const wanted: Wanted[] = Array.isArray(columns)
    ? columns.map((column) => [`${column}`, column])
    : Object.entries(columns);
  for (const column of wanted.flatMap(([, value]) => value)) {
    const isPlace = typeof column === 'number' && Number.isInteger(column) && column >= 0;
    if (!isPlace && typeof column !== 'string') {
      throw refuse('a column by its name or its place, from 0', column);
    }
  }
  return wanted;
}

/** @throws DTypeError for what is no dtype, and for that of a tensor which is not made */
function dtypesOf(
  context: string,
  { dtype = 'float32', fill }: CsvOptions,
  wanted: readonly Wanted[] | undefined,
): (name: string) => DType {
  const byName = typeof dtype === 'object' && dtype !== null ? dtype : undefined;
  const all = byName === undefined ? [dtype] : Object.values(byName);
  for (const one of all) {
    assertDType(one, `${context}:`);
    if (one === 'int32' && fill !== undefined && fill !== (fill | 0)) {
      throw new ValueError(`${context}: the fill ${fill} is not a 32-bit integer, but a dtype is`);
    }
  }
  const names = new Set(wanted?.map(([name]) => name));
  const unknown = Object.keys(byName ?? {}).find((name) => wanted && !names.has(name));
  if (unknown !== undefined) {
    throw new DTypeError(
      `${context}: a dtype is given for '${unknown}', but no tensor is so named`,
    );
  }
  return (name) => {
    if (byName === undefined) return dtype as DType;
    return Object.hasOwn(byName, name) ? (byName[name] as DType) : 'float32';
  };
}

function readTable(file: string, open: OpenFile, plan: Plan): Record<string, Tensor> {
  const records = new RecordReader(file, open, plan.dialect);
  if (!records.next()) {
    throw new FormatError(
      `${file}: expected ${plan.header ? 'a header' : 'a record'}, but the file is empty`,
    );
  }
  const width = records.fields.length;
  const places = plan.header ? placesOf(records) : undefined;
  const wanted: readonly Wanted[] =
    plan.wanted ??
    (places === undefined
      ? records.fields.map((_, place) => [`${place}`, place] as const)
      : [...places]);
  // The shortest row is its separators and its line's end.
  const mostRows = Math.floor(open.size / width) + 1;
  const tables = wanted.map(([name, columns]) => {
    const chosen = [columns].flat().map((column) => placeOf(file, column, width, places));
    return new Table(name, plan, chosen, Array.isArray(columns), mostRows, places);
  });
  const used = new Set(tables.flatMap(({ chosen }) => chosen));
  const whole = used.size === width ? undefined : used;
  let rows = 0;
  // Without a header the first record, of which all fields were decoded, is the first row.
  for (
    let any = !plan.header || records.next(width, whole);
    any;
    any = records.next(width, whole)
  ) {
    if (records.isEmptyLine && width > 1) continue;
    for (const table of tables) table.add(records);
    rows++;
  }
  return Object.fromEntries(tables.map((table) => [table.name, table.tensor(rows)]));
}

/** @throws FormatError for two columns of one name */
function placesOf(records: RecordReader): Map<string, number> {
  const places = new Map<string, number>();
  for (const [place, name] of records.fields.entries()) {
    const before = places.get(name);
    if (before !== undefined) {
      throw records.mistake(
        `columns ${before + 1} and ${place + 1} are both named ${JSON.stringify(name)}`,
        place,
      );
    }
    places.set(name, place);
  }
  return places;
}

function placeOf(
  file: string,
  column: CsvColumn,
  width: number,
  places: ReadonlyMap<string, number> | undefined,
): number {
  const place = typeof column === 'number' ? column : places?.get(column);
  if (place !== undefined && place < width) return place;
  const names = [...(places?.keys() ?? [])].slice(0, 20).map((name) => JSON.stringify(name));
  const named = names.length > 0 ? `: ${names.join(', ')}${width > 20 ? ', …' : ''}` : '';
  throw new FormatError(
    `${file}: there is no column ${JSON.stringify(column)} (there are ${width}${named})`,
  );
}

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const special = /^([+-]?)(?:(nan)|inf(?:inity)?)$/i;

/** One tensor, as it grows. */
class Table {
  #data: TypedArray;
  #length = 0;

  constructor(
    readonly name: string,
    readonly plan: Plan,
    readonly chosen: readonly number[],
    readonly isMatrix: boolean,
    readonly mostRows: number,
    readonly places: ReadonlyMap<string, number> | undefined,
  ) {
    const rows = Math.min(mostRows, 1024);
    this.#data = allocate(plan.dtypeOf(name), [rows, chosen.length], `tensor '${name}':`);
  }

  add(records: RecordReader): void {
    if (this.#length + this.chosen.length > this.#data.length) this.#grow();
    for (const place of this.chosen) {
      const text = (records.fields[place] as string).trim();
      this.#data[this.#length] = this.#number(records, text, place);
      this.#length++;
    }
  }

  tensor(rows: number): Tensor {
    const data = this.#data.slice(0, this.#length);
    return new Tensor(data, this.isMatrix ? [rows, this.chosen.length] : [rows]);
  }

  #grow(): void {
    const rows = Math.min(this.mostRows, (2 * this.#data.length) / this.chosen.length);
    const { dtype, shape } = {
      dtype: this.plan.dtypeOf(this.name),
      shape: [rows, this.chosen.length],
    };
    const more = allocate(dtype, shape, `tensor '${this.name}':`);
    more.set(this.#data);
    this.#data = more;
  }

  #number(records: RecordReader, text: string, place: number): number {
    const { missing, fill } = this.plan;
    if (missing.has(text)) {
      if (fill !== undefined) return fill;
      throw records.mistake(`a value is missing in ${this.#column(place)}; give a fill`, place);
    }
    const value = numberOf(text);
    if (value === undefined) {
      throw records.mistake(
        `expected a number in ${this.#column(place)}, but found ${JSON.stringify(text.slice(0, 40))}`,
        place,
      );
    }
    if (this.#holds(value, text)) return value;
    const dtype = this.plan.dtypeOf(this.name);
    throw records.mistake(
      `${text.slice(0, 40)} in ${this.#column(place)} is not a number that ${dtype} holds`,
      place,
    );
  }

  #holds(value: number, text: string): boolean {
    if (this.#data instanceof Int32Array) return value === (value | 0);
    const stored = this.#data instanceof Float32Array ? Math.fround(value) : value;
    return Number.isFinite(stored) || special.test(text);
  }

  #column(place: number): string {
    const [name] = [...(this.places ?? [])].find(([, at]) => at === place) ?? [];
    return `column ${name === undefined ? place + 1 : JSON.stringify(name)}`;
  }
}

function numberOf(text: string): number | undefined {
  if (decimal.test(text)) return Number(text);
  const [, sign, nan] = special.exec(text) ?? [];
  if (sign === undefined) return undefined;
  if (nan !== undefined) return NaN;
  return sign === '-' ? -Infinity : Infinity;
}
