/**
 * Callbacks for the abort of a signal. Each signal gets one listener, however many runs it can abort: an EventTarget
 * searches its list of listeners at every addition and removal, and Node warns at the eleventh.
 */

const callbacksOf = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `callback` when the signal is aborted. Returns a function that withdraws it. */
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

/** How to remove the listener that calls these callbacks. */
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
