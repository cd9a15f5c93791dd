/** The messages of ONNX: what forebay reads of them, and writes. Source: onnx.proto of onnx 1.23.2 (IR version 13). */

import { type Fields, many, one, packed } from './protobuf.js';

export interface ModelProto {
  irVersion?: bigint | undefined;
  producerName?: string | undefined;
  producerVersion?: string | undefined;
  graph?: GraphProto | undefined;
  opsetImport: OperatorSetProto[];
  metadataProps: EntryProto[];
  functions: FunctionProto[];
}

export interface OperatorSetProto {
  domain?: string | undefined;
  version?: bigint | undefined;
}

export interface EntryProto {
  key?: string | undefined;
  value?: string | undefined;
}

export interface GraphProto {
  node: NodeProto[];
  name?: string | undefined;
  initializer: TensorProto[];
  sparseInitializer: SparseTensorProto[];
  input: ValueInfoProto[];
  output: ValueInfoProto[];
  valueInfo: ValueInfoProto[];
}

export interface FunctionProto {
  name?: string | undefined;
  domain?: string | undefined;
  overload?: string | undefined;
  input: string[];
  output: string[];
  attribute: string[];
  attributeProto: AttributeProto[];
  node: NodeProto[];
  opsetImport: OperatorSetProto[];
}

export interface NodeProto {
  input: string[];
  output: string[];
  name?: string | undefined;
  opType?: string | undefined;
  domain?: string | undefined;
  overload?: string | undefined;
  attribute: AttributeProto[];
}

/** The types of attributes, by their numbers in the format. */
export const attributeTypes = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
} as const;

export interface AttributeProto {
  name?: string | undefined;
  refAttrName?: string | undefined;
  type?: number | undefined;
  f?: number | undefined;
  i?: bigint | undefined;
  s?: Uint8Array | undefined;
  t?: TensorProto | undefined;
  g?: GraphProto | undefined;
  sparseTensor?: SparseTensorProto | undefined;
  floats: number[];
  ints: bigint[];
  strings: Uint8Array[];
}

export interface TensorProto {
  dims: bigint[];
  dataType?: number | undefined;
  name?: string | undefined;
  /** Present if the tensor is a segment of a larger one. */
  segment?: object | undefined;
  /** Numbers as the file has them, in pieces of any number of bytes. */
  floatData: Uint8Array[];
  int32Data: Uint8Array[];
  int64Data: Uint8Array[];
  doubleData: Uint8Array[];
  uint64Data: Uint8Array[];
  rawData?: Uint8Array | undefined;
  externalData: EntryProto[];
  /** 1 if the elements are in another file. */
  dataLocation?: number | undefined;
}

export interface SparseTensorProto {
  values?: TensorProto | undefined;
  indices?: TensorProto | undefined;
  dims: bigint[];
}

export interface ValueInfoProto {
  name?: string | undefined;
  type?: TypeProto | undefined;
}

export interface TypeProto {
  tensorType?: TensorTypeProto | undefined;
  sequenceType?: object | undefined;
  mapType?: object | undefined;
  sparseTensorType?: object | undefined;
  optionalType?: object | undefined;
}

export interface TensorTypeProto {
  elemType?: number | undefined;
  shape?: { dim: DimensionProto[] } | undefined;
}

export interface DimensionProto {
  dimValue?: bigint | undefined;
  dimParam?: string | undefined;
}

const none: Fields = {};

const entry: Fields = { key: one(1, 'string'), value: one(2, 'string') };

const operatorSet: Fields = { domain: one(1, 'string'), version: one(2, 'int64') };

const tensor: Fields = {
  dims: many(1, 'int64'),
  dataType: one(2, 'int32'),
  segment: one(3, () => none),
  floatData: packed(4),
  int32Data: packed(5),
  int64Data: packed(7),
  name: one(8, 'string'),
  rawData: one(9, 'bytes'),
  doubleData: packed(10),
  uint64Data: packed(11),
  externalData: many(13, () => entry),
  dataLocation: one(14, 'int32'),
};

const sparseTensor: Fields = {
  values: one(1, () => tensor),
  indices: one(2, () => tensor),
  dims: many(3, 'int64'),
};

const dimension: Fields = { dimValue: one(1, 'int64'), dimParam: one(2, 'string') };
const shape: Fields = { dim: many(1, () => dimension) };
const tensorType: Fields = { elemType: one(1, 'int32'), shape: one(2, () => shape) };

const type: Fields = {
  tensorType: one(1, () => tensorType),
  sequenceType: one(4, () => none),
  mapType: one(5, () => none),
  sparseTensorType: one(8, () => none),
  optionalType: one(9, () => none),
};

const valueInfo: Fields = { name: one(1, 'string'), type: one(2, () => type) };

const attribute: Fields = {
  name: one(1, 'string'),
  f: one(2, 'float'),
  i: one(3, 'int64'),
  s: one(4, 'bytes'),
  t: one(5, () => tensor),
  g: one(6, () => graph),
  floats: many(7, 'float'),
  ints: many(8, 'int64'),
  strings: many(9, 'bytes'),
  type: one(20, 'int32'),
  refAttrName: one(21, 'string'),
  sparseTensor: one(22, () => sparseTensor),
};

const node: Fields = {
  input: many(1, 'string'),
  output: many(2, 'string'),
  name: one(3, 'string'),
  opType: one(4, 'string'),
  attribute: many(5, () => attribute),
  domain: one(7, 'string'),
  overload: one(8, 'string'),
};

const graph: Fields = {
  node: many(1, () => node),
  name: one(2, 'string'),
  initializer: many(5, () => tensor),
  input: many(11, () => valueInfo),
  output: many(12, () => valueInfo),
  valueInfo: many(13, () => valueInfo),
  sparseInitializer: many(15, () => sparseTensor),
};

const functionProto: Fields = {
  name: one(1, 'string'),
  input: many(4, 'string'),
  output: many(5, 'string'),
  attribute: many(6, 'string'),
  node: many(7, () => node),
  opsetImport: many(9, () => operatorSet),
  domain: one(10, 'string'),
  attributeProto: many(11, () => attribute),
  overload: one(13, 'string'),
};

/** The fields of a ModelProto: what is in an ONNX file. */
export const model: Fields = {
  irVersion: one(1, 'int64'),
  producerName: one(2, 'string'),
  producerVersion: one(3, 'string'),
  graph: one(7, () => graph),
  opsetImport: many(8, () => operatorSet),
  metadataProps: many(14, () => entry),
  functions: many(25, () => functionProto),
};
/** The fields of a TensorProto, for files that hold one tensor. */
export { tensor as tensorFields };
