/**
 * Adds the kind `triangle`, which keeps the lower triangle of matrices, with values and an instruction of its own. The
 * new files are in the folder `kind`; their names end in `.txt`, so that nothing else compiles them.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Change } from './change.js';

const textOf = (file: string) => readFileSync(new URL(`kind/${file}.txt`, import.meta.url), 'utf8');

/** Returns the change of the repository in `root`. */
export function kind(root: string): Change {
  const table = readFileSync(join(root, 'native/program/code.h'), 'utf8');
  const opcodes = table.match(/^ {4}\{"[\w ]+", decode\w+, (true|false), (true|false)\},/gm) ?? [];
  return {
    source: 'kind.ts',
    files: {
      'src/primitives/triangle.ts': textOf('triangle.ts').replace(
        'OPCODE',
        `${opcodes.length + 1}`,
      ),
      'native/program/triangle.cc': textOf('triangle.cc'),
    },
    insertions: [
      {
        file: 'src/graph/lowering.ts',
        before: '/** The size of a dimension in the current run, as a scalar. */',
        lines: `  /** The elements of matrices [.., R, C] that are at most \`diagonal\` columns right of the diagonal; the others are 0. */
  | {
      readonly kind: 'triangle';
      /** Returns an integer of at least 0. */
      diagonal(attributes: A): number;
    }
`,
      },
      {
        file: 'src/graph/lowering.ts',
        before: "extent: { dim: 'function' },",
        lines: "  triangle: { diagonal: 'function' },\n",
      },
      {
        file: 'src/primitives/index.ts',
        before: "import { alias, view } from './view.js';",
        lines: `import {
  type TriangleInstruction,
  triangle,
  triangleInstruction,
  triangleValue,
} from './triangle.js';
`,
      },
      {
        file: 'src/primitives/index.ts',
        before: '| CopyInstruction;',
        lines: '  | TriangleInstruction\n',
      },
      { file: 'src/primitives/index.ts', before: '  compose,', lines: '  triangle,\n' },
      {
        file: 'src/primitives/index.ts',
        after: 'routine: routineValue,',
        lines: '  triangle: triangleValue,\n',
      },
      {
        file: 'src/primitives/index.ts',
        after: 'copy: copyInstruction,',
        lines: '  triangle: triangleInstruction,\n',
      },
      {
        file: 'native/program/code.h',
        before: 'struct Opcode {',
        lines: 'Decode decodeTriangle;\n\n',
      },
      {
        file: 'native/program/code.h',
        after: opcodes.at(-1) ?? '',
        lines: '    {"triangle", decodeTriangle, false, true},\n',
      },
    ],
  };
}
