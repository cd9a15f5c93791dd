// Runs the code of a guide, as its readers would. All `ts` blocks of a guide, in order, form one module. The output of
// a block must be the content of the `text` block that follows it, in which '…' matches any text within a line. If the
// guide writes graphs as .dot files, their drawings must equal those in docs/pictures. A block with a name after its
// language is a file or a recipe, which tools/situations.mjs runs.
//
//   node tools/guides.mjs docs/guides/NAME.md   runs one guide
//   node tools/guides.mjs --types [FILE …]      type-checks the given guides, by default all
//   node tools/guides.mjs --pictures            runs all guides, and draws their graphs to docs/pictures
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const pictures = 'docs/pictures';

/** Returns the paths of all guides. */
export const guides = () =>
  readdirSync('docs/guides')
    .filter((file) => file.endsWith('.md'))
    .sort()
    .map((file) => join('docs/guides', file));

/**
 * Returns the fenced blocks of a text. A block has its language, whether it has a name, the index of its first line of
 * code (counted from 0), and its lines.
 */
function blocksOf(text) {
  const blocks = [];
  let open;
  for (const [number, line] of text.split('\n').entries()) {
    const fence = /^```(\w*)( \S.*)?$/.exec(line);
    // An indented block, such as one in a list, is refused, because this script would not run it.
    if (/^\s+```/.test(line)) throw new Error(`line ${number + 1}: a block must not be indented`);
    if (!fence) open?.lines.push(line);
    else if (open) {
      blocks.push(open);
      open = undefined;
    } else
      open = { language: fence[1], named: fence[2] !== undefined, start: number + 1, lines: [] };
  }
  if (open) throw new Error(`line ${open.start}: the block has no end`);
  return blocks;
}

// This line is printed after each block, to separate its output from the output of the next block.
const mark = (index) => `\u0001end of block ${index}\u0001`;

/**
 * Returns the module of a guide. Every line of code has the same line number as in the guide, so that errors name the
 * right line.
 */
function moduleOf(blocks) {
  const lines = [];
  for (const [index, { start, lines: code }] of blocks.entries()) {
    while (lines.length < start) lines.push('');
    lines.push(...code, `console.log(${JSON.stringify(mark(index))});`);
  }
  return `${lines.join('\n')}\n`;
}

/**
 * Reads a guide. Returns its blocks of code, the output that it shows for each block, its module, and a work folder.
 */
function read(guide) {
  const all = blocksOf(readFileSync(guide, 'utf8'));
  const code = all.filter(({ language, named }) => language === 'ts' && !named);
  const shown = code.map((block) => {
    const next = all[all.indexOf(block) + 1];
    return next?.language === 'text' ? next.lines : [];
  });
  const folder = resolve('.cmake/guides', basename(guide, '.md'));
  return { code, shown, source: moduleOf(code), folder };
}

function matches(shown, printed) {
  const escaped = shown.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '.*');
  return new RegExp(`^${escaped}$`).test(printed.trimEnd());
}

/** Compares the output that a guide shows with the output of its code. Returns a message for each difference. */
function differences(guide, { code, shown }, output) {
  let rest = output;
  return code.flatMap(({ start }, index) => {
    const at = rest.indexOf(mark(index));
    const printed = rest.slice(0, Math.max(at, 0)).trimEnd();
    rest = rest.slice(at + mark(index).length + 1);
    const lines = printed === '' ? [] : printed.split('\n');
    const expected = shown[index].map((line) => line.trimEnd());
    const same =
      lines.length === expected.length && expected.every((line, i) => matches(line, lines[i]));
    if (same) return [];
    return [
      `${guide}:${start + 1}: it shows\n${expected.join('\n')}\nbut the code prints\n${printed}`,
    ];
  });
}

/** Runs the code of a guide in a separate folder. @returns a message for each fault */
function run(guide) {
  const taken = read(guide);
  const { source, folder } = taken;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      inlineSourceMap: true,
      inlineSources: true,
    },
    fileName: guide,
  });
  writeFileSync(join(folder, 'main.mjs'), outputText);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--enable-source-maps', 'main.mjs'],
    { cwd: folder, encoding: 'utf8', timeout: 300_000 },
  );
  if (status !== 0) return [`${guide}: ended with ${status}\n${stdout}${stderr}`];
  return differences(guide, taken, stdout);
}

/** Draws the graphs that a guide has written. @returns [file, svg] for each picture */
async function drawn(guide) {
  const { folder } = read(guide);
  const graphs = readdirSync(folder).filter((file) => file.endsWith('.dot'));
  if (graphs.length === 0) return [];
  const { renderDot } = await import('../dist/report/index.js');
  return Promise.all(
    graphs.map(async (file) => {
      const svg = await renderDot(readFileSync(join(folder, file), 'utf8'));
      return [join(pictures, `${basename(file, '.dot')}.svg`), svg];
    }),
  );
}

async function check(guide) {
  const wrong = run(guide);
  if (wrong.length > 0) return wrong;
  const stale = (await drawn(guide)).filter(
    ([file, svg]) => !existsSync(file) || readFileSync(file, 'utf8') !== svg,
  );
  return stale.map(([file]) => `${file} is not what ${guide} draws: npm run docs:pictures`);
}

async function draw() {
  for (const guide of guides()) {
    const wrong = run(guide);
    if (wrong.length > 0) return wrong;
    for (const [file, svg] of await drawn(guide)) {
      writeFileSync(file, svg);
      console.log(file);
    }
  }
  return [];
}

/** Type-checks the code of guides with the options of the project. Returns the errors as messages. */
function types(some) {
  const config = ts.readConfigFile('tsconfig.json', ts.sys.readFile).config;
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const sources = new Map(
    some.map((guide) => {
      const { source, folder } = read(guide);
      // The path is inside the checkout, so that `import 'forebay'` finds the declarations of the checkout.
      return [join(folder, 'main.mts'), { guide, source }];
    }),
  );
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (file) => sources.has(file) || fileExists(file);
  host.getSourceFile = (file, language, ...others) => {
    const ours = sources.get(file);
    return ours
      ? ts.createSourceFile(file, ours.source, language)
      : getSourceFile(file, language, ...others);
  };
  const program = ts.createProgram([...sources.keys()], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, '\n');
    if (!file) return text;
    const { line } = file.getLineAndCharacterOfPosition(start ?? 0);
    const name = sources.get(file.fileName)?.guide ?? relative(root, file.fileName);
    return `${name}:${line + 1}: ${text}`;
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [what, ...others] = process.argv.slice(2);
  const wrong =
    what === '--types'
      ? types(others.length > 0 ? others : guides())
      : what === '--pictures'
        ? await draw()
        : await check(what);
  for (const text of wrong) console.error(text);
  process.exitCode = wrong.length > 0 ? 1 : 0;
}
