// Generates native/kernels/body/groups.h: the fused loops that layers, losses, optimizers and the benchmark compile to,
// as C++ functions. `npm run groups` builds what this script needs and runs it. Run it when a pass of the compiler, a
// layer, an optimizer or a workload changes; test/house/groups.test.ts fails if the file is not up to date.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { collect } from './groups/collect.mjs';
import { emit } from './groups/emit.mjs';
import { models } from './groups/models.mjs';

const require = createRequire(import.meta.url);
export const generated = new URL('../native/kernels/body/groups.h', import.meta.url);

/** Returns the text of the file. @param bench the modules of the benchmark that define its workloads */
export function groups({ workloads, tensorsOf, buildGraph }) {
  const fb = require('../dist/index.js');
  const { specialise } = require('../dist/compile/specialise.js');
  const { phasesOf } = require('../dist/primitives/rows.js');
  const { kernels } = require('../build/Release/forebay.node').describe();
  const arrays = { float32: Float32Array, float64: Float64Array, int32: Int32Array };
  // The initial values do not change a program, so they are zeros.
  const startOf = (spec) => {
    const tensors = new Map(tensorsOf(spec).map((tensor) => [tensor.name, tensor]));
    const zeros = ({ dtype, shape }) =>
      new arrays[dtype](shape.reduce((size, dim) => size * dim, 1));
    return { get: (name) => ({ ...tensors.get(name), values: zeros(tensors.get(name)) }) };
  };
  const graphs = models(fb, { workloads, buildGraph, startOf });
  const encode = ({ outputs, updates, bindings = new Map() }) =>
    specialise(outputs, updates, bindings).code;
  return emit(collect(graphs, kernels, encode, phasesOf));
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [{ workloads }, { tensorsOf }, { buildGraph }] = await Promise.all(
    ['workloads', 'tensors', 'forebay/graph'].map((name) => import(`../bench/build/${name}.js`)),
  );
  writeFileSync(generated, groups({ workloads, tensorsOf, buildGraph }));
}
