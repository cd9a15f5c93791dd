// Verifies the promises of forebay: `npm run prove`, or `npm run prove -- [--short] [NAME …]`.
//
// Each file of proof/ is one promise, and runs in a separate process. A full run is written to docs/proof.json, with
// the commit and the machine, and docs/reliability.md is made from that. If NAMEs are given, only their entries are
// replaced. --short makes the shorter run of continuous integration and writes nothing; with --record it writes the
// entries that have no full run yet. --page only makes the page from the record. The exit status is 0 if all promises
// were held.
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

/** What was verified: the commit, and whether the working tree had other changes. */
function commit() {
  const ours = [recordFile, pageFile, 'docs/situations.json', 'docs/situations.md'];
  const changed = git('status', '--porcelain', '--', '.', ...ours.map((file) => `:!${file}`));
  return git('rev-parse', '--short=12', 'HEAD') + (changed === '' ? '' : ', with changes');
}

/** The record after this run: completely new, or with the entries of this run replaced. */
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
  // An entry whose file was removed is removed, too.
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
