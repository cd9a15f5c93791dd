// The code of the guides is run by separate suites (tools/guides.mjs). This file tests that the runner finds faults in
// a guide, that the troubleshooting guide covers every error, and that no link in our documents is broken.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import * as fb from '../../src/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const guides = readdirSync(join(root, 'docs/guides')).map((file) => `docs/guides/${file}`);

describe('the runner of guides', () => {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-guide-'));
  const name = `of-a-test-${process.pid}`;
  afterAll(() => {
    rmSync(folder, { recursive: true });
    rmSync(join(root, '.cmake/guides', name), { recursive: true, force: true });
  });

  /** Writes a guide with these blocks and runs it. Returns the messages of the runner; empty if it finds no fault. */
  function verdict(blocks: [language: string, text: string][], ...flags: string[]): string {
    const file = join(folder, `${name}.md`);
    const fenced = blocks.map(([language, text]) => `\`\`\`${language}\n${text}\n\`\`\`\n`);
    writeFileSync(file, `# Title\n\n${fenced.join('\nWords.\n\n')}`);
    const { status, stderr } = spawnSync(process.execPath, ['tools/guides.mjs', ...flags, file], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(status).toBe(stderr === '' ? 0 : 1);
    return stderr;
  }

  it('accepts blocks whose output is as shown, in one scope', () => {
    expect(
      verdict([
        ['ts', "import * as fb from 'forebay';\nconst one = fb.tensor(1);"],
        ['sh', 'this is not run'],
        ['ts', 'console.log(one.item());'],
        ['text', '1'],
        ['ts', 'console.log(Math.PI);\nconsole.log(2);'],
        ['text', '3.1…\n2'],
      ]),
    ).toBe('');
  });

  it.each<[string, [string, string][], RegExp]>([
    [
      'another output',
      [
        ['ts', 'console.log(1);'],
        ['text', '2'],
      ],
      /:4: it shows\n2\nbut .*\n1/,
    ],
    ['an output that is not shown', [['ts', 'console.log(1);']], /:4: it shows\n\nbut .*\n1/],
    [
      'no output where one is shown',
      [
        ['ts', ';'],
        ['text', '2'],
      ],
      /it shows\n2\nbut .*\n\n$/,
    ],
    [
      'output after the dots on another line',
      [
        ['ts', 'console.log(12);'],
        ['text', '2…'],
      ],
      /it shows/,
    ],
    ['code that throws', [['ts', "throw new Error('so');"]], /ended with 1[\s\S]*:4[\s\S]*so/],
  ])('refuses %s', (_what, blocks, message) => {
    expect(verdict(blocks)).toMatch(message);
  });

  it('refuses code with type errors, and names the line of the guide', () => {
    const blocks: [string, string][] = [
      ['ts', "import * as fb from 'forebay';"],
      ['ts', "fb.setSeed('one');"],
    ];
    expect(verdict(blocks, '--types')).toMatch(/of-a-test-\d+\.md:10: .*not assignable/);
  });
});

describe('troubleshooting', () => {
  const text = read('docs/guides/troubleshooting.md');
  const kinds = Object.entries(fb).filter(([name]) => /^(?!Forebay)\w+Error$/.test(name));

  it.each(kinds)('has %s, its code, causes and remedies', (name, Kind) => {
    const { code } = new (Kind as new (message: string) => fb.ForebayError)('');
    const [, section] = text.split(`\n## ${code}\n`);
    expect(section, code).toMatch(new RegExp(`^\n\`${name}\``));
    expect(section?.split('\n## ')[0], code).toMatch(/\n- /);
    expect(text).toContain(`[\`${code}\`](#${code.toLowerCase()}) | \`${name}\``);
  });
});

describe('links', () => {
  const documents = [
    ...guides,
    ...['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', 'bench/README.md'],
  ];
  /** Returns the anchors that GitHub makes for the headings of a file. */
  const anchorsOf = (file: string) =>
    [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    );

  it.each(documents)('of %s are not broken', (file) => {
    const prose = read(file).replace(/^```[\s\S]*?^```/gm, '');
    const lost = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
      if (/^https?:/.test(target)) return [];
      const [path = '', anchor] = target.split('#');
      const to = path === '' ? file : relative(root, join(root, dirname(file), path));
      if (!existsSync(join(root, to))) return [target];
      return anchor === undefined || anchorsOf(to).includes(anchor) ? [] : [target];
    });
    expect(lost).toEqual([]);
  });

  it('of the README reach every guide', () => {
    const readme = read('README.md');
    expect(guides.filter((guide) => !readme.includes(`](${guide})`))).toEqual([]);
  });
});
