// Finds the distinct fused loops in the code of compiled programs.

const groupOpcode = 1;
const dtypes = ['float32', 'float64', 'int32', 'bool', 'uint8', 'mask32', 'mask64'];
const masks = { float32: 'mask32', float64: 'mask64' };
const comparisons = new Set(['greater', 'equal']);
/** Operations that call libm for each element. A compiled loop would gain little. */
const slow = new Set(['pow', 'sin', 'cos']);
/** The largest number of loads and results of a compiled loop. native/kernels/compiled_loop.h has the same limit. */
const maxOperands = 24;

/**
 * Returns the loops, each once, with the names of the models that use it.
 * @param kernels the rows of the kernel table, by id: { family, name }
 * @param encode a function that returns the code of a model
 */
export function collect(models, kernels, encode) {
  const loops = new Map();
  for (const model of models) {
    for (const instruction of instructions(encode(model))) {
      if (instruction[0] !== groupOpcode) continue;
      for (const loop of loopsOf(instruction, kernels)) {
        const key = JSON.stringify(loop);
        const known = loops.get(key) ?? { ...loop, models: new Set() };
        loops.set(key, known);
        known.models.add(model.name);
      }
    }
  }
  return [...loops.values()];
}

/** Yields the numbers of each instruction (see native/program/code.h). */
function* instructions(code) {
  const [, buffers, count, , outputs] = code;
  let at = 6 + 2 * buffers + 4 * outputs;
  for (let i = 0; i < count; i++) {
    yield code.subarray(at, at + code[at + 1]);
    at += code[at + 1];
  }
}

/** Returns the loops of a group: one for each set of loads that have one element a row. */
function loopsOf(instruction, kernels) {
  const [segments, rank, , loads, steps, stores, closes] = instruction.subarray(2);
  let at = 9;
  const take = (count) => {
    at += count;
    return instruction.subarray(at - count, at);
  };
  const values = []; // for each register, the number of the value in it
  const types = new Set();
  for (let load = 0; load < loads; load++) {
    const [type, register] = take(2);
    types.add(dtypes[type]);
    values[register] = load;
  }
  const [common] = types;
  if (types.size !== 1 || !common.startsWith('float')) return [];
  const list = [];
  for (let step = 0; step < steps; step++) {
    const [id, type, register, ...inputs] = take(6);
    const { family, name } = kernels[id];
    const result = family === 'cast' ? name : comparisons.has(name) ? masks[common] : common;
    const allowed = [common, masks[common]];
    if (!allowed.includes(dtypes[type]) || !allowed.includes(result) || slow.has(name)) return [];
    // A conversion is named by what it makes, so that loops of different dtypes can be one template.
    const operation = family === 'map' ? name : name === common ? 'number' : 'mask';
    const isBool = result !== common;
    list.push({
      operation,
      isBool,
      inputs: inputs.filter((input) => input >= 0).map((input) => values[input]),
    });
    values[register] = loads + step;
  }
  const results = new Set();
  for (let i = 0; i < stores + closes; i++) results.add(values[take(2)[1]]);
  const fits =
    list.length > 0 &&
    loads + results.size <= maxOperands &&
    [...results].every((value) => value >= loads);
  if (!fits) return [];

  const found = new Map();
  for (let segment = 0; segment < segments; segment++) {
    const sizes = take(rank);
    const strides = Array.from({ length: loads + stores }, () => take(2 + rank).subarray(2));
    take(2 * closes);
    const axis = sizes.findLastIndex((size) => size !== 1);
    if (axis < 0) continue; // a loop over one element is not worth a function
    const singles = strides.slice(0, loads).map((stride) => stride[axis] === 0);
    found.set(singles.join(), singles);
  }
  return [...found.values()].map((singles) => ({
    dtype: common,
    singles,
    steps: list,
    results: [...results].sort((a, b) => a - b),
  }));
}
