/** Small ONNX models for tests, made of messages. */

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { elementTypes, Stored } from '../../src/onnx/elements.js';
import {
  type AttributeProto,
  attributeTypes,
  type GraphProto,
  type ModelProto,
  model as modelFields,
  type NodeProto,
  type TensorProto,
  tensorFields,
  type ValueInfoProto,
} from '../../src/onnx/messages.js';
import { decode, encode } from '../../src/onnx/protobuf.js';

type TypeName = keyof typeof elementTypes;
type Attribute = number | string | readonly number[] | readonly string[] | TensorProto | GraphProto;

const noData = {
  floatData: [],
  int32Data: [],
  int64Data: [],
  doubleData: [],
  uint64Data: [],
  externalData: [],
};

/** A tensor with its elements as raw bytes. */
export function tensorProto(
  name: string,
  shape: readonly number[],
  elements: readonly number[],
  type: TypeName = 'float',
): TensorProto {
  const { code } = elementTypes[type];
  const make = {
    float: Float32Array,
    double: Float64Array,
    int32: Int32Array,
    bool: Uint8Array,
    uint8: Uint8Array,
  };
  const data =
    type === 'int64'
      ? BigInt64Array.from(elements, BigInt)
      : new make[type as keyof typeof make](elements);
  return {
    ...noData,
    name,
    dims: shape.map(BigInt),
    dataType: code,
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

function attributeOf(name: string, value: Attribute): AttributeProto {
  const base = { name, floats: [], ints: [], strings: [] };
  const text = (one: string) => new TextEncoder().encode(one);
  const { int, float, string, ints, floats, strings, tensor, graph } = attributeTypes;
  if (typeof value === 'string') return { ...base, type: string, s: text(value) };
  if (typeof value === 'number') {
    return Number.isInteger(value)
      ? { ...base, type: int, i: BigInt(value) }
      : { ...base, type: float, f: value };
  }
  if (Array.isArray(value)) {
    if (typeof value[0] === 'string') return { ...base, type: strings, strings: value.map(text) };
    return value.every(Number.isInteger)
      ? { ...base, type: ints, ints: value.map(BigInt) }
      : { ...base, type: floats, floats: value };
  }
  if ('dims' in value) return { ...base, type: tensor, t: value };
  return { ...base, type: graph, g: value as GraphProto };
}

/** A node. */
export function nodeProto(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
  more: Partial<NodeProto> = {},
): NodeProto {
  const attribute = Object.entries(attributes).map(([name, value]) => attributeOf(name, value));
  return { opType, input: [...input], output: [...output], attribute, ...more };
}

/** An input or an output. */
export function infoProto(
  name: string,
  dims: readonly (number | string)[],
  type: TypeName = 'float',
): ValueInfoProto {
  const dim = dims.map((one) =>
    typeof one === 'number' ? { dimValue: BigInt(one) } : one === '' ? {} : { dimParam: one },
  );
  return { name, type: { tensorType: { elemType: elementTypes[type].code, shape: { dim } } } };
}

/** A graph. What is left out is empty. */
export function graphProto(parts: Partial<GraphProto>): GraphProto {
  return {
    node: [],
    initializer: [],
    sparseInitializer: [],
    input: [],
    output: [],
    valueInfo: [],
    ...parts,
  };
}

/** The bytes of a model. */
export function modelBytes(graph: Partial<GraphProto>, more: Partial<ModelProto> = {}): Uint8Array {
  return encode(modelFields, {
    irVersion: 8n,
    opsetImport: [{ domain: '', version: 18n }],
    metadataProps: [],
    functions: [],
    graph: graphProto({ name: 'g', ...graph }),
    ...more,
  });
}

/** A case of the node tests of the Python package onnx. */
export interface SuiteCase {
  readonly name: string;
  readonly rtol: number;
  readonly atol: number;
  /** Whether inputs are given as constants. */
  readonly constants: boolean;
  readonly model: Uint8Array;
  readonly sets: readonly {
    readonly inputs: ReadonlyMap<string, Stored>;
    readonly outputs: ReadonlyMap<string, Stored>;
  }[];
}

/** Reads the cases that tools/onnx/suite.mjs has packed. */
export function suiteCases(file: URL): readonly SuiteCase[] {
  const tensors = (list: [string, string][]) =>
    new Map(
      list.map(([name, bytes]) => {
        const proto = decode<TensorProto>(
          name,
          'a tensor',
          tensorFields,
          Buffer.from(bytes, 'base64'),
        );
        return [name, new Stored('suite', name, proto)] as const;
      }),
    );
  interface Packed extends Omit<SuiteCase, 'model' | 'sets'> {
    readonly model: string;
    readonly sets: { inputs: [string, string][]; outputs: [string, string][] }[];
  }
  const { cases } = JSON.parse(gunzipSync(readFileSync(file)).toString()) as { cases: Packed[] };
  return cases.map((one) => ({
    ...one,
    model: Buffer.from(one.model, 'base64'),
    sets: one.sets.map(({ inputs, outputs }) => ({
      inputs: tensors(inputs),
      outputs: tensors(outputs),
    })),
  }));
}
