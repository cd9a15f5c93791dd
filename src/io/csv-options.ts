/** The options of `loadCsv` and `parseCsv`, and their checks. */

import { describeValue } from '../arguments/describe.js';
import { checkedLater, flag } from '../arguments/kinds.js';
import { declareOptions, type Kind, type OptionsOf, optional } from '../arguments/options.js';
import { assertList, assertRecord, isList } from '../arguments/read.js';
import { DTypeError, ValueError } from '../errors.js';
import { type DType, misfit } from '../tensor/dtype.js';
import type { Dialect } from './csv-records.js';
import { dtypeOrDTypes, isListOfStrings } from './selection.js';

/** A column: its name in the header, or its index from 0. */
export type CsvColumn = string | number;

/** A list of columns, or a record from the name of each tensor to its column or list of columns. */
export type CsvColumns =
  | readonly CsvColumn[]
  | Readonly<Record<string, CsvColumn | readonly CsvColumn[]>>;

/** Returns whether `value` is a character that can separate or quote fields. */
const isMark = (value: unknown): value is string =>
  typeof value === 'string' && /^[\0-\x7f]$/.test(value) && !/[\r\n]/.test(value);

const separatorMark: Kind<string> = { expected: 'one ASCII character', accepts: isMark };
const quoteMark: Kind<string | false> = {
  expected: 'one ASCII character, or false',
  accepts: (value) => value === false || isMark(value),
};
const texts: Kind<readonly string[]> = {
  expected: 'a list of the texts that mean a missing value',
  accepts: isListOfStrings,
};
const anyNumber: Kind<number> = {
  expected: 'a number',
  accepts: (value) => typeof value === 'number',
};

const csvOptions = declareOptions('loadCsv, parseCsv', {
  /**
   * The tensors to make: a record from the name of each tensor to one column, which gives shape [rows], or to a list of
   * n columns, which gives shape [rows, n]. Or a list of columns: each column becomes a tensor of the same name. If the
   * list gives a column by its index, this index is the name. By default, each column of the file becomes a tensor.
   */
  columns: optional(checkedLater<CsvColumns>('a list of columns'), 'usecols', 'only'),
  /**
   * Whether the first record holds the names of the columns. By default it holds names, unless all its fields are
   * numbers or missing values; such a record is data. A comment mark before the names, as in `# a,b`, is not part of
   * the first name.
   */
  header: optional(flag, 'names'),
  /** The character between fields: one ASCII character; a comma by default. */
  separator: optional(separatorMark, 'delimiter', 'delim', 'sep', 'comma'),
  /** The character around quoted fields: one ASCII character; `"` by default. If false, fields are never quoted. */
  quote: optional(quoteMark, 'quotechar', 'quoteChar'),
  /** The texts that mean a missing value; by default only the empty text. Spaces around the texts are ignored. */
  missing: optional(texts, 'naValues', 'na'),
  /** The number that replaces each missing value. Without this option, a missing value is an error. */
  fill: optional(anyNumber, 'fillValue', 'default'),
  /** The dtype of all tensors, or dtypes by the names of the tensors; float32 by default. */
  dtype: optional(dtypeOrDTypes, 'dtypes', 'type'),
});

/** The options of `loadCsv` and `parseCsv`. */
export interface CsvOptions extends OptionsOf<typeof csvOptions> {}

/** A tensor that the option `columns` requests. */
export interface Wanted {
  readonly name: string;
  readonly columns: readonly CsvColumn[];
  /** Whether the tensor has the shape [rows, columns]. If false, it has the shape [rows]. */
  readonly isMatrix: boolean;
}

/** The checked options. */
export interface Plan {
  /** The requested tensors; undefined if each column of the file becomes a tensor. */
  readonly wanted: readonly Wanted[] | undefined;
  /** Whether the first record holds names; undefined if this depends on the content of the first record. */
  readonly header: boolean | undefined;
  readonly dialect: Dialect;
  readonly missing: ReadonlySet<string>;
  readonly fill: number | undefined;
  readonly dtypeOf: (name: string) => DType;
}

/** Checks the options, and adds the defaults. @throws ValueError or DTypeError if an option is not acceptable */
export function planOf(context: string, given: unknown): Plan {
  const options = csvOptions.read(given, context);
  const { columns, header, separator = ',', quote = '"', missing = [''], fill } = options;
  if (quote === separator) {
    throw new ValueError(
      `${context}: quote and separator must be different characters, but both are ${JSON.stringify(quote)}`,
    );
  }
  const dialect = {
    separator: separator.charCodeAt(0),
    quote: quote === false ? undefined : quote.charCodeAt(0),
  };
  const wanted = columns === undefined ? undefined : wantedOf(context, columns);
  return {
    wanted,
    header,
    dialect,
    missing: new Set(missing.map((text) => text.trim())),
    fill,
    dtypeOf: dtypesOf(context, options, wanted),
  };
}

function wantedOf(context: string, columns: CsvColumns): Wanted[] {
  const expected = `${context}: columns must be a list of columns, or a record of them by the names of tensors,`;
  if (isList(columns)) {
    return assertList(columns as readonly CsvColumn[], expected).map((column) => {
      return { name: `${checkColumn(context, column)}`, columns: [column], isMatrix: false };
    });
  }
  return assertRecord(columns as Readonly<Record<string, unknown>>, expected).map(
    ([name, value]) => {
      const isMatrix = isList(value);
      const all = isMatrix ? assertList(value, expected) : [value];
      return { name, columns: all.map((column) => checkColumn(context, column)), isMatrix };
    },
  );
}

function checkColumn(context: string, column: unknown): CsvColumn {
  const isPlace = typeof column === 'number' && Number.isInteger(column) && column >= 0;
  if (isPlace || typeof column === 'string') return column;
  throw new ValueError(
    `${context}: expected the name of a column, or its index from 0, but received ${describeValue(column)}`,
  );
}

/**
 * Returns a function from the name of a tensor to its dtype.
 * @throws DTypeError if a dtype is given for a tensor that is not made; ValueError if `fill` is
 *   not a 32-bit integer
 */
function dtypesOf(
  context: string,
  { dtype = 'float32', fill }: CsvOptions,
  wanted: readonly Wanted[] | undefined,
): (name: string) => DType {
  const byName = typeof dtype === 'string' ? undefined : new Map(Object.entries(dtype));
  const all = byName === undefined ? [dtype as DType] : [...byName.values()];
  for (const name of all) {
    const expected = fill === undefined ? undefined : misfit(fill, name);
    if (expected === undefined) continue;
    throw new ValueError(`${context}: the fill ${fill} is not ${expected}, but a dtype is ${name}`);
  }
  const names = new Set(wanted?.map(({ name }) => name));
  const unknown = [...(byName?.keys() ?? [])].find((name) => wanted && !names.has(name));
  if (unknown !== undefined) {
    throw new DTypeError(
      `${context}: a dtype is given for '${unknown}', but no tensor has that name`,
    );
  }
  return (name) => (byName === undefined ? (dtype as DType) : (byName.get(name) ?? 'float32'));
}
