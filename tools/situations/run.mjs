// Tries situations, one after another. A situation is an object:
//   name       the name in the table
//   recipe     the name of the recipe in docs/guides/deploying.md, whose commands are run in an empty project
//   inside     the tools that are packages of the project, by their names in tools.mjs
//   path       the tools that are on PATH, by their names in tools.mjs
//   installs   true if the recipe installs forebay; otherwise npm has installed it before
//   commands   commands to run instead of those of the recipe, for a mistake that the guide warns of
//   passes     a pattern that the output must match; by default the output must have the answer of the program
//   fails      a pattern that the error must match, if an error is expected: it says what to do
//   short      true if continuous integration tries this situation
import { bundlers } from './bundlers.mjs';
import { deployments } from './deployments.mjs';
import { anchorOf, readGuide } from './guide.mjs';
import { managers } from './managers.mjs';
import { begin, clean, emptyPlace } from './place.mjs';
import { runners } from './runners.mjs';
import { runtimes } from './runtimes.mjs';
import { nameOf } from './tools.mjs';

/** All situations, by family. */
export const families = {
  'Package managers': managers,
  'Test runners': runners,
  Bundlers: bundlers,
  Deployments: deployments,
  Runtimes: runtimes,
};

/** Returns true if the program of the guide has learnt to add 20 and 22: it prints a number near 42. */
function learned(output) {
  const [, answer] = /20 \+ 22 is (\d+\.\d)/.exec(output) ?? [];
  return answer !== undefined && Math.abs(Number(answer) - 42) < 0.5;
}

/** Returns the commands, changed so that they install forebay from the tarball, not from the registry. */
const fromTarball = (commands) =>
  commands
    .replace(/^(yarn add) forebay$/gm, '$1 forebay@file:./forebay.tgz')
    .replace(/^((?:npm|pnpm|bun) (?:install|add)(?: -\S+)*) forebay$/gm, '$1 ./forebay.tgz');

/**
 * Adds a command that moves the node_modules of the project away before a deployed program runs, because the program
 * must not use them.
 */
const withoutProject = (commands) =>
  commands.replace(
    /^(?=(?:\w+=\S+ )*(?:node )?"\$DEPLOY\/)/m,
    'mv node_modules "$DEPLOY.hidden"\n',
  );

/** Returns the last lines of the output of a tool, which show why it failed. */
const tail = (output) => output.trim().split('\n').slice(-15).join('\n');

/** Returns the message of the error of forebay in the output of a runtime, one line; undefined if there is none. */
function saidIn(output) {
  // The line is "NativeError: [op] message". Deno and Next.js print other text before it, and in minified code the
  // class has another name.
  const heading = /^(?:[^\n'"]{0,60}: )?(?:\[[^\]]+\] )?(forebay's .*)$/m;
  return heading.exec(output)?.[1].replace(/\S*forebay-situations-[^\s/]+\/[^\s/]+/g, 'APP');
}

/** Tries a situation. @returns its row of the record. @throws Error if the result is not as expected */
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
 * Tries situations, and logs their results.
 * @param options `full`: true to try all situations, false to try only those of continuous integration; `only`: if not
 *   empty, only situations whose names contain one of these words are tried; `log`: receives a line for each situation
 * @returns `families`: the rows of the situations with the expected result; `failed`: the number of the other
 *   situations
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
