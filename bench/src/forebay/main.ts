/** The process of the contender forebay: answers the requests of the harness. */

import * as fb from 'forebay';
import { BenchError } from '../errors.js';
import { type Entry, type TensorSource, Tensors, writeTensors } from '../exchange.js';
import { blasFiles, resetPeak, statusBytes, timeCalls } from '../peers/process.js';
import { type Hello, type Loaded, type Memory, type ProgramStats, serve } from '../protocol.js';
import { tensorsOf } from '../tensors.js';
import { type Values, valuesOf } from '../values.js';
import type { CompileSpec, ModelSpec, Spec, TrainingRequest } from '../workloads.js';
import { blasGrowth } from './blas.js';
import { copyRate } from './copy.js';
import { buildGraph, type Graph } from './graph.js';
import { peakOf } from './peak.js';

let threads = 1;
let memoryAtImport = 0;
/**
 * The peak memory before the first measurement of the copy rate, whose buffers are not memory of the training. Some
 * steps have been trained then, and all steps are alike.
 */
let peakBeforeCopy: number | undefined;
let take: (steps: number, form: string) => number = () => 0;
let loaded: { readonly program: fb.Program } | undefined;

function hello(request: { readonly threads: number }): Hello {
  threads = request.threads;
  const { version, simd, blas } = fb.nativeInfo();
  memoryAtImport = statusBytes('VmRSS');
  return {
    version,
    capability: simd.active,
    blas: { files: blasFiles(), core: blas.core },
    threads,
  };
}

/** Returns the updates of the optimizer of a workload. Their rate is a variable, so that it can be changed later. */
function updatesOf(spec: ModelSpec, graph: Graph, rate: fb.Variable): fb.Updates {
  if (spec.kind === 'predict') return [];
  const { output, parameters } = graph;
  switch (spec.optimizer) {
    case 'sgd':
      return fb.sgd(output, parameters, { rate });
    case 'adam':
      return fb.adam(output, parameters, { rate });
    case 'adamW':
      return fb.adamW(output, parameters, { rate });
  }
}

function load(request: {
  readonly spec: Spec;
  readonly folder: string;
  readonly manifest: readonly Entry[];
  readonly training: TrainingRequest;
}): Loaded {
  const { spec, folder, manifest, training } = request;
  if (spec.kind === 'compile') return loadCompile(spec);
  loaded?.program.dispose();
  const graph = buildGraph(spec, new Tensors(folder, manifest));
  const { dtype } = spec;
  const rate = fb.state('rate', fb.tensor(spec.kind === 'predict' ? 0 : spec.rate, { dtype }));
  const updates = updatesOf(spec, graph, rate);
  const results = writeTensors(folder, 'forebay', resultsOf(spec, graph));
  const program = fb.compile({ outputs: { output: graph.output }, updates, threads });
  loaded = { program };
  const losses = Array.from({ length: spec.kind === 'predict' ? 0 : training.checkSteps }, () =>
    program.run(graph.feeds).output.item(),
  );
  rate.set(fb.tensor(training.timedRate, { dtype }));
  const into = program.run(graph.feeds);
  take = (steps) => timeCalls(steps, () => program.run(graph.feeds, { into }));
  resetPeak();
  peakBeforeCopy = undefined;
  return { forms: [{ name: 'compiled', losses, results }] };
}

function exact(request: {
  readonly spec: ModelSpec;
  readonly folder: string;
  readonly manifest: readonly Entry[];
}): { readonly results: readonly Entry[] } {
  const { folder, manifest } = request;
  const start = new Tensors(folder, manifest);
  const spec = { ...request.spec, dtype: 'float64' as const };
  const graph = buildGraph(spec, {
    get: (name) => {
      const tensor = start.get(name);
      if (tensor.dtype === 'int32') return tensor;
      return { ...tensor, dtype: 'float64', values: Float64Array.from(tensor.values) };
    },
  });
  return { results: writeTensors(folder, 'exact', resultsOf(spec, graph)) };
}

/** Computes the results that are compared with those of the peers: every gradient, or the prediction. */
function resultsOf(spec: ModelSpec, { output, parameters, feeds }: Graph) {
  let nodes: Record<string, fb.Node> = { output };
  if (spec.kind !== 'predict') {
    const gradients = fb.backward(output);
    nodes = Object.fromEntries(parameters.map((leaf) => [leaf.name as string, gradients.of(leaf)]));
  }
  // The gradients depend on the batch normalisations, which keep running statistics.
  const program = fb.compile({ outputs: nodes, updates: fb.sideUpdates(output), threads });
  const tensors = Object.entries(program.run(feeds));
  program.dispose();
  return tensors.map(([name, { shape, data }]) => {
    return { name, dtype: spec.dtype, shape, values: data as Values };
  });
}

/**
 * Prepares the workload `compile`. Each of its steps builds, differentiates and compiles a graph, and runs the program
 * once, because the first run specialises the program.
 */
function loadCompile(spec: CompileSpec): Loaded {
  take = (steps, name) => {
    const part = spec.parts[name];
    if (part === undefined) throw new BenchError(`there is no graph '${name}' to compile`);
    // The initial values are drawn before the timed part, because drawing them is not part of compiling.
    const start = inMemory(part);
    let seconds = 0;
    for (let step = 0; step < steps; step++) seconds += compileTime(part, start);
    return seconds;
  };
  return { forms: Object.keys(spec.parts).map((name) => ({ name, losses: [], results: [] })) };
}

function compileTime(spec: ModelSpec, start: TensorSource): number {
  let program: fb.Program | undefined;
  let graph: Graph | undefined;
  const first = timeCalls(1, () => {
    graph = buildGraph(spec, start);
    const rate = fb.state('rate', fb.tensor(0, { dtype: spec.dtype }));
    const updates = updatesOf(spec, graph, rate);
    program = fb.compile({ outputs: { output: graph.output }, updates, threads });
    program.run(graph.feeds);
  });
  // The first time includes a run, so the time of a second run is subtracted.
  const second = timeCalls(1, () => program?.run((graph as Graph).feeds));
  program?.dispose();
  return Math.max(0, first - second);
}

function inMemory(spec: ModelSpec): TensorSource {
  const tensors = new Map(
    tensorsOf(spec).map((tensor) => [tensor.name, { ...tensor, values: valuesOf(tensor) }]),
  );
  return {
    get: (name) => {
      const tensor = tensors.get(name);
      if (tensor === undefined) throw new BenchError(`there is no tensor '${name}'`);
      return tensor;
    },
  };
}

function memory(): Memory {
  return { growth: (peakBeforeCopy ?? statusBytes('VmHWM')) - memoryAtImport };
}

function stats(): ProgramStats | null {
  if (!loaded) return null;
  const { productShapes, arenaBytes, leafBytes } = loaded.program.stats();
  return { productShapes, memory: { arena: arenaBytes, leaves: leafBytes } };
}

await serve({
  hello,
  load,
  exact,
  round: ({ steps, form }) => ({ seconds: take(steps, form) }),
  memory,
  stats,
  blas: ({ dtype, shapes }) => ({ growth: blasGrowth(dtype, shapes) }),
  peak: ({ dtype, threads: count }) => ({ gflops: peakOf(dtype, count) }),
  copy: async ({ bytes, threads: count }) => {
    peakBeforeCopy ??= statusBytes('VmHWM');
    return { gigabytes: await copyRate(bytes, count) };
  },
});
