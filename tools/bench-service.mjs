// Measures the duration of a prediction over HTTP with the server of examples/07-service.ts, with and without a
// concurrent training: `npm run bench:service [-- --seconds 3 --rounds 5 --write]`. The server is a separate process.
// This process sends requests over 4 connections on 127.0.0.1. Each connection sends its next request when the answer
// to its previous request has arrived. Each round measures all situations, one after another. The result is the median
// over all rounds, and `--write` writes it to the guide.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { arch, availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { transpiled } from './examples.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '5' },
    write: { type: 'boolean', default: false },
  },
});
const [seconds, rounds] = [Number(options.seconds), Number(options.rounds)];
const connections = 4;
const readings = 32;
const guide = 'docs/guides/service.md';

const situations = [
  { name: 'idle', training: 0 },
  { name: 'training on 1 thread', training: 1 },
  { name: `training on ${availableParallelism()} threads`, training: availableParallelism() },
];

/**
 * Starts the server in a temporary folder, where it saves its parameters.
 * @returns its URL, and a function to stop it
 */
async function start(threads) {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-service-'));
  const child = spawn(process.execPath, [resolve(transpiled('examples/07-service.ts'))], {
    cwd: folder,
    env: { ...process.env, PORT: '0', FOREBAY_TRAINING_THREADS: String(Math.max(1, threads)) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(createInterface(child.stdout), 'line');
  const url = new URL(/http:\S+/.exec(line)[0]);
  const stop = async () => {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const [status] = await ended;
    rmSync(folder, { recursive: true });
    if (status !== 0) throw new Error(`the server ended with ${status}`);
  };
  return { url, stop };
}

/** Sends one request. @returns the answer */
function ask(agent, url, method, path, body) {
  return new Promise((done, failed) => {
    const sent = request(new URL(path, url), { agent, method }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      response.on('error', failed).on('end', () => {
        if (response.statusCode === 200) done(JSON.parse(text));
        else failed(new Error(`${path}: ${response.statusCode} ${text}`));
      });
    });
    sent.on('error', failed).end(body);
  });
}

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
const median = (numbers) =>
  quantile(
    numbers.toSorted((a, b) => a - b),
    0.5,
  );

/** Sends requests to the server for `duration` seconds. @returns latencies in milliseconds, sorted */
async function load(agent, url, duration) {
  const body = JSON.stringify({ x: Array.from({ length: readings }, (_, i) => i / readings) });
  const latencies = [];
  const end = performance.now() + 1000 * duration;
  const connection = async () => {
    while (performance.now() < end) {
      const before = performance.now();
      await ask(agent, url, 'POST', '/predict', body);
      latencies.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: connections }, connection));
  return latencies.sort((a, b) => a - b);
}

/** Returns so many examples, as JSON, that the training takes longer than the measurement. */
function examples() {
  const x = Array.from({ length: 1000 }, () => Array.from({ length: readings }, Math.random));
  const round = (number) => Math.round(1000 * number) / 1000;
  return JSON.stringify({
    x: x.map((row) => row.map(round)),
    watts: x.map(([a, b]) => round(20 + 30 * a * b)),
  });
}

async function measure({ training }) {
  const { url, stop } = await start(training);
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  try {
    await load(agent, url, 0.5); // a warm-up, in which V8 compiles the JavaScript of both processes
    const status = () => ask(agent, url, 'GET', '/status');
    if (training > 0) {
      const body = examples();
      for (let part = 0; part < 20; part++) await ask(agent, url, 'POST', '/examples', body);
      while ((await status()).epochs === 0) await pause(20);
    }
    const before = await status();
    const latencies = await load(agent, url, seconds);
    const after = await status();
    if (training > 0 && after.trainedOn === before.trainedOn)
      throw new Error('the server did not train');
    return {
      p50: quantile(latencies, 0.5),
      p99: quantile(latencies, 0.99),
      rate: latencies.length / seconds,
      learned: (after.trainedOn - before.trainedOn) / seconds,
    };
  } finally {
    agent.destroy();
    await stop();
  }
}

// The load average is printed, because other processes on the machine influence every figure.
const busy = loadavg()[0].toFixed(1);
const measured = situations.map(() => []);
for (let round = 0; round < rounds; round++) {
  for (const [index, situation] of situations.entries()) {
    const result = await measure(situation);
    measured[index].push(result);
    const { p50, p99 } = result;
    console.error(
      `round ${round + 1}, ${situation.name}: ${p50.toFixed(2)} / ${p99.toFixed(2)} ms`,
    );
  }
}

const rows = situations.map(({ name }, index) => {
  const of = (figure) => median(measured[index].map((result) => result[figure]));
  const [rate, learned] = [of('rate'), of('learned')].map((n) =>
    Math.round(n).toLocaleString('en'),
  );
  return `| ${name} | ${of('p50').toFixed(2)} | ${of('p99').toFixed(2)} | ${rate} | ${learned} |`;
});
const machine = `${cpus()[0]?.model}, ${availableParallelism()} cores, ${process.platform}-${arch()}, Node ${process.versions.node}`;
const table = [
  '| server | p50, ms | p99, ms | predictions a second | examples trained on a second |',
  '|---|---|---|---|---|',
  ...rows,
  '',
  `${machine}; medians of ${rounds} rounds of ${seconds} s, ${connections} connections;`,
  `load average of the machine before: ${busy}.`,
].join('\n');
console.log(table);
if (options.write) {
  const text = readFileSync(guide, 'utf8');
  const markers = /(<!-- npm run bench:service -- --write -->\n)[\s\S]*?(<!-- end -->)/;
  if (!markers.test(text)) throw new Error(`${guide} has no markers for the table`);
  writeFileSync(
    guide,
    text.replace(markers, (_, before, after) => `${before}${table}\n${after}`),
  );
}
