/** Reads a model: from model.json and the files beside it, or from the artifacts that TensorFlow.js has in memory. */

import { types } from 'node:util';
import { describeValue } from '../arguments/describe.js';
import { assertList, isList, isRecord, reading } from '../arguments/read.js';
import { FormatError, ValueError } from '../errors.js';
import { wholeFile, withFileBeside } from '../io/beside.js';
import { absolutePathOf, type FilePath, pathOf } from '../io/sources.js';
import { isJson, type Json, member } from './config.js';
import { specOf, type WeightSpec, Weights } from './weights.js';

/** Bytes of weights. */
export type WeightBytes = ArrayBuffer | SharedArrayBuffer | Uint8Array;

/**
 * A model in memory, as `load` of an IOHandler of TensorFlow.js returns it, and `save` gets it. Other members are not
 * read.
 */
export interface TfjsArtifacts {
  /** The layers, as Keras describes them. */
  readonly modelTopology?: unknown;
  /** The names, shapes and dtypes of the weights, in the order of their bytes. */
  readonly weightSpecs?: readonly object[] | undefined;
  /** The elements of the weights. A list is one sequence of bytes. */
  readonly weightData?: WeightBytes | readonly WeightBytes[] | undefined;
  /** Must be `'layers-model'` if it is there. */
  readonly format?: string | undefined;
}

/** A path or a `file:` URL of model.json, or a model in memory. */
export type TfjsSource = FilePath | TfjsArtifacts;

/** A model that was read, but not checked further. */
export interface Artifacts {
  /** The name in error messages. */
  readonly file: string;
  readonly topology: unknown;
  readonly weights: Weights;
}

/**
 * Reads a model.
 * @throws (rejects with) ValueError if `source` is neither a path, a `file:` URL nor the artifacts of a model;
 *   FormatError if a file is missing, damaged, or no model of layers
 */
export async function readArtifacts(source: TfjsSource): Promise<Artifacts> {
  // A URL has a prototype of its own, so it is not a record, but a record may have what we read of a URL.
  const isUrl = () => Object.hasOwn(source as object, 'href');
  return isRecord(source) && !reading(context, source, isUrl)
    ? inMemory(source)
    : fromFiles(source as FilePath);
}

const context = 'importTfjs: the model';

async function fromFiles(source: FilePath): Promise<Artifacts> {
  if (types.isAnyArrayBuffer(source) || ArrayBuffer.isView(source)) {
    throw new ValueError(
      `importTfjs: expected the path of model.json, a file: URL, or an object { modelTopology, weightSpecs, weightData }, but received ${describeValue(source)}`,
    );
  }
  const file = pathOf(source, 'importTfjs');
  const path = absolutePathOf(source, 'importTfjs');
  const json = parsed(file, await wholeFile(path, file));
  assertLayers(file, json);
  const weights: (readonly [WeightSpec, Uint8Array])[] = [];
  const groups = member(json, 'weightsManifest');
  if (!Array.isArray(groups)) {
    throw new FormatError(
      `${file}: expected a weightsManifest, which is a list, but found ${describeValue(groups)}`,
    );
  }
  for (const group of groups) {
    const [paths, entries] = ['paths', 'weights'].map((key) =>
      isJson(group) ? member(group, key) : undefined,
    );
    const areTexts = Array.isArray(paths) && paths.every((name) => typeof name === 'string');
    if (!areTexts || !Array.isArray(entries)) {
      throw new FormatError(
        `${file}: expected paths and weights, which are lists, in each group of the weightsManifest`,
      );
    }
    const specs = entries.map((entry) => specOf(file, entry));
    const bytes = await shards(file, path, paths as string[], totalOf(specs));
    for (const weight of divided(specs, bytes)) weights.push(weight);
  }
  return { file, topology: member(json, 'modelTopology'), weights: new Weights(file, weights) };
}

function parsed(file: string, bytes: Uint8Array): Json {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new FormatError(`${file}: expected JSON: ${(cause as Error).message}`, { cause });
  }
  if (isJson(json)) return json;
  throw new FormatError(`${file}: expected a JSON object, but found ${describeValue(json)}`);
}

/** Checks that the format is that of models of layers. */
function assertLayers(file: string, json: Json): void {
  const format = member(json, 'format') ?? undefined;
  const topology = member(json, 'modelTopology');
  const isGraph =
    format === 'graph-model' ||
    (format === undefined && isJson(topology) && Object.hasOwn(topology, 'node'));
  if (isGraph) {
    throw new FormatError(
      `${file}: this is a graph model, but forebay reads models of layers; convert the Keras model with --output_format=tfjs_layers_model, or to ONNX for forebay/onnx`,
    );
  }
  if (format !== undefined && format !== 'layers-model') {
    throw new FormatError(
      `${file}: expected the format 'layers-model', but found ${describeValue(format)}`,
    );
  }
  if (topology === undefined || topology === null) {
    throw new FormatError(`${file}: it has no modelTopology, so it is not a model of layers`);
  }
}

function totalOf(specs: readonly WeightSpec[]): number {
  return specs.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Reads the files of a group one after another into one memory of `total` bytes. @param from the path of model.json */
async function shards(
  file: string,
  from: string,
  paths: readonly string[],
  total: number,
): Promise<Uint8Array> {
  // The sizes are compared before memory is taken, because a damaged manifest may ask for any number of bytes.
  let size = 0;
  const whatOf = (path: string) => `${file}: the file '${path}' with weights`;
  for (const path of paths) {
    size += await withFileBeside(from, path, whatOf(path), async (open) => open.size);
  }
  assertSize(file, total, size, `the files ${paths.map((path) => `'${path}'`).join(', ')} have`);
  const bytes = allocated(file, total);
  let start = 0;
  for (const path of paths) {
    start += await withFileBeside(from, path, whatOf(path), async (open) => {
      const part = bytes.subarray(start, start + open.size);
      await open.readInto(part, 0);
      return part.length;
    });
  }
  // A file may have changed since its size was read.
  assertSize(file, total, start, 'the files have now');
  return bytes;
}

function allocated(file: string, bytes: number): Uint8Array {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new FormatError(`${file}: there is no memory for ${bytes} bytes of weights`, { cause });
  }
}

function assertSize(file: string, expected: number, came: number, what: string): void {
  if (came === expected) return;
  throw new FormatError(
    `${file}: the weights of the manifest take ${expected} bytes, but ${what} ${came}`,
  );
}

/** Returns each weight with its bytes. */
function divided(
  specs: readonly WeightSpec[],
  bytes: Uint8Array,
): (readonly [WeightSpec, Uint8Array])[] {
  let start = 0;
  return specs.map((spec) => {
    const end = start + spec.bytes;
    const part = bytes.subarray(start, end);
    start = end;
    return [spec, part] as const;
  });
}

function inMemory(source: TfjsArtifacts): Artifacts {
  const file = 'the artifacts given to importTfjs';
  const read = reading(context, source, () => {
    const { modelTopology, weightSpecs, weightData, format } = source;
    // A copy, because what a caller passes may change, and may have getters.
    const text = JSON.stringify({ modelTopology, weightSpecs, format });
    return { ...(JSON.parse(text) as Json), weightData };
  });
  assertLayers(file, read);
  const entries = member(read, 'weightSpecs') ?? [];
  if (!Array.isArray(entries)) {
    throw new FormatError(
      `${file}: expected weightSpecs, which is a list, but found ${describeValue(entries)}`,
    );
  }
  const specs = entries.map((entry) => specOf(file, entry));
  const bytes = joined(read.weightData);
  assertSize(file, totalOf(specs), bytes.length, 'weightData has');
  const weights = new Weights(file, divided(specs, bytes));
  return { file, topology: member(read, 'modelTopology'), weights };
}

/** Returns the bytes that a caller gave as one sequence. One piece is used as it is, without a copy. */
function joined(data: unknown): Uint8Array {
  const pieces = isList(data)
    ? assertList(data, 'importTfjs: weightData must be bytes or a list of bytes,').map(bytesOf)
    : data === undefined || data === null
      ? []
      : [bytesOf(data)];
  return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
}

function bytesOf(piece: unknown): Uint8Array {
  try {
    if (types.isAnyArrayBuffer(piece)) return new Uint8Array(piece);
    if (types.isUint8Array(piece)) {
      return new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
    }
  } catch (cause) {
    throw new ValueError('importTfjs: weightData: the bytes have been transferred away', { cause });
  }
  throw new ValueError(
    `importTfjs: weightData must be an ArrayBuffer, a Uint8Array, or a list of them, but is ${describeValue(piece)}`,
  );
}
