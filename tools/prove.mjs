// Verifies the promises of forebay: `npm run prove`, or `npm run prove -- [--short] [NAME …]`.
//
// Each file of proof/ is one promise, and runs in a separate process. The results of a full run are written to
// docs/proof.json, with the commit and the machine, and docs/reliability.md is made from this record. If NAMEs are
// given, only their entries are replaced. With --short, the run is shorter, as in continuous integration, and nothing
// is written. With --short --record, the entries of promises that have no full run yet are written. With --page,
// nothing runs, and only the page is made from the record. The exit status is 0 if all promises were held.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { machine } from './proof/machine.mjs';
import { figuresAsText, page } from './proof/page.mjs';
import { promiseNames, prove } from './proof/process.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const recordFile = 'docs/proof.json';
const pageFile = 'docs/reliability.md';

const git = (...args) => execFileSync('git', args, { encoding: 'utf8' }).trim();

/** Returns the commit that is verified, followed by ', with changes' if the working tree has other changes. */
function commit() {
  const ours = [recordFile, pageFile, 'docs/situations.json', 'docs/situations.md'];
  const changed = git('status', '--porcelain', '--', '.', ...ours.map((file) => `:!${file}`));
  return git('rev-parse', '--short=12', 'HEAD') + (changed === '' ? '' : ', with changes');
}

/** Returns the record after this run. It is completely new, or the old record with the entries of this run replaced. */
function recorded(entries, all) {
  const about = { commit: commit(), date: new Date().toISOString().slice(0, 10) };
  const here = machine();
  const before = existsSync(recordFile) ? JSON.parse(readFileSync(recordFile, 'utf8')) : null;
  const shownInFull = (name) =>
    before?.promises.some((entry) => entry.name === name && entry.counts === 'full' && entry.held);
  const proved = entries
    .filter(({ name, counts }) => counts === 'full' || !shownInFull(name))
    .map((entry) => ({ ...entry, ...about }));
  if ((all && full) || before === null) return { ...about, machine: here, promises: proved };
  const same = JSON.stringify(here) === JSON.stringify(before.machine);
  const anew = new Map(
    proved.map((entry) => [entry.name, same ? entry : { ...entry, machine: here }]),
  );
  // Entries of promises whose files in proof/ were deleted are left out.
  const kept = before.promises.filter(({ name }) => !anew.has(name) && names.includes(name));
  const promises = [...kept, ...anew.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { ...before, promises };
}

function writePage() {
  writeFileSync(pageFile, page(JSON.parse(readFileSync(recordFile, 'utf8'))));
}

const names = promiseNames();
const words = process.argv.slice(2);
const options = words.filter((word) => word.startsWith('--'));
const chosen = words.filter((word) => !word.startsWith('--'));
const unknown = [
  ...options.filter((word) => !['--short', '--record', '--page'].includes(word)),
  ...chosen.filter((name) => !names.includes(name)),
];
if (unknown.length > 0) {
  console.error(
    `unknown argument ${unknown.join(', ')}: expected [--short [--record] | --page] [${names.join(' | ')}]`,
  );
  process.exit(2);
}

const full = !options.includes('--short');
if (options.includes('--page')) {
  writePage();
} else {
  const all = chosen.length === 0;
  const entries = [];
  for (const name of all ? names : chosen) {
    console.log(`---- ${name}`);
    const entry = await prove(name, { full, log: (text) => console.log(`  ${text}`) });
    console.log(
      `${entry.held ? 'held' : 'NOT HELD'}: ${entry.promise ?? name} (${entry.seconds} s)\n  ${figuresAsText(entry.figures)}`,
    );
    entries.push(entry);
  }
  if (full || options.includes('--record')) {
    writeFileSync(recordFile, `${JSON.stringify(recorded(entries, all), null, 2)}\n`);
    writePage();
    console.log(`written: ${recordFile}, ${pageFile}`);
  }
  const held = entries.filter((entry) => entry.held).length;
  console.log(`${held} held, ${entries.length - held} not held`);
  process.exitCode = held === entries.length ? 0 : 1;
}
