/** `util.inspect.custom`, with a type that does not need `@types/node`, because our declarations must not need it. */
export const inspected: unique symbol = Symbol.for('nodejs.util.inspect.custom');
