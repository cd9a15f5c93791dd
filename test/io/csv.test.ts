/** Tests CSV files: the tensors that they give, and the errors, which name the line and the character. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CsvOptions, FormatError, loadCsv, parseCsv } from '../../src/index.js';
import { errorOf } from '../support.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-csv-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(content: string | Uint8Array, options?: CsvOptions) {
  const file = join(folder, 'table.csv');
  writeFileSync(file, content);
  return loadCsv(file, options);
}

function refusal(content: string | Uint8Array, options?: CsvOptions): string {
  const error = errorOf(() => read(content, options));
  expect(error).toBeInstanceOf(FormatError);
  const file = join(folder, 'table.csv');
  expect(error.message.startsWith(`${file}: `)).toBe(true);
  return error.message.slice(file.length + 2);
}

const arrays = (tensors: ReturnType<typeof loadCsv>) =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { data, shape }]) => [name, [shape, [...data]]]),
  );

describe('a table', () => {
  it('gives a tensor for each column, named by the header', () => {
    const tensors = read('height,width\n1,2\n3.5,-4e1\n');
    expect(arrays(tensors)).toEqual({ height: [[2], [1, 3.5]], width: [[2], [2, -40]] });
    expect(tensors.height?.dtype).toBe('float32');
  });

  it('gives the selected columns as named tensors of any dtype, in any order', () => {
    const text = 'id,a,b,label\nx1,1,2,0\nx2,3,4,9\n';
    const tensors = read(text, {
      columns: { x: ['b', 'a'], y: 'label', first: [1], none: [] },
      dtype: { y: 'int32', x: 'float64' },
    });
    expect(arrays(tensors)).toEqual({
      x: [
        [2, 2],
        [2, 1, 4, 3],
      ],
      y: [[2], [0, 9]],
      first: [
        [2, 1],
        [1, 3],
      ],
      none: [[2, 0], []],
    });
    expect(tensors.y?.dtype).toBe('int32');
    expect(tensors.x?.dtype).toBe('float64');
    expect(tensors.first?.dtype).toBe('float32');
    expect(arrays(read(text, { columns: ['b', 3] }))).toEqual({
      b: [[2], [2, 4]],
      3: [[2], [0, 9]],
    });
  });

  it('may have no header, another separator and quote, a byte order mark, and LF or CRLF', () => {
    expect(arrays(read('1;2\r\n3;4', { header: false, separator: ';' }))).toEqual({
      0: [[2], [1, 3]],
      1: [[2], [2, 4]],
    });
    const options = { separator: '\t', quote: "'" };
    expect(arrays(read("\ufeff'a\tb'\tc\r\n'1'\t2\n\n\n3\t'4'\n\n", options))).toEqual({
      'a\tb': [[2], [1, 3]],
      c: [[2], [2, 4]],
    });
    expect(arrays(read('"a,b\n1,2', { quote: false }))).toEqual({
      '"a': [[1], [1]],
      b: [[1], [2]],
    });
  });

  it('may have quoted separators, line ends and quotes in columns that are not read', () => {
    const text = '"na""me",ключ\r\n"a, ""b""\r\nc",1\r\n"",2\r\n""""," 3 "\r\n';
    expect(arrays(read(text, { columns: { x: 'ключ' } }))).toEqual({ x: [[3], [1, 2, 3]] });
    expect(refusal(text)).toBe(
      'line 2, character 1: expected a number in column "na\\"me", but found "a, \\"b\\"\\r\\nc"',
    );
    expect(refusal(`${text}é,ü,1`, { columns: { x: 'ключ' } })).toBe(
      'line 6, character 5: expected 2 fields, as in the first record, but there are more',
    );
  });

  it('may have no rows, or a single column, whose empty lines are missing values', () => {
    expect(arrays(read('a,b\n'))).toEqual({ a: [[0], []], b: [[0], []] });
    expect(arrays(read('a\n1\n\n3\n', { fill: -1 }))).toEqual({ a: [[3], [1, -1, 3]] });
    expect(refusal('a\n1\n\n3\n')).toBe(
      'line 3, character 1: a value is missing in column "a"; give a fill',
    );
  });

  it('may lack values, if a fill is given', () => {
    const text = 'a,b\n,NA\n1, \n';
    expect(refusal(text)).toBe(
      'line 2, character 1: a value is missing in column "a"; give a fill',
    );
    const tensors = read(text, { missing: ['', 'NA'], fill: Number.NaN });
    expect(arrays(tensors)).toEqual({ a: [[2], [NaN, 1]], b: [[2], [NaN, NaN]] });
    expect(refusal(text, { fill: 0 })).toBe(
      'line 2, character 2: expected a number in column "b", but found "NA"',
    );
  });

  it('accepts numbers of these forms and no others', () => {
    const good = ['0', '-0', '+1', '1.', '.5', '1e3', '-1.5E-3', 'nan', 'Inf', '-infinity', ' 7 '];
    const values = [0, -0, 1, 1, 0.5, 1000, -0.0015, NaN, Infinity, -Infinity, 7];
    const options = { header: false, dtype: 'float64' } as const;
    expect([...(read(good.join('\n'), options)[0]?.data ?? [])]).toEqual(values);
    for (const bad of ['1,5', '0x10', '1e', 'e1', '.', '1_000', '--1', '１', 'true', '1 2', '\0']) {
      expect(refusal(`1\n"${bad}"\n`, options)).toContain('line 2, character 1: expected a number');
    }
    expect(refusal('1e39', { header: false })).toBe(
      'line 1, character 1: 1e39 in column 1 does not fit in float32',
    );
    for (const bad of ['1.5', '2147483648', 'nan', 'inf']) {
      expect(refusal(`1,${bad}`, { header: false, dtype: 'int32' })).toBe(
        `line 1, character 3: ${bad} in column 2 does not fit in int32`,
      );
    }
  });

  it('may be longer than the buffer that it is read through', () => {
    // The fields have many different lengths, so that the end of the buffer falls within a field.
    const rows = Array.from({ length: 60_000 }, (_, row) => `${row},"${' '.repeat(row % 67)}7"`);
    const text = `row,rest\n${rows.join('\n')}`;
    expect(text.length).toBeGreaterThan(2 ** 21);
    const tensors = read(text, { dtype: 'int32' });
    expect(tensors.row?.data.every((value, row) => value === row)).toBe(true);
    expect(tensors.rest?.data.every((value) => value === 7)).toBe(true);
    expect(tensors.rest?.shape).toEqual([60_000]);
    expect(refusal(`${text},`)).toMatch(/^line 60001, character \d+: expected 2 fields/);
  });

  it('gives the names and numbers that were written, for random tables', () => {
    const number = fc.double({ noDefaultInfinity: true });
    // Spaces around a name are ignored, so the names have none. Each begins with x, because a first record that
    // contains only numbers is read as data.
    const text = fc
      .string({ unit: 'grapheme' })
      .map((value) => `x${value.replace('\r', '').trim()}`);
    const table = fc.integer({ min: 1, max: 4 }).chain((width) =>
      fc.record({
        names: fc.uniqueArray(text, { minLength: width, maxLength: width }),
        rows: fc.array(fc.array(number, { minLength: width, maxLength: width })),
        end: fc.constantFrom('\n', '\r\n'),
      }),
    );
    const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;
    fc.assert(
      fc.property(table, ({ names, rows, end }) => {
        const lines = [names.map(quoted), ...rows.map((row) => row.map(String))];
        const tensors = parseCsv(lines.map((line) => line.join(',') + end).join(''), {
          dtype: 'float64',
        });
        expect(Object.entries(tensors).map(([name, { data }]) => [name, [...data]])).toEqual(
          // The expected entries are made from an object, as the result is, because JavaScript puts integer keys of an
          // object first.
          Object.entries(
            Object.fromEntries(
              names.map((name, at) => [name, rows.map((row) => (row[at] as number) + 0)]),
            ),
          ),
        );
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});

describe('a file that is not a valid table is refused', () => {
  it.each<[string, string | Uint8Array, string]>([
    ['is empty', '', 'expected a header, but the file is empty'],
    [
      'has a column twice',
      'a,b,a\n',
      'line 1, character 5: columns 1 and 3 are both named "a"; choose columns by index, from 0',
    ],
    [
      'has a short record',
      'a,b\n1,2\n3\n',
      'line 3, character 1: expected 2 fields, as in the first record, but found 1',
    ],
    [
      'has a quote that is not closed',
      'a,b\n1,"2\n',
      'line 2, character 3: this quote is not closed',
    ],
    [
      'has text after a quote',
      'a\n"1"2\n',
      'line 2, character 4: expected a separator or the end of the line after a quote',
    ],
    [
      'has a quote in a field',
      'a\n1"2"\n',
      'line 2, character 2: a quote within a field that does not begin with one',
    ],
    [
      'has lines that end in CR',
      'a\r1\r',
      'line 1, character 2: expected a line feed after a carriage return',
    ],
    [
      'is in another encoding',
      Buffer.from('a,b\n1,\xe9\n', 'latin1'),
      'line 2, character 3: this field is not UTF-8',
    ],
    [
      'has too many columns',
      ','.repeat(100_000),
      'line 1, character 100001: expected at most 100000 fields, but there are more',
    ],
    [
      'has a field without end',
      `a\n"${'x'.repeat(2 ** 20)}`,
      'line 2, character 1048577: a field goes on for more than 1048576 bytes: is a quote not closed?',
    ],
  ])('because it %s', (_, content, message) => {
    expect(refusal(content)).toBe(message);
  });

  it('because it lacks a requested column', () => {
    expect(refusal('a,b\n', { columns: { x: ['a', 'c'] } })).toBe(
      'there is no column "c" (there are 2: "a", "b")',
    );
    expect(refusal('1,2\n', { columns: { x: 2 }, header: false })).toBe(
      'there is no column 2 (there are 2)',
    );
  });

  it('because it does not exist or is not a path', () => {
    expect(errorOf(() => loadCsv(join(folder, 'none'))).message).toContain('there is no such file');
    expect(errorOf(() => loadCsv('')).message).toContain('expected the path of a file');
    expect(errorOf(() => parseCsv(7 as never)).message).toContain(
      'expected a string, but received number 7',
    );
  });
});

describe('an option of the wrong type or value', () => {
  it.each<[string, CsvOptions, string]>([
    ['a separator', { separator: ',,' }, 'separator must be one ASCII character'],
    ['a separator that ends lines', { separator: '\n' }, 'separator must be one ASCII character'],
    ['a quote', { quote: ',' }, 'quote and separator must be different characters'],
    ['a header', { header: 1 as never }, 'header must be true or false'],
    ['a fill', { fill: '0' as never }, 'fill must be a number'],
    ['an int32 fill', { fill: 0.5, dtype: 'int32' }, 'the fill 0.5 is not a 32-bit integer'],
    ['missing texts', { missing: 'NA' as never }, 'a list of the texts'],
    ['columns', { columns: 'a' as never }, 'a list of columns, or a record of them'],
    ['a column', { columns: { x: [-1] } }, 'the name of a column, or its index'],
    ['a dtype', { dtype: 'int64' as never }, "dtype must be one of 'float32'"],
    [
      'the dtype of a tensor that is not read',
      { columns: { x: 0 }, dtype: { y: 'int32' } },
      "a dtype is given for 'y'",
    ],
  ])('is refused: %s', (_, options, message) => {
    const error = errorOf(() => parseCsv('1\n', options));
    expect(['ValueError', 'DTypeError']).toContain(error.name);
    expect(error.message).toContain(message);
  });
});

describe('an empty file', () => {
  it.each([
    ['a header', true],
    ['a record', false],
  ])('without %s is refused', (what, header) => {
    const error = errorOf(() => read('', { header }));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toMatch(new RegExp(`expected ${what}, but the file is empty$`));
  });
});

describe('names of columns', () => {
  it('may appear twice, unless one of the two is requested', () => {
    const text = 'a,a,b\n1,2,3\n';
    expect(arrays(read(text, { columns: ['b'] }))).toEqual({ b: [[1], [3]] });
    expect(arrays(read(text, { columns: { first: 0, second: 1 } }))).toEqual({
      first: [[1], [1]],
      second: [[1], [2]],
    });
    const message =
      'line 1, character 3: columns 1 and 2 are both named "a"; choose columns by index, from 0';
    expect(refusal(text, { columns: ['b', 'a'] })).toBe(message);
    expect(refusal(text)).toBe(message);
  });

  it('are trimmed like values, in the file and in the option', () => {
    const text = ' a ,"b "\n 1 ," 2 "\n';
    expect(Object.keys(read(text))).toEqual(['a', 'b']);
    expect(arrays(read(text, { columns: ['b', ' a'] }))).toEqual({
      b: [[1], [2]],
      ' a': [[1], [1]],
    });
    expect(refusal('a, a\n')).toContain('are both named "a"');
  });

  it('are not read from a first record of numbers, unless header is true', () => {
    for (const text of ['1,2\n3,4\n', '1, nan\n3,4\n', '"1",\n3,4\n']) {
      const tensors = read(text, { fill: 0 });
      expect(Object.keys(tensors), text).toEqual(['0', '1']);
      expect(tensors[0]?.toArray(), text).toEqual([1, 3]);
    }
    expect(arrays(read('2019,2020\n3,4\n', { header: true }))).toEqual({
      2019: [[1], [3]],
      2020: [[1], [4]],
    });
    expect(Object.keys(read('1,b\n3,4\n'))).toEqual(['1', 'b']);
    expect(Object.keys(read(',\n3,4\n', { columns: [0, 1] }))).toEqual(['0', '1']);
    expect(refusal('2019,2020\n3,4\n', { columns: ['2020'] })).toBe(
      'there is no column "2020" (there are 2); all fields of the first record are numbers, so it was read as data; header: true reads it as names',
    );
  });

  it.each<[string, string, CsvOptions, string[]]>([
    ['"# " is dropped', '# a,b\n1,2\n', {}, ['a', 'b']],
    ['"#" is dropped', '#a,b\n1,2\n', {}, ['a', 'b']],
    ['it is dropped if tabs separate', '# a\tb\n1\t2\n', { separator: '\t' }, ['a', 'b']],
    ['it is dropped if spaces separate', '# a b\n1 2\n', { separator: ' ' }, ['a', 'b']],
    ['it is dropped before numbers', '# 1,2\n3,4\n', {}, ['1', '2']],
    ['it is dropped after a byte order mark', '\ufeff# a,b\n1,2\n', { header: true }, ['a', 'b']],
    ['it is kept as the name of a column', '#,b\n1,2\n', {}, ['#', 'b']],
    ['it is kept as the name of the only column', '# \n1\n', {}, ['#']],
    ['it may be the separator', '#a\n1#2\n', { separator: '#' }, ['', 'a']],
  ])('may follow the comment mark of NumPy: %s', (_, text, options, names) => {
    expect(Object.keys(read(text, options)).sort()).toEqual([...names].sort());
  });

  it('are not read if header is false: a first "#" is then part of a value', () => {
    expect(refusal('# 1\n2\n', { header: false })).toBe(
      'line 1, character 1: expected a number in column 1, but found "# 1"',
    );
  });
});

describe('empty lines of one column', () => {
  it('are ignored at the end of the file, and are missing values between two rows', () => {
    for (const text of ['a\n1\n\n', 'a\n1\n\n\n\r\n', 'a\n1\n']) {
      expect(arrays(read(text)), JSON.stringify(text)).toEqual({ a: [[1], [1]] });
    }
    expect(arrays(read('a\n\n\n1\n\n2\n\n', { fill: 9 }))).toEqual({ a: [[5], [9, 9, 1, 9, 2]] });
    expect(arrays(read('a\n1\n""\n', { fill: 9 }))).toEqual({ a: [[2], [1, 9]] });
    expect(refusal('a\n1\n\n\n2\n')).toBe(
      'line 3, character 1: a value is missing in column "a"; give a fill',
    );
    expect(refusal('a\n1\n\n2\n', { missing: ['NA'] })).toBe(
      'line 3, character 1: expected a number in column "a", but found ""',
    );
  });
});

describe('unknown options and wrong columns', () => {
  it.each<[object, string]>([
    [{ delimiter: ';' }, "parseCsv: there is no option 'delimiter'; did you mean 'separator'?"],
    [{ sep: ';' }, "did you mean 'separator'?"],
    [{ usecols: ['a'] }, "did you mean 'columns'?"],
    [
      { columns: { x: ['a', null] } },
      'the name of a column, or its index from 0, but received null',
    ],
    [{ columns: new Map() }, 'columns must be a list of columns, or a record of them'],
  ])('are refused: %j', (options, message) => {
    const error = errorOf(() => parseCsv('a\n1\n', options as never));
    expect([error.name, error.message]).toEqual(['ValueError', expect.stringContaining(message)]);
  });
});
