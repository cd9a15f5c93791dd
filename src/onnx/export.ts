/** `exportOnnx`: writes a graph as an ONNX file. */

import { describeValue } from '../arguments/describe.js';
import { checkedLater } from '../arguments/kinds.js';
import {
  declareOptions,
  type Kind,
  type OptionsOf,
  optional,
  required,
} from '../arguments/options.js';
import { assertRecord } from '../arguments/read.js';
import { version } from '../arguments/version.js';
import { GraphError, ValueError } from '../errors.js';
import { isDimensionName } from '../graph/dimension.js';
import { type Input, isInput, isVariable } from '../graph/leaf.js';
import { assertValue, isNode, type Node } from '../graph/node.js';
import { reachable } from '../graph/topology.js';
import { isWritable } from '../io/header.js';
import { absolutePathOf, type FilePath } from '../io/sources.js';
import { Emitter, type Place, valueInfo } from './exporters/emitter.js';
import { Exporter } from './exporters/plan.js';
import type { GraphProto, ModelProto } from './messages.js';
import { writeModel } from './write.js';

/** The version of the format of files that each operator set needs. */
const irVersions: Readonly<Record<number, number>> = {
  13: 7,
  14: 7,
  15: 8,
  16: 8,
  17: 8,
  18: 8,
  19: 9,
  20: 9,
  21: 10,
  22: 10,
  23: 11,
};
const [oldest, newest] = [13, 23];

const operatorSet: Kind<number> = {
  expected: `an operator set from ${oldest} to ${newest}`,
  accepts: (value) => typeof value === 'number' && Object.hasOwn(irVersions, value),
};

const exportOptions = declareOptions('exportOnnx', {
  /**
   * The inputs of the file, by their names in it. They must include all inputs of the graph. By default, these are the
   * inputs, under their own names.
   */
  inputs: optional(checkedLater<Readonly<Record<string, Input>>>('a record of inputs by name')),
  /** The outputs of the file, by their names in it; or a node, which is then named `output`. */
  outputs: required(
    checkedLater<Node | Readonly<Record<string, Node>>>('a node, or a record of nodes by name'),
    'output',
  ),
  /** The version of the operator set, from 13 to 23; 18 by default. ONNX Runtime has the most operators for 18. */
  opset: optional(operatorSet, 'opsetVersion', 'opset_version'),
  /** Strings of your own, by name, which the file stores. */
  metadata: optional(checkedLater<Readonly<Record<string, string>>>('a record of strings')),
});

/** Options of `exportOnnx`. */
export interface ExportOnnxOptions extends OptionsOf<typeof exportOptions> {}

/**
 * Writes a graph as an ONNX file, which other programs can run. The values of parameters and states are those at the time
 * of the call. The file is written completely or not at all.
 *
 * ```ts
 * await exportOnnx('model.onnx', { outputs: { logits: net.apply(x) } });
 * ```
 *
 * Dimensions keep their names. int32 is int64 in the file, also in inputs and outputs, because the indices of ONNX
 * are; other dtypes stay as they are. Recurrent layers of float32 become single operators; a loop becomes a Scan.
 * Parameters and states are named as in the graph, and outputs by their keys. If the file would be larger than 2 GiB,
 * the elements of parameters are in a file `NAME.onnx.data` beside it, which belongs to it.
 *
 * Which element is the largest of several, if one is NaN, is left to the program that runs the file. docs/onnx.md lists
 * the operators that each op becomes.
 * @param file a path or a `file:` URL
 * @throws (rejects with) GraphError if an input or an output is not one, if an input is missing, if two things in the file
 *   would have the same name, or if the graph has an op without a form in ONNX, such as a random draw or a gradient of a
 *   convolution (the error names the node); ValueError if an option is missing, unknown or invalid; StateError if a run in
 *   flight writes a parameter or a state; FormatError if the file cannot be written
 */
export async function exportOnnx(file: FilePath, options: ExportOnnxOptions): Promise<void> {
  const path = absolutePathOf(file, 'exportOnnx');
  await writeModel(path, modelOf(options));
}

/** Returns the model that `exportOnnx` writes. @throws its errors, except those of writing */
export function modelOf(options: ExportOnnxOptions): ModelProto {
  const read = exportOptions.read(options);
  const { opset = 18 } = read;
  const outputs = outputsOf(read.outputs);
  const inputs = inputsOf(read.inputs, [...outputs.values()]);
  const metadataProps = metadataOf(read.metadata);
  return {
    irVersion: BigInt(irVersions[opset] as number),
    producerName: 'forebay',
    producerVersion: version,
    graph: graphOf(inputs, outputs, opset),
    opsetImport: [{ domain: '', version: BigInt(opset) }],
    metadataProps,
    functions: [],
  };
}

function assertName(name: string, what: string): void {
  if (name !== '' && isWritable(name)) return;
  throw new ValueError(
    `exportOnnx: expected a name for ${what}, but received ${describeValue(name)}`,
  );
}

function outputsOf(given: unknown): Map<string, Node> {
  const expected = 'exportOnnx: expected outputs as a node, or as a record of nodes by name,';
  const entries = isNode(given)
    ? ([['output', given]] as const)
    : assertRecord(given as Readonly<Record<string, Node>>, expected);
  if (entries.length === 0) throw new ValueError(`${expected} but the record is empty`);
  for (const [name, node] of entries) {
    assertName(name, 'an output');
    if (!isNode(node)) {
      throw new GraphError(
        `exportOnnx: output '${name}': expected a node, but received ${describeValue(node)}`,
      );
    }
    assertValue(node, `exportOnnx: output '${name}':`);
  }
  return new Map(entries);
}

/** Returns the inputs of the file, with their names. */
function inputsOf(given: unknown, outputs: readonly Node[]): Map<Input, string> {
  const needed = reachable(outputs).filter(isInput);
  if (given === undefined) return new Map(needed.map((leaf) => [leaf, leaf.name as string]));
  const expected = 'exportOnnx: expected inputs as a record of inputs by name,';
  const found = new Map<Input, string>();
  for (const [name, leaf] of assertRecord(given as Readonly<Record<string, Input>>, expected)) {
    assertName(name, 'an input');
    if (!isInput(leaf)) {
      throw new GraphError(
        `exportOnnx: input '${name}': expected an input, but received ${describeValue(leaf)}`,
      );
    }
    const other = found.get(leaf);
    if (other !== undefined) {
      throw new ValueError(`exportOnnx: ${leaf} is given twice, as '${other}' and as '${name}'`);
    }
    found.set(leaf, name);
  }
  const missing = needed.find((leaf) => !found.has(leaf));
  if (missing === undefined) return found;
  throw new GraphError(
    `exportOnnx: the outputs depend on ${missing}, which is missing in the option inputs`,
  );
}

function metadataOf(given: unknown): ModelProto['metadataProps'] {
  if (given === undefined) return [];
  const expected = 'exportOnnx: expected metadata as a record of strings,';
  const entries = assertRecord(given as Readonly<Record<string, string>>, expected);
  return entries.map(([key, value]) => {
    if (isWritable(key) && isWritable(value)) return { key, value };
    throw new ValueError(`${expected} but ${JSON.stringify(key)} is ${describeValue(value)}`);
  });
}

function graphOf(
  inputs: ReadonlyMap<Input, string>,
  outputs: ReadonlyMap<string, Node>,
  opset: number,
): GraphProto {
  const emitter = new Emitter(opset, placesOf(inputs));
  for (const [leaf, name] of inputs) emitter.claim(name, `${leaf}`);
  for (const [name, node] of outputs) {
    // A leaf may be an output under its own name.
    const own = isInput(node) ? inputs.get(node) : isVariable(node) ? node.name : undefined;
    if (own !== name) emitter.claim(name, `the output '${name}'`);
  }
  const exporter = new Exporter(emitter, [...outputs.values()], inputs);
  const values = exporter.run();
  nameValues(emitter, [...outputs.keys()], values, exporter.labels);
  return {
    name: 'graph',
    node: emitter.nodes,
    initializer: emitter.initializers,
    sparseInitializer: [],
    input: [...inputs].map(([leaf, name]) => valueInfo(name, leaf)),
    output: [...outputs].map(([name, node]) => valueInfo(name, node)),
    valueInfo: [],
  };
}

/** Returns where the names of dimensions are found. */
function placesOf(inputs: ReadonlyMap<Input, string>): Map<string, Place> {
  const places = new Map<string, Place>();
  for (const [leaf, input] of inputs) {
    for (const [axis, dim] of leaf.shape.entries()) {
      if (isDimensionName(dim) && !places.has(dim)) places.set(dim, { input, axis });
    }
  }
  return places;
}

/**
 * Gives computed values the names of the outputs, and others those of the labels of nodes. Leaves keep their names, so an
 * output that is a leaf is copied by a node, and so is a second output of one value.
 */
function nameValues(
  emitter: Emitter,
  outputs: readonly string[],
  values: readonly string[],
  labels: ReadonlyMap<string, string>,
): void {
  const computed = new Set(emitter.nodes.flatMap(({ output }) => output));
  const names = new Map<string, string>();
  outputs.forEach((name, index) => {
    const value = values[index] as string;
    if (value === name) return;
    if (computed.has(value) && !names.has(value)) names.set(value, name);
    else emitter.copy(value, name);
  });
  for (const [value, label] of labels) {
    if (computed.has(value) && !names.has(value)) names.set(value, emitter.unique(label, label));
  }
  emitter.rename(names);
}
