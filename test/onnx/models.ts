/** Models that are made of messages, and imported. */

import { evaluate, type Node } from '../../src/index.js';
import { type ImportOnnxOptions, importOnnx, type OnnxModule } from '../../src/onnx/index.js';
import type { GraphProto } from '../../src/onnx/messages.js';
import { infoProto, modelBytes, nodeProto, tensorProto } from './support.js';

/** y = relu(x w + b), with x [n, 2] and w [2, 3]. */
export const dense: Partial<GraphProto> = {
  node: [
    nodeProto('MatMul', ['x', 'w'], ['product'], {}, { name: 'MatMul_0' }),
    nodeProto('Add', ['product', 'b'], ['sum']),
    nodeProto('Relu', ['sum'], ['y']),
  ],
  initializer: [tensorProto('w', [2, 3], [1, 2, 3, 4, 5, 6]), tensorProto('b', [3], [0, 0, -100])],
  input: [infoProto('x', ['n', 2])],
  output: [infoProto('y', ['n', 3])],
};

let count = 0;

/** A name that no other module of the tests has. */
export const name = () => `m${count++}`;

/** Imports a model that is made of messages. */
export const imported = (
  graph: Partial<GraphProto>,
  options: Partial<ImportOnnxOptions> = {},
  more: Parameters<typeof modelBytes>[1] = {},
): Promise<OnnxModule> => importOnnx(modelBytes(graph, more), { name: name(), ...options });

/** The value of a node, as nested lists. */
export const run = (node: Node, feeds: Parameters<typeof evaluate>[1] = {}) =>
  evaluate(node, feeds).toArray();
