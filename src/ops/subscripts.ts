/** The subscripts of `einsum`: reads texts such as `bij,bjk->bik`, and checks them against the operands. */

import { describeValue } from '../arguments/describe.js';
import type { Dim } from '../graph/dimension.js';
import type { Node } from '../graph/node.js';
import type { Fail } from '../graph/op.js';
import { formatShape } from '../tensor/shape.js';

/**
 * A label of an axis: a letter, or `...1`, `...2`, … for the axes that an ellipsis stands for, counted from the last.
 */
export type Label = string;

/** What `einsum` computes. */
export interface Subscripts {
  /** For each operand, the label of each axis. */
  readonly operands: readonly (readonly Label[])[];
  /** The labels of the axes of the result, each once. */
  readonly result: readonly Label[];
  /** The length of each label. An axis of length 1 is broadcast to it. */
  readonly lengths: ReadonlyMap<Label, Dim>;
}

/** A term: the letters before and after an ellipsis. Without an ellipsis, all letters are before. */
interface Term {
  readonly text: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly ellipsis: boolean;
}

function termOf(text: string, fail: Fail): Term {
  const odd = text.replace('...', '').match(/[^A-Za-z]/u)?.[0];
  if (odd !== undefined) {
    return fail.value(
      `expected subscripts of the letters a-z and A-Z and at most one '...' a term, but '${text}' has ${describeValue(odd)}; write subscripts such as 'bij,bjk->bik'`,
    );
  }
  const [before = '', after = ''] = text.split('...');
  return { text, before: [...before], after: [...after], ellipsis: text.includes('...') };
}

/** Returns the labels of the axes that an ellipsis stands for, of which there are `count`. */
function ellipsisLabels(count: number): Label[] {
  return Array.from({ length: count }, (_, i) => `...${count - i}`);
}

/** Returns the labels of the axes of an operand. */
function labelsOf(term: Term, { shape }: Node, index: number, fail: Fail): Label[] {
  const letters = term.before.length + term.after.length;
  const rest = shape.length - letters;
  if (term.ellipsis ? rest < 0 : rest !== 0) {
    fail.shape(
      `operand ${index} of shape ${formatShape(shape)} has ${shape.length} axes, but its subscripts '${term.text}' ${term.ellipsis ? `need at least ${letters}` : `are for ${letters}`}`,
    );
  }
  return [...term.before, ...ellipsisLabels(rest), ...term.after];
}

/** Adds the lengths of the axes of an operand to those of the labels. */
function addLengths(
  lengths: Map<Label, Dim>,
  labels: readonly Label[],
  { shape }: Node,
  fail: Fail,
): void {
  const own = new Map<Label, Dim>();
  const differ = (label: Label, a: Dim, b: Dim): never =>
    fail.shape(
      `the axes ${label.startsWith('.') ? "of '...'" : `'${label}'`} have different lengths: ${a} and ${b}`,
    );
  labels.forEach((label, axis) => {
    const dim = shape[axis] as Dim;
    const twin = own.get(label);
    // The diagonal of a matrix [1, n] is refused, although axes of different operands broadcast.
    if (twin !== undefined && twin !== dim) differ(label, twin, dim);
    own.set(label, dim);
    const known = lengths.get(label) ?? 1;
    if (known !== 1 && dim !== 1 && known !== dim) differ(label, known, dim);
    lengths.set(label, known === 1 ? dim : known);
  });
}

/** Returns the labels of the result: those after `->`, or the labels that occur once, in alphabetical order. */
function resultOf(
  explicit: string | undefined,
  operands: readonly (readonly Label[])[],
  most: number,
  fail: Fail,
): Label[] {
  const all = operands.flat();
  if (explicit === undefined) {
    const letters = [...new Set(all)].filter((label) => !label.startsWith('.'));
    const single = letters.filter((label) => all.indexOf(label) === all.lastIndexOf(label));
    return [...ellipsisLabels(most), ...single.sort()];
  }
  const term = termOf(explicit, fail);
  const labels = [...term.before, ...(term.ellipsis ? ellipsisLabels(most) : []), ...term.after];
  labels.forEach((label, i) => {
    if (labels.indexOf(label) !== i) {
      fail.value(`the output subscripts '${explicit}' contain '${label}' twice`);
    }
    if (!all.includes(label)) {
      fail.value(`the output subscripts '${explicit}' contain '${label}', which no operand has`);
    }
  });
  return labels;
}

/**
 * Reads subscripts. Spaces are ignored.
 * @throws ValueError if the subscripts are not valid, or are for another number of operands; ShapeError if they do not
 *   fit the operands
 */
export function subscriptsOf(text: unknown, operands: readonly Node[], fail: Fail): Subscripts {
  if (typeof text !== 'string') {
    return fail.value(
      `expected subscripts such as 'bij,bjk->bik', but received ${describeValue(text)}`,
    );
  }
  const [inputs = '', explicit, more] = text.replace(/\s/gu, '').split('->');
  if (more !== undefined) fail.value(`expected at most one '->', but received '${text}'`);
  const terms = inputs.split(',').map((term) => termOf(term, fail));
  if (terms.length !== operands.length) {
    fail.value(
      `the subscripts '${text}' are for ${terms.length} operands, but received ${operands.length}`,
    );
  }
  const labels = terms.map((term, i) => labelsOf(term, operands[i] as Node, i, fail));
  const lengths = new Map<Label, Dim>();
  labels.forEach((own, i) => {
    addLengths(lengths, own, operands[i] as Node, fail);
  });
  const most = Math.max(
    ...terms.map((term, i) =>
      term.ellipsis
        ? (operands[i] as Node).shape.length - term.before.length - term.after.length
        : 0,
    ),
  );
  return { operands: labels, result: resultOf(explicit, labels, most, fail), lengths };
}
