// Reads the reports of the sanitizers on Node processes, and decides which reports are about forebay.

/** Splits the output of the sanitizers into reports. `texts` has one text for each process. */
export const reportsIn = (texts) =>
  texts
    .flatMap((text) => text.split(/(?=^=+\n==.*==ERROR|^=+\nWARNING: Thread|^.*runtime error:)/m))
    .filter((text) => /ERROR: |WARNING: ThreadSanitizer|runtime error:/.test(text));

const inForebay = /forebay::|forebay\.node|\/native\/(binding|kernels|program|routines)\//;

/**
 * Returns the leaks of a Node process that were allocated by forebay, or by Node-API when forebay called it. V8 and
 * Node leak their own memory if a process ends while its workers run. A suppression could not separate these leaks from
 * ours, because JavaScript calls forebay, and the heap of V8 grows while forebay creates objects.
 */
function leaksOfOurs(report) {
  const [, ...leaks] = report.split(/(?=^(?:Direct|Indirect) leak of)/m);
  return leaks.filter((leak) => {
    const frames = leak.split('\n').filter((line) => /^ +#\d+ /.test(line));
    const caller = frames.findIndex((frame) => inForebay.test(frame));
    return (
      caller >= 0 && !frames.slice(0, caller).some((frame) => frame.includes('v8::internal::'))
    );
  });
}

/** Returns true if a report on a Node process is about forebay: it is not about leaks, or it has a leak of forebay. */
export const isOurs = (report) =>
  !report.includes('LeakSanitizer: detected memory leaks') || leaksOfOurs(report).length > 0;

/**
 * Returns the number of processes whose leak check failed, because V8 unmapped memory while LeakSanitizer scanned it.
 */
export const unanswered = (texts) =>
  texts.filter((text) => text.includes('LeakSanitizer has encountered a fatal error')).length;
