/** A line of those who start one after another, in the order of coming. */

/** A place in a line. */
export interface LineEntry {
  /** Resolves when all who came before have left the line. Never rejects. */
  readonly turn: Promise<void>;
  /** Leaves the line, at its turn or before. To be called once. */
  leave(): void;
}

export class Line {
  #last: Promise<void> = Promise.resolve();
  #length = 0;

  /** How many have not left yet. */
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
