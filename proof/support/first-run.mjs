// What a process allocates once, when a program first runs off the JavaScript thread and on several threads: the
// n-th of these allocations fails, and the run is made again. argv: n, or 0 for none. JSON on stdout: `site` that
// failed (null if there are fewer), the error's `code` if there was one, and the `bits` that came of it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import * as fb from 'forebay';

const root = new URL('../..', import.meta.url).pathname;
const { failing } = createRequire(import.meta.url)(
  process.env.FOREBAY_ADDON ?? `${root}build/Release/forebay.node`,
);
assert(failing, 'this needs the addon of `node tools/build.mjs failing`');

// Large enough to be shared out.
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
    `${site} failed, and what came was ${error}`,
  );
  product = (await program.runAsync()).product;
}
const { code } = error instanceof fb.ForebayError ? error : { code: null };
const bits = hash(/** @type {fb.Tensor} */ (product));
console.log(JSON.stringify({ site, code, bits }));
