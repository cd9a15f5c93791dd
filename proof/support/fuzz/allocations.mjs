/**
 * Counts the bytes that are allocated outside the heap of JavaScript: typed arrays, Buffers, and the output of zlib. To
 * count them, it replaces the functions that allocate them. The heap itself is limited by an option of the process.
 */

import { createRequire, syncBuiltinESMExports } from 'node:module';

const zlib = createRequire(import.meta.url)('node:zlib');

/** Replaces the functions that allocate. Returns an object in which the replacements count the bytes. */
export function measure() {
  const counts = {
    bytes: 0,
    /** The sum of the limits on the size of the output that were passed to zlib. */
    unpacked: 0,
    reset() {
      counts.bytes = counts.unpacked = 0;
    },
  };
  /** Wraps `make`: counts the bytes of its result, unless the result is a view of an existing buffer. */
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
