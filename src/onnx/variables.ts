/**
 * The variables of a model. Each tensor of the file becomes one variable when it is first needed, and all nodes that read
 * it share it. Exporters store tensors of equal elements once, though, so some nodes get variables of their own.
 */

import { FormatError } from '../errors.js';
import { freezeAll } from '../graph/frozen.js';
import { parameter, state, type Variable } from '../graph/leaf.js';
import type { DType } from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { type Tensor, tensor } from '../tensor/tensor.js';
import { labelOf } from './call.js';
import { type ElementType, elementTypes, type Stored } from './elements.js';
import type { NodeProto } from './messages.js';

type Kind = 'parameter' | 'state';

export class Variables {
  /** The variables by their paths: the names of their tensors in the file. */
  readonly byPath = new Map<string, Variable>();
  readonly #shared = new Map<Stored, Variable>();
  readonly #own = new Map<NodeProto, Map<object, Map<string, Variable>>>();
  readonly #module: string;
  readonly #dtypeOf: (type: ElementType) => DType;

  constructor(module: string, dtypeOf: (type: ElementType) => DType) {
    this.#module = module;
    this.#dtypeOf = dtypeOf;
  }

  /** Returns the parameter of a tensor, which all nodes that read it share. */
  shared(stored: Stored): Variable {
    const known = this.#shared.get(stored);
    if (known !== undefined) return known;
    const made = this.#made('parameter', stored.name, this.#valueOf(stored));
    this.#shared.set(stored, made);
    return made;
  }

  /**
   * Returns a parameter or a state that belongs to one input of a node alone. A node of a function has one for each tensor
   * that calls of the function give it.
   * @param owner the node, which is not the same as another one of the same name
   */
  own(kind: Kind, stored: Stored, owner: NodeProto, input: number): Variable {
    return this.#of(owner, stored, `${kind} ${input}`, () => {
      const path = this.byPath.has(stored.name) ? `${stored.name}.${labelOf(owner)}` : stored.name;
      return this.#made(kind, path, this.#valueOf(stored));
    });
  }

  /** Returns the parameter of a list of numbers in an attribute of a node. */
  listed(
    owner: NodeProto,
    attribute: string,
    elements: readonly number[],
    shape: readonly number[],
  ): Variable {
    return this.#of(owner, elements, attribute, () => {
      if (sizeOf(shape) !== elements.length) {
        throw new FormatError(
          `attribute '${attribute}' has ${elements.length} elements, which do not make ${formatShape(shape)}`,
        );
      }
      const dtype = this.#dtypeOf(elementTypes.float);
      const path = `${labelOf(owner)}.${attribute}`;
      return this.#made('parameter', path, tensor([...elements], { shape, dtype }));
    });
  }

  /** @param value what the variable is made of: a tensor, or the list of an attribute */
  #of(owner: NodeProto, value: object, key: string, make: () => Variable): Variable {
    const values = this.#own.get(owner) ?? new Map<object, Map<string, Variable>>();
    this.#own.set(owner, values);
    const variables = values.get(value) ?? new Map<string, Variable>();
    values.set(value, variables);
    const known = variables.get(key) ?? make();
    variables.set(key, known);
    return known;
  }

  #valueOf(stored: Stored): Tensor {
    return stored.tensor(this.#dtypeOf(stored.type));
  }

  #made(kind: Kind, wanted: string, value: Tensor): Variable {
    let path = wanted;
    // The graphs inside of nodes and the bodies of functions may use a name again.
    for (let count = 2; this.byPath.has(path); count++) path = `${wanted}.${count}`;
    const name = `${this.#module}.${path}`;
    const made = kind === 'parameter' ? parameter(name, value) : state(name, value);
    if (kind === 'parameter') freezeAll([made], this.#module);
    this.byPath.set(path, made);
    return made;
  }
}
