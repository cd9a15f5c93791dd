/**
 * Declares the global types that our type declarations use. A user's project may lack some of them, for example if it
 * has no `@types/node`, does not use TypeScript's DOM library, or uses only the libraries up to ES2022. If a project
 * has a type already, the declaration here is identical and merges with it. This file has no effect at run time.
 */

declare global {
  interface SymbolConstructor {
    readonly dispose: unique symbol;
  }
  interface Disposable {
    [Symbol.dispose](): void;
  }
  interface AbortSignal {
    readonly aborted: boolean;
  }
  interface ErrorOptions {
    cause?: unknown;
  }
}

export {};
