// Runs each scenario again and again. In the n-th attempt, the n-th native allocation fails. (In the short form, every
// third allocation of each allocating function fails.) Stops when the scenario makes fewer than n allocations. Prints
// its progress to stdout, and the figures as JSON on the last line. The arguments are 'full' or 'short', then the names
// of scenarios (all by default).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { setImmediate } from 'node:timers/promises';
import * as fb from 'forebay';
import { scenarios } from './allocation-scenarios.mjs';

const root = new URL('../..', import.meta.url).pathname;
const { failing } = createRequire(import.meta.url)(
  process.env.FOREBAY_ADDON ?? `${root}build/Release/forebay.node`,
);
assert(failing, 'this needs the addon of `node tools/build.mjs failing`');
const full = process.argv[2] === 'full';
const gc = /** @type {() => void} */ (globalThis.gc);

/** @typedef {import('./allocation-scenarios.mjs').Scenario} Scenario */

/** @type {Record<string, number>} the number of failed allocations, by the function that requested them */
const sites = {};
const figures = { failures: 0, errors: 0, survived: 0, codes: /** @type {string[]} */ ([]) };

/** Counts the allocation, if any, that failed since the last call of `failAt`. @returns true if an allocation failed */
function countFailure(/** @type {unknown} */ error, /** @type {string} */ where) {
  const site = failing.failed();
  failing.failAt(0);
  if (site === null) {
    if (error !== undefined) throw error;
    return false;
  }
  assert(
    error === undefined || error instanceof fb.ForebayError,
    `${where}: ${site} failed, but the error was ${error}`,
  );
  count(site, error?.code ?? null);
  return true;
}

/** Counts one failed allocation. `code` is the code of the error that it caused, or null if no error was thrown. */
function count(/** @type {string} */ site, /** @type {string | null} */ code) {
  figures.failures++;
  sites[site] = (sites[site] ?? 0) + 1;
  if (code === null) {
    figures.survived++;
  } else {
    if (!figures.codes.includes(code)) figures.codes.push(code);
    figures.errors++;
  }
}

/**
 * Collects garbage and returns the live allocations. Repeats this, at most 40 times, until they equal `expected`. If
 * `expected` is undefined, repeats it about ten times.
 */
async function settled(/** @type {object | undefined} */ expected) {
  for (let tries = 0; tries < 40; tries++) {
    gc();
    await setImmediate();
    await setImmediate();
    if (expected && JSON.stringify(failing.live()) === JSON.stringify(expected)) break;
    if (!expected && tries > 10) break;
  }
  return failing.live();
}

// ---- Makes allocations fail while the addon is loaded.

for (let n = 1; ; n++) {
  failing.failAt(n);
  /** @type {unknown} */
  let error;
  try {
    fb.nativeInfo();
  } catch (thrown) {
    error = thrown;
  }
  assert(error === undefined || error instanceof fb.NativeError, `loading: ${error}`);
  if (!countFailure(error, `loading, allocation ${n}`)) break;
}
console.log(`loading: ${figures.failures} allocations failed`);

// ---- Allocations that a process makes only once. Each attempt runs in a new process.

function proveFirstRun() {
  const before = figures.failures;
  const firstRun = (/** @type {number} */ n) =>
    JSON.parse(
      execFileSync(process.execPath, [`${root}proof/support/first-run.mjs`, String(n)], {
        encoding: 'utf8',
      }),
    );
  const expected = firstRun(0).bits;
  for (let n = 1; ; n++) {
    const { site, code, bits } = firstRun(n);
    assert.equal(bits, expected, `firstRun, allocation ${n}: other bits`);
    if (site === null) break;
    count(site, code);
  }
  console.log(`firstRun: ${figures.failures - before} allocations failed`);
}

// ---- Scenarios.

const hex = (/** @type {fb.Tensor['data']} */ data) =>
  Buffer.from(data.slice().buffer).toString('hex');
const bits = (/** @type {readonly fb.Variable[]} */ leaves) =>
  leaves.map(({ value }) => hex(value.data)).join();

/**
 * Runs a scenario in which no allocation fails. Returns its results, all states that its leaves may have, and the names
 * of the functions that allocated.
 */
async function reference(/** @type {() => Scenario} */ make) {
  const scenario = make();
  /** The bits of the leaves after every complete step. */
  const states = new Set([bits(scenario.leaves)]);
  failing.failAt(0);
  const result = await scenario.run((data) => states.add(data ? hex(data) : bits(scenario.leaves)));
  const allocating = failing.sites().split(' ');
  const last = bits(scenario.leaves);
  scenario.dispose();
  return { states: states.add(last), result, last, allocating };
}

/**
 * Runs a scenario while its n-th allocation fails. If this causes an error, runs the scenario again. Checks the leaves
 * and the results.
 * @returns true if the scenario made at least n allocations
 */
async function attempt(
  /** @type {() => Scenario} */ make,
  /** @type {Awaited<ReturnType<typeof reference>>} */ expected,
  /** @type {number} */ n,
  /** @type {string} */ where,
) {
  const scenario = make();
  const initial = scenario.leaves.map(({ value }) => value.data.slice());
  /** @type {unknown} */
  let error;
  /** @type {unknown} */
  let result;
  failing.failAt(n);
  try {
    result = await scenario.run(() => {});
  } catch (thrown) {
    error = thrown;
  }
  const failed = countFailure(error, where);
  if (error !== undefined) {
    assert(
      expected.states.has(bits(scenario.leaves)),
      `${where}: the leaves are partially written`,
    );
    scenario.leaves.forEach((leaf, i) => {
      leaf.set(/** @type {Float32Array} */ (initial[i]));
    });
    result = await scenario.run(() => {});
  }
  assert.deepEqual(result, expected.result, `${where}: the results differ`);
  assert.equal(bits(scenario.leaves), expected.last, `${where}: the leaves differ`);
  scenario.dispose();
  return failed;
}

async function prove(/** @type {string} */ name, /** @type {() => Scenario} */ make) {
  const before = figures.failures;
  const expected = await reference(make);
  const baseline = await settled(undefined);
  // Most allocations are made in loops, so the short form tests only the first, fourth, … of each function.
  /** @type {Map<string | undefined, number>} */
  const met = new Map();
  const isTested = (/** @type {number} */ n) => {
    const site = expected.allocating[n - 1];
    met.set(site, (met.get(site) ?? 0) + 1);
    return full || site === undefined || (met.get(site) ?? 0) % 3 === 1;
  };
  for (let n = 1; ; n++) {
    if (!isTested(n)) continue;
    const where = `${name}, allocation ${n}`;
    const failed = await attempt(make, expected, n, where);
    // Leaked memory stays, so a later check finds an earlier leak. The check is slow, so the short form does it rarely.
    if (full || n % 8 === 0 || !failed) {
      assert.deepEqual(await settled(baseline), baseline, `${where}: memory was leaked`);
    }
    if (!failed) break;
  }
  console.log(`${name}: ${figures.failures - before} allocations failed`);
}

const wanted = process.argv.slice(3);
if (wanted.length === 0 || wanted.includes('firstRun')) proveFirstRun();
for (const [name, make] of Object.entries(scenarios(full))) {
  if (wanted.length === 0 || wanted.includes(name)) await prove(name, make);
}
console.log(JSON.stringify({ ...figures, failuresIn: sites }));
