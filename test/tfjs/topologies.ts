/** Helpers: topologies that are written by hand, and what is expected of those that are refused. */
import { expect } from 'vitest';
import { FormatError } from '../../src/index.js';
import { type ImportTfjsOptions, importTfjs } from '../../src/tfjs/import.js';

export type Json = Record<string, unknown>;

/** A layer, whose name is its class in small letters if the configuration has no other. */
export const layer = (class_name: string, config: Json = {}): Json => ({
  class_name,
  config: { name: class_name.toLowerCase(), ...config },
});

/** A Sequential model without weights, from an input of a shape on. */
export const sequentialFrom = (batch_input_shape: unknown, ...layers: Json[]) => ({
  modelTopology: {
    class_name: 'Sequential',
    config: {
      name: 'model',
      layers: [layer('InputLayer', { name: 'x', batch_input_shape }), ...layers],
    },
  },
});

/** A Sequential model without weights, from [batch, 4, 3] on. */
export const sequential = (...layers: Json[]) => sequentialFrom([null, 4, 3], ...layers);

/** A functional model of one application of each layer. */
export const functional = (
  layers: Json[],
  outputs: unknown = [['y', 0, 0]],
  inputs = [['x', 0, 0]],
) => ({
  modelTopology: {
    class_name: 'Functional',
    config: {
      name: 'model',
      layers: [
        { ...layer('InputLayer', { name: 'x', batch_input_shape: [null, 3] }), inbound_nodes: [] },
        ...layers,
      ],
      input_layers: inputs,
      output_layers: outputs,
    },
  },
});

/** A ReLU layer with its applications. */
export const relu = (name: string, ...inbound_nodes: unknown[]) => ({
  ...layer('ReLU', { name }),
  inbound_nodes,
});

/** Returns the error with which an import rejects. */
export async function errorOf(
  source: Parameters<typeof importTfjs>[0],
  options: Partial<ImportTfjsOptions> = {},
): Promise<Error> {
  const error = await importTfjs(source, { name: 'refused', ...options }).catch(
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(Error);
  return error as Error;
}

/** Expects that an import rejects with a FormatError. */
export async function refused(
  source: Parameters<typeof importTfjs>[0],
  message: RegExp,
): Promise<void> {
  const error = await errorOf(source);
  expect(error).toBeInstanceOf(FormatError);
  expect(error.message).toMatch(message);
}
