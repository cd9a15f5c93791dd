// The reference is made from docstrings. Every public name must have a docstring, and every function must say which
// ForebayErrors it throws. typedoc (`lint: reference`) refuses names of the reference that have no docstring. This test
// also checks their members.
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import * as fb from '../../src/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const entry = `${root}src/index.ts`;

const { config } = ts.readConfigFile(`${root}tsconfig.build.json`, ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const program = ts.createProgram([entry], options);
const checker = program.getTypeChecker();

/** Functions that need no `@throws`, because their arguments cannot be wrong or are checked elsewhere. */
const throwNothing = ['notDifferentiable'];
const errors = Object.keys(fb).filter((name) => name.endsWith('Error'));

interface Public {
  readonly path: string;
  readonly symbol: ts.Symbol;
  readonly callable: boolean;
}

const isInternal = (symbol: ts.Symbol) =>
  symbol.getJsDocTags(checker).some(({ name }) => name === 'internal');

/** Returns the public members of a class or an interface. */
function membersOf(symbol: ts.Symbol, path: string): Public[] {
  const declared = [...ownMembersOf(symbol), ...staticsOf(symbol)];
  return declared.filter(isOpen).map((member) => ({
    path: `${path}.${member.getName()}`,
    symbol: member,
    // Only the methods of classes count as callable. The functions in an options object belong to the user, so forebay
    // cannot document what they throw.
    callable:
      (symbol.flags & ts.SymbolFlags.Class) !== 0 && (member.flags & ts.SymbolFlags.Method) !== 0,
  }));
}

/** Returns the members of a class or an interface. For an interface, this includes the inherited members. */
function ownMembersOf(symbol: ts.Symbol): readonly ts.Symbol[] {
  const isInterface = (symbol.flags & ts.SymbolFlags.Interface) !== 0;
  if (isInterface) return checker.getDeclaredTypeOfSymbol(symbol).getProperties();
  return [...(symbol.members?.values() ?? [])];
}

function staticsOf(symbol: ts.Symbol): ts.Symbol[] {
  return (symbol.flags & ts.SymbolFlags.Class) === 0 ? [] : [...(symbol.exports?.values() ?? [])];
}

function isOpen(member: ts.Symbol): boolean {
  const kinds = ts.SymbolFlags.Property | ts.SymbolFlags.Method | ts.SymbolFlags.Accessor;
  if ((member.flags & kinds) === 0 || member.getName() === 'prototype') return false;
  return (member.declarations ?? []).every((declaration) => {
    const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
    const name = ts.getNameOfDeclaration(declaration);
    return (
      (ts.getCombinedModifierFlags(declaration) & hidden) === 0 &&
      !(name && ts.isPrivateIdentifier(name))
    );
  });
}

/** Returns true for an object literal such as `{…} as const`, which is the form of `initializers`. */
function isRecord(initializer: ts.Expression | undefined): boolean {
  const inner =
    initializer && ts.isAsExpression(initializer) ? initializer.expression : initializer;
  return inner !== undefined && ts.isObjectLiteralExpression(inner);
}

function everyName(): Public[] {
  const file = program.getSourceFile(entry);
  const index = file && checker.getSymbolAtLocation(file);
  if (!index) throw new Error(`${entry} has no exports`);
  return checker.getExportsOfModule(index).flatMap((exported) => {
    const symbol =
      (exported.flags & ts.SymbolFlags.Alias) === 0 ? exported : checker.getAliasedSymbol(exported);
    const path = exported.getName();
    const value = symbol.valueDeclaration;
    if (value && ts.isVariableDeclaration(value) && isRecord(value.initializer)) {
      const members = checker.getTypeOfSymbolAtLocation(symbol, value).getProperties();
      const record = members.map((member) => ({
        path: `${path}.${member.getName()}`,
        symbol: member,
        callable: false,
      }));
      return [{ path, symbol, callable: false }, ...record];
    }
    const callable =
      value !== undefined &&
      checker.getTypeOfSymbolAtLocation(symbol, value).getCallSignatures().length > 0;
    return [{ path, symbol, callable }, ...membersOf(symbol, path)];
  });
}

const textOf = (symbol: ts.Symbol) =>
  ts.displayPartsToString(symbol.getDocumentationComment(checker));
const throwsOf = (symbol: ts.Symbol) =>
  symbol.getJsDocTags(checker).flatMap(({ name, text }) => {
    return name === 'throws' ? [ts.displayPartsToString(text)] : [];
  });

describe('docstrings', () => {
  const names = everyName();
  const pathsOf = (some: readonly Public[]) => some.map(({ path }) => path);

  it('are checked for every export', () => {
    const paths = pathsOf(names);
    expect(Object.keys(fb).filter((name) => !paths.includes(name))).toEqual([]);
    for (const member of [
      'Program.runAsync',
      'Tensor.zeros',
      'FitOptions.epochs',
      'Node.name',
      'initializers.he',
    ]) {
      expect(paths).toContain(member);
    }
  });

  it('exist for every name and every member', () => {
    const silent = names.filter(({ symbol }) => textOf(symbol) === '' && !isInternal(symbol));
    // The property `code` of the error classes is excluded, because their base class documents it for all of them.
    const own = pathsOf(silent).filter((path) => !/^\w+Error\.code$/.test(path));
    expect(own).toEqual([]);
  });

  it('say for every function which ForebayErrors it throws', () => {
    const functions = names.filter(
      ({ path, callable }) => callable && !path.includes('.') && !throwNothing.includes(path),
    );
    const silent = functions.filter(({ symbol }) => {
      const said = throwsOf(symbol).join(' ');
      return !errors.some((error) => said.includes(error));
    });
    expect(pathsOf(silent)).toEqual([]);
  });

  it('name only errors that exist', () => {
    const wrong = names.flatMap(({ path, symbol }) =>
      throwsOf(symbol)
        .flatMap((text) => text.match(/\b[A-Z]\w*Error\b/g) ?? [])
        .filter((error) => !errors.includes(error))
        .map((error) => `${path}: ${error}`),
    );
    expect(wrong).toEqual([]);
  });
});
