/**
 * `maps`: the names and the layouts that the variables of modules have in other libraries. The forms of the layers of
 * PyTorch are in `pytorch-forms.ts`.
 */

import { describeValue } from '../arguments/describe.js';
import { checkedLater } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { assertList, assertRecord, isList, isRecord, reading } from '../arguments/read.js';
import { ValueError } from '../errors.js';
import { isVariable, type Variable } from '../graph/leaf.js';
import { placesOf } from '../modules/entries.js';
import { modulesOf } from '../modules/held.js';
import { isModule } from '../modules/known.js';
import type { Module } from '../modules/module.js';
import { namedVariables, type Restored } from '../modules/named.js';
import { type Group, sameValue, WeightMap } from '../modules/weights.js';
import { type Form, formOf } from './pytorch-forms.js';

/**
 * Other names for tensors: a function that returns the name in the file, or undefined if the file lacks the tensor; or a
 * record of names in the file by the names that are replaced.
 */
export type Renaming = ((name: string) => string | undefined) | Readonly<Record<string, string>>;

const pytorchOptions = declareOptions('maps.pytorch', {
  /**
   * The names in the file, if they differ from those of the map: a function of a name of the map, such as
   * `(name) => 'model.' + name`, or a record of names. A variable is left out if the function returns undefined.
   */
  rename: optional(
    checkedLater<Renaming>('a function of a name, or a record of names'),
    'names',
    'map',
    'prefix',
  ),
});

/** Options of `maps.pytorch`. */
export interface PytorchOptions extends OptionsOf<typeof pytorchOptions> {}

/** Maps between the variables of modules and the files of other libraries. Give one as the option `map`. */
export const maps = {
  /**
   * Returns the map to the names and layouts of PyTorch. `restore`, `copy` and `assign` read the `state_dict` of the
   * PyTorch module with it, and `save` writes what its `load_state_dict(strict=True)` takes:
   *
   *     restore('theirs.safetensors', net, { map: maps.pytorch(net) });
   *     save('ours.safetensors', net, { map: maps.pytorch(net) });
   *
   * | forebay | PyTorch | its tensors |
   * |---|---|---|
   * | `Dense` | `Linear` | the weight transposed |
   * | `LSTM`, `GRU`, `SimpleRNN` | `LSTM`, `GRU`, `RNN` | `weight_ih_l0` and so on, with `_l1` and `_reverse`. Where PyTorch has two biases and forebay has one, their sum is read, and `bias_hh` is written as 0 |
   * | `BatchNorm` | `BatchNorm1d` to `3d` | `running_mean`, `running_var`; `num_batches_tracked` is not read, and written as 0 |
   * | `MultiHeadAttention` | `MultiheadAttention` | `in_proj_weight`, `in_proj_bias`, `out_proj` |
   * | `TransformerEncoderLayer` | the same | `self_attn`, `linear1`, `linear2`, `norm1`, `norm2` |
   *
   * The other layers have the same tensors in both. Below all other modules, names are the relative paths of the
   * variables, as those of `save(file, module)`; a layer there has its own form. A module that is held in several places
   * has several names: all of them are written, and one of them is enough to read it. Only weights are stored: options,
   * such as `epsilon`, and activations must be those of the PyTorch module.
   * @param modules a module, a list of variables, or a record of variables and modules, whose names then begin with those
   *   of the record
   * @throws ValueError if an argument or an option is invalid, or `rename` gives names to a part of the tensors of a
   *   variable only; GraphError if two variables have the same path. The functions that use the map throw a ValueError for
   *   variables that it does not have
   */
  pytorch: (modules: Restored, options?: PytorchOptions): WeightMap => {
    const { rename } = pytorchOptions.read(options);
    const given = copied(modules);
    const variables = new Set(namedVariables('maps.pytorch', given).values());
    const groups = namesOf(given);
    return renamed(groups, renamerOf(rename, groups), variables);
  },
} as const;

/** Returns a copy of a list or a record, because the caller may change it, or it may have getters. */
function copied(modules: Restored): Restored {
  const expected = 'maps.pytorch: expected modules that can be read,';
  if (isList(modules)) return assertList(modules as readonly Variable[], expected);
  return isRecord(modules) ? Object.fromEntries(assertRecord(modules, expected)) : modules;
}

/** Groups of variables with the names of their tensors: for each tensor or extra one, a list of names. */
type Names = Map<Group, string[][]>;

/** Returns the variables and modules that were given, by name. A module that was given alone has the name ''. */
function rootsOf(modules: Restored): (readonly [name: string, value: Variable | Module])[] {
  if (isModule(modules)) return [['', modules]];
  if (!isList(modules)) return Object.entries(modules as Readonly<Record<string, Variable>>);
  return (modules as readonly Variable[]).map((variable) => [variable.name as string, variable]);
}

/** Returns the groups of all variables. The names in the groups themselves are relative to their modules. */
function namesOf(modules: Restored): Names {
  const roots = rootsOf(modules);
  const forms = new Map<Module, Form>();
  for (const [, value] of roots) {
    if (!isModule(value)) continue;
    for (const module of modulesOf(value)) forms.set(module, formOf(module));
  }
  const covered = new Set(
    [...forms.values()].flatMap(({ groups }) => groups.flatMap(({ variables }) => variables)),
  );
  const names: Names = new Map();
  const plain = new Map<Variable, Group>();
  const add = (group: Group, prefix: string) => {
    const parts = [...group.tensors, ...group.extras];
    const known = names.get(group) ?? parts.map(() => []);
    names.set(group, known);
    parts.forEach((part, index) => {
      const before = known[index] as string[];
      const others = part.names.map((name) => prefix + name);
      // Modules above the scope of a variable may hold it, too. Its path is the same for all of them.
      before.push(...others.filter((name) => !before.includes(name)));
    });
  };
  const addPlain = (variable: Variable, path: string) => {
    // The form of a layer has it, under a name of PyTorch.
    if (covered.has(variable)) return;
    const group = plain.get(variable) ?? sameValue(variable, ['']);
    plain.set(variable, group);
    add(group, path);
  };
  const visit = (module: Module, prefix: string, within: readonly Module[]) => {
    const { groups, children, inner } = forms.get(module) as Form;
    for (const group of groups) add(group, prefix);
    for (const { path, value } of placesOf(module)) {
      if (!isModule(value)) {
        addPlain(value, `${prefix}${path}`);
      } else if (!inner.has(value) && !within.includes(value)) {
        visit(value, `${prefix}${children.get(value) ?? path}.`, [...within, value]);
      }
    }
  };
  for (const [name, value] of roots) {
    if (isVariable(value)) addPlain(value, name);
    else visit(value, isModule(modules) ? '' : `${name}.`, [value]);
  }
  return names;
}

/** Returns the map, with the names in the file. */
function renamed(
  groups: Names,
  rename: (name: string) => string | undefined,
  variables: ReadonlySet<Variable>,
): WeightMap {
  const kept: Group[] = [];
  const keptVariables = new Set<Variable>();
  for (const [group, names] of groups) {
    const others = names.map((list) => list.flatMap((name) => rename(name) ?? []));
    const tensors = group.tensors.map((tensor, index) => ({
      ...tensor,
      names: others[index] as string[],
    }));
    const lacking = tensors.findIndex(({ names }) => names.length === 0);
    if (lacking >= 0) {
      const there = tensors.findIndex(({ names }) => names.length > 0);
      if (there < 0) continue;
      throw new ValueError(
        `maps.pytorch: the option rename leaves out '${names[lacking]?.[0]}', but not '${names[there]?.[0]}', which has values of the same variables`,
      );
    }
    const extras = group.extras.map((extra, index) => ({
      ...extra,
      names: others[tensors.length + index] as string[],
    }));
    kept.push({ ...group, tensors, extras });
    for (const variable of group.variables) keptVariables.add(variable);
  }
  const leftOut = [...variables].filter((variable) => !keptVariables.has(variable));
  return new WeightMap(kept, new Set(leftOut));
}

/** Returns the function that returns the name in the file. */
function renamerOf(rename: unknown, groups: Names): (name: string) => string | undefined {
  if (rename === undefined) return (name) => name;
  const refused = (what: string) => new ValueError(`maps.pytorch: the option rename ${what}`);
  if (typeof rename === 'function') {
    return (name) => {
      const other: unknown = rename(name);
      if (other === undefined || typeof other === 'string') return other;
      throw refused(
        `must return a name or undefined, but returned ${describeValue(other)} for '${name}'`,
      );
    };
  }
  if (!isRecord(rename)) {
    throw refused(
      `must be a function of a name, or a record of names, but is ${describeValue(rename)}`,
    );
  }
  const given = new Map(reading('maps.pytorch: rename', rename, () => Object.entries(rename)));
  const known = new Set([...groups.values()].flat(2));
  for (const [name, other] of given) {
    if (!known.has(name)) throw refused(`has '${name}', but no tensor has this name`);
    if (typeof other !== 'string') {
      throw refused(`must have names, but has ${describeValue(other)} for '${name}'`);
    }
  }
  return (name) => (given.get(name) as string | undefined) ?? name;
}
