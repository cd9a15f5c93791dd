// Tests how many files a new element-wise op and a new kind touch. Both changes are made in a copy of the repository,
// which is then built and tested. The counts are of the files without which the change would not compile or not pass its
// tests. They do not include the README, the names in other libraries and reference values of PyTorch, and for the kind
// not the op that uses it, which a test of the copy declares, nor samples for the C++ tests.
import { spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { make } from './changes/change.js';
import { elementWise } from './changes/element-wise.js';
import { kind } from './changes/kind.js';

const root = new URL('../..', import.meta.url).pathname;
const copy = mkdtempSync(join(tmpdir(), 'forebay-change-'));
const inCopy = (file: string) => join(copy, file);
const isMade = (name: string) =>
  name.startsWith('.') || ['node_modules', 'build', 'dist', 'prebuilds', 'out'].includes(name);

/** The files that each change touches. */
const touched = { elementWise: [] as string[], kind: [] as string[] };

/** Runs a command in the copy. Resolves to its output. @throws Error, with the output, if the command fails */
function run(command: string, ...args: string[]): Promise<string> {
  // The copy has an addon of its own, which is built without a sanitizer and without ccache's settings of this process.
  const { VITEST, FOREBAY_ADDON, LD_PRELOAD, NODE_OPTIONS, NODE_V8_COVERAGE, ...env } = process.env;
  const child = spawn(command, args, { cwd: copy, env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  return new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', (status) => {
      if (status === 0) done(output);
      else
        failed(new Error(`${command} ${args.join(' ')} ended with status ${status}:\n${output}`));
    });
  });
}

const node = (script: string, ...args: string[]) =>
  run(process.execPath, inCopy(`node_modules/${script}`), ...args);

beforeAll(async () => {
  for (const name of readdirSync(root).filter((entry) => !isMade(entry))) {
    cpSync(join(root, name), inCopy(name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), inCopy('node_modules'));
  touched.elementWise = make(elementWise, copy);
  touched.kind = make(kind(copy), copy);
  cpSync(
    inCopy('test/house/changes/kind/triangle.test.ts.txt'),
    inCopy('test/house/triangle.test.ts'),
  );
  // Optimized code would take longer to compile than it saves here.
  await run('cmake', '-S', '.', '-B', '.cmake', '-DFOREBAY_TESTS=ON', '-DFOREBAY_OPTIMIZE=-O0');
  const jobs = `${availableParallelism()}`;
  const targets = ['--target', 'forebay', 'forebay_elementwise_tests'];
  await run('cmake', '--build', '.cmake', '--parallel', jobs, ...targets);
  mkdirSync(inCopy('build/Release'), { recursive: true });
  cpSync(inCopy('.cmake/forebay.node'), inCopy('build/Release/forebay.node'));
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

describe('the change that adds', () => {
  it('an element-wise op with a kernel touches at most 4 files, with the test of the kernel', () => {
    expect(touched.elementWise).toEqual([
      'native/kernels/body/table.h',
      'native/test/elementwise_test.cc',
      'src/native/table.ts',
      'src/ops/activation.ts',
    ]);
  });

  it('a kind with an instruction of its own touches at most 5 files', () => {
    expect(touched.kind).toEqual([
      'native/program/code.h',
      'native/program/triangle.cc',
      'src/graph/lowering.ts',
      'src/primitives/index.ts',
      'src/primitives/triangle.ts',
    ]);
  });
});

describe('the changed copy', () => {
  it('type-checks', async () => {
    await node('typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noEmit');
  });

  it('passes the tests that are generated from the samples of ops', async () => {
    const report = inCopy('report.json');
    const ofNewOps = '(softsign|triangle)|has every declared op|has no names except';
    const files = ['test/house/triangle.test.ts', 'test/types/exports.test.ts'];
    await node(
      'vitest/vitest.mjs',
      ...['run', ...files, '-t', ofNewOps, '--reporter=json', `--outputFile=${report}`],
    );
    const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as {
      testResults: { assertionResults: { fullName: string; status: string }[] }[];
    };
    const passed = testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status }) => status === 'passed')
      .map(({ fullName }) => fullName);
    const count = (suite: string, op: string) =>
      passed.filter((name) => name.startsWith(suite) && name.includes(op)).length;
    for (const [op, samples] of [
      ['softsign', 4],
      ['triangle', 3],
    ] as const) {
      expect(count('every op declares the samples', op)).toBe(1);
      expect(count('the gradient equals central differences', op)).toBe(samples);
      expect(count('the second derivative, computed by the same rules', op)).toBe(samples);
      expect(count('a compiled sample has the value', op)).toBe(samples);
      expect(count('and its gradient', op)).toBe(samples);
      expect(count('and its second derivative', op)).toBe(samples);
    }
    expect(passed).toContain('triangle gives the numbers');
    expect(count('import * as fb from forebay', 'has ')).toBe(2);
  });

  it('passes the C++ tests of kernels', async () => {
    const names = ['every map kernel has an expectation*', 'map kernels give the results*'];
    const output = await run(inCopy('.cmake/forebay_elementwise_tests'), `-tc=${names.join(',')}`);
    expect(output).toMatch(/test cases: +2 \| +2 passed/);
  });
});

describe('does not type-check', () => {
  const config = ts.readConfigFile(join(root, 'tsconfig.build.json'), ts.sys.readFile).config;
  const texts = new Map<string, string>();
  const versions = new Map<string, number>();
  const service = ts.createLanguageService({
    getScriptFileNames: () => [inCopy('src/primitives/index.ts'), inCopy('src/ops/declare.ts')],
    getScriptVersion: (file) => `${versions.get(file) ?? 0}`,
    getScriptSnapshot: (file) => {
      const text = texts.get(file) ?? ts.sys.readFile(file);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => copy,
    getCompilationSettings: () => ts.parseJsonConfigFileContent(config, ts.sys, copy).options,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile,
    directoryExists: ts.sys.directoryExists,
  });

  /** Returns the errors of a file of the copy, as if it had the text `text`. */
  function errors(file: string, text: string): string[] {
    const path = inCopy(file);
    texts.set(path, text);
    versions.set(path, (versions.get(path) ?? 0) + 1);
    const found = service.getSemanticDiagnostics(path);
    texts.delete(path);
    versions.set(path, (versions.get(path) as number) + 1);
    return found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
  }

  /** Returns the fields of the object to which a constant of a file is set, with the text of the file without each. */
  function fields(file: string, constant: string): [field: string, without: string][] {
    const text = readFileSync(inCopy(file), 'utf8');
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
    const found = source.statements
      .filter(ts.isVariableStatement)
      .flatMap(({ declarationList }) => declarationList.declarations)
      .find(({ name }) => name.getText() === constant)?.initializer;
    if (!found || !ts.isObjectLiteralExpression(found)) {
      throw new Error(`${file} has no object ${constant}`);
    }
    return found.properties.map((field) => {
      const rest = text.slice(field.end).replace(/^,/, '');
      return [field.name?.getText() ?? '', text.slice(0, field.pos) + rest];
    });
  }

  it.each([
    ['src/primitives/triangle.ts', 'triangle', 3],
    ['src/primitives/triangle.ts', 'triangleValue', 8],
    ['src/primitives/triangle.ts', 'triangleInstruction', 6],
    ['src/primitives/index.ts', 'lowerings', 15],
    ['src/primitives/index.ts', 'values', 11],
    ['src/primitives/index.ts', 'instructions', 10],
    ['src/graph/lowering.ts', 'loweringFields', 14],
  ])('%s if a field of %s is left out', (file, constant, least) => {
    expect(errors(file, readFileSync(inCopy(file), 'utf8'))).toEqual([]);
    const all = fields(file, constant);
    expect(all.length).toBeGreaterThanOrEqual(least);
    for (const [field, without] of all) {
      const missing = errors(file, without).filter((error) =>
        error.startsWith(`Property '${field}' is missing in type`),
      );
      expect(missing, field).toHaveLength(1);
    }
  });
});
