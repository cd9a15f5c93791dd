/** Equal views of one node, and equal numbers, are one node: found here by what they are made of. */

import type { Node } from './node.js';

/** How to forget an interned node, for those that are. */
const evictions = new WeakMap<Node, () => void>();

/** Interned nodes that several users hold: each built it. */
const shared = new WeakSet<Node>();

/** Says that one more user holds the node, who built an equal one. */
export function share(node: Node): void {
  shared.add(node);
}

/** Whether several users hold the node. Nothing may be said of it then that only one of them says. */
export function isShared(node: Node): boolean {
  return shared.has(node);
}

/** Makes the next equal node a fresh one: this one got a name of its own. */
export function forget(node: Node): void {
  evictions.get(node)?.();
}

/**
 * Nodes by key. They are held weakly: a parameter lives for long, and must not keep every graph alive
 * that was ever built over it.
 */
export class NodeTable<N extends Node> {
  readonly #known = new Map<string, WeakRef<N>>();
  // Swept when the table has doubled: within one job of the event loop nothing is collected, and
  // sweeping at fixed intervals would take quadratic time.
  #sweepAt = 512;

  get(key: string): N | undefined {
    return this.#known.get(key)?.deref();
  }

  set(key: string, node: N): void {
    this.#known.set(key, new WeakRef(node));
    // Only its own entry: another node may have taken the key since.
    evictions.set(node, () => {
      if (this.get(key) === node) this.#known.delete(key);
    });
    if (this.#known.size < this.#sweepAt) return;
    for (const [stale, reference] of this.#known) {
      if (!reference.deref()) this.#known.delete(stale);
    }
    this.#sweepAt = 2 * this.#known.size + 512;
  }
}
