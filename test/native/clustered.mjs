// Starts a cluster whose workers train, and kills two of them during the training. Prints as JSON whether the result of
// each surviving worker equals the result of this process.
import cluster from 'node:cluster';
import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { task, train } from './forked.mjs';

cluster.setupPrimary({
  exec: new URL('forked.mjs', import.meta.url).pathname,
  serialization: 'advanced',
});

async function started() {
  const worker = cluster.fork();
  await once(worker, 'message');
  return worker;
}
async function asked(worker, message) {
  worker.send(message);
  return (await once(worker, 'message'))[0];
}

const workers = await Promise.all(Array.from({ length: 5 }, started));
const [first, second, ...others] = workers;
// While the workers train, this process also trains and replaces the killed workers. This must not affect the others.
const killed = [first, second].map(async (worker) => {
  await asked(worker, 'never end');
  worker.process.kill('SIGKILL');
  await once(worker, 'exit');
  return started();
});
const alone = await Promise.all(others.map((_, i) => train(task(i))));
const together = await Promise.all(others.map((worker, i) => asked(worker, task(i))));
const again = await Promise.all(
  (await Promise.all(killed)).map((worker) => asked(worker, task(0))),
);
const left = Object.values(cluster.workers);
await Promise.all(
  left.map((worker) => {
    worker.send('leave');
    return once(worker, 'exit').then(([code, signal]) => [code, signal]);
  }),
).then((exits) => {
  console.log(
    JSON.stringify({
      same: together.map((result, i) => isDeepStrictEqual(result, alone[i])),
      again: again.map((result) => isDeepStrictEqual(result, alone[0])),
      exits,
    }),
  );
});
