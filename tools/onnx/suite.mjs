// Runs the node tests of the Python package onnx, which tools/onnx/suite.py has written to a folder:
//   node tools/onnx/suite.mjs FOLDER [--only TEXT] [--list] [--json FILE] [--pack FILE]
// Prints how many passed, which operators forebay does not support, and every failure. A case is not supported if
// importOnnx says so. Everything else that is not right is a failure.
//
// An input that is a shape, an axis, a count or a condition may be given as a constant: integers and bools with at most
// one axis, and the inputs of floats that are listed below.
//
// --pack writes the small cases that passed to a file, test/onnx/data/suite.json.gz, which the tests run.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

const require = createRequire(import.meta.url);
const fb = require('../../dist/index.js');
const { importOnnx } = require('../../dist/onnx/index.js');
const { elementTypeOf, Stored } = require('../../dist/onnx/elements.js');
const { tensorFields } = require('../../dist/onnx/messages.js');
const { decode } = require('../../dist/onnx/protobuf.js');
const { reachable } = require('../../dist/graph/topology.js');

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    list: { type: 'boolean' },
    json: { type: 'string' },
    pack: { type: 'string' },
  },
});
const root = positionals[0];
const { onnx, cases } = JSON.parse(readFileSync(join(root, 'suite.json'), 'utf8'));

/** Inputs of floats that are counts, or places in an image. */
const fixedFloats = new Set(['roi', 'scales', 'start', 'limit', 'delta', 'r', 'ratio', 'depth']);
/** float32 has no more than this, also where the suite asks for more. */
const leastRelative = 1e-5;

function tensorIn(file, name) {
  const proto = decode(file, 'a tensor', tensorFields, readFileSync(file));
  const type = elementTypeOf(proto.dataType);
  if (type === undefined) return undefined;
  return { type, stored: new Stored(file, name, proto), shape: proto.dims.map(Number) };
}

/** Returns whether all elements fit the dtype that forebay has for their type: int64 is int32. */
function fits({ type, stored }) {
  const [least, most] = [-(2 ** 31), 2 ** 31 - 1];
  return type.dtype !== 'int32' || stored.numbers().every((x) => x >= least && x <= most);
}

/** Returns whether the error says that forebay does not support the model. */
const isUnsupported = (error) => /does not support|does not have|operator set/.test(error.message);

/**
 * The precision of types of 16 bits, whose results forebay computes and returns as float32. They are rounded to their
 * type before they are compared.
 */
const halves = {
  float16: { round: (x) => roundTo(x, 10, -24, 65504), precision: 2 ** -10 },
  bfloat16: { round: (x) => roundTo(x, 7, -133, 2 ** 127 * (2 - 2 ** -7)), precision: 2 ** -6 },
};

/** Rounds a number to a fraction of some bits, to even if two are as near. */
function roundTo(x, bits, least, most) {
  if (x === 0 || !Number.isFinite(x)) return x;
  const unit = 2 ** Math.max(Math.floor(Math.log2(Math.abs(x))) - bits, least);
  const units = x / unit;
  const near = Math.round(units);
  const even = Math.abs(units - Math.trunc(units)) === 0.5 ? 2 * Math.round(units / 2) : near;
  const rounded = even * unit;
  return Math.abs(rounded) > most ? Math.sign(x) * Infinity : rounded;
}

/** Returns why a result is wrong; undefined if it is right. */
function wrong(name, result, expected, { rtol, atol }) {
  const shape = expected.shape.join();
  if (result.shape.join() !== shape) return `${name}: shape [${result.shape}], not [${shape}]`;
  const wanted = expected.stored.numbers();
  const half = halves[expected.type.name];
  const relative = Math.max(rtol, half?.precision ?? leastRelative);
  // Sums of large terms that cancel are as exact as the terms.
  const largest = wanted.reduce(
    (most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most),
    0,
  );
  const absolute = Math.max(atol, largest * 2 ** -22);
  for (let index = 0; index < wanted.length; index++) {
    const [a, b] = [half ? half.round(result.data[index]) : result.data[index], wanted[index]];
    if (Object.is(a, b) || a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    if (Math.abs(a - b) <= absolute + relative * Math.abs(b)) continue;
    return `${name}[${index}]: ${a}, not ${b}`;
  }
  return undefined;
}

/** Returns the feeds that a graph needs. A model may have inputs that an output does not depend on. */
function feedsOf(node, fed) {
  const names = new Set(
    reachable([node]).flatMap((leaf) => (leaf.kind === 'input' ? [leaf.name] : [])),
  );
  return Object.fromEntries(Object.entries(fed).filter(([name]) => names.has(name)));
}

let count = 0;

async function attempt(entry, set, folder, inputs, fixed) {
  const values = Object.fromEntries(
    [...inputs].flatMap(([name, { stored, type }]) =>
      fixed(name, stored, type) ? [[name, stored.tensor(type.dtype)]] : [],
    ),
  );
  const model = await importOnnx(join(root, entry.name, 'model.onnx'), {
    name: `case${count++}`,
    values,
  });
  const feeds = Object.fromEntries(
    Object.keys(model.inputs).map((name) => {
      const { stored, type } = inputs.get(name);
      return [name, stored.tensor(type.dtype)];
    }),
  );
  const nodes = model.apply(
    Object.fromEntries(
      Object.entries(feeds).map(([name, { shape, dtype }]) => [
        name,
        fb.input(`x${name.replace(/\W/g, '_')}`, shape, { dtype }),
      ]),
    ),
  );
  const fed = Object.fromEntries(
    Object.entries(feeds).map(([name, tensor]) => [`x${name.replace(/\W/g, '_')}`, tensor]),
  );
  const program = fb.compile({ outputs: nodes });
  const needed = Object.values(nodes).map((node) => feedsOf(node, fed));
  const compiled = program.run(Object.assign({}, ...needed));
  for (const [index, name] of set.outputs.entries()) {
    const expected = tensorIn(join(folder, `output_${index}.pb`), name);
    const dtype = expected.type.dtype;
    if (nodes[name].dtype !== dtype) return `${name}: dtype ${nodes[name].dtype}, not ${dtype}`;
    const reason =
      wrong(name, fb.evaluate(nodes[name], feedsOf(nodes[name], fed)), expected, entry) ??
      wrong(`compiled ${name}`, compiled[name], expected, entry);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** The cases in which inputs were given as constants. */
const fixes = new Set();

async function run(entry) {
  for (const [index, set] of entry.sets.entries()) {
    if (set.inputs === null || set.outputs === null)
      return ['unsupported', 'values that are no tensors'];
    const folder = join(root, entry.name, `data_${index}`);
    const inputs = new Map();
    for (const [index, name] of set.inputs.entries()) {
      const tensor = tensorIn(join(folder, `input_${index}.pb`), name);
      if (tensor === undefined || !fits(tensor)) return ['unsupported', 'an element type'];
      inputs.set(name, tensor);
    }
    for (const [index, name] of set.outputs.entries()) {
      const tensor = tensorIn(join(folder, `output_${index}.pb`), name);
      if (tensor === undefined || !fits(tensor)) {
        return ['unsupported', 'an element type'];
      }
    }
    const tries = [
      () => false,
      (name, stored, type) =>
        stored.shape.length <= 1 &&
        (type.dtype === 'int32' ||
          type.dtype === 'bool' ||
          type.dtype === 'uint8' ||
          fixedFloats.has(name)),
    ];
    let outcome;
    for (const [number, fixed] of tries.entries()) {
      try {
        const reason = await attempt(entry, set, folder, inputs, fixed);
        outcome = reason === undefined ? undefined : ['failed', reason];
        if (number === 1) fixes.add(entry.name);
        break;
      } catch (error) {
        outcome = isUnsupported(error)
          ? ['unsupported', error.message]
          : ['failed', `${error.name}: ${error.message}`];
        if (outcome[0] === 'failed') break;
      }
    }
    if (outcome !== undefined) return outcome;
  }
  return ['passed', ''];
}

const results = { passed: [], unsupported: [], failed: [] };
for (const entry of cases) {
  if (options.only !== undefined && !entry.name.includes(options.only)) continue;
  const [outcome, reason] = await run(entry);
  results[outcome].push({ name: entry.name, operator: entry.operator, reason });
}
const operators = new Map();
for (const { operator } of results.unsupported) {
  operators.set(operator, (operators.get(operator) ?? 0) + 1);
}
if (options.list) {
  for (const { name, reason } of results.unsupported) console.log(`unsupported ${name}: ${reason}`);
}
for (const { name, reason } of results.failed) console.log(`FAILED ${name}: ${reason}`);
const sorted = [...operators].sort((a, b) => b[1] - a[1]);
console.log(`not supported: ${sorted.map(([name, times]) => `${name} ${times}`).join(', ')}`);
const total = Object.values(results).reduce((sum, { length }) => sum + length, 0);
console.log(
  `onnx ${onnx}: ${total} cases, ${results.passed.length} passed, ${results.unsupported.length} unsupported, ${results.failed.length} failed`,
);
if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(results));
if (results.failed.length > 0) process.exitCode = 1;

/** The largest case that is packed, in bytes. Cases that are functions written out test the same operators again. */
const mostBytes = 3000;

function packed({ name, rtol, atol, sets }) {
  const bytes = (file) => readFileSync(join(root, name, file)).toString('base64');
  const tensors = (folder, kind, names) =>
    names.map((tensor, index) => [tensor, bytes(`${folder}/${kind}_${index}.pb`)]);
  return {
    name,
    rtol,
    atol,
    constants: fixes.has(name),
    model: bytes('model.onnx'),
    sets: sets.map(({ inputs, outputs }, index) => ({
      inputs: tensors(`data_${index}`, 'input', inputs),
      outputs: tensors(`data_${index}`, 'output', outputs),
    })),
  };
}

if (options.pack !== undefined) {
  const names = new Set(results.passed.map(({ name }) => name));
  const chosen = cases
    .filter(({ name }) => names.has(name) && !name.includes('_expanded'))
    .map(packed)
    .filter((one) => JSON.stringify(one).length < (mostBytes * 4) / 3);
  writeFileSync(options.pack, gzipSync(JSON.stringify({ onnx, cases: chosen }), { level: 9 }));
  console.log(`${chosen.length} cases in ${options.pack}`);
}
