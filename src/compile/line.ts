/** A line: a queue of calls that start one after another, in the order of entering. */

/** An entry of a line. */
export interface LineEntry {
  /** Resolves when all earlier entries have left the line. Never rejects. */
  readonly turn: Promise<void>;
  /** Leaves the line, at its turn or before. Call it once. */
  leave(): void;
}

export class Line {
  #last: Promise<void> = Promise.resolve();
  #length = 0;

  /** The number of entries that have not left yet. */
  get length(): number {
    return this.#length;
  }

  enter(): LineEntry {
    const turn = this.#last;
    let left: () => void = () => {};
    const leaving = new Promise<void>((resolve) => {
      left = resolve;
    });
    this.#last = turn.then(() => leaving);
    this.#length++;
    return {
      turn,
      leave: () => {
        this.#length--;
        left();
      },
    };
  }
}
