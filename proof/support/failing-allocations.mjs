// For each scenario, and n = 1, 2, 3, …: the n-th native allocation fails. Until a whole scenario passes
// without getting to its n-th. Progress on stdout, the figures as JSON on its last line. argv: 'full' or 'short', then
// the scenarios, if not all.
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

/** @type {Record<string, number>} by function that failed */
const sites = {};
const figures = { sites: 0, errors: 0, survived: 0, codes: /** @type {string[]} */ ([]) };

/** Counts what failed since `failAt`. @returns whether anything did */
function countFailure(/** @type {unknown} */ error, /** @type {string} */ where) {
  const site = failing.failed();
  failing.failAt(0);
  if (site === null) {
    if (error !== undefined) throw error;
    return false;
  }
  assert(
    error === undefined || error instanceof fb.ForebayError,
    `${where}: ${site} failed, and what came was ${error}`,
  );
  count(site, error?.code ?? null);
  return true;
}

/** One more that failed; `code` is the error's, or null if there was none. */
function count(/** @type {string} */ site, /** @type {string | null} */ code) {
  figures.sites++;
  sites[site] = (sites[site] ?? 0) + 1;
  if (code === null) {
    figures.survived++;
  } else {
    if (!figures.codes.includes(code)) figures.codes.push(code);
    figures.errors++;
  }
}

/** What is allocated when garbage has been collected: until it is `expected`, or does not get there. */
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

// ---- Loading.

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
console.log(`loading: ${figures.sites} allocations failed`);

// ---- What a process allocates once, in a process of its own each time.

function proveFirstRun() {
  const before = figures.sites;
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
  console.log(`firstRun: ${figures.sites - before} allocations failed`);
}

// ---- Scenarios.

const hex = (/** @type {fb.Tensor['data']} */ data) =>
  Buffer.from(data.slice().buffer).toString('hex');
const bits = (/** @type {readonly fb.Variable[]} */ leaves) =>
  leaves.map(({ value }) => hex(value.data)).join();

/** What a scenario comes to when nothing fails. */
async function reference(/** @type {() => Scenario} */ make) {
  const scenario = make();
  /** The leaves' bits after every whole step. */
  const states = new Set([bits(scenario.leaves)]);
  const result = await scenario.run((data) => states.add(data ? hex(data) : bits(scenario.leaves)));
  const last = bits(scenario.leaves);
  scenario.dispose();
  return { states: states.add(last), result, last };
}

/** The n-th allocation fails. @returns whether there were as many */
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
    assert(expected.states.has(bits(scenario.leaves)), `${where}: leaves are between two steps`);
    scenario.leaves.forEach((leaf, i) => {
      leaf.set(/** @type {Float32Array} */ (initial[i]));
    });
    result = await scenario.run(() => {});
  }
  assert.deepEqual(result, expected.result, `${where}: other bits`);
  assert.equal(bits(scenario.leaves), expected.last, `${where}: other leaves`);
  scenario.dispose();
  return failed;
}

async function prove(/** @type {string} */ name, /** @type {() => Scenario} */ make) {
  const before = figures.sites;
  const expected = await reference(make);
  const baseline = await settled(undefined);
  // Most are in loops: by leaps of three each is met often enough for the short form.
  for (let n = 1; ; n += full ? 1 : 3) {
    const where = `${name}, allocation ${n}`;
    const failed = await attempt(make, expected, n, where);
    // What leaks adds up, so that looking for it now and then misses nothing; looking takes the most time.
    if (full || n % 8 === 0 || !failed) {
      assert.deepEqual(await settled(baseline), baseline, `${where}: not all was given back`);
    }
    if (!failed) break;
  }
  console.log(`${name}: ${figures.sites - before} allocations failed`);
}

const wanted = process.argv.slice(3);
if (wanted.length === 0 || wanted.includes('firstRun')) proveFirstRun();
for (const [name, make] of Object.entries(scenarios(full))) {
  if (wanted.length === 0 || wanted.includes(name)) await prove(name, make);
}
console.log(JSON.stringify({ ...figures, by: sites }));
