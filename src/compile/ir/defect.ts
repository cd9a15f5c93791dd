import { GraphError } from '../../errors.js';

/** The error of a pass whose input no earlier pass can produce, with advice for the user. */
export const defect = (what: string): GraphError =>
  new GraphError(
    `compile: ${what}. This is a defect of forebay, not of the graph; use evaluate(), which does not use the compiler, and please report it with the output of dot() for the graph`,
  );

/** The default of a switch over all kinds. If a kind has no case, the switch does not type-check. */
export function unreachable(kind: never): never {
  throw defect(`there is no kind '${String(kind)}'`);
}
