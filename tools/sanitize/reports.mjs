// What sanitizers say of a process of Node's, and which of it is about us.

/** The reports in what sanitizers wrote, one process a text. */
export const reportsIn = (texts) =>
  texts
    .flatMap((text) => text.split(/(?=^=+\n==.*==ERROR|^=+\nWARNING: Thread|^.*runtime error:)/m))
    .filter((text) => /ERROR: |WARNING: ThreadSanitizer|runtime error:/.test(text));

const inForebay = /forebay::|forebay\.node|\/native\/(binding|kernels|program)\//;

/**
 * Of what leaked in a process of Node's, the blocks that were allocated by us, or by Node-API for us. V8 and Node
 * leave theirs where a process ends under its workers; by a suppression these could not be told from ours, as we
 * are called from JavaScript, and V8's heap grows while we make objects.
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

/** Whether a report on a process of Node's is about us. */
export const isOurs = (report) =>
  !report.includes('LeakSanitizer: detected memory leaks') || leaksOfOurs(report).length > 0;

/** V8 gives memory back while LeakSanitizer looks through it, which then ends without an answer. */
export const unanswered = (texts) =>
  texts.filter((text) => text.includes('LeakSanitizer has encountered a fatal error')).length;
