// The recipes of docs/guides/deploying.md. A fenced block with a name after its language is a file of that name
// (```js esbuild.mjs) or, in the language sh, the commands of a recipe (```sh esbuild). The situations run those
// very files and commands, so that the guide cannot say anything else than what was seen.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where the recipes are, as the pages of docs/ link to it. */
export const guidePage = 'guides/deploying.md';
const file = fileURLToPath(new URL(`../../docs/${guidePage}`, import.meta.url));

/**
 * @returns the files that every recipe has, and each recipe by its name: its heading, the files of its section
 *   and its commands
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
    // The section named "The program" is every recipe's.
    if (section.heading === 'The program') section.files = first.files;
  }
  return { common: first.files, recipes };
}

/** As GitHub makes an anchor of a heading. */
export const anchorOf = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
