/**
 * Counts the bytes that are allocated outside JavaScript's heap (typed arrays, Buffers, what zlib
 * unpacks) by standing in for what allocates them. The heap itself has the limit of its process.
 */

import { createRequire, syncBuiltinESMExports } from 'node:module';

const zlib = createRequire(import.meta.url)('node:zlib');

/** Stands in for all of them, from now on. */
export function measure() {
  const counts = {
    bytes: 0,
    /** As many as zlib was allowed to unpack. */
    unpacked: 0,
    reset() {
      counts.bytes = counts.unpacked = 0;
    },
  };
  /** What `make` returns is counted, unless it is a view of memory that there was. */
  const counted = (make) =>
    function (...args) {
      const made = Reflect.apply(make, this, args);
      if (!(args[0] instanceof ArrayBuffer) && !(args[0] instanceof SharedArrayBuffer))
        counts.bytes += made.byteLength;
      return made;
    };
  const kinds = [
    'Uint8Array',
    'Int32Array',
    'Float32Array',
    'Float64Array',
    'ArrayBuffer',
    'SharedArrayBuffer',
  ];
  for (const name of kinds) {
    const standIn = new Proxy(globalThis[name], {
      construct(Kind, args, target) {
        const made = Reflect.construct(Kind, args, target === standIn ? Kind : target);
        if (!(args[0] instanceof RealBuffer) && !(args[0] instanceof RealShared))
          counts.bytes += made.byteLength;
        return made;
      },
    });
    globalThis[name] = standIn;
  }
  const typed = Object.getPrototypeOf(Int8Array.prototype);
  typed.slice = counted(typed.slice);
  for (const name of ['alloc', 'allocUnsafe', 'from']) Buffer[name] = counted(Buffer[name]);
  for (const name of ['inflateRawSync', 'gunzipSync']) {
    const unpack = zlib[name];
    zlib[name] = (packed, options) => {
      counts.unpacked += options.maxOutputLength;
      return unpack(packed, options);
    };
  }
  syncBuiltinESMExports();
  return counts;
}

const [RealBuffer, RealShared] = [ArrayBuffer, SharedArrayBuffer];
