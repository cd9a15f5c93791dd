// What the compiler assumes of the executor and of the machine is in src/ir/target.ts. This test checks that the passes
// and the records of primitives contain no such numbers: tile sizes, bytes of caches, limits of loops.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../src', import.meta.url));

/**
 * The larger numbers that are no limits of the machine, by file. Smaller numbers count operands, axes and the like.
 */
const allowed: Readonly<Record<string, readonly string[]>> = {
  'ir/view.ts': ['31'], // hash
  'ir/same.ts': ['31', '16777619'], // hash
  'ir/builder.ts': ['64', '63'], // the number of hash tables
  'compile/passes/simplify/map.ts': ['126', '1022'], // exponents of the smallest normal numbers
  'compile/passes/occupied.ts': ['16'], // the children of a branch of a tree
  'compile/passes/code-buffer.ts': ['4096'], // the length of a block of numbers
};

/** Returns the numbers above 8 of a file, and constants with a name whose value is a number above 2. */
function limits(text: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isNumericLiteral(node) && Number(node.text) > 8) found.push(node.text);
    else if (
      ts.isVariableDeclaration(node) &&
      ts.isVariableDeclarationList(node.parent) &&
      ts.isVariableStatement(node.parent.parent) &&
      ts.isSourceFile(node.parent.parent.parent) &&
      node.initializer &&
      ts.isNumericLiteral(node.initializer) &&
      Number(node.initializer.text) > 2
    ) {
      found.push(node.initializer.text);
    } else node.forEachChild(visit);
  };
  visit(ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest, true));
  return found;
}

/** The opcodes of instructions are the numbers of a record, and no limits. */
const withoutOpcodes = (text: string) =>
  text.replace(/opcodes: \{.*\}|const opcode = \d+;|const \[plain, withPanels\] = .*;/g, '');

it('no pass and no record of a primitive has a number of the machine: it is in src/ir/target.ts', () => {
  const files = ['ir', 'primitives', 'compile/passes'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => `${folder}/${file}`),
  );
  expect(files).toContain('ir/target.ts');
  const numbers = files
    .filter((file) => file !== 'ir/target.ts')
    .map((file) => {
      const text = withoutOpcodes(readFileSync(join(root, file), 'utf8'));
      const permitted = allowed[file] ?? [];
      return [file, ...limits(text).filter((number) => !permitted.includes(number))];
    })
    .filter(({ length }) => length > 1);
  expect(numbers).toEqual([]);
});

it.each([
  'const smallWeights = 16_384;',
  'const fewLanes = 4;',
  'export const directBytes = 2 ** 18;',
  'function f(n: number) { return n <= 64; }',
])('finds the number in "%s"', (text) => {
  expect(limits(text)).not.toEqual([]);
});
