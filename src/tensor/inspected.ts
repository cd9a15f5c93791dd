/**
 * The symbol `util.inspect.custom`. It is not imported from `node:util`, because the types of `node:util` are in
 * `@types/node`, which our type declarations must not need.
 */
export const inspected: unique symbol = Symbol.for('nodejs.util.inspect.custom');
