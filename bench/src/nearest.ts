/** Finds the name that is closest to a mistyped one, for messages such as "Did you mean". */

/**
 * Returns the least number of edits that turn `a` into `b`. An edit changes, removes or inserts a letter, or swaps two
 * neighbouring letters.
 */
function edits(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    const [above, twoAbove] = [rows[i - 1] as number[], rows[i - 2]];
    for (let j = 1; j <= b.length; j++) {
      const differs = a[i - 1] === b[j - 1] ? 0 : 1;
      const changed = Math.min(
        (above[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (above[j - 1] as number) + differs,
      );
      const swapped =
        a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? twoAbove?.[j - 2] : undefined;
      row.push(Math.min(changed, (swapped ?? Infinity) + 1));
    }
    rows.push(row);
  }
  return (rows.at(-1) as number[])[b.length] as number;
}

/**
 * Returns the name that is closest to `text`. If more than a third of its letters (and more than one letter) differ,
 * returns the first name that begins with `text` instead, or undefined if no name does.
 */
export function nearest(text: string, names: readonly string[]): string | undefined {
  const ranked = names
    .map((name) => ({ name, distance: edits(text.toLowerCase(), name) }))
    .sort((a, b) => a.distance - b.distance);
  const close = ranked.find(({ name, distance }) => distance <= Math.max(1, name.length / 3));
  return close?.name ?? (text === '' ? undefined : names.find((name) => name.startsWith(text)));
}
