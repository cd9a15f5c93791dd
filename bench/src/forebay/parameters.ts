/** The parameters of a workload, and the layers that they belong to. */

import * as fb from 'forebay';
import { type Layer, layersOf } from '../layers.js';
import type { ModelSpec } from '../workloads.js';

export class Parameters {
  readonly #variables = new Map<string, fb.Variable>();
  readonly #norms = new Map<string, fb.BatchNorm>();
  readonly #layers: ReadonlyMap<string, Layer>;

  /** @param value returns the initial value of a parameter */
  constructor(spec: ModelSpec, value: (name: string) => fb.Tensor) {
    const layers = layersOf(spec);
    this.#layers = new Map(layers.map((layer) => [layer.name, layer]));
    for (const { name, kind, units, bias } of layers) {
      if (kind === 'norm') {
        const norm = new fb.BatchNorm(name, { features: units, dtype: spec.dtype });
        this.#norms.set(name, norm);
        for (const [part, variable] of Object.entries({ weight: norm.weight, bias: norm.bias })) {
          const path = `${name}.${part}`;
          variable.set(value(path));
          this.#variables.set(path, variable);
        }
        continue;
      }
      for (const part of bias ? ['weight', 'bias'] : ['weight']) {
        const path = `${name}.${part}`;
        this.#variables.set(path, fb.parameter(path, value(path)));
      }
    }
  }

  get all(): fb.Variable[] {
    return [...this.#variables.values()];
  }

  weight(layer: string): fb.Node {
    return this.#variables.get(`${layer}.weight`) as fb.Node;
  }

  #bias(layer: string): fb.Node {
    return this.#variables.get(`${layer}.bias`) as fb.Node;
  }

  /** @param options.fixedBias whether the bias gets no gradient */
  dense(layer: string, x: fb.Node, { fixedBias = false } = {}): fb.Node {
    const y = fb.matmul(x, this.weight(layer));
    if (!this.#layers.get(layer)?.bias) return y;
    const bias = this.#bias(layer);
    return fb.add(y, fixedBias ? fb.stopGradient(bias) : bias);
  }

  /** Returns the convolution of images that keeps their size. */
  convolution2d(layer: string, x: fb.Node): fb.Node {
    return this.#biased(layer, fb.conv2d(x, this.weight(layer), { padding: 'same' }));
  }

  /** Returns the convolution of series in which an element depends only on earlier ones. */
  causalConvolution1d(layer: string, x: fb.Node, dilation: number): fb.Node {
    const padding = [2 * dilation, 0] as const;
    return this.#biased(layer, fb.conv1d(x, this.weight(layer), { dilation, padding }));
  }

  #biased(layer: string, y: fb.Node): fb.Node {
    if (!this.#layers.get(layer)?.bias) return y;
    return fb.add(y, this.#perChannel(this.#bias(layer), y));
  }

  batchNorm(layer: string, x: fb.Node): fb.Node {
    return (this.#norms.get(layer) as fb.BatchNorm).apply(x);
  }

  /** Reshapes a vector with an element for each channel, so that it broadcasts with images or series. */
  #perChannel(part: fb.Node, { shape }: fb.Node): fb.Node {
    return fb.reshape(part, [part.shape[0] as number, ...shape.slice(2).map(() => 1)]);
  }
}
