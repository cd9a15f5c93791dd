/**
 * Masks: chooses the types of bools in the registers of a fused loop, and inserts the conversions between them. In
 * memory, a bool is a byte. In a register, a bool that belongs to elements of 4 or 8 bytes is a mask: a word of their
 * width. So a comparison and the selection that reads its result work on registers of one width.
 */

import { kernelFacts } from '../../native/addon.js';
import { type LaneType, maskOf } from '../../native/table.js';
import type { Operation } from '../../primitives/group.js';
import type { FusedLoop } from './fused-loop.js';

const isBool = (type: LaneType) => type === 'bool' || type === 'mask32' || type === 'mask64';

/** Returns the loop with the types of bools in registers, and with conversions where these types differ. */
export function withMasks(loop: FusedLoop): FusedLoop {
  const { loads, operations, stores } = loop;
  const hasBools =
    loads.some(({ value }) => value.dtype === 'bool') ||
    operations.some(
      ({ kernel, converts, reduces }) =>
        kernel === 'bool' || (!converts && !reduces && kernelFacts('map', kernel).form !== 'plain'),
    );
  return hasBools ? new Masks(loop).result(operations, stores) : loop;
}

class Masks {
  readonly #operations: Operation[] = [];
  /** The type of each register of the result. */
  readonly #types: LaneType[];
  /** For each register of the given loop, the register of the result that holds its value. */
  readonly #registers: number[];
  /** The registers with converted values, by register and type. */
  readonly #converted = new Map<string, number>();

  constructor(private readonly loop: FusedLoop) {
    this.#types = loop.loads.map(({ value }) => value.dtype);
    this.#registers = loop.loads.map((_, register) => register);
  }

  result(operations: readonly Operation[], stores: FusedLoop['stores']): FusedLoop {
    for (const operation of operations) this.#registers.push(this.#add(operation));
    const at = (register: number) => this.#registers[register] as number;
    return {
      ...this.loop,
      operations: this.#operations,
      stores: stores.map(({ value, register }) => ({
        value,
        register: value.dtype === 'bool' ? this.#as('bool', at(register)) : at(register),
      })),
      closes: this.loop.closes.map(({ value, register }) => ({ value, register: at(register) })),
    };
  }

  /** Adds an operation of the given loop. Returns the register with its result. */
  #add(operation: Operation): number {
    const from = operation.operands.map((register) => this.#registers[register] as number);
    const types = from.map((register) => this.#types[register] as LaneType);
    const last = types.at(-1) as LaneType;
    if (operation.reduces) return this.#emit({ ...operation, operands: from }, last);
    if (operation.converts) {
      const kernel = operation.kernel === 'bool' ? maskOf(last) : operation.kernel;
      return this.#emit({ ...operation, kernel, dtype: last, operands: from }, kernel as LaneType);
    }
    const { form, dtypes } = kernelFacts('map', operation.kernel);
    // Logical operations read masks of any width. Bools that are compared with bools, or selected, are bytes.
    const isLogic = dtypes.includes('mask32');
    const mask = isLogic ? types.find((type) => type !== 'bool') : undefined;
    const dtype = mask ?? (isBool(last) ? 'bool' : last);
    const operands = from.map((register, index) => {
      const type = form === 'selects' && index === 0 ? maskOf(dtype) : dtype;
      return this.#as(type, register);
    });
    return this.#emit(
      { ...operation, dtype, operands },
      form === 'compares' ? maskOf(dtype) : dtype,
    );
  }

  /** Returns a register that holds the value of `register` as `type`. */
  #as(type: LaneType, register: number): number {
    const from = this.#types[register] as LaneType;
    if (from === type) return register;
    const key = `${register} ${type}`;
    let converted = this.#converted.get(key);
    if (converted === undefined) {
      converted = this.#emit(
        { kernel: type, converts: true, dtype: from, operands: [register] },
        type,
      );
      this.#converted.set(key, converted);
    }
    return converted;
  }

  #emit(operation: Operation, type: LaneType): number {
    this.#operations.push(operation);
    return this.#types.push(type) - 1;
  }
}
