// A server that predicts and trains at the same time. It estimates the power that a machine draws, from 32 readings:
//
//   POST /predict   {"x": [32 numbers]}               -> {"watts": number}
//   POST /examples  {"x": [[32 numbers], …], "watts": [number, …]}, examples to train on
//   GET  /status                                      -> the number of examples, and how many were trained on
//
// The training runs off the JavaScript thread, on the same parameters that predictions read. A prediction never reads a
// partial update. In a checkout, `PORT=8080 node tools/examples.mjs examples/07-service.ts` serves until it is stopped.
// Without PORT, the example is its own client: it sends examples and requests, and ends after the training.
// `npm run bench:service` measures the latency.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as fb from 'forebay';

const readings = 32;
const mostExamples = 100_000;
const model = 'service.safetensors';

// ---- The model: one set of parameters, a program that trains them and a program that predicts.
const layers = [
  new fb.FeedForward('hidden1', { inputs: readings, units: 256, activation: fb.relu }),
  new fb.FeedForward('hidden2', { inputs: 256, units: 256, activation: fb.relu }),
  new fb.FeedForward('output', { inputs: 256, units: 1 }),
];
const parameters = layers.flatMap((layer) => layer.parameters);
const x = fb.input('x', ['batch', readings]);
const watts = fb.input('watts', ['batch', 1]);
const estimate = layers.reduce<fb.Node>((below, layer) => layer.apply(below), x);
const loss = fb.mse(estimate, watts);

const training = fb.compile({
  inputs: { x, watts },
  outputs: { loss },
  updates: fb.adam(loss, parameters),
  // The other cores are for requests. The benchmark sets FOREBAY_TRAINING_THREADS.
  threads: Number(process.env.FOREBAY_TRAINING_THREADS ?? 1),
});
const serving = fb.compile({ inputs: { x }, outputs: { estimate }, threads: 1 });

// After a restart, the service continues with the parameters that it saved.
if (process.env.PORT !== undefined && existsSync(model)) fb.load(model, parameters);
// Compile before the first request.
await serving.prepare({ batch: 1 });

// ---- Training: epochs over all examples, until there are no new ones.
const known = { x: [] as number[][], watts: [] as number[] };
const status = { examples: 0, epochs: 0, trainedOn: 0, loss: Number.NaN };
const stop = new AbortController();
let learning: Promise<void> | undefined;

async function learn(): Promise<void> {
  for (let trained = 0; trained < known.watts.length; ) {
    trained = known.watts.length;
    // The tensors are copies, because requests may add examples during the training.
    const dataset = {
      x: fb.tensor(known.x),
      watts: fb.tensor(known.watts.map((value) => [value])),
    };
    await fb.fit(training, dataset, {
      epochs: 100,
      batchSize: 64,
      signal: stop.signal,
      checkFinite: true, // a step that computes a NaN writes nothing
      onEpoch: ({ outputs }) => {
        status.epochs++;
        status.trainedOn += trained;
        status.loss = outputs.loss;
      },
    });
  }
}

// ---- Requests.
// Absurd values are refused here: a single example of 1e30 would undo the training.
const isSane = (value: unknown) => typeof value === 'number' && Math.abs(value) <= 1e6;
const isReading = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length === readings && value.every(isSane);

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    size += (part as Buffer).length;
    if (size > 1_000_000) throw new RangeError('expected a request of at most a million bytes');
    parts.push(part as Buffer);
  }
  const body: unknown = JSON.parse(Buffer.concat(parts).toString());
  if (typeof body !== 'object' || body === null) throw new RangeError('expected an object');
  return body as Record<string, unknown>;
}

function predict(body: Record<string, unknown>) {
  if (!isReading(body.x)) throw new RangeError(`x must be ${readings} numbers`);
  // One row takes some microseconds, which is less than sending it to another thread.
  return { watts: serving.run({ x: [body.x] }).estimate.item() };
}

function addExamples(body: Record<string, unknown>) {
  const { x, watts } = body;
  const fits = Array.isArray(x) && Array.isArray(watts) && x.length === watts.length;
  if (!fits || !x.every(isReading) || !watts.every(isSane)) {
    throw new RangeError(`x must be lists of ${readings} numbers, and watts a number for each`);
  }
  if (known.watts.length + x.length > mostExamples)
    throw new RangeError(`expected at most ${mostExamples} examples in all`);
  known.x.push(...x);
  known.watts.push(...(watts as number[]));
  status.examples = known.watts.length;
  learning ??= learn()
    .catch((error: unknown) => {
      if (!stop.signal.aborted) console.error(`training ended: ${error}`);
    })
    .finally(() => {
      learning = undefined;
    });
  return status;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const route = `${request.method} ${request.url}`;
    let result: object;
    if (route === 'POST /predict') result = predict(await bodyOf(request));
    else if (route === 'POST /examples') result = addExamples(await bodyOf(request));
    else if (route === 'GET /status') result = status;
    else {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
  } catch (error) {
    const theirs = error instanceof RangeError || error instanceof SyntaxError;
    // Close the connection: the unread rest of a refused request would be read as the next request.
    response.writeHead(theirs ? 400 : 500, { connection: 'close' });
    response.end(theirs ? `${error}` : 'see the log');
    if (!theirs) console.error(error);
  }
}

const server = createServer((request, response) => void answer(request, response));
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
console.log(`listening on ${url}`);

/** Stops the training and the server, and saves the parameters. */
async function close(): Promise<void> {
  stop.abort();
  await learning;
  fb.save(model, parameters);
  server.closeAllConnections();
  server.close();
}
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void close());

// ---- Without a port, the example is its own client: it sends examples, and asks for predictions during the training.
if (process.env.PORT === undefined) {
  const post = async (path: string, body: object) =>
    (await fetch(url + path, { method: 'POST', body: JSON.stringify(body) })).json();
  const draws = fb.evaluate(fb.randomUniform([500, readings], { seed: 1 }));
  const rows = draws.toArray() as number[][];
  /** The true power: 20 W, plus a term of two readings. */
  const truth = ([a = 0, b = 0]: readonly number[]) => 20 + 30 * a * b;
  const unseen = [...fb.evaluate(fb.randomUniform([readings], { seed: 2 })).data];

  console.log('before training:', await post('/predict', { x: unseen }));
  await post('/examples', { x: rows, watts: rows.map(truth) });
  let answers = 0;
  while (learning) {
    await post('/predict', { x: unseen });
    answers++;
  }
  console.log(`${answers > 10 ? 'many' : answers} answers during training`);
  console.log(
    'after training:',
    await post('/predict', { x: unseen }),
    'truth:',
    truth(unseen).toFixed(1),
  );
  console.log(await (await fetch(`${url}/status`)).json());
  await close();
}
