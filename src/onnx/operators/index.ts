/** The table of operators: for each operator of ONNX that forebay imports, how its graph is built. */

import { activations } from './activations.js';
import { attentions } from './attention.js';
import { classical } from './classical.js';
import { elementwise } from './elementwise.js';
import { indexing } from './indexing.js';
import { linear } from './linear.js';
import { losses } from './losses.js';
import { normalization } from './normalization.js';
import { padding } from './padding.js';
import { quantization } from './quantization.js';
import { recurrent } from './recurrent.js';
import { reductions } from './reductions.js';
import { type Row, type Rows, row } from './row.js';
import { sampling } from './sampling.js';
import { shapes } from './shapes.js';
import { signal } from './signal.js';
import { windows } from './windows.js';

/** These operators have graphs inside of them, which the interpreter builds (`control.ts`). */
const inside = (without: string): Row =>
  row((call) => call.unsupported('its graph cannot be built'), without);
const control: Rows = {
  If: inside('a condition that is computed from inputs'),
  Loop: inside(
    'a condition or a trip count that is computed, more than 64 steps that change a shape, sequences',
  ),
  Scan: inside('the form of operator set 8'),
};

/** The rows of each domain. */
export const operators: Readonly<Record<string, Rows>> = {
  '': {
    ...elementwise,
    ...activations,
    ...reductions,
    ...shapes,
    ...indexing,
    ...padding,
    ...linear,
    ...windows,
    ...normalization,
    ...recurrent,
    ...attentions,
    ...losses,
    ...quantization,
    ...sampling,
    ...signal,
    ...control,
  },
  'ai.onnx.ml': classical,
};

/** Returns the row of an operator; undefined if forebay does not have it. */
export function operatorOf(domain: string, name: string): Row | undefined {
  const rows = Object.hasOwn(operators, domain) ? operators[domain] : undefined;
  return rows !== undefined && Object.hasOwn(rows, name) ? rows[name] : undefined;
}
