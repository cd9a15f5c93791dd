/** Runs the compiler's passes on graphs, and formats their results as text. */

import { type Arena, arrange } from '../../src/compile/passes/arena.js';
import { fuse } from '../../src/compile/passes/fuse.js';
import type { Fused } from '../../src/compile/passes/fused-loop.js';
import { type Instructions, instruct } from '../../src/compile/passes/instruct.js';
import { layout } from '../../src/compile/passes/layout.js';
import { lower } from '../../src/compile/passes/lower.js';
import { Placement } from '../../src/compile/passes/place.js';
import { share } from '../../src/compile/passes/share/index.js';
import { simplify } from '../../src/compile/passes/simplify/index.js';
import { rules } from '../../src/compile/passes/simplify/rules.js';
import { executionOrder } from '../../src/evaluate/lowered.js';
import { finished, Pace } from '../../src/graph/sliced.js';
import {
  type DType,
  initializers,
  type Node,
  parameter,
  type Updates,
  type Variable,
} from '../../src/index.js';
import { Builder, type Fired } from '../../src/ir/builder.js';
import { executor } from '../../src/ir/target.js';
import { format, type Ref } from '../../src/ir/value.js';

/** Yields the position of each instruction in the code of a program, whose format is in native/program/code.h. */
export function* positionsOf(code: Float64Array): Generator<number> {
  const [, buffers, count, , outputs] = code as unknown as number[];
  const draw = 6;
  let at = 6;
  for (let i = 0; i < (buffers as number); i++) at += code[at] === draw ? 5 : 2;
  at += 4 * (outputs as number);
  for (let i = 0; i < (count as number); i++) {
    yield at;
    at += code[at + 1] as number;
  }
}

/** Returns a float32 parameter with random values. The tests do not depend on the values. */
export function weight(name: string, shape: readonly number[]): Variable {
  return parameter(name, { shape, init: initializers.normal(1) });
}

export interface Lowered {
  readonly roots: readonly Ref[];
  readonly build: Builder;
  readonly fired: Fired;
}

export function lowered(nodes: readonly Node[], bindings: Record<string, number> = {}): Lowered {
  const fired: Fired = new Map();
  const build = new Builder(rules, fired);
  const refs = finished(lower(executionOrder(nodes), new Map(Object.entries(bindings)), build));
  return { roots: nodes.map((node) => refs.get(node) as Ref), build, fired };
}

export function simplified(nodes: readonly Node[], bindings?: Record<string, number>): Lowered {
  const { roots, build, fired } = lowered(nodes, bindings);
  return { roots: finished(simplify(roots, build)), build, fired };
}

export function shared(nodes: readonly Node[], bindings?: Record<string, number>): Lowered {
  const { roots, build, fired } = simplified(nodes, bindings);
  return { roots: finished(share(roots, build)), build, fired };
}

export function fused(
  outputs: readonly Node[],
  updates: Updates = [],
  bindings?: Record<string, number>,
): Fused & { readonly fired: Fired } {
  const { roots, build, fired } = shared(
    [...outputs, ...updates.map(([, value]) => value)],
    bindings,
  );
  const arranged = finished(layout(roots, build));
  const pairs = updates.map(([leaf], i) => ({ leaf, ref: arranged[outputs.length + i] as Ref }));
  return { ...finished(fuse(arranged.slice(0, outputs.length), pairs, build)), fired };
}

/** Returns the values of the IR as text. The dtype float32 is left out. */
export function text({ roots }: { readonly roots: readonly Ref[] }): string {
  return `\n${format(roots).replaceAll(' float32', '')}\n`;
}

/**
 * Returns the schedule as text. Each fused loop is a line of operations. Their operands and results are registers: r0,
 * r1 and so on.
 */
export function schedule({ schedule: items, final }: Fused): string {
  const lines = items.map((item) => {
    if (item.kind === 'single') return `${item.value.kind} [${item.value.shape.join(', ')}]`;
    const [{ loads, operations, stores, closes }] = item.loops as [(typeof item.loops)[number]];
    const shapes = item.loops.map(({ shape }) => `[${shape.join(', ')}]`).join(' ');
    const work = operations.map(
      ({ kernel, operands }, i) =>
        `r${loads.length + i} = ${kernel} ${operands.map((r) => `r${r}`).join(' ')}`,
    );
    const kept = [
      ...stores.map(
        ({ value, register }) => `${final.has(value) ? 'write' : 'store'} r${register}`,
      ),
      ...closes.map(({ register }) => `sum r${register}`),
    ];
    return `loop ${shapes}: load ${loads.map((_, i) => `r${i}`).join(' ')}; ${[...work, ...kept].join('; ')}`;
  });
  return `\n${lines.join('\n')}\n`;
}

export interface Placed {
  readonly instructions: Instructions;
  readonly arena: Arena;
  readonly fired: Fired;
}

/** Runs all passes of the compiler except the last one, "encode". */
export function placed(
  outputs: readonly Node[],
  updates: Updates = [],
  bindings?: Record<string, number>,
): Placed {
  const { fired, ...passes } = fused(outputs, updates, bindings);
  const pace = new Pace();
  const placement = finished(Placement.of(passes, fired, pace));
  const panelBytes = (_dtype: DType, k: number, n: number) => 4 * k * Math.ceil(n / 32) * 32;
  const target = { ...executor, panelBytes };
  const instructions = finished(instruct(passes, placement, target, fired, pace));
  return { instructions, arena: finished(arrange(instructions, fired, pace)), fired };
}

/** Returns the kinds of the instructions in the order of execution, separated by spaces. */
export function kinds({ instructions: { list } }: Placed): string {
  return list.map(({ kind }) => kind).join(' ');
}
