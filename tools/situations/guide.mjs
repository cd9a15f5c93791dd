// Reads the recipes of docs/guides/deploying.md. A fenced block with a name after its language is a file of that name
// (```js app.mjs). If its language is sh, the block has the commands of the recipe of that name (```sh esbuild-cjs).
// The situations run these files and commands, so the guide shows only code that was tried.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The path of the guide, relative to docs/. */
export const guidePage = 'guides/deploying.md';
const file = fileURLToPath(new URL(`../../docs/${guidePage}`, import.meta.url));

/**
 * Parses the guide.
 * @returns `common`: the files that every recipe has; `recipes`: for each recipe, by name, its section (a heading and
 *   files) and its commands
 */
export function readGuide(text = readFileSync(file, 'utf8')) {
  const recipes = new Map();
  let section = { heading: '', files: new Map() };
  const first = section;
  let open;
  for (const line of text.split('\n')) {
    const fence = /^```(\w*)(?: (\S.*))?$/.exec(line);
    if (open !== undefined) {
      if (line !== '```') open.lines.push(line);
      else {
        const { language, name, lines } = open;
        const body = `${lines.join('\n')}\n`;
        if (name !== undefined && language === 'sh') {
          if (recipes.has(name)) throw new Error(`the guide has two recipes named ${name}`);
          recipes.set(name, { section, commands: body });
        } else if (name !== undefined) section.files.set(name, body);
        open = undefined;
      }
    } else if (fence) open = { language: fence[1], name: fence[2], lines: [] };
    else if (/^##+ /.test(line)) section = { heading: line.replace(/^#+ /, ''), files: new Map() };
    // The files of the section "The program" are common to all recipes.
    if (section.heading === 'The program') section.files = first.files;
  }
  return { common: first.files, recipes };
}

/** Returns the anchor that GitHub makes from a heading. */
export const anchorOf = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
