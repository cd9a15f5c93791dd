/** A line is a queue of calls. They start one after another, in the order in which they entered the queue. */

/** An entry of a line. */
export interface LineEntry {
  /** Resolves when all earlier entries have left the line. Never rejects. */
  readonly turn: Promise<void>;
  /** Removes this entry from the line. Call it exactly once, before or after `turn` resolves. */
  leave(): void;
}

export class Line {
  #last: Promise<void> = Promise.resolve();
  #length = 0;

  /** The number of entries that have not left yet. */
  get length(): number {
    return this.#length;
  }

  /** Adds an entry at the end of the line. */
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
