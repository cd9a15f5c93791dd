// The facts of a kernel and of a routine (which kernels are cheap, the identity of a reduction, and so on) are stated
// once, in the tables of the addon. These tests check that no TypeScript file repeats them, and that a row without them
// does not compile.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kernelFacts, load, routineFacts } from '../../src/native/addon.js';
import { prepareReduce } from '../../src/native/kernels.js';
import { bytesOf, type DType, typedArray } from '../../src/tensor/dtype.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { kernels, routines } = load().description;
const names = new Set(
  [...kernels.filter(({ family }) => family !== 'cast'), ...routines].map(({ name }) => name),
);

/** The folders whose code handles kernels by name. An op names its own kernel. */
const folders = ['native', 'ir', 'primitives', 'evaluate', 'compile'];
/** The rules of algebra are about particular kernels, such as a * 1 = a. native/table.ts is compared with the addon. */
const exempt = /^(native\/table\.ts|compile\/passes\/simplify\/\w+\.ts|compile\/passes\/code\.ts)$/;

/** Names of kernels that are also words of sentences. */
const common = new Set(['and', 'or', 'not']);

/** Returns the names of kernels that each list of a file contains: an array, an object, a text, or a chain of || or &&. */
function lists(text: string): string[][] {
  const found: string[][] = [];
  const wordsIn = (node: ts.Node): string[] => {
    if (ts.isStringLiteralLike(node)) {
      const words = node.text.split(/\W+/);
      return words.length === 1 ? words : words.filter((word) => !common.has(word));
    }
    if (ts.isFunctionLike(node)) return [];
    if (ts.isPropertyAssignment(node) && ts.isIdentifier(node.name)) {
      return [node.name.text, ...wordsIn(node.initializer)];
    }
    return node.getChildren().flatMap(wordsIn);
  };
  const isChain = (node: ts.Node) =>
    ts.isBinaryExpression(node) &&
    [ts.SyntaxKind.BarBarToken, ts.SyntaxKind.AmpersandAmpersandToken].includes(
      node.operatorToken.kind,
    );
  const visit = (node: ts.Node): void => {
    const isList =
      ts.isArrayLiteralExpression(node) ||
      ts.isObjectLiteralExpression(node) ||
      ts.isStringLiteralLike(node) ||
      isChain(node);
    if (isList) found.push([...new Set(wordsIn(node))].filter((word) => names.has(word)));
    node.forEachChild(visit);
  };
  visit(ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest, true));
  return found;
}

const listed = (text: string) => lists(text).filter((found) => found.length > 1);

describe('facts of kernels', () => {
  it('are listed in no TypeScript file', () => {
    const files = folders.flatMap((folder) =>
      readdirSync(join(root, 'src', folder), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts'))
        .map((file) => `${folder}/${file}`),
    );
    expect(files).toContain('primitives/reduce.ts');
    const repeated = files
      .filter((file) => !exempt.test(file))
      .flatMap((file) =>
        listed(readFileSync(join(root, 'src', file), 'utf8')).map((found) => [file, ...found]),
      );
    expect(repeated).toEqual([]);
  });

  it.each([
    "const cheap = new Set('neg abs square'.split(' '));",
    "const cheap = ['exp', 'add'];",
    'const identities = { max: -Infinity, sum: 0 };',
    "const plain = kernel === 'sum' || kernel === 'max';",
    "const logical = ['and', 'or'];",
    "const isFast = routine !== 'sort' && (small || routine !== 'topK');",
  ])('are found in %s', (text) => {
    expect(listed(text)).not.toEqual([]);
  });

  it('are compared with the expected tables, which nothing else reads', () => {
    const readers = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter(
      (file) =>
        file.endsWith('.ts') &&
        file !== 'native/table.ts' &&
        /expected(Kernels|Routines)/.test(readFileSync(join(root, 'src', file), 'utf8')),
    );
    expect(readers).toEqual(['native/addon.ts']);
  });

  it('have the identity that the kernel computes over no elements', () => {
    const reductions = kernels.filter(({ family }) => family === 'reduce');
    const identities = reductions.flatMap(({ name }) => {
      const facts = kernelFacts('reduce', name);
      expect(facts.indexes).toBe(Object.keys(facts.identities).length === 0);
      return Object.entries(facts.identities).map(([dtype, identity]) => {
        const out = typedArray(dtype as DType, 1);
        prepareReduce(name, [1, 0], [1], [0, 1])(out, typedArray(dtype as DType, 0));
        expect(out[0]).toBe(identity);
        return `${name} ${dtype} ${identity}`;
      });
    });
    expect(identities.sort()).toEqual([
      'max float32 -Infinity',
      'max float64 -Infinity',
      'max int32 -2147483648',
      'sum float32 0',
      'sum float64 0',
    ]);
  });

  it('are those of the kernels', () => {
    expect(kernelFacts('map', 'add').cheap).toContain('float32');
    expect(kernelFacts('map', 'exp').cheap).toEqual([]);
    expect(kernelFacts('cast', 'float32').cheap).toEqual(['bool', 'mask32', 'mask64']);
    expect(kernelFacts('random', 'uniform').cheap).toContain('float32');
    expect(kernelFacts('random', 'normal').cheap).toEqual([]);
    expect(kernelFacts('map', 'where').form).toBe('selects');
    expect(kernelFacts('reduce', 'max').rows).toEqual(['float32', 'float64']);
    expect(routineFacts('convWeightGradient').lanes).toEqual([0, 1]);
    expect(Object.keys(bytesOf)).toEqual(
      expect.arrayContaining([...kernelFacts('map', 'copy').dtypes]),
    );
  });
});

describe('a row of a native table that lacks a fact', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'forebay-facts-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Compiles code after the kernel table and the routine table. Returns the errors of the compiler. */
  function compiled(code: string): string {
    const file = join(folder, 'row.cc');
    writeFileSync(
      file,
      `#include "kernels/body/prelude.h"
#include "routines/routine.h"
#define FOREBAY_BODY rows
#define FOREBAY_BODY_VECTOR 16
#define FOREBAY_BODY_FMA 0
#include "kernels/body/table.h"
namespace forebay::rows {
${code}
}
`,
    );
    const options = ['-std=c++17', '-fsyntax-only', '-w', `-I${join(root, 'native')}`, file];
    try {
      execFileSync(process.env.CXX ?? 'c++', options, { stdio: 'pipe' });
      return '';
    } catch (error) {
      return String((error as { stderr: unknown }).stderr);
    }
  }
  const op = (base: string, facts = '') =>
    `struct Twice${base} { ${facts} template <class T> static T of(T a) { return a + a; } };
constexpr Kernel row = floats<Twice>("twice");`;
  const fold = (facts: string) =>
    `constexpr Fold fold = {Fold::Kind::sum, ${facts} sumRows<float>, sumRun<float>};`;
  const routine = (facts: string) =>
    `const RoutineRow row = {"r", 1, 1, 0, 1, false, -1, ${facts} nullptr, nullptr, nullptr};
constexpr bool (*check)(const RoutineCall&, Fault&) = nullptr;
const RoutineRow whole = {"r", 1, 1, 0, 1, false, -1, ${facts} check, nullptr, nullptr};`;

  it.each<[what: string, code: string, error: RegExp | '']>([
    ['an operation with its facts', op(' : Unary<Cost::low>'), ''],
    ['an operation without cost', op(' : Unary<>'), /template argument/],
    [
      'an operation with its arity alone',
      op('', 'static constexpr int arity = 1; static constexpr Form form = Form::plain;'),
      /cheap/,
    ],
    ['a reduction with its facts', fold('DType::float32, 0,'), ''],
    ['a reduction without identity', fold('DType::float32,'), /conver/],
    ['a reduction without the type of its result', fold('0,'), /conver/],
    ['a routine with its facts', routine('0,'), ''],
    ['a routine without lanes', routine(''), /conver/],
  ])('compiles only if nothing is missing: %s', (_what, code, error) => {
    if (error === '') expect(compiled(code)).toBe('');
    else expect(compiled(code)).toMatch(error);
  });
});
