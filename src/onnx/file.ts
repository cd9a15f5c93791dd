/** Reads the bytes of a model and of the files with the elements of its tensors. */

import { types } from 'node:util';
import { assertRecord } from '../arguments/read.js';
import { FormatError } from '../errors.js';
import { wholeFile, withFileBeside } from '../io/beside.js';
import { absolutePathOf, type FileSource, sourceOf } from '../io/sources.js';
import type { Stored } from './elements.js';
import type { TensorProto } from './messages.js';

/** The bytes of a model. */
export interface ModelBytes {
  /** The name in error messages. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Reads the elements of a tensor that are in another file. */
  readonly external: (tensor: Stored, proto: TensorProto, bytes: number) => Promise<Uint8Array>;
}

/** A view of bytes that a caller gave. */
type Bytes = Uint8Array | ArrayBuffer | SharedArrayBuffer;

/**
 * Reads the file of a model.
 * @param given the files with the elements of tensors, by the names that the model has for them
 * @throws (rejects with) ValueError if `source` is neither a path, a `file:` URL nor bytes; FormatError if the file
 *   cannot be read
 */
export async function readModel(
  source: FileSource,
  given: Readonly<Record<string, Bytes>> | undefined,
): Promise<ModelBytes> {
  const files = new Map(
    given === undefined
      ? []
      : assertRecord(given, 'importOnnx: externalData must be a record of bytes by file name,').map(
          ([name, bytes]) => [name, bytesOf(bytes, 'importOnnx externalData')] as const,
        ),
  );
  if (types.isUint8Array(source) || types.isAnyArrayBuffer(source)) {
    const name = 'the bytes given to importOnnx';
    return {
      name,
      bytes: bytesOf(source, 'importOnnx'),
      external: async (tensor, proto) => {
        const { location, offset, length } = placeOf(tensor, proto);
        const file = files.get(location);
        if (file !== undefined) return part(tensor, location, file, offset, length);
        throw new FormatError(
          `${tensor.context}: its elements are in the file '${location}': give its bytes in the option externalData, or import the model by its path`,
        );
      },
    };
  }
  const path = absolutePathOf(source, 'importOnnx');
  const name = sourceOf(source, 'importOnnx').name;
  return {
    name,
    bytes: await wholeFile(path, name),
    external: async (tensor, proto, bytes) => {
      const { location, offset, length = bytes } = placeOf(tensor, proto);
      const known = files.get(location);
      if (known !== undefined) return part(tensor, location, known, offset, length);
      const what = `${tensor.context}: the file '${location}' with its elements`;
      return withFileBeside(path, location, what, async (open) => {
        if (offset + length > open.size) {
          throw outside(tensor, location, offset, length, open.size);
        }
        const into = new Uint8Array(length);
        await open.readInto(into, offset);
        return into;
      });
    },
  };
}

function bytesOf(source: Bytes, context: string): Uint8Array {
  let bytes: Uint8Array | undefined;
  sourceOf(source, context).read((file) => {
    // The bytes are used as they are, without a copy.
    bytes = types.isAnyArrayBuffer(source)
      ? new Uint8Array(source)
      : new Uint8Array(source.buffer, source.byteOffset, file.size);
  });
  return bytes as Uint8Array;
}

interface Place {
  readonly location: string;
  readonly offset: number;
  readonly length: number | undefined;
}

/** Returns where the elements of a tensor are. @throws FormatError if the model does not say it */
function placeOf(tensor: Stored, { externalData }: TensorProto): Place {
  const entries = new Map(externalData.map(({ key = '', value = '' }) => [key, value]));
  const number = (key: string) => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value)) return value;
    throw new FormatError(
      `${tensor.context}: the ${key} of its elements is ${JSON.stringify(text)}`,
    );
  };
  const location = entries.get('location');
  if (!location) {
    throw new FormatError(
      `${tensor.context}: its elements are in another file, which is not named`,
    );
  }
  return { location, offset: number('offset') ?? 0, length: number('length') };
}

function part(
  tensor: Stored,
  location: string,
  file: Uint8Array,
  offset: number,
  length = file.length - offset,
): Uint8Array {
  if (length >= 0 && offset + length <= file.length) return file.subarray(offset, offset + length);
  throw outside(tensor, location, offset, length, file.length);
}

function outside(tensor: Stored, location: string, offset: number, length: number, size: number) {
  return new FormatError(
    `${tensor.context}: its elements are bytes ${offset} to ${offset + length} of '${location}', which has ${size}`,
  );
}
