// Tries situations, one after another. A situation is an object:
//   name     as the table shows it
//   recipe   the name of the commands in docs/guides/deploying.md, which are run in an empty project
//   inside   tools that the project has as its packages; path: tools that the machine has; both by tools.mjs' names
//   installs whether the recipe installs forebay; else npm has installed it
//   commands what is run instead of the recipe's, for what the guide warns of
//   passes   what is printed where all is well; else the program's answer
//   fails    what the error must say, where an error is what is right: a pattern that holds what to type
//   short    whether continuous integration tries it
import { bundlers } from './bundlers.mjs';
import { deployments } from './deployments.mjs';
import { anchorOf, readGuide } from './guide.mjs';
import { managers } from './managers.mjs';
import { begin, clean, emptyPlace } from './place.mjs';
import { runners } from './runners.mjs';
import { runtimes } from './runtimes.mjs';
import { nameOf } from './tools.mjs';

/** All there are, by family. */
export const families = {
  'Package managers': managers,
  'Test runners': runners,
  Bundlers: bundlers,
  Deployments: deployments,
  Runtimes: runtimes,
};

/** The program of the guide has learnt to add when it prints a number near 42. */
function learned(output) {
  const [, answer] = /20 \+ 22 is (\d+\.\d)/.exec(output) ?? [];
  return answer !== undefined && Math.abs(Number(answer) - 42) < 0.5;
}

/** The guide installs forebay from the registry; here it comes from the tarball. */
const fromTarball = (commands) =>
  commands
    .replace(/^(yarn add) forebay$/gm, '$1 forebay@file:./forebay.tgz')
    .replace(/^((?:npm|pnpm|bun) (?:install|add)(?: -\S+)*) forebay$/gm, '$1 ./forebay.tgz');

/** What was deployed must do without the project that it was made in: its packages are gone before it runs. */
const withoutProject = (commands) =>
  commands.replace(
    /^(?=(?:\w+=\S+ )*(?:node )?"\$DEPLOY\/)/m,
    'mv node_modules "$DEPLOY.hidden"\n',
  );

/** The end of what a tool printed: enough to see why it failed. */
const tail = (output) => output.trim().split('\n').slice(-15).join('\n');

/** The message of our error in what a runtime printed, on one line; undefined when there is none. */
function saidIn(output) {
  // "NativeError: [op] message"; Deno and Next.js put words before it, and minified code has no name for the class.
  const heading = /^(?:[^\n'"]{0,60}: )?(?:\[[^\]]+\] )?(forebay's .*)$/m;
  return heading.exec(output)?.[1].replace(/\S*forebay-situations-[^\s/]+\/[^\s/]+/g, 'APP');
}

/** Tries one. @returns its row of the record */
function tried(situation, guide) {
  const { name, recipe, inside = [], path = [], passes, fails, installs } = situation;
  const { section, commands } = guide.recipes.get(recipe) ?? {};
  if (section === undefined) throw new Error(`${name}: the guide has no recipe named ${recipe}`);
  const place = emptyPlace(name, { inside, path, installs });
  place.write('package.json', '{ "name": "app", "version": "1.0.0", "private": true }\n');
  for (const [file, text] of [...guide.common, ...section.files]) place.write(file, text);
  const tools = [...inside, ...path].map(nameOf);
  if (!path.some((tool) => /^(node-|bun$|deno$)/.test(tool)))
    tools.push(`Node ${process.versions.node}`);
  const row = { name, tools, recipe: anchorOf(section.heading) };
  const done = place.sh(withoutProject(fromTarball(situation.commands ?? commands)));
  if (fails === undefined) {
    if (!done.ok || !(passes?.test(done.output) ?? learned(done.output))) {
      throw new Error(`${name}: ended with ${done.status}\n${tail(done.output)}`);
    }
    place.remove();
    return { ...row, seen: 'works' };
  }
  const says = saidIn(done.output);
  if (done.ok || says === undefined || !fails.test(says)) {
    const seen = `it ended with ${done.status}\n${says ?? tail(done.output)}`;
    throw new Error(`${name}: the error must match ${fails}, but ${seen}`);
  }
  place.remove();
  return { ...row, seen: 'error', says };
}

/**
 * @param options `full`: all, or those that continuous integration tries; `only`: those whose names hold one of these
 * @returns the rows by family of those that are as they must be, and how many are not
 */
export function trySituations({ full, only = [], log }) {
  begin();
  const guide = readGuide();
  let failed = 0;
  const rows = Object.entries(families).map(([family, situations]) => {
    const chosen = situations.filter(
      ({ name, short }) =>
        (full || short) && (only.length === 0 || only.some((word) => name.includes(word))),
    );
    return {
      family,
      rows: chosen.flatMap((situation) => {
        const began = performance.now();
        const seconds = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
        try {
          const row = tried(situation, guide);
          log(`${row.name}: ${row.seen} (${seconds()})${row.says ? `: ${row.says}` : ''}`);
          return [row];
        } catch (error) {
          log(`FAILED (${seconds()}) ${error.message}`);
          failed++;
          return [];
        }
      }),
    };
  });
  if (failed === 0) clean();
  return { families: rows, failed };
}
