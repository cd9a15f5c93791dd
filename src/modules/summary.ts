/** `summary`: a table of the modules of a model. */

import { describeValue } from '../arguments/describe.js';
import { ValueError } from '../errors.js';
import { isFrozen } from '../graph/frozen.js';
import type { Variable } from '../graph/leaf.js';
import { formatShape } from '../tensor/shape.js';
import { partsOf } from './entries.js';
import { isModule } from './known.js';
import { lastResults, type Module } from './module.js';

interface Row {
  readonly path: string;
  readonly module: Module;
  /** The variables that the module holds itself. */
  readonly own: Variable[];
}

/**
 * Returns a table of a module and of all modules below it, as text. Each row has the path relative to the module (its
 * name for the module itself), the class, the shape of the result of its last application, the number of elements of the
 * parameters that it holds itself, how many of these are frozen, and the number of elements of its states. Shared modules
 * and variables are counted once. The last row has the totals.
 *
 *     console.log(summary(net));
 *
 * @throws ValueError if `module` is not a module
 */
export function summary(module: Module): string {
  if (!isModule(module)) {
    throw new ValueError(`summary: expected a module, but received ${describeValue(module)}`);
  }
  const rows = new Map<Module, Row>([[module, { path: module.name, module, own: [] }]]);
  for (const { path, value, within } of partsOf(module)) {
    if (isModule(value)) rows.set(value, { path, module: value, own: [] });
    else rows.get(within)?.own.push(value);
  }
  const all = [...rows.values()].flatMap(({ own }) => own);
  return laidOut([
    ['path', 'class', 'result', 'parameters', 'frozen', 'states'],
    ...[...rows.values()].map(({ path, module, own }) => [
      path,
      module.constructor.name,
      resultOf(module),
      ...countsOf(own),
    ]),
    ['total', '', '', ...countsOf(all)],
  ]);
}

function resultOf(module: Module): string {
  return lastResults(module)
    .map((shape) => formatShape(shape))
    .join(' ');
}

/** Returns the numbers of elements of the parameters, of the frozen ones and of the states; empty texts for 0. */
function countsOf(variables: readonly Variable[]): string[] {
  const parameters = variables.filter(({ kind }) => kind === 'parameter');
  const states = variables.filter(({ kind }) => kind === 'state');
  return [parameters, parameters.filter(isFrozen), states].map((list) => {
    const elements = list.reduce((total, { value }) => total + value.size, 0);
    return elements === 0 ? '' : elements.toLocaleString('en-US');
  });
}

/** The number of columns on the left that contain text. The others contain numbers, which are aligned on the right. */
const textColumns = 3;

function laidOut(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] as readonly string[]).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] as string).length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] as number;
          return column < textColumns ? cell.padEnd(width) : cell.padStart(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
