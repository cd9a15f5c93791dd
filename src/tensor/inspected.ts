/** `util.inspect.custom`, by a type that needs none of Node's: our declarations ask for no `@types/node`. */
export const inspected: unique symbol = Symbol.for('nodejs.util.inspect.custom');
