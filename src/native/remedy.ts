/** What to do when the addon does not load, by what the system said. */

const rebuild = `rebuild it with "npm rebuild forebay", or "npm run build:native" in a checkout`;
const fromSource = '"npm_config_build_from_source=true npm rebuild forebay"';

/**
 * @param reason the first line of the error that loading it ended in
 * @param libc the version of this system's glibc, when it has one
 * @returns half a sentence that says what to type
 */
export function remedyFor(reason: string, libc: string | undefined = glibcVersion()): string {
  const [, wanted] = /version [`']GLIBC_([\d.]+)' not found/.exec(reason) ?? [];
  if (wanted !== undefined) {
    const here =
      libc === undefined ? 'this system has another C library' : `this system has ${libc}`;
    return `it needs glibc ${wanted} or later, but ${here}: build it on this machine with ${fromSource}`;
  }
  if (/libopenblas[\w.-]*: cannot open/.test(reason)) {
    return `it was built on OpenBLAS, which is no longer there: "apt-get install libopenblas0-pthread" or "dnf install openblas" brings it back; else ${rebuild}`;
  }
  if (/libstdc\+\+[\w.-]*: cannot open|GLIBCXX_[\d.]+' not found/.test(reason)) {
    return `this system's C++ library is not the one that it was built with: ${rebuild}`;
  }
  return rebuild;
}

/** The remedy for an addon that loads, but is another version's. */
export const staleRemedy = rebuild;

interface ReportHeader {
  readonly header: { readonly glibcVersionRuntime?: string };
}

/** The version of the system's glibc; undefined where the C library is another. */
export function glibcVersion(): string | undefined {
  // Without the network's part, for which the report would ask a name server.
  const { excludeNetwork } = process.report as { excludeNetwork?: boolean };
  Object.assign(process.report, { excludeNetwork: true });
  try {
    return (process.report.getReport() as unknown as ReportHeader).header.glibcVersionRuntime;
  } finally {
    Object.assign(process.report, { excludeNetwork: excludeNetwork ?? false });
  }
}
