/** Operators of the domain ai.onnx.ml: what linear models of scikit-learn become, and their preparation of features. */

import type { Dim } from '../../graph/dimension.js';
import { constant } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import {
  abs,
  add,
  argmax,
  cast,
  concat,
  div,
  equal,
  gather,
  greater,
  greaterEqual,
  isNaN as isNotANumber,
  matmul,
  max,
  maximum,
  mul,
  neg,
  reshape,
  sigmoid,
  softmax,
  sqrt,
  square,
  sub,
  sum,
  where,
} from '../../ops/index.js';
import { tensor } from '../../tensor/tensor.js';
import type { Call } from '../call.js';
import { elementTypes, isFloatingType } from '../elements.js';
import type { Value } from '../value.js';
import { type Built, integers, type Rows, row } from './row.js';

/** The features as floats, [rows, features]. */
function features(call: Call): Node {
  const { type, node } = call.value(0);
  const x = isFloatingType(type) ? node : cast(node, call.dtypeOf(elementTypes.float));
  return x.shape.length === 1 ? reshape(x, [1, x.shape[0] as Dim]) : x;
}

/** The product of the features and the coefficients, [outputs, features], plus the intercepts. */
function scores(call: Call, x: Node, outputs: number): Node {
  const weight = call.attributeWeight('coefficients', (elements) => [outputs, elements / outputs]);
  if (weight === undefined) return call.unsupported('no coefficients');
  const product = matmul(x, cast(weight, x.dtype), { transposeB: true });
  const bias = call.attributeWeight('intercepts', (elements) => [elements]);
  return bias === undefined ? product : add(product, cast(bias, x.dtype));
}

/** Applies the function that ends a model. */
function transformed(call: Call, x: Node): Node {
  const name = call.text('post_transform', 'NONE');
  if (name === 'NONE') return x;
  if (name === 'LOGISTIC') return sigmoid(x);
  if (name === 'SOFTMAX') return softmax(x, 1);
  return call.unsupported(`post_transform '${name}'`);
}

function classifier(call: Call): Built {
  const x = features(call);
  const strings = call.texts('classlabels_strings', undefined);
  const labels = call.ints('classlabels_ints', undefined);
  // Which scheme of several classes was trained does not change the result.
  call.int('multi_class', 0);
  const classes = Math.max(labels?.length ?? 0, strings?.length ?? 0);
  const outputs = call.floats('intercepts', []).length || classes;
  const plain = scores(call, x, outputs);
  const both = outputs === 1 && classes === 2 ? concat([neg(plain), plain], 1) : plain;
  const result = call.as(elementTypes.float, transformed(call, both));
  return [strings === undefined ? classOf(call, result.node, labels) : undefined, result];
}

/** The labels of the highest scores. */
function classOf(call: Call, result: Node, labels: readonly number[] | undefined): Value {
  const list = integers(labels ?? [0, 1]);
  if (result.shape[1] !== 1) {
    const best = argmax(result, 1);
    return call.as(elementTypes.int64, labels === undefined ? best : gather(list, best, 0));
  }
  const threshold = call.text('post_transform', 'NONE') === 'NONE' ? 0 : 0.5;
  const chosen = greaterEqual(reshape(result, [result.shape[0] as Dim]), threshold);
  const label = where(chosen, labels?.[0] ?? 1, 0);
  return call.as(elementTypes.int64, cast(label, 'int32'));
}

function normalizer(call: Call): Node {
  const x = features(call);
  const options = { keepDims: true };
  const name = call.text('norm', 'MAX');
  const size = {
    MAX: () => max(abs(x), 1, options),
    L1: () => sum(abs(x), 1, options),
    L2: () => sqrt(sum(square(x), 1, options)),
  }[name];
  return size === undefined ? call.unsupported(`norm '${name}'`) : div(x, maximum(size(), 1e-30));
}

/** A row of numbers of an attribute. */
function numbers(call: Call, name: string, x: Node): Node {
  const elements = call.floats(name, []);
  const made = tensor(Float64Array.from(elements), { shape: [elements.length] });
  return cast(constant(made), x.dtype);
}

function imputer(call: Call): Node {
  const x = features(call);
  const integer = call.ints('imputed_value_int64s', undefined);
  if (integer !== undefined) return call.unsupported('imputed_value_int64s');
  const replaced = call.float('replaced_value_float', 0);
  const missing = Number.isNaN(replaced) ? isNotANumber(x) : equal(x, replaced);
  return where(missing, numbers(call, 'imputed_value_floats', x), x);
}

export const classical: Rows = {
  LinearClassifier: row(classifier, 'labels that are strings, SOFTMAX_ZERO, PROBIT'),
  LinearRegressor: row((call) => {
    const result = scores(call, features(call), call.int('targets', 1));
    return call.as(elementTypes.float, transformed(call, result));
  }),
  Scaler: row((call) => {
    const x = features(call);
    return call.as(
      elementTypes.float,
      mul(sub(x, numbers(call, 'offset', x)), numbers(call, 'scale', x)),
    );
  }),
  Normalizer: row((call) => call.as(elementTypes.float, normalizer(call))),
  Binarizer: row((call) => {
    const x = call.node(0);
    return cast(greater(x, call.float('threshold', 0)), x.dtype);
  }),
  Imputer: row(imputer, 'imputed_value_int64s'),
  FeatureVectorizer: row((call) => {
    call.ints('inputdimensions', undefined);
    const nodes = call.nodes().map((node) => cast(node, call.dtypeOf(elementTypes.float)));
    return call.as(elementTypes.float, nodes.length === 1 ? (nodes[0] as Node) : concat(nodes, 1));
  }),
  ArrayFeatureExtractor: row((call) => {
    const { type, node } = call.value(0);
    const indices = call.node(1);
    const x = node.shape.length === 1 ? reshape(node, [1, node.shape[0] as Dim]) : node;
    return call.as(type, gather(x, reshape(indices, [-1]), x.shape.length - 1));
  }),
};
