/** The initial tensors of each workload: its parameters and inputs. */

import { type Layer, layersOf } from './layers.js';
import type { FloatType, ModelSpec } from './workloads.js';

/** How the initial values of a tensor are made: random numbers, random classes, or points of a circle. */
export type Source =
  | { readonly kind: 'uniform'; readonly low: number; readonly high: number }
  | { readonly kind: 'class'; readonly classes: number }
  /** Successive points (cos, sin) of a circle with 20 points, starting at the point with index `from`. */
  | { readonly kind: 'circle'; readonly from: number };

export interface TensorSpec {
  readonly name: string;
  readonly role: 'parameter' | 'input';
  readonly dtype: FloatType | 'int32';
  readonly shape: readonly number[];
  readonly source: Source;
}

const uniform = (low: number, high: number) => ({ kind: 'uniform', low, high }) as const;

/** Returns every initial tensor of a workload. */
export function tensorsOf(spec: ModelSpec): TensorSpec[] {
  const { dtype } = spec;
  const parameters = layersOf(spec).flatMap((layer) => {
    const part = (suffix: string, shape: readonly number[], source: Source): TensorSpec => ({
      name: `${layer.name}.${suffix}`,
      role: 'parameter',
      dtype,
      shape,
      source,
    });
    const weight = part('weight', layer.weight, weightsOf(layer));
    // Biases are not zero, so that the comparison notices two swapped biases.
    return layer.bias ? [weight, part('bias', [layer.units], uniform(-0.1, 0.1))] : [weight];
  });
  return [...parameters, ...inputsOf(spec)];
}

function weightsOf({ kind, inputs, units }: Layer): Source {
  if (kind === 'norm') return uniform(0.5, 1.5);
  if (kind === 'embedding') return uniform(-1, 1);
  const limit = Math.sqrt(6 / (inputs + units));
  return uniform(-limit, limit);
}

function inputsOf(spec: ModelSpec): TensorSpec[] {
  const { dtype, batch } = spec;
  const input = (name: string, shape: readonly number[], source: Source): TensorSpec => ({
    name,
    role: 'input',
    dtype: source.kind === 'class' ? 'int32' : dtype,
    shape,
    source,
  });
  const [pixels, signal] = [uniform(0, 1), uniform(-1, 1)];
  const labels = (classes: number, shape = [batch]) =>
    input('labels', shape, { kind: 'class', classes });
  switch (spec.kind) {
    case 'vae':
      return [
        input('x', [batch, spec.inputs], pixels),
        input('noise', [batch, spec.latent], signal),
      ];
    case 'mlp':
      return [
        input('x', [batch, spec.layers[0] as number], pixels),
        labels(spec.layers.at(-1) as number),
      ];
    case 'conv':
    case 'cnn':
      return [
        input('x', [batch, spec.channels[0] as number, spec.side, spec.side], pixels),
        labels(spec.classes),
      ];
    case 'resnet':
      return [
        input('x', [batch, spec.channels, spec.side, spec.side], pixels),
        labels(spec.classes),
      ];
    case 'tcn':
      return [
        input('x', [batch, spec.channels, spec.length], signal),
        input('target', [batch, 1], signal),
      ];
    case 'bag':
      return [
        input('x', [batch, spec.length], { kind: 'class', classes: spec.words }),
        labels(spec.classes),
      ];
    case 'gpt': {
      const { vocabulary, tokens } = spec;
      const text = [batch, tokens];
      return [input('x', text, { kind: 'class', classes: vocabulary }), labels(vocabulary, text)];
    }
    case 'predict':
      return [input('x', [batch, spec.layers[0] as number], pixels)];
    case 'lstm':
    case 'gru':
      return [
        input('x', [spec.steps, batch, spec.inputs], signal),
        input('target', [spec.steps, batch, spec.outputs], signal),
      ];
    default:
      // As in the seed (the blog post on which forebay is based), the task is to predict the next point of a circle.
      return [
        input('x', [spec.steps, batch, spec.inputs], { kind: 'circle', from: 0 }),
        input('target', [spec.steps, batch, spec.outputs], { kind: 'circle', from: 1 }),
      ];
  }
}
