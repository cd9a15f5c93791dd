/**
 * Compiles a graph for each of its bindings. A program for a further size of a dimension is made from a template, if the
 * sizes around it have one, which takes much less time than the passes.
 */

import { GraphError, ShapeError, ValueError } from '../../errors.js';
import { type Bindings, hasRounded } from '../../graph/dimension.js';
import { Pace, type Sliced } from '../../graph/sliced.js';
import type { Encoded } from '../encoded.js';
import type { Specialise } from '../options.js';
import { encodedOf, type Graph, instructionsOf } from '../specialise.js';
import { Family } from './family.js';
import type { Sample } from './template.js';

/** The maximum number of families that are kept: the most recently used ones. */
const maxFamilies = 8;

/** Returns the passes of one program. They use what they have made for other bindings. */
export function templatedPasses(): Specialise {
  const families = new Families();
  return (outputs, updates, bindings, constants) =>
    families.compiled({ outputs, updates, constants }, bindings);
}

class Families {
  readonly #families = new Map<string, Family>();

  *compiled(graph: Graph, bindings: Bindings): Sliced<Encoded> {
    const pace = new Pace();
    for (const [name, size] of bindings) {
      const template = this.#used(keyOf(name, bindings))?.covering(size);
      if (template?.suits(bindings))
        return yield* encodedOf(yield* template.at(size, bindings, pace), pace);
    }
    const made = yield* instructionsOf(graph, bindings, pace);
    for (const [name, size] of hasRounded(bindings) ? [] : bindings) {
      const attempt = (other: number) =>
        attempted(graph, other, new Map(bindings).set(name, other), pace);
      yield* this.#of(name, bindings).learn({ size, bindings, made }, attempt, pace);
    }
    return yield* encodedOf(made, pace);
  }

  /** Returns a family that is known, and makes it the last one. */
  #used(key: string): Family | undefined {
    const family = this.#families.get(key);
    this.#families.delete(key);
    if (family) this.#families.set(key, family);
    return family;
  }

  /** Returns the family of bindings that differ from this one only in the size of `name`. */
  #of(name: string, bindings: Bindings): Family {
    const key = keyOf(name, bindings);
    const family = this.#used(key) ?? new Family();
    this.#families.set(key, family);
    for (const oldest of this.#families.keys()) {
      if (this.#families.size <= maxFamilies) break;
      this.#families.delete(oldest);
    }
    return family;
  }
}

/** Runs the passes for a binding that nobody asked for. */
function* attempted(
  graph: Graph,
  size: number,
  bindings: Bindings,
  pace: Pace,
): Sliced<Sample | undefined> {
  try {
    return { size, bindings, made: yield* instructionsOf(graph, bindings, pace) };
  } catch (error) {
    // The graph is not valid for this size.
    if (error instanceof ShapeError || error instanceof GraphError || error instanceof ValueError)
      return undefined;
    throw error;
  }
}

function keyOf(name: string, bindings: Bindings): string {
  const others = [...bindings].filter(([other]) => other !== name);
  const sizes = others.map(([other, size]) => `${other}=${size}`);
  return [name, ...sizes.sort()].join(' ');
}
