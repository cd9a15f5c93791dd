import { GraphError } from '../errors.js';

/**
 * Returns the error for a defect of the compiler. A pass throws it if an earlier pass has produced something that it
 * should never produce. The message contains advice for the user.
 */
export const defect = (what: string): GraphError =>
  new GraphError(
    `compile: ${what}. This is a defect of forebay, not of the graph; use evaluate(), which does not use the compiler, and please report it with the output of dot() for the graph`,
  );
