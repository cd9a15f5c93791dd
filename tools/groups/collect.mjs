// Finds the distinct fused loops in the code of compiled programs.

const groupOpcode = 1;
const rowsOpcode = 10;
const loopOpcode = 11;
const drawBuffer = 6;
const dtypes = ['float32', 'float64', 'int32', 'bool', 'uint8', 'mask32', 'mask64'];
const masks = { float32: 'mask32', float64: 'mask64' };
/** Operations that call libm for each element, or for some. A compiled loop would gain little. */
const slow = new Set(['pow', 'sin', 'cos', 'tan', 'mod']);
/** The largest number of loads and results of a compiled loop. native/kernels/compiled_loop.h has the same limit. */
const maxOperands = 24;
/** The largest number of folds, with the same limit there. */
const maxFolds = 8;

/**
 * Returns the loops, each once, with the names of the models that use it.
 * @param kernels the rows of the kernel table, by id: { family, name, form }
 * @param encode a function that returns the code of a model
 * @param phasesOf see src/primitives/rows.ts
 */
export function collect(models, kernels, encode, phasesOf) {
  const loops = new Map();
  for (const model of models) {
    const code = encode(model);
    const draws = buffersOf(code).draws;
    for (const instruction of instructions(code)) {
      const found =
        instruction[0] === groupOpcode
          ? loopsOf(instruction, kernels, draws)
          : instruction[0] === rowsOpcode
            ? phaseLoops(instruction, kernels, phasesOf)
            : [];
      for (const loop of found) {
        const key = JSON.stringify(loop);
        const known = loops.get(key) ?? { ...loop, models: new Set() };
        loops.set(key, known);
        known.models.add(model.name);
      }
    }
  }
  return [...loops.values()];
}

/** Returns the type of the result of an operation on elements of `type`. */
function resultOf({ family, name, form, type }) {
  if (family === 'cast') return name;
  return form === 'compares' ? (masks[type] ?? 'bool') : type;
}

/** Returns the indices of the buffers that are draws, and the position of the outputs (see native/program/code.h). */
function buffersOf(code) {
  const draws = new Set();
  let at = 6;
  for (let i = 0; i < code[1]; i++) {
    const isDraw = code[at] === drawBuffer;
    if (isDraw) draws.add(i);
    at += isDraw ? 5 : 2;
  }
  return { draws, end: at };
}

/** Yields the numbers of each instruction, also of those in loops. */
function* instructions(code) {
  const [, , count, , outputs] = code;
  let at = buffersOf(code).end + 4 * outputs;
  for (let i = 0; i < count; i++) {
    yield* withBody(code.subarray(at, at + code[at + 1]));
    at += code[at + 1];
  }
}

/** Yields an instruction and, if it is a loop, the instructions of its body. */
function* withBody(instruction) {
  yield instruction;
  if (instruction[0] !== loopOpcode) return;
  const windows = instruction[3];
  let at = 4 + 5 * windows;
  const count = instruction[at++];
  for (let i = 0; i < count; i++) {
    at += 2; // the steps in which the instruction runs
    yield* withBody(instruction.subarray(at, at + instruction[at + 1]));
    at += instruction[at + 1];
  }
}

/**
 * Returns the loops of a group: one for each set of loads that have one element a row. A load of a draw never counts as
 * such, because native/program/group_plan.cc treats it as one with an element for each column.
 */
function loopsOf(instruction, kernels, draws) {
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
    const { family, name, form } = kernels[id];
    const result = resultOf({ family, name, form, type: dtypes[type] });
    const allowed = [common, masks[common]];
    if (!allowed.includes(dtypes[type]) || !allowed.includes(result) || slow.has(name)) return [];
    const from = inputs.filter((input) => input >= 0).map((input) => values[input]);
    list.push(stepOf({ family, name, common, result, inputs: from }));
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
    const operands = Array.from({ length: loads + stores }, () => take(2 + rank));
    take(2 * closes);
    const axis = sizes.findLastIndex((size) => size !== 1);
    if (axis < 0) continue; // a loop over one element is not worth a function
    const singles = operands
      .slice(0, loads)
      .map(([buffer, , ...strides]) => strides[axis] === 0 && !draws.has(buffer));
    found.set(singles.join(), singles);
  }
  return [...found.values()].map((singles) => ({
    dtype: common,
    singles,
    steps: list,
    results: [...results].sort((a, b) => a - b),
    folds: [],
  }));
}

/**
 * Returns a step of a loop of dtype `common`. A conversion is named by what it makes, so that loops of different dtypes
 * can be one template.
 */
function stepOf({ family, name, common, result, inputs }) {
  const operation = family === 'map' ? name : name === common ? 'number' : 'mask';
  return { operation, isBool: result !== common, inputs };
}

/**
 * Returns the loops of the phases of a group over whole rows. native/program/row_group_plan.cc has the same rules for the
 * order of the operands and steps of a phase.
 */
function phaseLoops(instruction, kernels, phasesOf) {
  const [, , loads, steps, stores, closes] = instruction.subarray(2);
  let at = 8;
  const take = (count) => {
    at += count;
    return instruction.subarray(at - count, at);
  };
  const list = (count, length) => Array.from({ length: count }, () => [...take(length)]);
  const loaded = list(loads, 2);
  const operations = list(steps, 5).map(([id, type, ...inputs]) => ({
    ...kernels[id],
    type,
    reduces: kernels[id].family === 'reduce',
    operands: inputs.filter((input) => input >= 0),
  }));
  const stored = list(stores, 2).map(([, value]) => value);
  const closed = list(closes, 3).map(([columns, , value]) => ({ columns: columns === 1, value }));
  const { perRow, available } = phasesOf(
    loaded.map(([, one]) => one === 1),
    operations,
  );
  const typeOf = (value) => {
    if (value < loads) return dtypes[loaded[value][0]];
    const { family, name, form, type } = operations[value - loads];
    return resultOf({ family, name, form, type: dtypes[type] });
  };
  const full = operations
    .map((operation, i) => ({ ...operation, value: loads + i }))
    .filter(({ value }) => !perRow[value]);
  // A fold reduces the rows of a value: a step does, or a sum over all elements.
  const reduced = [
    ...operations
      .filter(({ reduces }) => reduces)
      .map(({ name, operands }) => ({ kind: name, value: operands[0] })),
    ...closed
      .filter(({ columns, value }) => !columns && !perRow[value])
      .map(({ value }) => ({ kind: 'sum', value })),
  ];
  const phases = new Set([...full, ...reduced].map(({ value }) => available[value]));
  return [...phases].flatMap((phase) => {
    const own = full.filter(({ value }) => available[value] === phase);
    const folds = reduced.filter(({ value }) => available[value] === phase);
    const computed = new Set(own.map(({ value }) => value));
    const readHere = [
      ...own.flatMap(({ operands }) => operands),
      ...folds.map((fold) => fold.value),
    ];
    const inputs = [...new Set(readHere)]
      .filter((value) => !computed.has(value))
      .sort((a, b) => a - b);
    const readElsewhere = (value) =>
      stored.includes(value) ||
      closed.some((close) => close.columns && close.value === value) ||
      operations.some(
        ({ operands, reduces }, i) =>
          operands.includes(value) && !reduces && available[loads + i] > phase,
      );
    const number = new Map([...inputs, ...computed].map((value, i) => [value, i]));
    const results = [...computed].filter(readElsewhere);
    // Bools may be beside the floats of a loop, but do not leave it.
    const common = [...computed, ...inputs].map(typeOf).find((type) => masks[type] !== undefined);
    const fits =
      [...inputs, ...results].every((value) => typeOf(value) === common) &&
      [...computed].every((value) => [common, masks[common]].includes(typeOf(value))) &&
      folds.every(({ value }) => typeOf(value) === common) &&
      own.every(({ name }) => !slow.has(name)) &&
      inputs.length + results.length <= maxOperands &&
      folds.length <= maxFolds;
    if (!fits) return [];
    return [
      {
        dtype: common,
        singles: inputs.map((value) => perRow[value]),
        steps: own.map(({ family, name, value, operands }) =>
          stepOf({
            family,
            name,
            common,
            result: typeOf(value),
            inputs: operands.map((operand) => number.get(operand)),
          }),
        ),
        results: results.map((value) => number.get(value)),
        folds: folds.map(({ kind, value }) => ({ kind, value: number.get(value) })),
      },
    ];
  });
}
