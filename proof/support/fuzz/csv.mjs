/** Makes CSV files for the fuzzer, valid and damaged. */

import { inMemory } from '../../../dist/io/bytes.js';
import { readCsv } from '../../../dist/io/csv.js';
import { damaged } from './random.mjs';

const numbers = ['0', '1', '-2.5', '1e3', '.5', '2147483647', ' 7 ', '"3"', '1.', 'nan', '-inf'];
const others = [
  '',
  '',
  'NA',
  '1e39',
  '1e400',
  '2147483648',
  '0x10',
  'text',
  '"a, b"',
  '"a""b"',
  '"a\nb"',
  '1"2',
  '"1"2',
  '"',
  'é',
  '\0',
];
const names = ['a', 'b', 'height', 'é', '"x,y"', '__proto__', '0', ''];

/** @param {import('./random.mjs').Random} random */
function make(random) {
  const width = random.chance(0.999) ? 1 + random.below(4) : 100_001;
  const options = optionsOf(random);
  const separator = options.separator ?? ',';
  const end = random.pick(['\n', '\r\n']);
  const field = () => random.pick(random.chance(0.97) ? numbers : others);
  const lines = [];
  if (options.header !== false) {
    lines.push(
      Array.from({ length: width }, (_, at) =>
        width > 9
          ? ''
          : `${random.pick(names)}${random.chance(0.9) ? at : ''}`.replace(/"(\d)$/, '$1"'),
      ),
    );
  }
  for (let rows = random.below(5); rows > 0; rows--) {
    const more = random.chance(0.97) ? 0 : random.pick([-1, 1]);
    lines.push(Array.from({ length: Math.min(width, 9) + more }, field));
    if (random.chance(0.03)) lines.push([]);
  }
  const mark = random.chance(0.1) ? random.pick(['#', '# ', '#  ']) : '';
  let text = mark + lines.map((fields) => fields.join(separator) + end).join('');
  if (random.chance(0.05)) text = `\ufeff${text}`;
  if (random.chance(0.01)) text = text.replaceAll('\n', '\r');
  // Adds a quote that is not closed, followed by more bytes than the buffer of the reader holds.
  if (random.chance(0.0005)) text += `"${'x'.repeat(2 ** 20)}`;
  const bytes = Buffer.from(text);
  return { bytes: random.chance(0.25) ? damaged(random, bytes) : bytes, options };
}

function optionsOf(random) {
  const options = {};
  if (random.chance(0.4)) options.header = random.chance(0.5);
  if (random.chance(0.2)) options.separator = random.pick([';', '\t', ' ']);
  if (random.chance(0.1)) options.quote = random.pick([false, "'"]);
  if (random.chance(0.3)) Object.assign(options, { fill: -1, missing: ['', 'NA'] });
  if (random.chance(0.3)) options.dtype = random.pick(['float64', 'int32']);
  if (random.chance(0.3))
    options.columns = { x: random.pick([0, [0], [0, 1], 'a0', ['a0', 'b1'], []]), y: [0, 0] };
  return options;
}

/** @type {import('./child.mjs').Subject} */
export default {
  make,
  read: ({ bytes, options }) =>
    Object.values(readCsv('fuzzed', inMemory('fuzzed', bytes), options)),
  // Each separator, a single byte, may add a value of eight bytes. The memory of the values doubles when it is full,
  // and is cut to size at the end. The option `columns` above may take the same column up to four times.
  allowed: ({ bytes }) => 130 * bytes.length + 1024,
  reasons: {
    'no header': /expected a header, but the file is empty/,
    'no record': /expected a record, but the file is empty/,
    'duplicate column': /line \d+, character \d+: columns \d+ and \d+ are both named/,
    'missing column': /there is no column .* \(there are \d+/s,
    'too many columns':
      /line \d+, character \d+: expected at most 100000 fields, but there are more/,
    'long record':
      /line \d+, character \d+: expected \d+ fields, as in the first record, but there are more/,
    'short record':
      /line \d+, character \d+: expected \d+ fields, as in the first record, but found/,
    'missing value': /line \d+, character \d+: a value is missing in column/,
    'no number': /line \d+, character \d+: expected a number in column/,
    'beyond the dtype': /line \d+, character \d+: .* does not fit in (float32|float64|int32)/s,
    'quote that is not closed': /line \d+, character \d+: this quote is not closed/,
    'field without end': /line \d+, character \d+: a field goes on for more than/,
    'quote within': /line \d+, character \d+: a quote within a field/,
    'text after a quote': /line \d+, character \d+: expected a separator or the end of the line/,
    'carriage return alone':
      /line \d+, character \d+: expected a line feed after a carriage return/,
    'not UTF-8': /line \d+, character \d+: this field is not UTF-8/,
  },
};
