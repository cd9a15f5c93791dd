/** Writes a model to a file, and the elements of its tensors to another one if they are too many. */

import { basename } from 'node:path';
import { writeInBackground } from '../io/background.js';
import { type ModelProto, model as modelFields, type TensorProto } from './messages.js';
import { encodePieces } from './protobuf.js';

/** The largest model that readers accept, in bytes: messages of Protocol Buffers are shorter than 2 GiB. */
const largestModel = 2 ** 31 - 1;
/** Tensors of fewer bytes stay in the model, where readers find the constants of shapes. */
const leastExternal = 1024;
/** Tensors in another file start at multiples of this number, so that they can be mapped into memory. */
const alignment = 4096;

/**
 * Writes a model completely, or not at all. If it has more than `limit` bytes, the elements of its tensors are written
 * first, to a file with the name of the model and `.data` behind it. Only then does the model replace the old one.
 * @param file an absolute path
 * @throws (rejects with) FormatError, naming the file, if it cannot be written
 */
export async function writeModel(
  file: string,
  model: ModelProto,
  limit = largestModel,
): Promise<void> {
  const pieces = encodePieces(modelFields, model);
  if (bytesOf(pieces) <= limit) return writeInBackground(file, pieces);
  const location = `${basename(file)}.data`;
  const tensors = model.graph?.initializer ?? [];
  const { initializer, data } = external(tensors, location);
  const graph = { ...(model.graph as NonNullable<ModelProto['graph']>), initializer };
  await writeInBackground(`${file}.data`, data);
  await writeInBackground(file, encodePieces(modelFields, { ...model, graph }));
}

function bytesOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

/** Returns the tensors of a model whose elements are in another file, and the content of this file. */
function external(
  tensors: readonly TensorProto[],
  location: string,
): { initializer: TensorProto[]; data: Uint8Array[] } {
  const data: Uint8Array[] = [];
  let end = 0;
  const initializer = tensors.map((tensor) => {
    const { rawData, ...others } = tensor;
    if (rawData === undefined || rawData.length < leastExternal) return tensor;
    const offset = Math.ceil(end / alignment) * alignment;
    data.push(new Uint8Array(offset - end), rawData);
    end = offset + rawData.length;
    const entry = (key: string, value: string | number) => ({ key, value: `${value}` });
    return {
      ...others,
      dataLocation: 1,
      externalData: [
        entry('location', location),
        entry('offset', offset),
        entry('length', rawData.length),
      ],
    };
  });
  return { initializer, data };
}
