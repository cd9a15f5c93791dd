/** Disposes of several processes and folders together, even after an error. (Node 20 has no AsyncDisposableStack.) */
export class Team implements AsyncDisposable {
  readonly #members: (Disposable | AsyncDisposable)[] = [];

  use<T extends Disposable | AsyncDisposable>(member: T): T {
    this.#members.push(member);
    return member;
  }

  /** Disposes of all members except `except`. */
  async dispose(except?: Disposable | AsyncDisposable): Promise<void> {
    const members = this.#members.filter((member) => member !== except);
    await Promise.all(
      members.map((member) =>
        Symbol.asyncDispose in member ? member[Symbol.asyncDispose]() : member[Symbol.dispose](),
      ),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
