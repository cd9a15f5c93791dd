/** What stands against the import of a model. */

import { FormatError } from '../errors.js';

/** The largest number of parts in an error. */
const mostListed = 200;

/** Why parts of a model cannot be imported: the first error, and all parts that forebay does not support. */
export class Obstacles {
  /** The reasons, by how errors name the part. */
  readonly unsupported = new Map<string, string>();
  first: unknown;

  /** @param part what a part of the model is called, such as a node or a layer */
  constructor(readonly part: string) {}

  /** @throws an error that lists all parts that are not supported; otherwise, the first error */
  assertNone(file: string): void {
    if (this.unsupported.size > 0) {
      const all = [...this.unsupported].map(([name, reason]) => `${name}: ${reason}`);
      const shown = all.slice(0, mostListed);
      const more = all.length > shown.length ? `; and ${all.length - shown.length} more` : '';
      const parts = all.length === 1 ? `a ${this.part}` : `${all.length} ${this.part}s`;
      throw new FormatError(
        `${file}: forebay does not support ${parts} of the model: ${shown.join('; ')}${more}`,
      );
    }
    if (this.first !== undefined) throw this.first;
  }
}
