/** Files: shards, quantised weights, files beside the model, and damaged files. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { inSlices } from '../../src/imports/slices.js';
import { evaluate, FormatError, type Node, Tensor, ValueError } from '../../src/index.js';
import type { TfjsSource } from '../../src/tfjs/artifacts.js';
import { importTfjs } from '../../src/tfjs/import.js';
import {
  applied,
  expectClose,
  fed,
  imported,
  randomise,
  type Saved,
  saved,
  tf,
} from './support.js';

let folder: string;
let model: tf.LayersModel;
let artifacts: Saved;

beforeAll(async () => {
  await tf.setBackend('cpu');
  const { layers } = tf;
  model = tf.sequential({
    layers: [
      layers.conv2d({ filters: 4, kernelSize: 3, inputShape: [6, 5, 3], name: 'conv' }),
      layers.flatten(),
      layers.dense({ units: 3, name: 'dense' }),
    ],
  });
  randomise(model);
  artifacts = await saved(model);
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-tfjs-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

type Change = (json: Record<string, unknown>) => void;

/** Writes model.json and shards of at most `size` bytes. Returns the path of model.json. */
function write(size = 1_000, change: Change = () => {}): string {
  const bytes = new Uint8Array(artifacts.weightData);
  const paths: string[] = [];
  for (let start = 0; start < bytes.length; start += size) {
    const path = `group1-shard${paths.length + 1}.bin`;
    writeFileSync(join(folder, path), bytes.subarray(start, start + size));
    paths.push(path);
  }
  const json = {
    format: 'layers-model',
    modelTopology: structuredClone(artifacts.modelTopology),
    weightsManifest: [{ paths, weights: structuredClone(artifacts.weightSpecs) }],
  };
  change(json);
  const file = join(folder, 'model.json');
  writeFileSync(file, JSON.stringify(json));
  return file;
}

/** The only group of the manifest. */
interface Group {
  paths: string[];
  weights: { name: string; shape: number[]; dtype: string; quantization?: object }[];
}

const withGroup =
  (change: (group: Group) => void): Change =>
  (json) =>
    change((json.weightsManifest as [Group])[0]);

/** Expects that the model of a source computes what `expected` predicts. */
async function expectModel(source: TfjsSource, expected = model): Promise<void> {
  const module = await imported(source);
  const data = fed([2, 6, 5, 3], 4);
  const [name] = Object.keys(module.inputs) as [string];
  const [node] = Object.values(applied(module).outputs) as [Node];
  const came = evaluate(node, { [name]: new Tensor(data, [2, 6, 5, 3]) });
  expectClose(came, expected.predict(tf.tensor(data, [2, 6, 5, 3])) as tf.Tensor, 'model');
}

/** Expects that an import rejects with a FormatError, and that the name is free afterwards. */
async function expectRefused(source: TfjsSource, message: RegExp): Promise<void> {
  const error = await importTfjs(source, { name: 'refused' }).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(FormatError);
  expect((error as Error).message).toMatch(message);
}

describe('model.json and its shards', () => {
  it('are read from a path, a relative path, and a file: URL', async () => {
    const file = write(500);
    await expectModel(file);
    await expectModel(relative(process.cwd(), file));
    await expectModel(pathToFileURL(file));
    await expectModel(pathToFileURL(file).href);
  });

  it('may be in several groups, and in folders below', async () => {
    mkdirSync(join(folder, 'weights'));
    const [first, ...others] = artifacts.weightSpecs;
    const size = 4 * (first as { shape: number[] }).shape.reduce((a, b) => a * b, 1);
    const bytes = new Uint8Array(artifacts.weightData);
    writeFileSync(join(folder, 'weights/a.bin'), bytes.subarray(0, size));
    writeFileSync(join(folder, 'weights/b.bin'), bytes.subarray(size));
    const file = write(1_000, (json) => {
      json.weightsManifest = [
        { paths: ['weights/a.bin'], weights: [first] },
        { paths: ['weights/b.bin'], weights: others },
      ];
      delete json.format;
    });
    await expectModel(file);
  });

  it('may have a topology with more about the training', async () => {
    const file = write(1_000, (json) => {
      json.modelTopology = { keras_version: '2.1.6', model_config: json.modelTopology };
    });
    await expectModel(file);
  });

  it.each(['uint8', 'uint16', 'float16'] as const)('may be quantised to %s', async (dtype) => {
    const specs = artifacts.weightSpecs as unknown as Group['weights'];
    const pieces = specs.map(({ shape }, index) => {
      const count = shape.reduce((a, b) => a * b, 1);
      const values = fed([count], index, dtype === 'uint8' ? 256 : 65_536);
      // Halves from 0.5 to 2, so that none is infinite.
      const halves = (value: number) => 0x3800 + (value % 0x800);
      return dtype === 'uint8'
        ? new Uint8Array(values)
        : new Uint16Array(dtype === 'float16' ? values.map(halves) : values);
    });
    const quantization =
      dtype === 'float16'
        ? { dtype }
        : { dtype, scale: dtype === 'uint8' ? 0.01 : 3e-5, min: -1.2 };
    const weightSpecs = specs.map((spec) => ({ ...spec, quantization }));
    const weightData = Buffer.concat(
      pieces.map(({ buffer, byteOffset, byteLength }) =>
        Buffer.from(buffer, byteOffset, byteLength),
      ),
    );
    writeFileSync(join(folder, 'all.bin'), weightData);
    const file = write(
      1_000,
      withGroup((group) => {
        group.paths = ['all.bin'];
        group.weights = weightSpecs;
      }),
    );
    const data = new Uint8Array(weightData).buffer as ArrayBuffer;
    const theirs = await tf.loadLayersModel(
      tf.io.fromMemory({
        modelTopology: artifacts.modelTopology,
        weightSpecs: weightSpecs as tf.io.WeightsManifestEntry[],
        weightData: data,
      }),
    );
    await expectModel(file, theirs);
    const module = await imported(file);
    const bias = module.variables.get('dense/bias')?.value.data as Float32Array;
    // The same float32 numbers, not only close ones.
    expect(Array.from(bias)).toEqual(Array.from((theirs.getWeights()[3] as tf.Tensor).dataSync()));
  });

  it('may contain weights of other dtypes, which no layer reads', async () => {
    const bytes = Buffer.concat([
      Buffer.from(artifacts.weightData),
      Buffer.from([1, 0, 0, 0, 1, 7]),
    ]);
    writeFileSync(join(folder, 'all.bin'), bytes);
    const file = write(
      1_000,
      withGroup((group) => {
        group.paths = ['all.bin'];
        group.weights.push(
          { name: 'd/seed_generator_state', shape: [], dtype: 'int32' },
          { name: 'e/seed_generator_state_1', shape: [1], dtype: 'bool' },
          { name: 'f/seed_generator_state', shape: [1], dtype: 'uint8' },
        );
      }),
    );
    await expectModel(file);
  });
});

describe('artifacts in memory', () => {
  it('are read', async () => {
    await expectModel(artifacts);
    const { weightData } = artifacts;
    await expectModel({ ...artifacts, weightData: new Uint8Array(weightData) });
    await expectModel({
      ...artifacts,
      weightData: [weightData.slice(0, 100), weightData.slice(100)],
    });
  });

  it('do not change the model after the import', async () => {
    const copy = { ...artifacts, weightData: artifacts.weightData.slice(0) };
    const module = await imported(copy);
    const before = Array.from(module.variables.get('dense/bias')?.value.data as Float32Array);
    new Uint8Array(copy.weightData).fill(255);
    expect(Array.from(module.variables.get('dense/bias')?.value.data as Float32Array)).toEqual(
      before,
    );
  });

  it('are refused if they are something else', async () => {
    const refused = async (
      source: unknown,
      message: RegExp,
      Kind: new (...args: never[]) => Error = ValueError,
    ) => {
      const error = await importTfjs(source as TfjsSource, { name: 'refused' }).catch(
        (cause: unknown) => cause,
      );
      expect(error).toBeInstanceOf(Kind);
      expect((error as Error).message).toMatch(message);
    };
    await refused(7, /expected the path of a file or a file: URL, but received number 7/);
    await refused(undefined, /expected the path of a file/);
    await refused(new Uint8Array(3), /expected the path of model\.json, a file: URL, or an object/);
    await refused('http://example.com/model.json', /there is no such file/, FormatError);
    await refused(new URL('http://example.com/model.json'), /expected the path of a file/);
    await refused({}, /it has no modelTopology/, FormatError);
    await refused({ ...artifacts, weightData: 'abc' }, /weightData must be an ArrayBuffer/);
    await refused({ ...artifacts, weightData: [1] }, /weightData must be an ArrayBuffer/);
    await refused(
      { ...artifacts, weightSpecs: 5 },
      /expected weightSpecs, which is a list/,
      FormatError,
    );
    await refused({ ...artifacts, weightData: undefined }, /but weightData has 0/, FormatError);
    const thrower = {
      get modelTopology() {
        throw new Error('no');
      },
    };
    await refused(thrower, /cannot be read: no/);
    const trap = () => {
      throw new Error('trap');
    };
    await refused(new Proxy({}, { getOwnPropertyDescriptor: trap }), /cannot be read: trap/);
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    await refused({ ...artifacts, modelTopology: cycle }, /cannot be read/);
    const gone = artifacts.weightData.slice(0);
    structuredClone(gone, { transfer: [gone] });
    await refused(
      { ...artifacts, weightData: gone },
      /transferred away|but weightData has 0/,
      Error,
    );
  });
});

describe('damaged files', () => {
  it('are refused', async () => {
    await expectRefused(join(folder, 'none.json'), /none\.json: expected a file, but there is no/);
    await expectRefused(folder, /is not a regular file/);
    const text = (content: string) => {
      writeFileSync(join(folder, 'model.json'), content);
      return join(folder, 'model.json');
    };
    await expectRefused(text('{'), /model\.json: expected JSON/);
    await expectRefused(text('[]'), /expected a JSON object/);
    await expectRefused(text('{}'), /it has no modelTopology/);
    writeFileSync(join(folder, 'model.json'), Uint8Array.of(0x22, 0xff, 0x22));
    await expectRefused(join(folder, 'model.json'), /expected JSON/);
  });

  it('are refused if they are graph models', async () => {
    const graph = (change: Change) => expectRefused(write(1_000, change), /this is a graph model/);
    await graph((json) => {
      json.format = 'graph-model';
    });
    await graph((json) => {
      delete json.format;
      json.modelTopology = { node: [], library: {} };
    });
    await expectRefused(
      write(1_000, (json) => {
        json.format = 'other';
      }),
      /expected the format 'layers-model', but found the string "other"/,
    );
  });

  it('are refused if a shard is missing, shorter or longer', async () => {
    const file = write(500);
    const shard = join(folder, 'group1-shard2.bin');
    const bytes = readFileSync(shard);
    writeFileSync(shard, bytes.subarray(0, 499));
    const total = artifacts.weightData.byteLength;
    await expectRefused(
      file,
      new RegExp(
        `the weights of the manifest take ${total} bytes, but the files .* have ${total - 1}$`,
      ),
    );
    writeFileSync(shard, Buffer.concat([bytes, bytes]));
    await expectRefused(file, /have \d+$/);
    rmSync(shard);
    await expectRefused(
      file,
      /the file 'group1-shard2\.bin' with weights: expected a file, but there is no/,
    );
    mkdirSync(shard);
    await expectRefused(file, /group1-shard2\.bin' with weights is not a regular file/);
  });

  it.skipIf(process.platform === 'win32')('are refused if a shard is a pipe', async () => {
    const file = write(500);
    rmSync(join(folder, 'group1-shard2.bin'));
    execFileSync('mkfifo', [join(folder, 'group1-shard2.bin')]);
    await expectRefused(file, /is not a regular file/);
  });

  it('are refused if the manifest says what is not so', async () => {
    const lie = (change: (group: Group) => void, message: RegExp) =>
      expectRefused(write(1_000, withGroup(change)), message);
    const first = (group: Group) => group.weights[0] as Group['weights'][0];
    await lie((group) => {
      first(group).shape = [3, 3, 4, 3];
    }, /Conv2D 'conv': its weight 'conv\/kernel' must have shape \[3, 3, 3, 4\], but has \[3, 3, 4, 3\]/);
    await lie((group) => {
      first(group).shape = [2 ** 40, 2 ** 40];
    }, /its shape \[1099511627776, 1099511627776\] is larger than any memory/);
    await lie((group) => {
      first(group).shape = [2 ** 48];
    }, /the weights of the manifest take \d+ bytes, but the files/);
    await lie((group) => {
      first(group).shape = [-3];
    }, /expected a shape of at most 32 dimensions from 0 to 2\^53 - 1, but found \[-3\]/);
    await lie((group) => {
      first(group).shape = 7 as unknown as number[];
    }, /but found number 7/);
    await lie((group) => {
      first(group).dtype = 'complex64';
    }, /its elements are complex64, but forebay reads float32, int32, bool, uint8/);
    await lie((group) => {
      first(group).dtype = 'int32';
    }, /its weight 'conv\/kernel' must be float32, but is int32/);
    await lie((group) => {
      first(group).quantization = { dtype: 'uint8', scale: 'x', min: 0 };
    }, /its quantization must have the numbers scale and min/);
    await lie((group) => {
      first(group).quantization = { dtype: 'int4' };
    }, /float32 cannot be quantized as int4/);
    await lie((group) => {
      first(group).name = 'constructor';
    }, /Conv2D 'conv': its weight 'kernel' is missing: there is no 'conv\/kernel' in the manifest/);
    await lie((group) => {
      first(group).name = 'conv/bias';
    }, /two weights are named 'conv\/bias'/);
    await lie((group) => {
      delete (first(group) as { name?: string }).name;
    }, /a weight of the manifest has no name/);
    await expectRefused(
      write(1_000, (json) => {
        json.weightsManifest = {};
      }),
      /expected a weightsManifest, which is a list/,
    );
    await expectRefused(
      write(1_000, (json) => {
        json.weightsManifest = [{ paths: [5], weights: [] }];
      }),
      /expected paths and weights, which are lists/,
    );
    await expectRefused(
      write(1_000, (json) => {
        json.weightsManifest = [5];
      }),
      /expected paths and weights, which are lists, in each group of the weightsManifest$/,
    );
  });

  it('are refused if a weight belongs to no layer', async () => {
    const bytes = Buffer.concat([Buffer.from(artifacts.weightData), Buffer.from([0, 0, 0, 0])]);
    writeFileSync(join(folder, 'all.bin'), bytes);
    const file = write(
      1_000,
      withGroup((group) => {
        group.paths = ['all.bin'];
        group.weights.push({ name: 'dense_9/bias', shape: [1], dtype: 'float32' });
      }),
    );
    await expectRefused(file, /no layer has the weights 'dense_9\/bias'/);
  });
});

describe('an import', () => {
  it('lets other work go on', async () => {
    let turns = 0;
    const work = function* () {
      for (let i = 0; i < 3; i++) {
        const start = performance.now();
        while (performance.now() - start < 5);
        yield;
      }
      return turns;
    };
    setImmediate(() => turns++);
    expect(await inSlices(work())).toBeGreaterThan(0);
  });

  it('lets other work go on between the steps of a recurrent layer', async () => {
    const bidirectional = tf.layers.bidirectional({
      layer: tf.layers.gru({ units: 2 }) as tf.RNN,
      inputShape: [4_096, 1],
      mergeMode: 'sum',
    });
    const source = await saved(tf.sequential({ layers: [bidirectional] }));
    let turns = 0;
    let importing = true;
    const turn = () => {
      turns++;
      if (importing) setImmediate(turn);
    };
    setImmediate(turn);
    await imported(source);
    importing = false;
    expect(turns).toBeGreaterThan(10);
  });
});

describe('files outside of the folder of the model', () => {
  it('are not read', async () => {
    const outer = mkdtempSync(join(tmpdir(), 'forebay-outer-'));
    try {
      writeFileSync(join(outer, 'secret.bin'), new Uint8Array(artifacts.weightData));
      symlinkSync(join(outer, 'secret.bin'), join(folder, 'link.bin'));
      symlinkSync(outer, join(folder, 'below'));
      const paths = [
        join(outer, 'secret.bin'),
        `../${relative(join(folder, '..'), join(outer, 'secret.bin'))}`,
        'link.bin',
        'below/secret.bin',
        'a\0b',
        '.',
        '',
      ];
      for (const path of paths) {
        const file = write(
          1_000,
          withGroup((group) => {
            group.paths = [path];
          }),
        );
        await expectRefused(file, /with weights is not in the folder/);
      }
    } finally {
      rmSync(outer, { recursive: true, force: true });
    }
  });

  it('are read in the cache of Hugging Face, where all files are links into one folder', async () => {
    write(500);
    const [blobs, snapshot] = ['blobs', 'snapshot'].map((name) => join(folder, name)) as [
      string,
      string,
    ];
    for (const made of [blobs, snapshot]) mkdirSync(made);
    const names = readdirSync(folder).filter((name) => name.includes('.'));
    names.forEach((name, index) => {
      renameSync(join(folder, name), join(blobs, `${index}`));
      symlinkSync(join('..', 'blobs', `${index}`), join(snapshot, name));
    });
    const file = join(snapshot, 'model.json');
    await expectModel(file);
    // A link to a third folder is refused.
    const shard = join(snapshot, 'group1-shard2.bin');
    copyFileSync(shard, join(folder, 'elsewhere'));
    rmSync(shard);
    symlinkSync(join('..', 'elsewhere'), shard);
    await expectRefused(file, /group1-shard2\.bin' with weights is not in the folder/);
  });

  it('do not hinder a link within the folder', async () => {
    const file = write(
      1e9,
      withGroup((group) => {
        group.paths = ['link.bin'];
      }),
    );
    symlinkSync(join(folder, 'group1-shard1.bin'), join(folder, 'link.bin'));
    await expectModel(file);
  });
});
