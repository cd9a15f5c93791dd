/**
 * Calls callbacks when an AbortSignal is aborted. Each signal gets only one listener, even if it can abort many runs,
 * because an EventTarget searches its list of listeners at every addition and removal. Node also prints a warning if a
 * signal has more than ten listeners.
 */

const callbacksOf = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `callback` when the signal is aborted. Returns a function that cancels this call. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const callbacks = callbacksOf.get(signal) ?? listenTo(signal);
  callbacks.add(callback);
  return () => {
    callbacks.delete(callback);
    if (callbacks.size === 0 && callbacksOf.get(signal) === callbacks) {
      callbacksOf.delete(signal);
      listeners.get(callbacks)?.();
    }
  };
}

/** For each set of callbacks, a function that removes its listener from the signal. */
const listeners = new WeakMap<Set<() => void>, () => void>();

function listenTo(signal: AbortSignal): Set<() => void> {
  const callbacks = new Set<() => void>();
  const listener = () => {
    callbacksOf.delete(signal);
    for (const callback of callbacks) callback();
  };
  signal.addEventListener('abort', listener, { once: true });
  listeners.set(callbacks, () => signal.removeEventListener('abort', listener));
  callbacksOf.set(signal, callbacks);
  return callbacks;
}
