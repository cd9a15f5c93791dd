/** Processes and folders that end together, whatever happens. (Node 20 has no AsyncDisposableStack.) */
export class Team implements AsyncDisposable {
  readonly #members: (Disposable | AsyncDisposable)[] = [];

  use<T extends Disposable | AsyncDisposable>(member: T): T {
    this.#members.push(member);
    return member;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#members.map((member) =>
        Symbol.asyncDispose in member ? member[Symbol.asyncDispose]() : member[Symbol.dispose](),
      ),
    );
  }
}
