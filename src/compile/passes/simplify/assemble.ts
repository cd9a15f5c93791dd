/** Rules for assembled values, and for views of them. */

import { adjacent, aloneIn, type Block, meets } from '../../../ir/blocks.js';
import type { Definition, Rule } from '../../../ir/rule.js';
import { numberOf, type Ref, showsAll, viewed } from '../../../ir/value.js';
import { boxOf, compose, equalLists, rebase } from '../../../ir/view.js';

const zeroBlock: Rule = {
  name: 'simplify: zero block',
  matches: 'a value that may have gaps and one of whose blocks is 0',
  gives: 'the value assembled from the other blocks',
  exact: 'the elements of a gap are 0, and x + 0 is x, except for the sign of a zero',
  kernel: undefined,
  apply: (value, build) => {
    const { dtype, shape, args, details, node } = value;
    const isZero = (block: Ref) => numberOf(block) === 0;
    if (!details.gaps || !args.some(isZero)) return undefined;
    const others = blocksOf(value).filter(({ ref }) => !isZero(ref));
    return build.assemble(dtype, shape, others, node, true);
  },
};

const nestedAssemble: Rule = {
  name: 'simplify: nested assemble',
  matches: '[[a b] c]',
  gives: '[a b c]',
  exact: 'every element is at the same position',
  kernel: undefined,
  apply: (value, build) => {
    const { dtype, shape, args, node } = value;
    if (isAdded(value) || !args.some(isPlain)) return undefined;
    return build.assemble(dtype, shape, blocksOf(value).flatMap(blocksWithin), node);
  },
};

const adjacentBlocks: Rule = {
  name: 'simplify: assembled value is a view',
  matches: 'a value assembled from views of one value that are arranged in it as in the result',
  gives: 'one view of this value',
  exact: 'every element is read from the same place',
  kernel: undefined,
  apply: (value) => (isAdded(value) ? undefined : adjacent(value.shape, blocksOf(value))),
};

function blocksOf({ args, details: { starts } }: Definition): Block[] {
  return args.map((ref, i) => ({ ref, start: starts?.[i] as readonly number[] }));
}

/** Whether blocks are added, or leave gaps. */
function isAdded({ details }: Definition): boolean {
  return details.adds === true || details.gaps === true;
}

/** Whether a ref is a whole assembled value whose blocks are not added and leave no gaps. */
function isPlain(ref: Ref): boolean {
  const { value } = ref;
  return (
    value.kind === 'assemble' &&
    !isAdded(value) &&
    showsAll(ref) &&
    equalLists(ref.shape, value.shape)
  );
}

/** Returns the blocks of a block, with their positions in the outer assembled value. */
function blocksWithin(block: Block): Block[] {
  if (!isPlain(block.ref)) return [block];
  return blocksOf(block.ref.value).map(({ ref, start }) => ({
    ref,
    start: block.start.map((at, axis) => at + (start[axis] as number)),
  }));
}

const viewOfBlock: Rule<Ref> = {
  name: 'simplify: view of a block',
  matches:
    'a view of an assembled value that reads only one block, to which no other block is added',
  gives: 'a view of the block',
  exact: 'the elements of the block are the elements of the assembled value',
  kernel: undefined,
  apply: (ref, build) => {
    const { value } = ref;
    const { starts, adds } = value.details;
    const box = value.kind === 'assemble' && starts ? boxOf(ref, value.shape) : undefined;
    if (!box || !starts) return undefined;
    for (let i = 0; i < starts.length; i++) {
      const block = value.args[i] as Ref;
      const start = starts[i] as readonly number[];
      if (!meets(box.start, box.end, start, block.shape)) continue;
      const inside = start.every(
        (from, axis) =>
          (box.start[axis] as number) >= from &&
          (box.end[axis] as number) <= from + (block.shape[axis] as number),
      );
      if (!inside && adds) continue;
      if (!inside || (adds && !aloneIn(value, i, box))) return undefined;
      const within = compose(rebase(ref, box, start, block.shape), block);
      return within && build.resolve(viewed(block.value, within));
    }
    return undefined;
  },
};

const viewOfGap: Rule<Ref> = {
  name: 'simplify: view of a gap',
  matches: 'a view of an assembled value that reads no block',
  gives: 'zeros',
  exact: 'the elements of a gap are 0',
  kernel: undefined,
  apply: (ref, build) => {
    const { value } = ref;
    const { starts, gaps } = value.details;
    const box = gaps ? boxOf(ref, value.shape) : undefined;
    if (!box || !starts) return undefined;
    const isMet = ({ shape }: Ref, i: number) =>
      meets(box.start, box.end, starts[i] as readonly number[], shape);
    return value.args.some(isMet) ? undefined : build.filled(0, value.dtype, ref.shape);
  },
};

export const assembleRules: readonly Rule[] = [zeroBlock, nestedAssemble, adjacentBlocks];
export const viewRules: readonly Rule<Ref>[] = [viewOfBlock, viewOfGap];
