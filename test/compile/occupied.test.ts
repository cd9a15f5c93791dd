import { expect, it } from 'vitest';
import { Occupied } from '../../src/compile/passes/occupied.js';
import { finished, Pace } from '../../src/graph/sliced.js';

interface Block {
  readonly start: number;
  readonly end: number;
  readonly first: number;
  readonly last: number;
}

/**
 * Returns the lowest address at which `size` bytes are free during all instructions from index `first` to index `last`.
 * Searches through all blocks.
 */
function lowest(blocks: readonly Block[], size: number, first: number, last: number): number {
  const others = blocks.filter((block) => block.last >= first && block.first <= last);
  const candidates = [0, ...others.map(({ end }) => end)].sort((a, b) => a - b);
  const free = (start: number) =>
    others.every((block) => block.end <= start || block.start >= start + size);
  return candidates.find(free) as number;
}

it('finds the lowest address that is free, as a search through all blocks does', () => {
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let round = 0; round < 60; round++) {
    const occupied = new Occupied(new Pace());
    const blocks: Block[] = [];
    const sizes = Array.from({ length: 150 }, () => 64 * (1 + random(1 + (round % 9))));
    for (const size of round % 2 === 0 ? sizes.sort((a, b) => b - a) : sizes) {
      const first = random(100);
      const last = random(3) === 0 ? 100 : first + random(10);
      const start = finished(occupied.occupy(size, first, last));
      expect(start).toBe(lowest(blocks, size, first, last));
      blocks.push({ start, end: start + size, first, last });
    }
  }
});

it('takes few steps for a block among many: some in use to the end, some for a moment', () => {
  const steps = (count: number) => {
    const pace = new Pace();
    let total = 0;
    const due = pace.due.bind(pace);
    pace.due = (n = 1) => {
      total += n;
      return due(n);
    };
    const occupied = new Occupied(pace);
    for (let i = 0; i < count; i++) finished(occupied.occupy(64 * (1 + (i % 7)), i, count));
    for (let i = 0; i < count; i++) finished(occupied.occupy(64, i, i + 1));
    return total;
  };
  expect(steps(8000) / steps(4000)).toBeLessThan(2.6);
});
