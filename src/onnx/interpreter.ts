/**
 * Builds the graph of a model: computes the values of names by the rows of the operator table. Only what the wanted
 * names depend on is computed.
 */

import {
  DTypeError,
  ForebayError,
  FormatError,
  GraphError,
  ShapeError,
  ValueError,
} from '../errors.js';
import { withinLayer } from '../graph/calls.js';
import type { Node } from '../graph/node.js';
import { isNode } from '../graph/node.js';
import type { Obstacles } from '../imports/obstacles.js';
import type { Pauses } from '../imports/slices.js';
import { Call, describe, type Importing, labelOf, Unsupported } from './call.js';
import { controlOf } from './control.js';
import { absent, Frame, type Inner, type Task } from './frame.js';
import type { AttributeProto, FunctionProto, NodeProto } from './messages.js';
import { operatorOf } from './operators/index.js';
import type { Value } from './value.js';

/** A name of a frame whose value is needed. */
interface Want {
  readonly frame: Frame;
  readonly name: string;
}

/** The operator sets that forebay reads. */
export const [oldest, newest] = [7, 28] as const;

/** The largest number of nodes of a graph, with those of the functions that it calls. */
const mostNodes = 500_000;
/** The deepest function that functions call. */
const deepest = 64;

export class Interpreter {
  #nodes = 0;

  constructor(
    readonly importing: Importing,
    readonly functions: ReadonlyMap<string, FunctionProto>,
    readonly obstacles: Obstacles,
  ) {}

  /** Computes the values of names. */
  *resolve(frame: Frame, names: readonly string[]): Pauses<(Value | typeof absent)[]> {
    const stack: Want[] = names.map((name) => ({ frame, name }));
    while (stack.length > 0) {
      const want = stack.at(-1) as Want;
      const owner = want.frame.owner(want.name);
      if (owner === undefined) {
        throw new FormatError(
          `${frame.file}: there is no tensor '${want.name}'; a node or an output needs it`,
        );
      }
      if (owner.values.has(want.name)) {
        stack.pop();
        continue;
      }
      const proto = owner.stored.get(want.name);
      if (proto !== undefined) {
        const stored = this.importing.stored(proto, want.name);
        stored.isInitializer = true;
        const pending = stored.pending();
        if (pending !== undefined) yield pending;
        owner.values.set(want.name, this.importing.valueOf(stored));
        continue;
      }
      const task = owner.producers.get(want.name) as Task;
      const needed = wantsOf(task).filter(({ frame: from, name }) => !isReady(from, name));
      if (needed.length > 0) {
        if (++task.asked > (task.inner === undefined ? 1 : 2)) {
          throw new FormatError(`${frame.file}: ${describe(task.proto)} depends on itself`);
        }
        stack.push(...needed);
        continue;
      }
      yield* this.#read(task);
      this.#step(task);
    }
    return names.map((name) => frame.owner(name)?.values.get(name) as Value | typeof absent);
  }

  /** Reads the tensors in the attributes of a node, if they are in another file. */
  *#read({ proto }: Task): Pauses<void> {
    yield undefined;
    for (const { t } of proto.attribute) {
      if (t?.dataLocation !== 1) continue;
      const pending = this.importing.stored(t, proto.output[0] ?? '').pending();
      if (pending !== undefined) yield pending;
    }
  }

  /** Notes why a value is absent that is needed, if a supported node does not have it. */
  noteRefusal(frame: Frame, name: string): void {
    const refusal = frame.owner(name)?.refusals.get(name);
    if (refusal === undefined) return;
    this.#obstaclesOf(frame).unsupported.set(refusal.node, refusal.reason);
  }

  /** Computes the outputs of a node whose inputs are ready, or finds the graph inside of it. */
  #step(task: Task): void {
    try {
      if (task.inner === undefined) this.#run(task);
      else this.#leave(task, task.inner);
    } catch (cause) {
      this.#fail(task, cause);
      finish(task, undefined);
    }
  }

  /** Begins with a graph inside of a node, whose outputs are needed next. */
  #enter(task: Task, inner: Inner): void {
    this.#count(inner.frame.size);
    task.inner = inner;
    task.asked = 0;
  }

  /** Ends with a graph inside of a node, whose outputs are computed. */
  #leave(task: Task, { frame, outputs, close }: Inner): void {
    const values = outputs.map((name) => frame.owner(name)?.values.get(name));
    if (close === undefined) {
      finish(task, values);
      outputs.forEach((name, index) => {
        task.frame.adopt(task.proto.output[index], frame, name);
      });
      return;
    }
    const misses = values.includes(absent);
    if (misses) for (const name of outputs) this.noteRefusal(frame, name);
    const closed = withinLayer(task.proto.opType ?? '', labelOf(task.proto), () =>
      close(misses ? undefined : (values as Value[])),
    );
    if (closed !== undefined && 'frame' in closed) this.#enter(task, closed);
    else finish(task, closed);
  }

  /** Counts nodes that are built, or of which there is a new frame. */
  #count(nodes: number): void {
    this.#nodes += nodes;
    if (this.#nodes > mostNodes) {
      throw new FormatError(`the graph has more than ${mostNodes} nodes`);
    }
  }

  #run(task: Task): void {
    const { frame, proto } = task;
    this.#count(1);
    const inputs = proto.input.map((name) =>
      name === '' ? undefined : frame.owner(name)?.values.get(name),
    );
    const domain = domainOf(proto.domain);
    const body = this.functions.get(functionKey(domain, proto.opType, proto.overload));
    if (body !== undefined) {
      this.#enter(task, inside(task, body, inputs));
      return;
    }
    const row = operatorOf(domain, proto.opType ?? '');
    const version = frame.sets.get(domain);
    const misses = inputs.includes(absent);
    for (const name of proto.input) this.noteRefusal(frame, name);
    if (version === undefined) {
      throw new Unsupported(`the model imports no operator set of the domain '${domain}'`);
    }
    if (row === undefined) throw new Unsupported('forebay has no such operator');
    if (domain === '' && (version < oldest || version > newest)) {
      throw new Unsupported(
        `its operator set is ${version}, but forebay reads ${oldest} to ${newest}`,
      );
    }
    const call = new Call(
      this.importing,
      proto,
      version,
      misses ? [] : (inputs as (Value | undefined)[]),
      attributesOf(frame, proto),
    );
    const control = controlOf(domain, proto.opType ?? '');
    if (control !== undefined && !misses) {
      try {
        this.#enter(task, control(call, frame));
        return;
      } catch (cause) {
        this.#list([proto], frame);
        throw cause;
      }
    }
    if (misses) {
      this.#list([proto], frame);
      finish(task, undefined);
      return;
    }
    const built = withinLayer(proto.opType ?? '', call.label, () => row.build(call));
    call.assertAllRead();
    const list: readonly (Value | Node | undefined)[] = Array.isArray(built) ? built : [built];
    finish(
      task,
      list.map((one) => (isNode(one) ? call.like(one) : one)),
    );
  }

  /** Lists the nodes of a graph that is not built, if forebay does not have their operators. */
  #list(nodes: readonly NodeProto[], frame: Frame): void {
    for (const proto of nodes) {
      const domain = domainOf(proto.domain);
      const known =
        operatorOf(domain, proto.opType ?? '') !== undefined ||
        this.functions.has(functionKey(domain, proto.opType, proto.overload));
      if (!known) {
        const { unsupported } = this.#obstaclesOf(frame);
        unsupported.set(describe(proto), 'forebay has no such operator');
      }
      for (const { g } of proto.attribute) this.#list(g?.node ?? [], frame);
    }
  }

  #fail(task: Task, cause: unknown): void {
    const obstacles = this.#obstaclesOf(task.frame);
    if (cause instanceof Unsupported) {
      obstacles.unsupported.set(describe(task.proto), cause.message);
    } else {
      obstacles.first ??= located(task, cause);
    }
  }

  #obstaclesOf({ obstacles }: Frame): Obstacles {
    return obstacles ?? this.obstacles;
  }
}

/** Returns the names that a task needs next. */
function wantsOf({ frame, proto, inner }: Task): Want[] {
  if (inner !== undefined) return inner.outputs.map((name) => ({ frame: inner.frame, name }));
  return proto.input.filter((name) => name !== '').map((name) => ({ frame, name }));
}

function isReady(frame: Frame, name: string): boolean {
  return frame.owner(name)?.values.has(name) === true;
}

/** Sets the values of the outputs of a node. */
function finish(
  { frame, proto }: Task,
  results: readonly (Value | typeof absent | undefined)[] | undefined,
): void {
  proto.output.forEach((name, index) => {
    if (name === '') return;
    const result = results === undefined ? absent : results[index];
    if (result === undefined) {
      const reason = `its output ${index}, '${name}', is used`;
      frame.refusals.set(name, { node: describe(proto), reason });
    }
    frame.values.set(name, result ?? absent);
  });
}

/** Returns the body of a function, with the inputs and the attributes of a node that calls it. */
function inside(
  { frame: outer, proto }: Task,
  body: FunctionProto,
  inputs: readonly (Value | typeof absent | undefined)[],
): Inner {
  const attributes = new Map(attributesOf(outer, proto));
  for (const usual of body.attributeProto) {
    if (usual.name !== undefined && !attributes.has(usual.name)) attributes.set(usual.name, usual);
  }
  const depth = outer.depth + 1;
  if (depth > deepest)
    throw new FormatError(`functions call one another more than ${deepest} deep`);
  const sets = setsOf(body.opsetImport);
  const frame = new Frame(
    outer.file,
    sets,
    body.node,
    undefined,
    attributes,
    depth,
    outer.obstacles,
  );
  body.input.forEach((name, index) => {
    const value = inputs[index];
    if (value !== undefined) frame.values.set(name, value);
    frame.adopt(name, outer, proto.input[index] ?? '');
  });
  return { frame, outputs: body.output };
}

/** Returns the attributes of a node by name. An attribute that refers to one of the function has its value. */
function attributesOf(frame: Frame, proto: NodeProto): Map<string, AttributeProto> {
  const found = new Map<string, AttributeProto>();
  for (const attribute of proto.attribute) {
    const { name = '', refAttrName } = attribute;
    const value = refAttrName ? frame.attributes?.get(refAttrName) : attribute;
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

/** Returns an error that names the file and the node. */
function located(task: Task, cause: unknown): unknown {
  const message = `${task.frame.file}: ${describe(task.proto)}: ${(cause as Error).message}`;
  for (const Kind of [ShapeError, DTypeError, ValueError, GraphError] as const) {
    if (cause instanceof Kind) return new Kind(message, { cause });
  }
  if (cause instanceof ForebayError && !(cause instanceof FormatError)) return cause;
  // Anything else is an error of the file, such as a node without its inputs.
  return new FormatError(message, { cause });
}

/** Returns the name of a domain. The domain of ONNX itself has two names. */
export function domainOf(domain: string | undefined): string {
  return domain === undefined || domain === 'ai.onnx' ? '' : domain;
}

/** Returns the versions of operator sets by domain. */
export function setsOf(
  imports: readonly { domain?: string | undefined; version?: bigint | undefined }[],
): Map<string, number> {
  return new Map(imports.map(({ domain, version = 1n }) => [domainOf(domain), Number(version)]));
}

/** Returns the key of a function of a model. */
export function functionKey(domain: string, name = '', overload = ''): string {
  return `${domain}:${name}:${overload}`;
}
