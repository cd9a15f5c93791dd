/** What `loadCsv` and `parseCsv` may be told, checked. */

import { describeValue } from '../arguments/describe.js';
import { checkedLater, flag } from '../arguments/kinds.js';
import { declareOptions, type Kind, type OptionsOf, optional } from '../arguments/options.js';
import { assertList, assertRecord, isList } from '../arguments/read.js';
import { DTypeError, ValueError } from '../errors.js';
import type { DType } from '../tensor/dtype.js';
import type { Dialect } from './csv-records.js';
import { dtypeOrDTypes, isListOfStrings } from './selection.js';

/** A column by its name in the header, or by its place, from 0. */
export type CsvColumn = string | number;

/** Columns in a list, or columns (or lists of them) by the names of the tensors that they become. */
export type CsvColumns =
  | readonly CsvColumn[]
  | Readonly<Record<string, CsvColumn | readonly CsvColumn[]>>;

/** A character that can separate or quote fields. */
const isMark = (value: unknown): value is string =>
  typeof value === 'string' && /^[\0-\x7f]$/.test(value) && !/[\r\n]/.test(value);

const separatorMark: Kind<string> = { expected: 'one ASCII character', accepts: isMark };
const quoteMark: Kind<string | false> = {
  expected: 'one ASCII character, or false',
  accepts: (value) => value === false || isMark(value),
};
const texts: Kind<readonly string[]> = {
  expected: 'a list of the texts that stand for a missing value',
  accepts: isListOfStrings,
};
const anyNumber: Kind<number> = {
  expected: 'a number',
  accepts: (value) => typeof value === 'number',
};

const csvOptions = declareOptions('loadCsv, parseCsv', {
  /**
   * The tensors to make, by name: from one column, of shape [rows]; from a list of n columns, of shape
   * [rows, n]. Or a list of columns, each of which becomes a tensor of its own name (of its place, where
   * it is given by that); all of them by default.
   */
  columns: optional(checkedLater<CsvColumns>('a list of columns'), 'usecols', 'only'),
  /**
   * Whether the first record names the columns. When left out, it does unless all its fields are numbers or missing
   * values: then it is data. A comment mark before the names, as in `# a,b`, is not part of them.
   */
  header: optional(flag, 'names'),
  /** One ASCII character; a comma by default. */
  separator: optional(separatorMark, 'delimiter', 'delim', 'sep', 'comma'),
  /** One ASCII character, `"` by default; false when quotes are characters like others. */
  quote: optional(quoteMark, 'quotechar', 'quoteChar'),
  /** The texts, spaces around them aside, that stand for a missing value; only the empty one by default. */
  missing: optional(texts, 'naValues', 'na'),
  /** What a missing value becomes; without it, one is refused. */
  fill: optional(anyNumber, 'fillValue', 'default'),
  /** Of all tensors, or by the names of the tensors; float32 by default. */
  dtype: optional(dtypeOrDTypes, 'dtypes', 'type'),
});

/** What `loadCsv` and `parseCsv` may be told. */
export interface CsvOptions extends OptionsOf<typeof csvOptions> {}

/** A tensor that is asked for. */
export interface Wanted {
  readonly name: string;
  readonly columns: readonly CsvColumn[];
  /** Whether it has an axis of columns, too. */
  readonly isMatrix: boolean;
}

/** The options, checked. */
export interface Plan {
  /** Undefined when all columns are. */
  readonly wanted: readonly Wanted[] | undefined;
  /** Undefined when the first record decides. */
  readonly header: boolean | undefined;
  readonly dialect: Dialect;
  readonly missing: ReadonlySet<string>;
  readonly fill: number | undefined;
  readonly dtypeOf: (name: string) => DType;
}

/** @throws ValueError or DTypeError for an option that is not acceptable */
export function planOf(context: string, given: unknown): Plan {
  const options = csvOptions.read(given, context);
  const { columns, header, separator = ',', quote = '"', missing = [''], fill } = options;
  if (quote === separator) {
    throw new ValueError(
      `${context}: quote must be another character than the separator, but both are ${JSON.stringify(quote)}`,
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
    `${context}: expected a column by its name or its place, from 0, but received ${describeValue(column)}`,
  );
}

/** @throws DTypeError for the dtype of a tensor that is not made; ValueError for a fill that is not of the dtype */
function dtypesOf(
  context: string,
  { dtype = 'float32', fill }: CsvOptions,
  wanted: readonly Wanted[] | undefined,
): (name: string) => DType {
  const byName = typeof dtype === 'string' ? undefined : new Map(Object.entries(dtype));
  const all = byName === undefined ? [dtype] : [...byName.values()];
  if (all.includes('int32') && fill !== undefined && fill !== (fill | 0)) {
    throw new ValueError(`${context}: the fill ${fill} is not a 32-bit integer, but a dtype is`);
  }
  const names = new Set(wanted?.map(({ name }) => name));
  const unknown = [...(byName?.keys() ?? [])].find((name) => wanted && !names.has(name));
  if (unknown !== undefined) {
    throw new DTypeError(
      `${context}: a dtype is given for '${unknown}', but no tensor is so named`,
    );
  }
  return (name) => (byName === undefined ? (dtype as DType) : (byName.get(name) ?? 'float32'));
}
