// Tests the allocations that a process makes only once, when a program first runs off the JavaScript thread and on
// several threads. Makes the n-th of them fail, then runs the program again if it failed. The argument is n, or 0 for
// no failure. Prints JSON: `site` is the function whose allocation failed (null if there are fewer allocations), `code`
// is the code of the error (null without an error), and `bits` is a digest of the result.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import * as fb from 'forebay';

const root = new URL('../..', import.meta.url).pathname;
const { failing } = createRequire(import.meta.url)(
  process.env.FOREBAY_ADDON ?? `${root}build/Release/forebay.node`,
);
assert(failing, 'this needs the addon of `node tools/build.mjs failing`');

// The product of matrices of this size is split among threads.
const size = 512;
const values = Float32Array.from({ length: size * size }, (_, i) => Math.sin(i));
const weights = fb.parameter('weights', new fb.Tensor(values, [size, size]));
const program = fb.compile({
  outputs: { product: fb.matmul(weights, weights, { transposeB: true }) },
  threads: 2,
});
const hash = (/** @type {fb.Tensor} */ { data }) =>
  createHash('sha256').update(data.slice()).digest('hex');

failing.failAt(Number(process.argv[2]));
/** @type {unknown} */
let error;
/** @type {fb.Tensor | undefined} */
let product;
try {
  product = (await program.runAsync()).product;
} catch (thrown) {
  error = thrown;
}
const site = failing.failed();
failing.failAt(0);
if (error !== undefined) {
  assert(
    site !== null && error instanceof fb.ForebayError,
    `${site} failed, but the error was ${error}`,
  );
  product = (await program.runAsync()).product;
}
const { code } = error instanceof fb.ForebayError ? error : { code: null };
const bits = hash(/** @type {fb.Tensor} */ (product));
console.log(JSON.stringify({ site, code, bits }));
