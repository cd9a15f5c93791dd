// Graphs of a few nodes, written as tables, which tests compare with ONNX Runtime.
import { expect } from 'vitest';
import { compile, evaluate, input, type Node, type Tensor, tensor } from '../../src/index.js';
import { elementTypes } from '../../src/onnx/elements.js';
import { importOnnx } from '../../src/onnx/index.js';
import type { GraphProto } from '../../src/onnx/messages.js';
import { run } from './runtime.js';
import { graphProto, infoProto, modelBytes, nodeProto, tensorProto } from './support.js';

export type TypeName = 'float' | 'double' | 'int64' | 'int32' | 'bool' | 'uint8';
export type Values = readonly [
  shape: readonly number[],
  elements: readonly number[],
  type?: TypeName,
];
export type Attributes = Parameters<typeof nodeProto>[3];
export type Step = readonly [op: string, inputs: string, outputs: string, attributes?: Attributes];

export interface Form {
  readonly opset?: number;
  readonly nodes: readonly Step[];
  readonly constants?: Readonly<Record<string, Values>>;
  readonly feeds?: Readonly<Record<string, Values>>;
  /** The dimensions of inputs, if they have names. */
  readonly dims?: Readonly<Record<string, readonly (number | string)[]>>;
  /** The outputs with their types. */
  readonly outputs?: Readonly<Record<string, TypeName>>;
}

const domainOf = (op: string) => (op.startsWith('ml.') ? 'ai.onnx.ml' : undefined);

function graphOf({ nodes, constants = {}, feeds = {}, dims = {}, outputs = { y: 'float' } }: Form) {
  return {
    node: nodes.map(([op, from, to, attributes]) =>
      nodeProto(
        op.replace('ml.', ''),
        from === '' ? [] : from.split(' ').map((name) => (name === '-' ? '' : name)),
        to.split(' '),
        attributes,
        {
          ...(domainOf(op) && { domain: domainOf(op) }),
        },
      ),
    ),
    initializer: Object.entries(constants).map(([name, [shape, elements, type]]) =>
      tensorProto(name, shape, elements, type),
    ),
    input: Object.entries(feeds).map(([name, [shape, , type]]) =>
      infoProto(name, dims[name] ?? shape, type),
    ),
    output: Object.entries(outputs).map(([name, type]) => ({
      name,
      type: { tensorType: { elemType: elementTypes[type].code } },
    })),
  } satisfies Partial<GraphProto>;
}

/** Names with types and a rank of 0, as in 'i:int64:0 x'. The usual type is float, of any shape. */
export const infos = (text: string) =>
  text.split(' ').map((one) => {
    const [name, type = 'float', rank] = one.split(':') as [string, TypeName?, string?];
    const shape = rank === '0' ? { shape: { dim: [] } } : {};
    return { name, type: { tensorType: { elemType: elementTypes[type].code, ...shape } } };
  });

/** The graph of one step of a loop. @param inputs names with types, as `infos` reads them */
export const body = (inputs: string, outputs: string, nodes: readonly Step[]): GraphProto =>
  graphProto({
    name: 'body',
    node: nodes.map(([op, from, to, attributes]) =>
      nodeProto(op, from === '' ? [] : from.split(' '), to.split(' '), attributes),
    ),
    input: inputs === '' ? [] : infos(inputs),
    output: outputs === '' ? [] : infos(outputs),
  });

export function bytesOf(form: Form): Uint8Array {
  const { opset = 18, nodes } = form;
  const ml = nodes.some(([op]) => domainOf(op) !== undefined);
  return modelBytes(graphOf(form), {
    opsetImport: [
      { domain: '', version: BigInt(opset) },
      ...(ml ? [{ domain: 'ai.onnx.ml', version: 1n }] : []),
    ],
  });
}

const made = ([shape, elements, type = 'float']: Values): Tensor =>
  tensor([...elements], { shape, dtype: elementTypes[type].dtype });

export function expectSame(name: string, found: Tensor, wanted: Tensor): void {
  expect(found.shape, name).toEqual(wanted.shape);
  expect(found.dtype, name).toBe(wanted.dtype);
  wanted.data.forEach((value, index) => {
    const came = found.data[index] as number;
    const close = Math.abs(came - value) <= 2e-5 * Math.max(1, Math.abs(value));
    const same = came === value || close || (Number.isNaN(came) && Number.isNaN(value));
    expect(same, `${name}[${index}]: ${came}, not ${value}`).toBe(true);
  });
}

let count = 0;

export async function compare(form: Form): Promise<void> {
  const bytes = bytesOf(form);
  const feeds = Object.fromEntries(
    Object.entries(form.feeds ?? {}).map(([name, values]) => [name, made(values)]),
  );
  const theirs = await run(bytes, feeds);
  const model = await importOnnx(bytes, { name: `model${count++}` });
  const leaves = Object.entries(model.inputs).map(
    ([name, { shape, dtype }]) => [name, input(name, shape, { dtype })] as const,
  );
  const outputs = model.apply(Object.fromEntries(leaves));
  for (const [name, node] of Object.entries(outputs) as [string, Node][]) {
    const used = new Set<Node>([node]);
    for (const one of used) for (const below of one.inputs) used.add(below);
    const needed = Object.fromEntries(
      Object.entries(feeds).filter(([key]) =>
        [...used].some((one) => one.op.name === 'input' && one.name === key),
      ),
    );
    // What depends only on the size of an input needs the input to have it.
    const sized = Object.values(form.dims ?? {}).length > 0 ? feeds : needed;
    const fed = [...used].some((one) => one.op.name === 'extent' || one.op.name === 'positions')
      ? sized
      : needed;
    const wanted = theirs[name] as Tensor;
    const anchored = Object.keys(fed).length > Object.keys(needed).length;
    if (!anchored) expectSame(name, evaluate(node, fed), wanted);
    const all = anchored ? { [name]: node, ...Object.fromEntries(leaves) } : { [name]: node };
    const results: Record<string, Tensor> = compile({ outputs: all }).run(fed);
    expectSame(`compiled ${name}`, results[name] as Tensor, wanted);
  }
}

export const ints = (...elements: number[]): Values => [[elements.length], elements, 'int64'];
export const scalar = (element: number, type: TypeName = 'int64'): Values => [[], [element], type];
export const row = (...elements: number[]): Values => [[elements.length], elements];
export const counted = (shape: readonly number[], type: TypeName = 'float', factor = 1): Values => {
  const size = shape.reduce((a, b) => a * b, 1);
  return [shape, Array.from({ length: size }, (_, i) => factor * (((i * 7) % 11) - 5)), type];
};
export const forms = (list: Readonly<Record<string, Form>>) => Object.entries(list);
