/** The layers of each workload: their sizes, and how many rows they multiply in one step. */

import type { GptSpec, GruSpec, LstmSpec, ModelSpec, TcnSpec } from './workloads.js';

export interface Layer {
  readonly name: string;
  /** A `norm` normalises batches, or each row. An `embedding` is a table of rows, one for each word. */
  readonly kind: 'dense' | 'convolution' | 'norm' | 'embedding';
  /** The shape of the weight: [inputs, units], or [filters, channels, ...size] in a convolution, or [features]. */
  readonly weight: readonly number[];
  readonly bias: boolean;
  /** The number of elements that each unit reads. */
  readonly inputs: number;
  readonly units: number;
  /** The number of rows of the output of the layer in one step. Each has an element for each unit. */
  readonly rows: number;
  /** The number of inputs of each unit that need a gradient. */
  readonly differentiated: number;
  /** Whether a batch normalisation follows. It subtracts the bias again, so the gradient of the bias is 0. */
  readonly normalised?: boolean;
}

/** The gates of an LSTM. */
export const gates = ['forget', 'input', 'output', 'cell'] as const;
/** The gates of a GRU, and the candidate for its next hidden state. */
export const gruGates = ['reset', 'update', 'candidate'] as const;

function dense(
  name: string,
  inputs: number,
  units: number,
  rows: number,
  { bias = true } = {},
): Layer {
  const weight = [inputs, units];
  return { name, kind: 'dense', weight, bias, inputs, units, rows, differentiated: inputs };
}

/** Returns a convolution of `axes` axes, whose filters have 3 elements along each. */
function convolution(
  name: string,
  channels: number,
  units: number,
  rows: number,
  { axes = 2, bias = true } = {},
): Layer {
  const size = new Array<number>(axes).fill(3);
  const inputs = channels * 3 ** axes;
  const weight = [units, channels, ...size];
  return { name, kind: 'convolution', weight, bias, inputs, units, rows, differentiated: inputs };
}

function norm(name: string, units: number, rows: number): Layer {
  const sizes = { inputs: 0, units, rows, differentiated: 0 };
  return { name, kind: 'norm', weight: [units], bias: true, ...sizes };
}

function embedding(name: string, words: number, units: number, rows: number): Layer {
  const sizes = { inputs: 0, units, rows, differentiated: 0 };
  return { name, kind: 'embedding', weight: [words, units], bias: false, ...sizes };
}

/** Returns the layers, of which the first reads the input of the network, which needs no gradient. */
function afterInput([first, ...others]: readonly Layer[]): Layer[] {
  return [{ ...(first as Layer), differentiated: 0 }, ...others];
}

/**
 * Returns the layers of a workload. The gates of an LSTM read concat(x, h), x first. Each gate of a GRU is the sum of a
 * layer that reads x and one that reads h.
 */
export function layersOf(spec: ModelSpec): Layer[] {
  const { batch } = spec;
  switch (spec.kind) {
    case 'vae': {
      const { inputs, hidden, latent } = spec;
      return afterInput([
        dense('vae.encoder', inputs, hidden, batch),
        dense('vae.mean', hidden, latent, batch),
        dense('vae.logSigma', hidden, latent, batch),
        dense('vae.decoder', latent, hidden, batch),
        dense('vae.logits', hidden, inputs, batch),
      ]);
    }
    case 'mlp':
    case 'predict':
      return afterInput(
        spec.layers
          .slice(1)
          .map((units, i) => dense(`layer${i}`, spec.layers[i] as number, units, batch)),
      );
    case 'conv': {
      const { channels, classes, side } = spec;
      const filters = channels.slice(1);
      return afterInput([
        ...filters.map((n, i) =>
          convolution(`conv${i}`, channels[i] as number, n, batch * side ** 2),
        ),
        dense('readout', channels.at(-1) as number, classes, batch),
      ]);
    }
    case 'cnn': {
      const { channels, hidden, classes, side } = spec;
      const filters = channels.slice(1);
      const sides = channels.map((_, i) => Math.floor(side / 2 ** i));
      const last = sides.at(-1) as number;
      return afterInput([
        ...filters.flatMap((n, i) => {
          const rows = batch * (sides[i] as number) ** 2;
          return [
            { ...convolution(`conv${i}`, channels[i] as number, n, rows), normalised: true },
            norm(`norm${i}`, n, rows),
          ];
        }),
        dense('hidden', (channels.at(-1) as number) * last ** 2, hidden, batch),
        dense('readout', hidden, classes, batch),
      ]);
    }
    case 'resnet': {
      const { channels, filters, blocks, classes, side } = spec;
      const rows = batch * side ** 2;
      const half = (name: string) => [
        convolution(`${name}.conv`, filters, filters, rows, { bias: false }),
        norm(`${name}.norm`, filters, rows),
      ];
      return afterInput([
        convolution('stem', channels, filters, rows),
        ...Array.from({ length: blocks }, (_, i) => [
          ...half(`block${i}.first`),
          ...half(`block${i}.second`),
        ]).flat(),
        dense('readout', filters, classes, batch),
      ]);
    }
    case 'tcn':
      return temporal(spec);
    case 'bag': {
      const { words, width, hidden, classes } = spec;
      // The output of the embedding is one mean for each text.
      return [
        embedding('words', words, width, batch),
        dense('hidden', width, hidden, batch),
        dense('readout', hidden, classes, batch),
      ];
    }
    case 'gpt':
      return transformer(spec);
    case 'gru':
      return gru(spec);
    default:
      return lstm(spec);
  }
}

function lstm({ inputs, units, outputs, steps, batch }: LstmSpec): Layer[] {
  const rows = steps * batch;
  return [
    ...gates.map((gate) => ({
      ...dense(`lstm.${gate}`, inputs + units, units, rows),
      // Only h needs a gradient, because x is an input of the network.
      differentiated: units,
    })),
    dense('readout', units, outputs, rows),
  ];
}

function gru({ inputs, units, outputs, steps, batch }: GruSpec): Layer[] {
  const rows = steps * batch;
  return [
    ...gruGates.flatMap((gate) => [
      { ...dense(`gru.${gate}.input`, inputs, units, rows), differentiated: 0 },
      dense(`gru.${gate}.hidden`, units, units, rows),
    ]),
    dense('readout', units, outputs, rows),
  ];
}

/** Only the last element of a series is read, so each layer needs only those elements on which it depends. */
function temporal({ channels, filters, convolutions, batch }: TcnSpec): Layer[] {
  return afterInput([
    ...Array.from({ length: convolutions }, (_, i) => {
      const rows = batch * (2 ** (convolutions - i) - 1);
      return convolution(`conv${i}`, i === 0 ? channels : filters, filters, rows, { axes: 1 });
    }),
    dense('readout', filters, 1, batch),
  ]);
}

/** The attention has no parameters, so it is no layer. */
function transformer({ vocabulary, width, blocks, tokens, batch }: GptSpec): Layer[] {
  const rows = batch * tokens;
  return [
    embedding('gpt.tokens', vocabulary, width, rows),
    // The embeddings of the positions are added to those of the tokens, so they have no output of their own.
    embedding('gpt.positions', tokens, width, 0),
    ...Array.from({ length: blocks }, (_, i) => {
      const name = (layer: string) => `gpt.blocks.${i}.${layer}`;
      return [
        norm(name('norm1'), width, rows),
        dense(name('qkv'), width, 3 * width, rows),
        dense(name('out'), width, width, rows),
        norm(name('norm2'), width, rows),
        dense(name('up'), width, 4 * width, rows),
        dense(name('down'), 4 * width, width, rows),
      ];
    }).flat(),
    norm('gpt.norm', width, rows),
    dense('gpt.logits', width, vocabulary, rows, { bias: false }),
  ];
}
