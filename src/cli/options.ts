/**
 * The kinds of options that a demo can have. Each kind parses the text that the user typed. Its errors say what was
 * expected.
 */

/** The error for wrong usage. The command prints its message, and exits with status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Option<T> {
  /** The placeholder of the value in the help, such as `N` or `DIR`; undefined for a flag. */
  readonly placeholder?: string;
  readonly help: string;
  readonly default: T;
  /** The text for the default in the help. If this text is empty, the help shows no default. */
  readonly defaultText: string;
  /** @throws UsageError if the text is invalid; the message says what was expected, without the option's name */
  readonly parse: (text: string) => T;
}

/** The options of a demo by name. The user types the option `hiddenUnits` as `--hidden-units`. */
export type Options = Readonly<Record<string, Option<unknown>>>;

/** The values of the options, as a demo receives them. */
export type Values<O extends Options> = {
  readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never;
};

/** Returns an option whose value is a whole number from `min` (0 by default) to `max`, both included. */
export function integer(of: {
  readonly help: string;
  readonly default: number;
  readonly min?: number;
  readonly max?: number;
}): Option<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = of;
  return {
    placeholder: 'N',
    help: of.help,
    default: of.default,
    defaultText: String(of.default),
    parse: (text) => parseInteger(text, min, max),
  };
}

/**
 * Returns an option whose value is a finite number from `min` to `max`, both included. `above` is a lower bound that is
 * excluded. All three bounds are optional.
 */
export function real(of: {
  readonly help: string;
  readonly default: number;
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
}): Option<number> {
  const { min = -Infinity, above = -Infinity, max = Infinity } = of;
  const bounds = [
    ...(above > -Infinity ? [`above ${above}`] : []),
    ...(min > -Infinity ? [`of at least ${min}`] : []),
    ...(max < Infinity ? [`of at most ${max}`] : []),
  ];
  return {
    placeholder: 'X',
    help: of.help,
    default: of.default,
    defaultText: String(of.default),
    parse: (text) => {
      const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
      if (!Number.isFinite(value) || value < min || value > max || value <= above) {
        throw new UsageError(
          `expected ${['a number', bounds.join(' and ')].join(' ').trim()}, but received '${text}'`,
        );
      }
      return value;
    },
  };
}

/** Returns an option whose value is one of several words. */
export function choice<const T extends string>(
  words: readonly T[],
  of: { readonly help: string; readonly default: NoInfer<T> },
): Option<T> {
  return {
    placeholder: words.join('|'),
    help: of.help,
    default: of.default,
    defaultText: of.default,
    parse: (text) => {
      const word = words.find((known) => known === text);
      if (word === undefined) {
        throw new UsageError(`expected ${words.join(' or ')}, but received '${text}'`);
      }
      return word;
    },
  };
}

/** Returns an option whose value is the path of a file; undefined by default. */
export function file(of: { readonly help: string }): Option<string | undefined> {
  return {
    placeholder: 'FILE',
    help: of.help,
    default: undefined,
    defaultText: '',
    parse: (text) => {
      if (text === '') throw new UsageError("expected a file, but received ''");
      return text;
    },
  };
}

/** Returns an option whose value is the path of a folder; undefined by default. */
export function folder(of: { readonly help: string }): Option<string | undefined> {
  return {
    placeholder: 'DIR',
    help: of.help,
    default: undefined,
    defaultText: '',
    parse: parseFolder,
  };
}

/** Returns the path of a folder. @throws UsageError if it is empty */
export function parseFolder(text: string): string {
  if (text === '') throw new UsageError("expected a folder, but received ''");
  return text;
}

/** Returns an option that the user types without a value: true if it is given, false by default. */
export function flag(of: { readonly help: string }): Option<boolean> {
  return { help: of.help, default: false, defaultText: '', parse: () => true };
}

/**
 * Returns an option whose value is a list of seeds, such as `1-5`, `1,3,7` or `1-3,9`. The seeds are used in the given
 * order.
 */
export function seedList(of: {
  readonly help: string;
  readonly default: string;
}): Option<readonly number[]> {
  return {
    placeholder: 'LIST',
    help: of.help,
    default: parseSeeds(of.default),
    defaultText: of.default,
    parse: parseSeeds,
  };
}

/** The greatest seed. It has 32 bits, like the seed in the key of the random generator. */
export const greatestSeed = 2 ** 32 - 1;
const mostSeeds = 1000;

/**
 * Parses a list of seeds and ranges of seeds, such as `1-5` or `1,3,7`.
 * @throws UsageError if the text is not such a list, if a range decreases, if a seed occurs twice, or if there are more
 *   than a thousand seeds
 */
export function parseSeeds(text: string): readonly number[] {
  const seeds: number[] = [];
  for (const part of text.split(',')) {
    const ends = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
    if (ends === null) {
      throw new UsageError(`expected seeds such as 1-5 or 1,3,7, but received '${text}'`);
    }
    const first = parseInteger(ends[1] as string, 0, greatestSeed);
    const last = ends[2] === undefined ? first : parseInteger(ends[2], 0, greatestSeed);
    if (last < first) {
      throw new UsageError(`expected an increasing range of seeds, but received '${part.trim()}'`);
    }
    if (seeds.length + last - first + 1 > mostSeeds) {
      throw new UsageError(`expected at most ${mostSeeds} seeds, but received '${text}'`);
    }
    for (let seed = first; seed <= last; seed++) seeds.push(seed);
  }
  const twice = seeds.find((seed, index) => seeds.indexOf(seed) !== index);
  if (twice !== undefined) {
    throw new UsageError(`expected each seed once, but received ${twice} twice in '${text}'`);
  }
  return seeds;
}

function parseInteger(text: string, min: number, max: number): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) {
    const range =
      max === Number.MAX_SAFE_INTEGER
        ? min === 0
          ? 'a non-negative whole number'
          : `a whole number of at least ${min}`
        : `a whole number from ${min} to ${max}`;
    throw new UsageError(`expected ${range}, but received '${text}'`);
  }
  return value;
}
