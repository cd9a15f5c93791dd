/** The operators Scan and Loop, as loops of `scan`. Short loops of which that is not possible are unrolled. */

import { FormatError } from '../errors.js';
import { type Dim, sameShape } from '../graph/dimension.js';
import { type Input, input } from '../graph/leaf.js';
import { mostSteps } from '../graph/loop.js';
import { type Node, nextNodeId } from '../graph/node.js';
import { substitute } from '../graph/substitute.js';
import { Obstacles } from '../imports/obstacles.js';
import { flip, stack, transpose } from '../ops/index.js';
import { scanSince } from '../ops/scan.js';
import { formatShape } from '../tensor/shape.js';
import type { Call } from './call.js';
import { type ElementType, elementTypes, Known } from './elements.js';
import { Frame, type Inner } from './frame.js';
import type { GraphProto } from './messages.js';
import { Value } from './value.js';

/** The graph of one step. */
interface Body {
  readonly graph: GraphProto;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** @throws FormatError if the node has no body, or if it does not have as many inputs and outputs as it must */
function bodyOf(call: Call, inputs: number, fewest: number): Body {
  const graph = call.graph('body');
  if (graph === undefined) throw new FormatError("the attribute 'body' is missing");
  const defaults = new Set(graph.initializer.map(({ name }) => name));
  const names = graph.input.map(({ name = '' }) => name).filter((name) => !defaults.has(name));
  if (names.length !== inputs) {
    throw new FormatError(
      `its body has ${names.length} inputs, but the node gives it ${inputs} values`,
    );
  }
  const twice = names.find((name, index) => name === '' || names.indexOf(name) !== index);
  if (twice === '') throw new FormatError('an input of its body has no name');
  if (twice !== undefined) throw new FormatError(`two inputs of its body are named '${twice}'`);
  const outputs = graph.output.map(({ name = '' }) => name);
  if (outputs.length < fewest) {
    throw new FormatError(
      `its body has ${outputs.length} outputs, but at least ${fewest} are expected`,
    );
  }
  return { graph, inputs: names, outputs };
}

/** Returns the frame of a step. @param values the values of the inputs of the body */
function frameOf(
  outer: Frame,
  { graph, inputs }: Body,
  values: readonly Value[],
  obstacles?: Obstacles,
): Frame {
  const frame = Frame.ofGraph(outer.file, outer.sets, graph, outer, obstacles);
  inputs.forEach((name, index) => {
    frame.values.set(name, values[index] as Value);
  });
  return frame;
}

/** An input of the body, and the leaf that stands for its value in a step. */
interface Slot {
  readonly name: string;
  readonly type: ElementType;
  readonly leaf: Input;
  /** The initial value of a carry, or what is cut into rows. */
  readonly from: Node;
}

function slotOf(name: string, type: ElementType, from: Node, shape = from.shape): Slot {
  return { name, type, from, leaf: input(name, shape, { dtype: from.dtype }) };
}

const asValue = ({ type, leaf }: Slot): Value => Value.computed(type, leaf);

const recordOf = <T>(entries: Iterable<readonly [string, T]>): Readonly<Record<string, T>> =>
  Object.fromEntries(entries);

interface Looped {
  /** The id that the next node had, before the graph of a step was built. */
  readonly since: number;
  readonly carries: readonly Slot[];
  readonly rows: readonly Slot[];
  readonly index?: Slot;
  readonly length?: Dim;
  readonly reverse?: boolean;
  /** What the body computes: the next values of the carries, and what is kept of a step. */
  readonly results: readonly Value[];
}

/** Makes the loop. Returns the last values of the carries, and the rows of all steps of what is kept. */
function looped(
  call: Call,
  { since, carries, rows, index, length, reverse = false, results }: Looped,
): { last: Value[]; ys: Value[] } {
  const kept = results.slice(carries.length);
  const over = recordOf(rows.map(({ name, from }) => [name, from]));
  const initial = recordOf(carries.map(({ name, from }) => [name, from]));
  const { last, ys } = scanSince(
    since,
    (carry: Readonly<Record<string, Node>>, row: Readonly<Record<string, Node>>, t: Node) => {
      const replacements = new Map<Input, Node>([
        ...carries.map(({ name, leaf }) => [leaf, carry[name] as Node] as const),
        ...rows.map(({ name, leaf }) => [leaf, row[name] as Node] as const),
      ]);
      if (index !== undefined) replacements.set(index.leaf, t);
      const nodes = substitute(
        results.map(({ node }) => node),
        replacements,
      );
      const next = carries.map(({ name }, at) => [name, nodes[at] as Node] as const);
      const rest = nodes.slice(carries.length).map((node, at) => [`y${at}`, node] as const);
      return [recordOf(next), recordOf(rest)] as const;
    },
    { over, initial, reverse, name: call.label, ...(length !== undefined && { length }) },
  );
  return {
    last: carries.map(({ name, type }) => Value.computed(type, last[name] as Node)),
    ys: kept.map(({ type }, at) => Value.computed(type, ys[`y${at}`] as Node)),
  };
}

// ---- Scan.

/** Returns an attribute of a Scan with a number for each of its inputs or outputs; zeros if it does not have it. */
function listed(call: Call, name: string, count: number): readonly number[] {
  const found = call.ints(name, undefined) ?? new Array<number>(count).fill(0);
  if (found.length === count) return found;
  throw new FormatError(`attribute '${name}' has ${found.length} numbers, but ${count} are needed`);
}

/** Returns whether each input or output runs from the last step to the first. */
function directions(call: Call, name: string, count: number): readonly boolean[] {
  return listed(call, name, count).map((direction) => {
    if (direction === 0 || direction === 1) return direction === 1;
    throw new FormatError(`attribute '${name}' must be of 0 and 1, but has ${direction}`);
  });
}

/** Returns an axis of a tensor, counted from 0. */
function stepAxis(axis: number, rank: number, attribute: string): number {
  if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  throw new FormatError(`attribute '${attribute}' has axis ${axis} of a tensor of ${rank} axes`);
}

/** Moves an axis to another place. */
function moved(x: Node, from: number, to: number): Node {
  if (from === to) return x;
  const order = x.shape.map((_, axis) => axis).filter((axis) => axis !== from);
  order.splice(to, 0, from);
  return transpose(x, order);
}

/** The inputs are states and then what is scanned. The body has them in the same order. */
export function scanOf(call: Call, outer: Frame): Inner {
  if (call.version < 9) {
    call.unsupported('the form of operator set 8, which has a batch axis; write operator set 9');
  }
  const scanned = call.int('num_scan_inputs', undefined);
  if (scanned === undefined) throw new FormatError("the attribute 'num_scan_inputs' is missing");
  if (!(scanned >= 1 && scanned <= call.count)) {
    throw new FormatError(
      `attribute 'num_scan_inputs' is ${scanned}, but the node has ${call.count} inputs`,
    );
  }
  const states = call.count - scanned;
  const body = bodyOf(call, call.count, Math.max(states, 1));
  const kept = body.outputs.length - states;
  const inputAxes = listed(call, 'scan_input_axes', scanned);
  const inputReversed = directions(call, 'scan_input_directions', scanned);
  const outputAxes = listed(call, 'scan_output_axes', kept);
  const outputReversed = directions(call, 'scan_output_directions', kept);
  assertOutputs(call, body.outputs.length);
  call.assertAllRead();
  const reverse = inputReversed[0] as boolean;
  const carries = body.inputs.slice(0, states).map((name, index) => {
    const { type, node } = call.value(index);
    return slotOf(name, type, node);
  });
  const rows = body.inputs.slice(states).map((name, index) => {
    const { type, node } = call.value(states + index);
    const axis = stepAxis(inputAxes[index] as number, node.shape.length, 'scan_input_axes');
    const first = moved(node, axis, 0);
    const over = inputReversed[index] === reverse ? first : flip(first, 0);
    return slotOf(name, type, over, over.shape.slice(1));
  });
  const since = nextNodeId();
  return {
    frame: frameOf(outer, body, [...carries, ...rows].map(asValue)),
    outputs: body.outputs,
    close: (results) => {
      if (results === undefined) return undefined;
      const { last, ys } = looped(call, { since, carries, rows, reverse, results });
      const outputs = ys.map(({ type, node }, index) => {
        const turned = outputReversed[index] === reverse ? node : flip(node, 0);
        const axis = outputAxes[index] as number;
        const to = stepAxis(axis, node.shape.length, 'scan_output_axes');
        return Value.computed(type, moved(turned, 0, to));
      });
      return [...last, ...outputs];
    },
  };
}

function assertOutputs({ proto }: Call, most: number): void {
  if (proto.output.length <= most) return;
  throw new FormatError(`the node has ${proto.output.length} outputs, but its body has ${most}`);
}

// ---- Loop.

/** The largest number of steps of a loop that is unrolled. */
const mostUnrolled = 64;

/** Returns the only element of a bool; undefined if it is not known. */
function truth({ known }: Value): boolean | undefined {
  const numbers = known?.numbers();
  return numbers?.length === 1 ? numbers[0] !== 0 : undefined;
}

/** Returns the number of steps. */
function tripsOf(call: Call): Dim {
  const condition = call.has(1) ? truth(call.value(1)) : true;
  if (condition === undefined) {
    return call.unsupported('its condition is computed, but must be known at the import');
  }
  if (!condition) return 0;
  if (!call.has(0)) return call.unsupported('it has no trip count');
  const [trips, ...more] = call.dims(0, 'its trip count');
  if (trips === undefined || more.length > 0) {
    throw new FormatError('its trip count must have one element');
  }
  if (typeof trips === 'string') return trips;
  if (trips > mostSteps) return call.unsupported(`a trip count of ${trips}`);
  return Math.max(0, trips);
}

/**
 * The inputs are the trip count, the condition and the carries. The body gets the index of the step and the condition
 * first. It returns the condition, the next values of the carries, and what is kept of the step.
 */
export function loopOf(call: Call, outer: Frame): Inner {
  const carried = Math.max(0, call.count - 2);
  const body = bodyOf(call, 2 + carried, 1 + carried);
  assertOutputs(call, body.outputs.length - 1);
  call.assertAllRead();
  const trips = tripsOf(call);
  const condition = Value.known(
    new Known(elementTypes.bool, (call.has(1) && call.value(1).known?.shape) || [], [1]),
    'bool',
  );
  const initial = Array.from({ length: carried }, (_, index) => call.value(2 + index));
  const carries = initial.map(({ type, node }, index) =>
    slotOf(body.inputs[2 + index] as string, type, node),
  );
  const index: Slot = {
    name: body.inputs[0] as string,
    type: elementTypes.int64,
    leaf: input(body.inputs[0] as string, [], { dtype: 'int32' }),
    from: condition.node,
  };
  const short = typeof trips === 'number' && trips > 0 && trips <= mostUnrolled;
  // What stands against a loop does not count if the loop can be unrolled.
  const obstacles = short ? new Obstacles('node') : undefined;
  const values = [asValue(index), condition, ...carries.map(asValue)];
  const since = nextNodeId();
  return {
    frame: frameOf(outer, body, values, obstacles),
    outputs: body.outputs,
    close: (computed) => {
      const against = computed && reasonAgainst(carries, computed);
      if (computed !== undefined && against === undefined) {
        const results = computed.slice(1);
        const { last, ys } = looped(call, {
          since,
          carries,
          rows: [],
          index,
          length: trips,
          results,
        });
        return [...last, ...ys];
      }
      if (short) return unrolled({ call, outer, body, trips, condition }, initial, []);
      return against === undefined ? undefined : call.unsupported(against);
    },
  };
}

/** Returns why a loop cannot be one of `scan`; undefined if it can. */
function reasonAgainst(
  carries: readonly Slot[],
  [condition, ...next]: readonly Value[],
): string | undefined {
  const goesOn = truth(condition as Value);
  if (goesOn === undefined) return 'its condition is computed in its body';
  if (!goesOn) return 'its condition ends it before the last step';
  const changed = carries.find(
    ({ leaf }, index) => !sameShape(leaf.shape, (next[index] as Value).shape),
  );
  if (changed === undefined) return undefined;
  const after = (next[carries.indexOf(changed)] as Value).shape;
  return `a value may change its shape only in a loop of at most ${mostUnrolled} steps: '${changed.name}' has shape ${formatShape(changed.leaf.shape)} before a step and ${formatShape(after)} after it`;
}

interface Unrolling {
  readonly call: Call;
  readonly outer: Frame;
  readonly body: Body;
  readonly trips: number;
  readonly condition: Value;
}

/**
 * Returns the next step of a loop that is unrolled: its nodes are made anew for each step, with an index that is known.
 * @param state the values of the carries before the step
 * @param kept what was kept of each step before
 */
function unrolled(
  loop: Unrolling,
  state: readonly Value[],
  kept: readonly (readonly Value[])[],
): Inner {
  const { call, outer, body, trips, condition } = loop;
  const index = Value.known(Known.ints([kept.length], []), 'int32');
  return {
    frame: frameOf(outer, body, [index, condition, ...state]),
    outputs: body.outputs,
    close: (computed) => {
      if (computed === undefined) return undefined;
      const goesOn = truth(computed[0] as Value);
      const next = computed.slice(1, 1 + state.length);
      const all = [...kept, computed.slice(1 + state.length)];
      if (all.length < trips) {
        if (goesOn === undefined) return call.unsupported('its condition is computed in its body');
        if (goesOn) return unrolled(loop, next, all);
      }
      const [first = []] = all;
      const ys = first.map(({ type }, at) =>
        Value.computed(
          type,
          stack(
            all.map((step) => (step[at] as Value).node),
            0,
          ),
        ),
      );
      return [...next, ...ys];
    },
  };
}
