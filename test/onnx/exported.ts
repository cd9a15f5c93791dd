/** Exports graphs, and imports what was exported, for the tests of `exportOnnx`. */

import type { Feeds } from '../../src/evaluate/bind.js';
import { evaluate, input, type Node, type Tensor } from '../../src/index.js';
import { type ExportOnnxOptions, modelOf } from '../../src/onnx/export.js';
import { importOnnx } from '../../src/onnx/import.js';
import {
  type AttributeProto,
  attributeTypes,
  type GraphProto,
  type ModelProto,
  model,
} from '../../src/onnx/messages.js';
import { decode, encode } from '../../src/onnx/protobuf.js';

/** Returns the bytes of the file that `exportOnnx` writes. */
export function bytesOf(options: ExportOnnxOptions): Uint8Array {
  return encode(model, modelOf(options));
}

/** Returns the graph of the file that `exportOnnx` writes. */
export function graphOf(options: ExportOnnxOptions): GraphProto {
  const { graph } = decode<ModelProto>('exported', 'an ONNX model', model, bytesOf(options));
  return graph as GraphProto;
}

/** Returns the operators of the nodes of an exported graph, in order. */
export function operatorsOf(options: ExportOnnxOptions): string[] {
  return graphOf(options).node.map(({ opType }) => opType as string);
}

let modules = 0;

/** Imports a file, and returns its outputs as nodes. The inputs have the names of the file. */
export async function imported(bytes: Uint8Array): Promise<Record<string, Node>> {
  const made = await importOnnx(bytes, { name: `exported${modules++}` });
  const inputs = Object.entries(made.inputs).map(([name, { shape, dtype }]) => {
    return [name, input(name, shape, { dtype })] as const;
  });
  return made.apply(Object.fromEntries(inputs));
}

/** Computes outputs from the feeds that they need. */
export function computed(
  outputs: Readonly<Record<string, Node>>,
  feeds: Readonly<Record<string, Tensor>>,
): Record<string, Tensor> {
  const given = new Set(Object.keys(feeds));
  const needed = new Set<string>();
  const seen = new Set<Node>(Object.values(outputs));
  for (const node of seen) {
    for (const below of node.inputs) seen.add(below);
    if (node.op.name === 'input' && given.has(node.name as string)) needed.add(node.name as string);
  }
  const own: Feeds = Object.fromEntries([...needed].map((name) => [name, feeds[name] as Tensor]));
  return evaluate(outputs, own);
}

/**
 * Returns the first difference between the outputs and those of the imported file; undefined if there is none.
 * @param tolerance the largest difference, relative to numbers above 1
 */
export async function difference(
  outputs: Readonly<Record<string, Node>>,
  feeds: Readonly<Record<string, Tensor>>,
  { opset, tolerance = 0 }: { opset?: number; tolerance?: number } = {},
): Promise<string | undefined> {
  const again = await imported(bytesOf({ outputs, opset }));
  const [expected, found] = [computed(outputs, feeds), computed(again, feeds)];
  for (const [name, { data, shape, dtype }] of Object.entries(expected)) {
    const other = found[name] as Tensor;
    if (other.dtype !== dtype) return `${name}: ${other.dtype}, not ${dtype}`;
    if (other.shape.join() !== shape.join()) return `${name}: [${other.shape}], not [${shape}]`;
    for (let index = 0; index < data.length; index++) {
      const [a, b] = [other.data[index] as number, data[index] as number];
      if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
      if (Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b))) continue;
      return `${name}[${index}]: ${a}, not ${b}`;
    }
  }
  return undefined;
}

/**
 * Returns a graph as text in which values are numbered, so that their names do not matter. Nodes are in the order in which
 * the outputs need them.
 */
export function structureOf({ node, initializer, input: inputs, output }: GraphProto): string[] {
  const numbers = new Map<string, string>();
  const tensors = new Map(initializer.map((tensor) => [tensor.name, tensor]));
  const producers = new Map(node.flatMap((one) => one.output.map((name) => [name, one] as const)));
  const lines: string[] = [];
  const taken = (name: string) => {
    numbers.set(name, `value${numbers.size}`);
    return numbers.get(name) as string;
  };
  const textOf = (name: string): string => {
    const known = numbers.get(name);
    const tensor = tensors.get(name);
    if (name === '' || known !== undefined) return known ?? 'none';
    if (tensor !== undefined) {
      const content = Buffer.from(tensor.rawData ?? []).toString('hex');
      return `${taken(name)}=${tensor.dataType}[${tensor.dims}]${content}`;
    }
    const one = producers.get(name) as GraphProto['node'][number];
    const operands = one.input.map(textOf).join(' ');
    const results = one.output.map(taken).join(' ');
    const attributes = one.attribute.map(attributeText).sort().join(' ');
    lines.push(`${results} = ${one.opType} ${operands} ${attributes}`);
    return numbers.get(name) as string;
  };
  for (const { name = '' } of inputs) lines.push(`input ${name} ${taken(name)}`);
  for (const { name = '' } of output) lines.push(`output ${name} ${textOf(name)}`);
  return lines;
}

function attributeText({ name, type, i, f, s, ints }: AttributeProto): string {
  const value = {
    [attributeTypes.int]: `${i}`,
    [attributeTypes.float]: `${f}`,
    [attributeTypes.string]: Buffer.from(s ?? []).toString(),
    [attributeTypes.ints]: `[${ints}]`,
  }[type as number];
  return `${name}=${value}`;
}
