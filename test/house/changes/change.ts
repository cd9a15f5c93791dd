/** Changes of the repository that a test makes in a copy, to count the files that they touch. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Lines that are inserted before or after the only line of a file that contains a text. */
export type Insertion = { readonly file: string; readonly lines: string } & (
  | { readonly before: string }
  | { readonly after: string }
  | { readonly at: 'end' }
);

export interface Change {
  /** The name of the file in this folder that has the change. */
  readonly source: string;
  /** The text of each new file. */
  readonly files: Readonly<Record<string, string>>;
  readonly insertions: readonly Insertion[];
}

/**
 * Makes a change in the copy of the repository in `root`. Returns the files that it touches.
 * @throws Error if the place of an insertion is not found
 */
export function make({ source, files, insertions }: Change, root: string): string[] {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    writeFileSync(join(root, file), text, { flag: 'wx' });
  }
  for (const insertion of insertions) {
    const path = join(root, insertion.file);
    writeFileSync(path, inserted(readFileSync(path, 'utf8'), insertion, source));
  }
  const touched = [...Object.keys(files), ...insertions.map(({ file }) => file)];
  return [...new Set(touched)].sort();
}

function inserted(text: string, insertion: Insertion, source: string): string {
  if ('at' in insertion) return text + insertion.lines;
  const anchor = 'before' in insertion ? insertion.before : insertion.after;
  const lines = text.split('\n');
  const found = lines.flatMap((line, index) => (line.includes(anchor) ? [index] : []));
  if (found.length !== 1) {
    throw new Error(
      `${insertion.file} has ${found.length} lines that contain ‘${anchor}’, expected 1: choose another place in test/house/changes/${source}`,
    );
  }
  const at = (found[0] as number) + ('before' in insertion ? 0 : 1);
  lines.splice(at, 0, insertion.lines.replace(/\n$/, ''));
  return lines.join('\n');
}
