/** The table of exported ops: for each op of forebay, which operators of ONNX compute it. */

import { composed } from './composed.js';
import { elementwise } from './elementwise.js';
import { indexing } from './indexing.js';
import { moving } from './moving.js';
import { reducing } from './reductions.js';
import type { Row, Rows } from './row.js';
import { loops } from './scan.js';
import { windows } from './windows.js';

export const exporters: Rows = {
  ...elementwise,
  ...moving,
  ...reducing,
  ...indexing,
  ...windows,
  ...composed,
  ...loops,
};

/** Returns the row of an op; undefined if forebay does not know the op, because a user has defined it. */
export function exporterOf(op: string): Row | undefined {
  return Object.hasOwn(exporters, op) ? exporters[op] : undefined;
}
