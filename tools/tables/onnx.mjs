// Returns docs/onnx.md, the tables of the operators that `importOnnx` reads and of the ops that `exportOnnx` writes. They
// are made from the rows in dist/onnx/operators and dist/onnx/exporters. `npm run tables` writes the page.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** The names of domains as the specification writes them. */
const title = (domain) => (domain === '' ? 'ai.onnx' : domain);

/** Returns the lines of the table of a domain. */
function linesOf(rows) {
  return Object.entries(rows)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { without }]) => `| \`${name}\` | ${without ?? ''} |`);
}

/** Returns the lines of the table of exported ops. */
function exportedLines() {
  const { exporters } = require('../../dist/onnx/exporters/index.js');
  const said = (row) => {
    if (row.kind === 'refused') return `– (${row.reason})`;
    return row.kind === 'input' ? 'nothing: its value is that of its input' : row.to;
  };
  return Object.entries(exporters)
    .toSorted(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))
    .map(([name, row]) => `| \`${name}\` | ${said(row)} |`);
}

export function page() {
  const { operators } = require('../../dist/onnx/operators/index.js');
  const sections = Object.entries(operators).map(
    ([domain, rows]) =>
      `## ${title(domain)}\n\n${Object.keys(rows).length} operators.\n\n| operator | not supported |\n|---|---|\n${linesOf(rows).join('\n')}\n`,
  );
  return `# Operators of ONNX

The operators that \`importOnnx\` of \`forebay/onnx\` reads, in operator sets 7 to 28 of \`ai.onnx\`, with what it does not
support of them. Functions that a model defines are replaced by their nodes. Tensors of float, double, float16, bfloat16,
int8, int16, int32, int64, uint8, uint16, uint32, uint64 and bool are read. Values of 16 bits are computed as float32, and
integers of 64 bits as int32: a number of the file that does not fit is refused, and a result that does not fit becomes the
nearest int32. Everything else is refused at the import, with a list of all nodes that use it. The last table shows what
\`exportOnnx\` writes.

<!-- \`npm run tables\` writes this page. -->

${sections.join('\n')}
## What is exported

The ops of a graph, as errors name them, and the operators that they become. An op that you define with a lowering of kind
\`compose\` is exported as the ops of which it is composed. LSTM, GRU and SimpleRNN layers of float32 become single
operators. Those with rows of different lengths become loops, and a loop becomes one Scan. ONNX Runtime 1.32 does not run
a loop of no steps. A loop with \`recompute\` becomes two Scans, one with a Scan in it: export one without the option, because
with a named number of steps one of the two may have no steps.

| op | operators |
|---|---|
${exportedLines().join('\n')}
`;
}
