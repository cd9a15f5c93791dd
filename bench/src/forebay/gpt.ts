/** The GPT, as a module of forebay's layers. */

import * as fb from 'forebay';
import type { GptSpec } from '../workloads.js';

/** A block of a transformer, whose layer normalisations precede the attention and the dense layers. */
class Block extends fb.Module {
  readonly norm1: fb.LayerNorm;
  readonly qkv: fb.Dense;
  readonly out: fb.Dense;
  readonly norm2: fb.LayerNorm;
  readonly up: fb.Dense;
  readonly down: fb.Dense;
  readonly #heads: number;

  constructor(scope: fb.Scope, { width, heads }: GptSpec) {
    super(scope);
    const dense = (key: string, inputs: number, units: number) =>
      new fb.Dense(this.scope(key), { inputs, units });
    this.norm1 = new fb.LayerNorm(this.scope('norm1'), { features: width });
    this.qkv = dense('qkv', width, 3 * width);
    this.out = dense('out', width, width);
    this.norm2 = new fb.LayerNorm(this.scope('norm2'), { features: width });
    this.up = dense('up', width, 4 * width);
    this.down = dense('down', 4 * width, width);
    this.#heads = heads;
  }

  forward(x: fb.Node): fb.Node {
    const y = fb.add(x, this.out.apply(this.#attention(this.norm1.apply(x))));
    return fb.add(y, this.down.apply(fb.gelu(this.up.apply(this.norm2.apply(y)))));
  }

  /** Returns the results of all heads, [batch, tokens, width]. */
  #attention(x: fb.Node): fb.Node {
    const [batch, tokens, width] = x.shape as [number, number, number];
    const size = width / this.#heads;
    const [q, k, v] = fb.split(this.qkv.apply(x), 3, -1).map((part) => {
      const heads = fb.reshape(part, [batch, tokens, this.#heads, size]);
      return fb.transpose(heads, [0, 2, 1, 3]);
    }) as [fb.Node, fb.Node, fb.Node];
    const heads = fb.attention(q, k, v, { causal: true });
    return fb.reshape(fb.transpose(heads, [0, 2, 1, 3]), x.shape);
  }
}

/** A transformer that predicts the next token. */
export class Gpt extends fb.Module {
  readonly tokens: fb.Embedding;
  readonly positions: fb.Embedding;
  readonly blocks: readonly Block[];
  readonly norm: fb.LayerNorm;
  readonly logits: fb.Dense;

  constructor(scope: string | fb.Scope, spec: GptSpec) {
    super(scope);
    const { vocabulary, tokens, width, blocks } = spec;
    this.tokens = new fb.Embedding(this.scope('tokens'), { inputs: vocabulary, units: width });
    this.positions = new fb.Embedding(this.scope('positions'), { inputs: tokens, units: width });
    const below = this.scope('blocks');
    this.blocks = Array.from({ length: blocks }, (_, i) => new Block(below.scope(`${i}`), spec));
    this.norm = new fb.LayerNorm(this.scope('norm'), { features: width });
    const how = { inputs: width, units: vocabulary, bias: false };
    this.logits = new fb.Dense(this.scope('logits'), how);
  }

  /** @param x tokens, [batch, tokens]. Returns the logits, [batch, tokens, vocabulary]. */
  forward(x: fb.Node): fb.Node {
    let y = fb.add(this.tokens.apply(x), this.positions.weight);
    for (const block of this.blocks) y = block.apply(y);
    return this.logits.apply(this.norm.apply(y));
  }
}
