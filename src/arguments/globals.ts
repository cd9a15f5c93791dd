/**
 * Names of the global scope that our declarations use and that a project may lack: one without `@types/node`, without
 * TypeScript's DOM library, or with no more than ES2022. Where they are declared already, these are the same and merge
 * with them. Nothing of this is there at run time.
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
