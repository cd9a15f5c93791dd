import { GraphError } from '../../errors.js';

/** The error of a pass that meets what no pass before it makes, with what there is to do about it. */
export const defect = (what: string): GraphError =>
  new GraphError(
    `compile: ${what}. This is a defect of forebay and not of the graph: evaluate() does without the compiler; please report it, with what dot() draws of the graph`,
  );

/** Ends a switch that has a case for every kind: with one left out, it does not type-check. */
export function unreachable(kind: never): never {
  throw defect(`there is no kind '${String(kind)}'`);
}
